"""The entry points: importing them has no effect, and their failures are reported."""

import re
import subprocess
import sys
import textwrap
from typing import Any

import pytest
import responses
from requests import PreparedRequest

from chalicelib.domain.models import JsonObject
from chalicelib.edges.bigcommerce import Unauthorized
from chalicelib.settings import SettingsError
from sandbox.container import Context
from tests.factories import PROJECT, V2, FakeClock, at, callback, events
from tests.integration.conftest import Service, Stage
from tests.integration.signatures import SECRETS


def test_importing_the_app_reads_no_setting_and_connects_to_nothing() -> None:
    program = """
        import os
        import boto3

        read = []

        class Watched(dict):
            def __getitem__(self, name): read.append(name); return super().__getitem__(name)
            def get(self, name, default=None): read.append(name); return super().get(name, default)
            def __contains__(self, name): read.append(name); return super().__contains__(name)

        os.environ = Watched()
        import app
        from chalicelib.settings import Settings

        settings = {name.upper() for name in Settings.model_fields}
        # Chalice marks the environment as its own.
        aws = {name for name in read if name.startswith("AWS_")} - {"AWS_EXECUTION_ENV"}
        print(settings & set(read), aws)
        print(boto3.DEFAULT_SESSION, app.wiring.cache_info().currsize)
    """

    run = subprocess.run(  # noqa: S603 - this interpreter, on the lines above
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=PROJECT,
        env={},
        capture_output=True,
        text=True,
        check=True,
    )

    assert run.stdout.splitlines() == ["set() set()", "None 0"]


def test_a_poll_holds_the_lease_a_minute_longer_than_it_may_run(
    stage: Stage, service: Service, web: responses.RequestsMock
) -> None:
    held: list[JsonObject] = []

    def read_lease(_: PreparedRequest) -> tuple[int, dict[str, str], str]:
        jobs = stage.items("jobs")
        held.extend(job for job in jobs if job["started_at"] == "lease")
        return 403, {"Content-Type": "application/json"}, "[]"

    web.add_callback("GET", f"{V2}/orders/count", read_lease)

    with pytest.raises(Unauthorized):
        service.poll()

    (lease,) = held
    assert lease["held_until"] == int(at(900 + 60).timestamp())


CONSUMERS = {"replicate_orders": "queue_url", "follow_orders": "changes_queue_url"}
"""The functions that consume a queue, each with the attribute of a stage that is its URL."""


@pytest.mark.parametrize(("function", "queue"), CONSUMERS.items())
def test_a_consumer_delays_the_messages_of_its_own_queue(
    stage: Stage, service: Service, clock: FakeClock, function: str, queue: str
) -> None:
    url = getattr(stage, queue)
    stage.sqs.send_message(QueueUrl=url, MessageBody="not an order message")
    received = stage.receive(url)

    assert service.consume(received, function) == [received[0]["MessageId"]]
    clock.advance(29)
    assert stage.receive(url) == []
    clock.advance(2)
    assert len(stage.receive(url)) == 1


@pytest.mark.parametrize(("function", "queue"), CONSUMERS.items())
def test_messages_whose_visibility_cannot_be_changed_return_to_the_queue(
    stage: Stage, service: Service, function: str, queue: str
) -> None:
    url = getattr(stage, queue)
    stage.sqs.send_message(QueueUrl=url, MessageBody="not an order message")
    (received,) = stage.receive(url)
    stage.sqs.delete_queue(QueueUrl=url)

    assert service.consume([received], function) == [received["MessageId"]]


def test_only_the_consumer_of_changes_leaves_a_share_of_the_quota(service: Service) -> None:
    """A window in which less is left than is reserved: 10 for other apps, and the share."""
    left = {
        "X-Rate-Limit-Requests-Left": "30",
        "X-Rate-Limit-Requests-Quota": "150",
        "X-Rate-Limit-Time-Reset-Ms": "20000",
    }
    waits = []
    for consumer in (service.wiring.replicator, service.wiring.follower):
        pacer = consumer(Context("replicate_orders", 180, service.clock)).store.pacer
        pacer.observe(left)
        before = len(service.clock.sleeps)
        with pacer.slot(service.clock.time() + 180):
            waits.append(service.clock.sleeps[before:])

    assert waits == [[], [pytest.approx(10.0, abs=0.01)]]


@pytest.mark.parametrize("path", ["/cart-converted", "/order-changed"])
def test_a_route_accepts_no_other_method(service: Service, path: str) -> None:
    assert service.http.get(path).status_code == 405


def test_an_alert_that_cannot_be_sent_does_not_hide_the_failure(
    stage: Stage, service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    stage.sns.delete_topic(TopicArn=stage.errors_topic_arn)
    stage.sqs.delete_queue(QueueUrl=stage.queue_url)

    answer = service.post(callback(), X_Replication_Token=SECRETS.webhook_token)

    assert answer.status_code == 500
    assert {"function_failed", "alert_not_sent"} <= set(events(caplog))


@pytest.mark.parametrize(
    "call",
    [
        lambda service: service.poll(),
        lambda service: service.consume([]),
        lambda service: service.consume([], "follow_orders"),
    ],
    ids=["poll_orders", "replicate_orders", "follow_orders"],
)
def test_an_error_names_every_invalid_setting(
    service: Service, monkeypatch: pytest.MonkeyPatch, call: Any
) -> None:
    monkeypatch.setenv("MAX_IN_FLIGHT", "0")
    monkeypatch.setenv("STAGE", "")
    monkeypatch.setenv("REPLICATE_SINCE", "yesterday")

    with pytest.raises(SettingsError, match=r"MAX_IN_FLIGHT.*REPLICATE_SINCE.*STAGE"):
        call(service)


def test_a_container_reads_its_settings_once(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAGE", "first")
    assert service.wiring.settings.stage == "first"
    monkeypatch.setenv("STAGE", "second")

    assert service.wiring.settings.stage == "first"


def test_a_poll_whose_token_is_rejected_is_counted(
    service: Service, web: responses.RequestsMock, caplog: pytest.LogCaptureFixture
) -> None:
    """The metric TokenRejections matches the name of the error."""
    web.get(re.compile(".*"), status=401, json=[])

    with pytest.raises(Unauthorized):
        service.poll()

    (failed,) = [each for each in caplog.records if "function_failed" in vars(each).values()]
    assert vars(failed)["error"] == "Unauthorized"
