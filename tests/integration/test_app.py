"""The entry points: what importing them costs, and whom a failure reaches."""

import subprocess
import sys
import textwrap

import pytest

from chalicelib.edges.bigcommerce import Unauthorized
from chalicelib.settings import SettingsError
from tests.factories import PROJECT, events, order_fields
from tests.integration.conftest import JSON, Service, Shop, Stage


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


def test_a_poll_that_fails_alerts_people_and_fails(
    stage: Stage, service: Service, shop: Shop
) -> None:
    shop.place(order_fields(118))
    shop.answers["GET orders/count"] = (403, JSON, '[{"message": "jane.doe@example.com"}]')

    with pytest.raises(Unauthorized):
        service.poll()

    (mail,) = stage.mail()
    assert mail["Subject"] == "order-replication test: poll_orders failed: Unauthorized"
    told = dict(fact.split(": ", 1) for fact in mail["Message"].splitlines()[2:])
    assert len(told.pop("request id")) == 36
    assert told == {
        "function": "poll_orders",
        "log group": "/aws/lambda/order-replication-test",
        "log stream": "2025/06/02/[1]stream",
        "error": "Unauthorized: GET orders/count -> 403",
    }


def test_an_alert_names_the_invocation_that_failed(
    stage: Stage, service: Service, shop: Shop
) -> None:
    shop.answers["GET orders/count"] = (403, JSON, "[]")
    with pytest.raises(Unauthorized):
        service.poll()
    assert stage.mail()

    service.clock.pass_by(900)
    with pytest.raises(Unauthorized):
        service.poll()

    (item, _) = sorted(stage.items("jobs"), key=lambda job: job["started_at"])
    assert item["outcome"] == "failed"
    (mail,) = stage.mail()
    assert "request id: " in mail["Message"]


def test_an_alert_that_cannot_be_sent_does_not_hide_the_failure(
    stage: Stage, service: Service, shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    stage.sns.delete_topic(TopicArn=stage.topic_arn)
    shop.answers["GET orders/count"] = (403, JSON, "[]")

    with pytest.raises(Unauthorized):
        service.poll()

    assert "alert_not_sent" in events(caplog)


def test_a_poll_that_succeeds_alerts_nobody(stage: Stage, service: Service, shop: Shop) -> None:
    shop.place(order_fields(118))

    service.poll()

    assert stage.mail() == []
    assert [message["order_id"] for message in stage.queued()] == [118]


@pytest.mark.parametrize("function", ["poll", "consume"])
def test_broken_settings_fail_with_all_their_names(
    service: Service, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    monkeypatch.setenv("MAX_IN_FLIGHT", "0")
    monkeypatch.setenv("STAGE", "")
    monkeypatch.setenv("REPLICATE_SINCE", "yesterday")

    with pytest.raises(SettingsError, match=r"MAX_IN_FLIGHT.*REPLICATE_SINCE.*STAGE"):
        _ = service.poll() if function == "poll" else service.consume([])


def test_settings_are_read_with_every_cold_start(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAGE", "first")
    assert service.wiring.settings.stage == "first"
    monkeypatch.setenv("STAGE", "second")

    assert service.wiring.settings.stage == "first"
