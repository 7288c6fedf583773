"""`doctor`: finds every fault of a stage, with its fix."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from moto.backends import get_backend

from chalicelib.domain.jobs import Job
from ops.__main__ import main
from ops.deployment import HANDLERS
from ops.doctor.progress import poll_findings
from ops.metrics import HOUR
from ops.remedies import LOG_IN, SET_CLOCK, START_SANDBOX
from sandbox.functions import CONCURRENCY
from sandbox.stack import ACCOUNT, REGION
from sandbox.store import Store
from sandbox.store.clock import SimulatedClock
from sandbox.store.faults import Fault
from sandbox.world import World
from tests.e2e.conftest import Ops

PROJECT = Path(__file__).resolve().parents[2]
TOKEN = "X-Replication-Token"
ELSEWHERE = "https://gone.execute-api.us-east-1.amazonaws.com/prod/cart-converted"


@pytest.fixture
def faults(ops: Ops, world: World) -> Callable[[], dict[str, dict[str, Any]]]:
    """The faults that doctor finds, by name; its exit code is 1."""
    prepare(world)

    def examine() -> dict[str, dict[str, Any]]:
        found = ops.json("doctor", code=1)
        assert not found["healthy"]
        wrong = [finding for finding in found["findings"] if finding["mark"] == "fault"]
        assert all(finding["fix"] for finding in wrong)
        return {finding["name"]: finding for finding in wrong}

    return examine


@pytest.fixture
def notes(ops: Ops, world: World) -> Callable[[], dict[str, dict[str, Any]]]:
    """The notes of doctor for a healthy stage, by name."""
    prepare(world)

    def examine() -> dict[str, dict[str, Any]]:
        found = ops.json("doctor")
        return {f["name"]: f for f in found["findings"] if f["mark"] == "note"}

    return examine


def prepare(world: World) -> None:
    """What an operator does after a deployment."""
    world.poll()
    world.store.callbacks.emails = ["alerts@example.com"]


def run(world: World, command: str) -> str:
    return f".venv/bin/python -m ops --stage {world.stack.stage} {command}"


def deploy(world: World) -> str:
    return f"make deploy STAGE={world.stack.stage}"


def change_hook(store: Store, **changes: Any) -> str:
    """Change the hook of the carts; returns the name of its finding."""
    hook_id = next(iter(store.callbacks.hooks))
    store.callbacks.change(hook_id, **changes)
    return f"webhook {hook_id}"


def test_a_healthy_stage_has_no_faults_and_no_notes(ops, world):
    prepare(world)

    found = ops.json("doctor")

    assert found["healthy"]
    assert len(found["findings"]) > 20
    assert {finding["mark"] for finding in found["findings"]} == {"ok"}


def test_doctor_changes_nothing(ops, world, store):
    order_id = store.place_order(via="api")
    world.poll()
    hooks, order, jobs = dict(store.callbacks.hooks), store.whole(order_id), world.items("jobs")

    ops("doctor")

    assert dict(store.callbacks.hooks) == hooks
    assert store.whole(order_id) == order
    assert world.items("jobs") == jobs


def test_no_secret_is_printed(ops, world, store):
    change_hook(store, headers={TOKEN: "an-older-secret"})

    result = ops("doctor").output + ops("doctor", "--json").output

    for secret in (*vars(world.stack.secrets).values(), "an-older-secret"):
        assert secret not in result


def test_without_credentials_other_checks_are_skipped(world):
    # In a process of its own: boto3 remembers the credentials of this one.
    environment = {n: v for n, v in os.environ.items() if not n.startswith("AWS_")}
    no_credentials = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL": world.stack.aws.url}
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        no_credentials[name] = os.devnull

    done = subprocess.run(
        [sys.executable, "-m", "ops", "--stage", "dev", "doctor", "--json"],
        cwd=PROJECT,
        env=environment | no_credentials,
        text=True,
        capture_output=True,
    )

    assert (done.returncode, done.stderr) == (1, "")
    credentials, rest = json.loads(done.stdout)["findings"]
    assert (credentials["name"], credentials["mark"]) == ("credentials", "fault")
    assert credentials["fix"] == LOG_IN
    assert rest["mark"] == "note"


@pytest.mark.parametrize(
    ("stage", "fix"), [("staging", "make deploy STAGE=staging"), ("prodd", "staging")]
)
def test_a_stage_that_does_not_exist_is_one_fault(ops, stage, fix):
    result = ops("doctor", "--json", stage=stage)

    assert result.exit_code == 1
    (found,) = [f for f in json.loads(result.stdout)["findings"] if f["mark"] == "fault"]
    assert found["name"] == "stage"
    assert fix in found["fix"]


def test_a_sandbox_that_does_not_run_is_one_fault(ops, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")

    result = ops("doctor", "--json", stage="local")

    assert result.exit_code == 1
    (found,) = [f for f in json.loads(result.stdout)["findings"] if f["mark"] == "fault"]
    assert (found["name"], found["fix"]) == ("connection", START_SANDBOX)


@pytest.mark.parametrize("seconds", [300, -300])
def test_a_wrong_clock_is_a_fault(world, seconds):
    world.poll()
    clock = SimulatedClock(world.clock.time() + seconds)

    result = CliRunner().invoke(main, ["--stage", world.stack.stage, "doctor", "--json"], obj=clock)

    found = {f["name"]: f for f in json.loads(result.stdout)["findings"]}
    assert result.exit_code == 1
    assert (found["clock"]["mark"], found["clock"]["fix"]) == ("fault", SET_CLOCK)


class TestResources:
    def test_a_missing_function(self, world, faults):
        world.remove_function("cart_converted")

        found = faults()

        assert set(found) == {"function cart-converted"}
        assert found["function cart-converted"]["fix"] == deploy(world)

    @pytest.mark.parametrize(
        ("field", "value"), [("state", "Failed"), ("state", "Inactive"), ("update", "Failed")]
    )
    def test_a_function_that_cannot_run(self, world, faults, field, value):
        setattr(world.function("replicate_orders"), field, value)

        assert set(faults()) == {"function replicate-orders"}

    def test_a_function_that_is_being_deployed_is_a_note(self, world, notes):
        world.function("replicate_orders").update = "InProgress"

        assert set(notes()) == {"function replicate-orders"}

    def test_invalid_settings(self, world, faults):
        world.configure(REPLICATE_SINCE="yesterday", SWEEP_HOURS="0")

        found = faults()

        assert set(found) == {f"function {name}" for name in HANDLERS}
        assert "REPLICATE_SINCE" in found["function poll-orders"]["found"]
        assert "SWEEP_HOURS" in found["function poll-orders"]["found"]

    @pytest.mark.parametrize("table", ["orders", "webhooks"])
    def test_a_deleted_table(self, world, faults, table):
        world.stack.dynamodb.delete_table(TableName=world.stack.name(table))

        found = faults()

        assert set(found) == {f"table {table}"}
        assert found[f"table {table}"]["fix"] == deploy(world)

    def test_without_the_jobs_table_the_other_checks_are_made(self, world, faults):
        world.stack.dynamodb.delete_table(TableName=world.stack.name("jobs"))

        found = faults()

        assert set(found) == {"table jobs", "polls", "failing orders", "moves", "order fields"}
        assert found["polls"]["fix"] == deploy(world)

    def test_an_orders_table_without_its_stream(self, world, faults):
        world.stack.dynamodb.update_table(
            TableName=world.stack.name("orders"), StreamSpecification={"StreamEnabled": False}
        )

        assert set(faults()) == {"table orders"}

    @pytest.mark.parametrize("queue", ["orders", "changes"])
    def test_a_queue_without_redrive_policy(self, world, faults, queue):
        world.stack.sqs.set_queue_attributes(
            QueueUrl=world.stack.url_of(queue), Attributes={"RedrivePolicy": ""}
        )

        found = faults()

        assert set(found) == {f"queue {queue}", f"dead-letter queue {queue}"}
        assert found[f"queue {queue}"]["fix"] == deploy(world)

    @pytest.mark.parametrize("queue", ["orders", "changes"])
    def test_a_deleted_dead_letter_queue(self, world, faults, queue):
        world.stack.sqs.delete_queue(QueueUrl=world.stack.url_of(f"{queue}-dead-letters"))

        assert set(faults()) == {f"queue {queue}", f"dead-letter queue {queue}"}

    @pytest.mark.parametrize("queue", ["orders", "changes"])
    def test_a_deleted_queue(self, world, faults, queue):
        world.stack.sqs.delete_queue(QueueUrl=world.stack.url_of(queue))

        names = ("queue", "messages", "dead-letter queue")
        assert set(faults()) == {f"{name} {queue}" for name in names}

    @pytest.mark.parametrize("function", ["replicate_orders", "follow_orders"])
    @pytest.mark.parametrize(
        ("mapped", "fix"), [(False, "update-event-source-mapping"), (None, "make deploy")]
    )
    def test_a_queue_without_an_enabled_consumer(self, world, faults, function, mapped, fix):
        world.function(function).mapped = mapped

        found = faults()

        name = f"consumer {function.replace('_', '-')}"
        assert set(found) == {name}
        assert fix in found[name]["fix"]

    def test_too_little_concurrency_is_a_note(self, world, aws, notes):
        aws.functions.concurrency = 8
        try:
            found = notes()
        finally:
            aws.functions.concurrency = CONCURRENCY

        assert set(found) == {"concurrency"}
        assert "needs up to 13 of 8" in found["concurrency"]["found"]
        assert "L-B99A9384" in found["concurrency"]["fix"]

    def test_a_disabled_schedule(self, world, faults):
        rule = world.stack.name("poll-orders")
        world.stack.aws.client("events").disable_rule(Name=rule)

        found = faults()

        assert set(found) == {"schedule"}
        assert found["schedule"]["fix"] == f"aws events enable-rule --name {rule}"

    def test_a_missing_schedule(self, world, faults):
        rule = world.stack.name("poll-orders")
        world.stack.aws.client("events").delete_rule(Name=rule)

        assert faults()["schedule"]["fix"] == deploy(world)

    def test_a_deleted_access_token(self, world, faults):
        world.stack.ssm.delete_parameter(Name=world.stack.parameter("access_token"))

        found = faults()

        assert set(found) == {"access token", "token"}
        assert "TF_VAR_bigcommerce_access_token" in found["access token"]["fix"]

    def test_a_deleted_webhook_token(self, world, faults):
        world.stack.ssm.delete_parameter(Name=world.stack.parameter("webhook_token"))

        found = faults()

        assert set(found) == {"webhook token", "webhooks"}
        assert "TF_VAR_webhook_token" in found["webhook token"]["fix"]

    @pytest.mark.parametrize("value", ["unset", None])
    def test_a_missing_client_secret_is_a_note(self, world, notes, value):
        name = world.stack.parameter("client_secret")
        world.stack.ssm.delete_parameter(Name=name)
        if value:
            world.stack.ssm.put_parameter(Name=name, Value=value, Type="SecureString")

        assert "TF_VAR_bigcommerce_client_secret" in notes()["client secret"]["fix"]


class TestAlerts:
    @pytest.mark.parametrize("topic", ["errors", "dead-letters"])
    def test_a_topic_without_subscriptions(self, world, faults, topic):
        arns = {
            "errors": world.stack.errors_topic_arn,
            "dead-letters": world.stack.dead_letters_topic_arn,
        }
        listed = world.stack.sns.list_subscriptions_by_topic(TopicArn=arns[topic])
        for subscription in listed["Subscriptions"]:
            world.stack.sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])

        found = faults()

        assert set(found) == {f"alerts: {topic}"}

    def test_a_deleted_topic(self, world, faults):
        world.stack.sns.delete_topic(TopicArn=world.stack.errors_topic_arn)

        assert faults()["alerts: errors"]["fix"] == deploy(world)

    def test_an_alarm_in_alarm_state(self, world, faults):
        world.stack.cloudwatch.set_alarm_state(
            AlarmName=world.stack.name("dead-letters"), StateValue="ALARM", StateReason="a test"
        )

        found = faults()

        assert set(found) == {"alarm dead-letters"}
        assert found["alarm dead-letters"]["fix"] == run(world, "dead-letters list")

    def test_no_alarms_at_all(self, world, faults):
        names = ("dead-letters", "changes-dead-letters")
        world.stack.cloudwatch.delete_alarms(AlarmNames=list(map(world.stack.name, names)))

        assert set(faults()) == {"alarms"}

    def test_disabled_alarm_actions_are_a_note(self, world, notes):
        name = world.stack.name("dead-letters")
        world.stack.cloudwatch.disable_alarm_actions(AlarmNames=[name])

        assert name in notes()["alarms"]["fix"]


class TestEvents:
    URL = "https://crm.example.com/orders"

    def test_destinations_that_have_received_everything(self, ops, world):
        prepare(world)
        world.stack.add_destination("crm", url=self.URL)

        findings = {finding["name"]: finding for finding in ops.json("doctor")["findings"]}

        assert findings["destinations"]["found"] == "1, without undelivered events"

    def test_an_endpoint_without_a_secret(self, world, faults):
        world.stack.add_destination("crm", url=self.URL)
        world.stack.aws.client("events").update_connection(
            Name=world.stack.name("to-crm"), Description="As Terraform has created it."
        )

        found = faults()

        assert set(found) == {"destination crm"}
        assert found["destination crm"]["fix"] == run(world, "destinations authorize crm")

    def test_an_endpoint_whose_secret_is_not_accepted(self, world, faults):
        world.stack.add_destination("crm", url=self.URL)
        backend = get_backend("events")[ACCOUNT][REGION]
        backend.connections[world.stack.name("to-crm")].state = "DEAUTHORIZED"

        assert "DEAUTHORIZED" in faults()["destination crm"]["found"]

    def test_a_disabled_rule(self, world, faults):
        world.stack.add_destination("erp")
        world.stack.aws.client("events").disable_rule(
            Name=world.stack.name("to-erp"), EventBusName=world.stack.bus_name
        )

        assert faults()["destination erp"]["fix"] == deploy(world)

    @pytest.mark.parametrize(
        ("queue", "name", "fix"),
        [
            ("to-erp-undelivered", "destination erp", "events undelivered"),
            ("unpublished-events", "events", "publish-changes"),
        ],
    )
    def test_events_that_did_not_arrive(self, world, faults, queue, name, fix):
        world.stack.add_destination("erp")
        world.stack.sqs.send_message(QueueUrl=world.stack.url_of(queue), MessageBody="{}")

        found = faults()

        assert set(found) == {name}
        assert fix in found[name]["fix"]


class TestStore:
    def test_a_revoked_token(self, store, faults):
        store.revoke_token()

        found = faults()

        assert set(found) == {"token"}
        assert "GET orders/count -> 401" in found["token"]["found"]
        assert "secrets_version" in found["token"]["fix"]

    def test_a_read_only_token(self, store, faults):
        store.faults.add(Fault(route="PUT /orders/*", kind="status", status=403, times=None))

        found = faults()

        assert set(found) == {"scope"}
        assert "secrets_version" in found["scope"]["fix"]

    def test_a_read_only_token_is_a_note_where_moves_are_disabled(self, world, store, notes):
        world.configure(MOVE_STATUS="false")
        store.faults.add(Fault(route="PUT /orders/*", kind="status", status=403, times=None))

        assert set(notes()) == {"scope"}

    def test_unpaid_orders_count_as_paid_where_they_are_moved(self, ops, world):
        def unpaid() -> str:
            findings = ops.json("doctor", code=1)["findings"]
            return "".join(f["found"] for f in findings if f["name"] == "unpaid orders")

        assert "count as paid" in unpaid()
        world.configure(MOVE_UNPAID="false")
        assert "when they are paid" in unpaid()
        world.configure(NEW_STATUS_IDS="11")
        assert unpaid() == ""

    def test_an_outage_is_a_fault_of_the_store(self, store, faults):
        store.faults.add(Fault(route="*", kind="status", status=503, times=None))

        found = faults()

        assert set(found) == {"store"}
        assert "503" in found["store"]["found"]
        assert "doctor" not in found["store"]["fix"]

    def test_a_store_that_does_not_respond_in_time(self, store, faults):
        store.faults.add(
            Fault(route="GET /orders/count", kind="status", status=429, retry_after=55, times=None)
        )

        assert set(faults()) == {"store"}

    @pytest.mark.parametrize("others", [137, 150])
    def test_a_quota_that_other_apps_have_used_up_is_a_note(self, store, notes, others):
        store.use_quota(others)

        assert "quota" in notes()

    def test_missing_hooks(self, world, store, faults):
        scopes = {hook.id: hook.scope for hook in store.callbacks.hooks.values()}
        for hook_id in list(scopes)[:2]:
            store.callbacks.remove(hook_id)

        found = faults()

        assert set(found) == {"webhooks"}
        assert all(scope in found["webhooks"]["found"] for scope in list(scopes.values())[:2])
        assert found["webhooks"]["fix"] == run(world, "webhook register")

    def test_nobody_is_notified_of_inactive_hooks(self, world, store, notes):
        store.callbacks.emails = []

        assert "webhook register --email" in notes()["webhook e-mails"]["fix"]

    def test_an_inactive_hook(self, world, store, faults):
        name = change_hook(store, is_active=False)

        found = faults()

        assert set(found) == {name}
        assert found[name]["fix"] == run(world, "webhook register")

    @pytest.mark.parametrize("headers", [{}, {TOKEN: "guessed"}])
    def test_a_hook_without_the_current_secret(self, store, faults, headers):
        name = change_hook(store, headers=headers)

        found = faults()

        assert set(found) == {name}
        assert TOKEN in found[name]["found"]
        assert "guessed" not in found[name]["found"]

    def test_a_hook_left_behind_by_an_earlier_url(self, world, store, ops, faults):
        name = change_hook(store, destination=ELSEWHERE)

        assert set(faults()) == {"webhooks"}
        (left_behind,) = [f for f in ops.json("doctor", code=1)["findings"] if f["name"] == name]
        assert (left_behind["mark"], left_behind["fix"]) == (
            "note",
            run(world, f"webhook remove {name.split()[1]}"),
        )

    def test_a_hook_of_another_app_is_ignored(self, store, notes):
        store.register_hook(destination=ELSEWHERE)

        assert notes() == {}

    def test_a_blocked_domain(self, world, store, faults):
        domain = world.api_url.removeprefix("http://")
        for _ in range(100):
            store.callbacks.blocks.note(domain, False)
        store.callbacks.blocks.note("example.com", False)

        found = faults()

        assert set(found) == {"webhook domain"}
        assert domain in found["webhook domain"]["found"]

    @pytest.mark.parametrize("url", ["WEBHOOK_URL", "ORDER_CHANGED_URL"])
    def test_a_stage_without_its_url(self, world, faults, url):
        world.configure(**{url: ""})

        assert url in faults()["webhooks"]["found"]


class TestProgress:
    def test_a_stage_that_has_never_polled(self, ops, world):
        (fault,) = [f for f in ops.json("doctor", code=1)["findings"] if f["mark"] == "fault"]

        assert (fault["name"], fault["fix"]) == ("polls", run(world, "poll"))

    def test_no_poll_for_two_intervals(self, world, faults):
        world.clock.advance(timedelta(hours=4, minutes=21).total_seconds())

        found = faults()

        assert set(found) == {"polls"}
        assert found["polls"]["fix"] == run(world, "poll")

    def test_a_poll_that_stopped_is_a_sign_of_life(self):
        began = datetime(2026, 11, 25, tzinfo=UTC)
        stopped = Job(began, "changes", began, outcome="stopped", error="a backlog")

        (found,) = poll_findings("dev", [stopped], began + HOUR, interval=2 * HOUR)

        assert found.mark == "ok"
        assert "a backlog" in found.found

    def test_a_poll_that_failed(self, world, store, faults):
        store.revoke_token()
        world.poll()
        store.restore_token()

        found = faults()

        assert set(found) == {"polls"}
        assert "Unauthorized" in found["polls"]["found"]

    def test_an_old_message_in_the_queue(self, world, store, metrics, faults):
        store.place_order(via="api")
        world.poll()
        world.clock.advance(3700)
        metrics.publish()

        found = faults()

        assert set(found) == {"messages orders"}
        assert "replicate-orders" in found["messages orders"]["fix"]

    @pytest.mark.parametrize("queue", ["orders", "changes"])
    def test_a_message_in_a_dead_letter_queue(self, world, faults, queue):
        world.stack.sqs.send_message(
            QueueUrl=world.stack.url_of(f"{queue}-dead-letters"), MessageBody="of some kind"
        )

        found = faults()

        assert set(found) == {f"dead-letter queue {queue}"}
        assert found[f"dead-letter queue {queue}"]["fix"] == run(world, "dead-letters list")
