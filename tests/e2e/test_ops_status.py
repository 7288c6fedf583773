"""`status`, `poll` and `replay`; and errors that every command reports alike."""

import json

import pytest
from click.testing import CliRunner

from ops.__main__ import main
from ops.remedies import CHECK_NETWORK, LOG_IN, START_SANDBOX
from sandbox.store.clock import SimulatedClock
from sandbox.store.faults import Fault
from sandbox.store.statuses import Status
from tests.e2e.journeys import come_to_rest, differing, moves, replicated


def test_a_poll_finds_what_a_scheduled_one_would(ops, world, store):
    order_id = store.place_order(via="api")

    changes, sweep = ops.json("poll")["jobs"]

    assert (changes["mode"], changes["outcome"], changes["queued"]) == ("changes", "succeeded", 1)
    assert (sweep["mode"], sweep["outcome"]) == ("sweep", "succeeded")
    world.settle()
    assert replicated(world, order_id)


def test_a_sweep_runs_on_demand(ops, world):
    world.poll()

    assert [job["mode"] for job in ops.json("poll")["jobs"]] == ["changes"]
    assert [job["mode"] for job in ops.json("poll", "--sweep")["jobs"]] == ["changes", "sweep"]


def test_a_failed_poll_reports_its_error(ops, store):
    store.revoke_token()

    failed = ops.json("poll", code=1)

    assert "Unauthorized" in failed["error"]


def test_a_poll_beside_another_one_does_not_run(ops, world):
    key = {"store_hash": {"S": "sandbox"}, "started_at": {"S": "lease"}}
    until = {"N": str(int(world.clock.time()) + 600)}
    item = {**key, "held_by": {"S": "another"}, "held_until": until}
    world.stack.dynamodb.put_item(TableName=world.stack.name("jobs"), Item=item)

    assert ops.json("poll", code=1) == {"jobs": [], "error": None}


def test_a_replayed_order_is_stored_as_it_is_now_and_not_moved_again(ops, world, store):
    order_id = store.place_order(via="api")
    world.poll()
    world.settle()
    before = world.item(order_id)["replication"]
    store.set_status(order_id, Status.SHIPPED)
    world.clock.advance(5)

    assert ops.json("replay", str(order_id)) == {"queued": [order_id]}
    world.settle()

    after = world.item(order_id)
    assert not differing(world, order_id)
    assert after["status_id"] == Status.SHIPPED
    assert after["replication"]["moved_at"] == before["moved_at"]
    assert len(moves(store, order_id)) == 1


def test_a_replay_does_not_delay_new_orders(ops, world, store):
    ops("replay", "118", "119", "118")

    assert world.messages("orders") == []
    assert len(world.messages("changes")) == 2


@pytest.mark.parametrize(
    "status",
    [
        Status.AWAITING_FULFILLMENT,
        Status.COMPLETED,
        Status.SHIPPED,
        Status.CANCELLED,
        Status.INCOMPLETE,
    ],
)
def test_a_replay_stores_an_order_of_any_status_and_never_moves_it(ops, world, store, status):
    order_id = store.place_order(status=status, via="api")

    ops("replay", str(order_id))
    world.settle()

    assert not differing(world, order_id)
    assert moves(store, order_id) == []


def test_a_replay_and_a_webhook_move_a_new_order_once(ops, world, store):
    order_id = store.place_order()
    ops("replay", str(order_id))
    come_to_rest(world)

    assert replicated(world, order_id)
    assert world.messages() == []


def test_status_shows_polls_queues_orders_and_webhooks(ops, world, store, metrics):
    store.place_order()
    come_to_rest(world)
    world.poll()
    world.settle()
    poison = store.place_order(via="api")
    store.faults.add(Fault(route=f"GET /orders/{poison}*", kind="html", status=404, times=None))
    world.poll()
    world.drain()
    metrics.publish()

    seen = ops.json("status")

    assert {poll["mode"] for poll in seen["polls"]} == {"changes", "sweep"}
    queue = seen["queues"]["orders"]
    assert sum(queue[name] for name in ("visible", "in_flight", "delayed")) == 1
    assert queue["oldest_seconds"] >= 0
    assert set(seen["queues"]) == {"orders", "changes"}
    assert {queue["dead_letters"] for queue in seen["queues"].values()} == {0}
    assert sum(seen["replicated_by_hour"].values()) >= 1
    assert seen["webhooks_in_24_hours"]["refused"] == 0
    assert seen["webhooks_in_24_hours"]["accepted"] >= 2
    assert seen["failing"] == {"count": 0, "oldest": None}
    assert seen["pause"] is None


def test_status_counts_the_messages_in_each_dead_letter_queue(ops, world):
    for queue, number in (("orders", 1), ("changes", 2)):
        for _ in range(number):
            world.stack.sqs.send_message(
                QueueUrl=world.stack.url_of(f"{queue}-dead-letters"), MessageBody="a message"
            )

    queues = ops.json("status")["queues"]

    assert {name: queue["dead_letters"] for name, queue in queues.items()} == {
        "orders": 1,
        "changes": 2,
    }


def test_status_counts_what_has_not_reached_the_destinations(ops, world):
    for name in ("crm", "erp"):
        world.stack.add_destination(name)
    for queue in ("to-erp-undelivered", "to-erp-undelivered", "unpublished-events"):
        world.stack.sqs.send_message(QueueUrl=world.stack.url_of(queue), MessageBody="{}")

    assert ops.json("status")["events"] == {"unpublished_batches": 1, "undelivered": {"erp": 2}}
    shown = ops("status").stdout
    assert "1 batch of changes not published; not delivered: erp 2" in shown


class InterruptedClock(SimulatedClock):
    """Ctrl-C is pressed in the third wait."""

    waits = 0

    def sleep(self, seconds: float) -> None:
        self.waits += 1
        if self.waits == 3:
            raise KeyboardInterrupt
        super().sleep(seconds)


def test_a_watched_status_is_refreshed_until_ctrl_c(ops, world):
    world.poll()
    clock = InterruptedClock(world.clock.time())

    result = CliRunner().invoke(
        main, ["--stage", world.stack.stage, "status", "--watch", "--every", "60"], obj=clock
    )

    assert result.exit_code == 0
    assert clock.waits == 3


def test_a_defined_stage_that_is_not_deployed_is_an_error(ops):
    result = ops("status", stage="staging")

    assert result.exit_code == 1
    assert "make deploy STAGE=staging" in result.stderr


@pytest.mark.parametrize("region", ["us-east-1", None])
def test_an_unknown_stage_is_named_with_the_known_ones(ops, monkeypatch, region):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        if region:
            monkeypatch.setenv(name, region)
        else:
            monkeypatch.delenv(name, raising=False)

    result = ops("status", stage="prodd")

    assert result.exit_code == 1
    for name in ("prodd", "dev", "local", "prod", "staging"):
        assert name in result.stderr


def test_an_exported_region_is_used_for_a_stage_without_one(ops, world, monkeypatch):
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_REGION", "us-east-1")

    assert ops("status").exit_code == 0


@pytest.mark.parametrize(
    "arguments", [("status",), ("poll",), ("explain", "118"), ("webhook", "list")]
)
def test_a_sandbox_that_does_not_run_is_named(ops, monkeypatch, arguments):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")

    result = ops(*arguments, stage="local")

    assert result.exit_code == 1
    assert START_SANDBOX in result.stderr
    assert LOG_IN not in result.stderr


def test_an_unreachable_aws_is_an_error(ops, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")

    result = ops("status")

    assert result.exit_code == 1
    assert CHECK_NETWORK in result.stderr


def test_json_is_json_and_nothing_else(ops):
    assert json.loads(ops("status", "--json").output)["polls"] == []
