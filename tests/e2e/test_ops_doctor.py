"""`doctor`: every fault that a stage can have is found, with the command that mends it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ops.__main__ import main
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
    """The faults that doctor finds in the world, by name; it ends with exit code 1."""
    world.poll()

    def examine() -> dict[str, dict[str, Any]]:
        found = ops.json("doctor", code=1)
        assert not found["well"]
        wrong = [finding for finding in found["findings"] if finding["mark"] == "fault"]
        assert all(finding["mend"] for finding in wrong)
        return {finding["name"]: finding for finding in wrong}

    return examine


@pytest.fixture
def notes(ops: Ops, world: World) -> Callable[[], dict[str, dict[str, Any]]]:
    """What doctor notes in a world that is well all the same, by name."""
    world.poll()

    def examine() -> dict[str, dict[str, Any]]:
        found = ops.json("doctor")
        return {f["name"]: f for f in found["findings"] if f["mark"] == "note"}

    return examine


def run(world: World, command: str) -> str:
    return f"python -m ops --stage {world.stack.stage} {command}"


def deploy(world: World) -> str:
    return f"make deploy STAGE={world.stack.stage}"


def change_hook(store: Store, **changes: Any) -> str:
    """Change the hook that the world has registered; the name of its finding."""
    (hook_id,) = store.callbacks.hooks
    store.callbacks.change(hook_id, **changes)
    return f"webhook {hook_id}"


def test_a_stage_that_is_well_is_said_to_be(ops, world, store):
    store.place_order(via="api")
    world.poll()
    world.drain()

    told = ops("doctor")

    assert told.exit_code == 0, told.output
    assert f"{world.stack.stage} is well." in told.output
    assert "✘" not in told.output
    assert "•" not in told.output
    for words in (
        "account 123456789012, us-east-1, as arn:aws:",
        "function poll-orders",
        "function cart-converted",
        "function replicate-orders",
        "active, with its stream",
        "the queue feeds replicate-orders",
        "rate(120 minutes)",
        "signatures are checked",
        "the store takes it, and has 1 orders",
        "Orders: modify",
        "requests left",
        "alerts: errors",
        "alerts: dead-letters",
        "none of them ringing",
        "the last one that succeeded began",
        "0 waiting",
        "off AWS's",
    ):
        assert words in told.output


def test_programs_get_every_finding(ops, world):
    world.poll()

    found = ops.json("doctor")

    assert found["well"]
    assert len(found["findings"]) > 20
    assert {finding["mark"] for finding in found["findings"]} == {"ok"}


def test_an_examination_changes_nothing(ops, world, store):
    order_id = store.place_order(via="api")
    world.poll()
    hooks, order, jobs = dict(store.callbacks.hooks), store.whole(order_id), world.items("jobs")

    ops("doctor")

    assert dict(store.callbacks.hooks) == hooks
    assert store.whole(order_id) == order
    assert world.items("jobs") == jobs


def test_no_secret_is_printed(ops, world, store):
    change_hook(store, headers={TOKEN: "an-older-secret"})

    told = ops("doctor").output + ops("doctor", "--json").output

    for secret in (*vars(world.stack.secrets).values(), "an-older-secret"):
        assert secret not in told


def test_a_fault_is_said_in_words_with_what_mends_it(ops, world, store):
    world.poll()
    change_hook(store, is_active=False)

    told = ops("doctor")

    assert told.exit_code == 1
    assert "it is switched off" in told.output
    assert f"→ {run(world, 'webhook register')}" in told.output
    assert f"1 fault in {world.stack.stage}" in told.output


def test_without_credentials_nothing_else_is_tried(world):
    # In a process of its own: boto3 remembers the credentials of this one.
    environment = {n: v for n, v in os.environ.items() if not n.startswith("AWS_")}
    nobody = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL": world.stack.aws.url}
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        nobody[name] = os.devnull

    done = subprocess.run(
        [sys.executable, "-m", "ops", "--stage", "dev", "doctor", "--json"],
        cwd=PROJECT,
        env=environment | nobody,
        text=True,
        capture_output=True,
    )

    assert (done.returncode, done.stderr) == (1, "")
    credentials, rest = json.loads(done.stdout)["findings"]
    assert "there are no AWS credentials" in credentials["found"]
    assert rest["mark"] == "note"


def test_a_stage_that_is_nowhere_is_one_fault(ops):
    told = ops("doctor", stage="nowhere")

    assert told.exit_code == 1
    assert "there is no function order-replication-nowhere-poll-orders" in told.output
    assert "make deploy STAGE=nowhere" in told.output
    assert "1 fault in nowhere" in told.output


@pytest.mark.parametrize(("seconds", "words"), [(300, "ahead of"), (-300, "behind")])
def test_a_clock_that_is_wrong_is_a_fault(world, seconds, words):
    world.poll()
    clock = SimulatedClock(world.clock.time() + seconds)

    told = CliRunner().invoke(main, ["--stage", world.stack.stage, "doctor", "--json"], obj=clock)

    found = {f["name"]: f for f in json.loads(told.stdout)["findings"]}
    assert told.exit_code == 1
    assert found["clock"]["mark"] == "fault"
    assert f"5 min {words} AWS's" in found["clock"]["found"]


class TestResources:
    def test_a_missing_function(self, world, faults):
        world.remove_function("cart_converted")

        found = faults()

        assert set(found) == {"function cart-converted"}
        assert found["function cart-converted"]["mend"] == deploy(world)

    @pytest.mark.parametrize(
        ("field", "value"), [("state", "Failed"), ("state", "Inactive"), ("update", "Failed")]
    )
    def test_a_function_that_cannot_run(self, world, faults, field, value):
        setattr(world.function("replicate_orders"), field, value)

        assert set(faults()) == {"function replicate-orders"}

    def test_a_function_that_is_being_deployed_is_a_note(self, world, notes):
        world.function("replicate_orders").update = "InProgress"

        assert "is being deployed" in notes()["function replicate-orders"]["found"]

    def test_settings_that_nobody_can_read(self, world, faults):
        world.configure(REPLICATE_SINCE="yesterday", SWEEP_HOURS="0")

        found = faults()

        assert set(found) == {f"function {n}-orders" for n in ("poll", "replicate")} | {
            "function cart-converted"
        }
        assert "REPLICATE_SINCE" in found["function poll-orders"]["found"]
        assert "SWEEP_HOURS" in found["function poll-orders"]["found"]

    @pytest.mark.parametrize("table", ["orders", "webhooks"])
    def test_a_deleted_table(self, world, faults, table):
        world.stack.dynamodb.delete_table(TableName=world.stack.name(table))

        found = faults()

        assert set(found) == {f"table {table}"}
        assert found[f"table {table}"]["mend"] == deploy(world)

    def test_a_deleted_jobs_table_keeps_no_other_check_from_being_made(self, world, faults):
        world.stack.dynamodb.delete_table(TableName=world.stack.name("jobs"))

        found = faults()

        assert set(found) == {"table jobs", "polls"}
        assert "cannot be looked at" in found["polls"]["found"]
        assert found["polls"]["mend"] == deploy(world)

    def test_orders_without_their_stream(self, world, faults):
        world.stack.dynamodb.update_table(
            TableName=world.stack.name("orders"), StreamSpecification={"StreamEnabled": False}
        )

        assert "has no stream" in faults()["table orders"]["found"]

    def test_a_queue_without_dead_letters(self, world, faults):
        world.stack.sqs.set_queue_attributes(
            QueueUrl=world.stack.queue_url, Attributes={"RedrivePolicy": ""}
        )

        found = faults()

        assert "has no dead-letter queue" in found["queues"]["found"]
        assert found["queues"]["mend"] == deploy(world)

    def test_a_deleted_dead_letter_queue(self, world, faults):
        world.stack.sqs.delete_queue(QueueUrl=world.stack.dead_letter_queue_url)

        assert set(faults()) == {"queues", "dead letters"}

    def test_a_deleted_queue(self, world, faults):
        world.stack.sqs.delete_queue(QueueUrl=world.stack.queue_url)

        assert set(faults()) == {"queues", "queue", "dead letters"}

    @pytest.mark.parametrize(
        ("mapped", "mend"), [(False, "update-event-source-mapping"), (None, "make deploy")]
    )
    def test_a_queue_that_feeds_nobody(self, world, faults, mapped, mend):
        world.function("replicate_orders").mapped = mapped

        found = faults()

        assert set(found) == {"consumer"}
        assert mend in found["consumer"]["mend"]

    def test_a_schedule_that_is_switched_off(self, world, faults):
        rule = world.stack.name("poll-orders")
        world.stack.aws.client("events").disable_rule(Name=rule)

        found = faults()

        assert set(found) == {"schedule"}
        assert found["schedule"]["mend"] == f"aws events enable-rule --name {rule}"

    def test_a_missing_schedule(self, world, faults):
        rule = world.stack.name("poll-orders")
        world.stack.aws.client("events").delete_rule(Name=rule)

        assert faults()["schedule"]["mend"] == deploy(world)

    def test_a_deleted_access_token(self, world, faults):
        world.stack.ssm.delete_parameter(Name=world.stack.parameter("access_token"))

        found = faults()

        assert set(found) == {"access token", "token"}
        assert "TF_VAR_bigcommerce_access_token" in found["access token"]["mend"]

    def test_a_deleted_webhook_token(self, world, faults):
        world.stack.ssm.delete_parameter(Name=world.stack.parameter("webhook_token"))

        found = faults()

        assert set(found) == {"webhook token", "webhook"}
        assert "TF_VAR_webhook_token" in found["webhook token"]["mend"]

    @pytest.mark.parametrize("value", ["unset", None])
    def test_a_client_secret_that_is_not_set_is_a_note(self, world, notes, value):
        name = world.stack.parameter("client_secret")
        world.stack.ssm.delete_parameter(Name=name)
        if value:
            world.stack.ssm.put_parameter(Name=name, Value=value, Type="SecureString")

        assert "signatures are not checked" in notes()["client secret"]["found"]


class TestAlerts:
    @pytest.mark.parametrize("topic", ["errors", "dead-letters"])
    def test_a_topic_that_nobody_listens_to(self, world, faults, topic):
        arns = {
            "errors": world.stack.errors_topic_arn,
            "dead-letters": world.stack.dead_letters_topic_arn,
        }
        listed = world.stack.sns.list_subscriptions_by_topic(TopicArn=arns[topic])
        for subscription in listed["Subscriptions"]:
            world.stack.sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])

        found = faults()

        assert set(found) == {f"alerts: {topic}"}
        assert "nobody is subscribed" in found[f"alerts: {topic}"]["found"]

    def test_a_deleted_topic(self, world, faults):
        world.stack.sns.delete_topic(TopicArn=world.stack.errors_topic_arn)

        assert faults()["alerts: errors"]["mend"] == deploy(world)

    def test_an_alarm_that_rings(self, world, faults):
        world.stack.cloudwatch.set_alarm_state(
            AlarmName=world.stack.name("dead-letters"), StateValue="ALARM", StateReason="a test"
        )

        found = faults()

        assert set(found) == {"alarm dead-letters"}
        assert "lies in the dead-letter queue" in found["alarm dead-letters"]["found"]

    def test_no_alarms_at_all(self, world, faults):
        world.stack.cloudwatch.delete_alarms(AlarmNames=[world.stack.name("dead-letters")])

        assert set(faults()) == {"alarms"}

    def test_alarms_that_tell_nobody_are_a_note(self, world, notes):
        name = world.stack.name("dead-letters")
        world.stack.cloudwatch.disable_alarm_actions(AlarmNames=[name])

        assert name in notes()["alarms"]["mend"]


class TestStore:
    def test_a_revoked_token(self, store, faults):
        store.revoke_token()

        found = faults()

        assert set(found) == {"token"}
        assert "GET orders/count -> 401" in found["token"]["found"]
        assert "secrets_version" in found["token"]["mend"]

    def test_a_token_that_may_only_read(self, store, faults):
        store.faults.add(Fault(route="PUT /orders/*", kind="status", status=403, times=None))

        found = faults()

        assert set(found) == {"scope"}
        assert "Orders: modify" in found["scope"]["found"]

    def test_a_token_that_may_only_read_will_do_where_nothing_is_moved(self, world, store, notes):
        world.configure(MOVE_STATUS="false")
        store.faults.add(Fault(route="PUT /orders/*", kind="status", status=403, times=None))

        assert "MOVE_STATUS is false" in notes()["scope"]["found"]

    def test_a_store_that_is_down_is_a_fault_and_the_rest_is_looked_at(self, store, faults):
        store.faults.add(Fault(route="*", kind="status", status=503, times=None))

        found = faults()

        assert set(found) == {"token"}
        assert "does not answer as it should" in found["token"]["found"]

    def test_a_store_that_keeps_us_waiting(self, store, faults):
        store.faults.add(
            Fault(route="GET /orders/count", kind="status", status=429, retry_after=55, times=None)
        )

        assert set(faults()) == {"token"}

    @pytest.mark.parametrize("others", [137, 150])
    def test_a_quota_that_others_have_used_up_is_a_note(self, store, notes, others):
        store.use_quota(others)

        assert "quota" in notes()

    def test_no_hook(self, world, store, faults):
        (hook_id,) = store.callbacks.hooks
        store.callbacks.remove(hook_id)

        found = faults()

        assert set(found) == {"webhook"}
        assert found["webhook"]["mend"] == run(world, "webhook register")

    def test_a_hook_that_is_switched_off(self, world, store, faults):
        name = change_hook(store, is_active=False)

        found = faults()

        assert set(found) == {name}
        assert found[name]["mend"] == run(world, "webhook register")

    @pytest.mark.parametrize("headers", [{}, {TOKEN: "guessed"}])
    def test_a_hook_without_the_right_header(self, store, faults, headers):
        name = change_hook(store, headers=headers)

        found = faults()

        assert set(found) == {name}
        assert TOKEN in found[name]["found"]
        assert "guessed" not in found[name]["found"]

    def test_a_hook_that_leads_elsewhere(self, world, store, ops, faults):
        name = change_hook(store, destination=ELSEWHERE)

        assert set(faults()) == {"webhook"}
        (left,) = [f for f in ops.json("doctor", code=1)["findings"] if f["name"] == name]
        assert (left["mark"], left["mend"]) == (
            "note",
            run(world, f"webhook remove {name.split()[1]}"),
        )

    def test_somebody_elses_hook_is_none_of_our_business(self, store, notes):
        store.register_hook(destination=ELSEWHERE)

        assert notes() == {}

    def test_a_blocked_domain(self, world, store, faults):
        domain = world.api_url.removeprefix("http://")
        for _ in range(100):
            store.callbacks.blocks.note(domain, False)
        store.callbacks.blocks.note("example.com", False)

        found = faults()

        assert set(found) == {"webhook domain"}
        assert f"sends nothing to {domain} for" in found["webhook domain"]["found"]

    def test_a_stage_that_does_not_know_its_own_url(self, world, faults):
        world.configure(WEBHOOK_URL="")

        assert faults()["webhook"]["mend"] == deploy(world)


class TestProgress:
    def test_a_stage_that_has_never_polled(self, ops, world):
        (fault,) = [f for f in ops.json("doctor", code=1)["findings"] if f["mark"] == "fault"]

        assert (fault["name"], fault["mend"]) == ("polls", run(world, "poll"))

    def test_polls_that_have_stopped(self, world, faults):
        world.clock.advance(timedelta(hours=4, minutes=1).total_seconds())

        found = faults()

        assert set(found) == {"polls"}
        assert "none has succeeded for two intervals" in found["polls"]["found"]

    def test_a_poll_that_failed(self, world, store, faults):
        store.revoke_token()
        world.poll()
        store.restore_token()

        found = faults()

        assert set(found) == {"polls"}
        assert "Unauthorized" in found["polls"]["found"]

    def test_orders_that_wait_for_too_long(self, world, store, metrics, faults):
        store.place_order(via="api")
        world.poll()
        world.clock.advance(3700)
        metrics.publish()

        found = faults()

        assert set(found) == {"queue"}
        assert "1 waiting" in found["queue"]["found"]
        assert "replicate-orders" in found["queue"]["mend"]

    def test_dead_letters(self, world, faults):
        world.stack.sqs.send_message(
            QueueUrl=world.stack.dead_letter_queue_url, MessageBody="an order of some kind"
        )

        found = faults()

        assert set(found) == {"dead letters"}
        assert found["dead letters"]["mend"] == run(world, "dead-letters list")
