"""`status`, `poll` and `replay`: what the stage does, and having it do more."""

import json

import pytest
from click.testing import CliRunner

from ops.__main__ import main
from sandbox.store.clock import SimulatedClock
from sandbox.store.faults import Fault
from sandbox.store.statuses import Status
from tests.e2e.journeys import moves, replicated


def test_a_poll_by_hand_finds_what_a_scheduled_one_would(ops, world, store):
    order_id = store.place_order(via="api")

    job = ops.json("poll")["job"]

    assert (job["mode"], job["outcome"], job["queued"]) == ("sweep", "succeeded", 1)
    world.drain()
    assert replicated(world, order_id)


def test_a_sweep_is_made_out_of_turn(ops, world):
    world.poll()

    assert ops.json("poll")["job"]["mode"] == "changes"
    assert ops.json("poll", "--sweep")["job"]["mode"] == "sweep"


def test_a_poll_that_fails_says_why_and_ends_with_an_error(ops, store):
    store.revoke_token()

    told = ops("poll")

    assert told.exit_code == 1
    assert "Unauthorized" in told.output


def test_a_poll_beside_another_one_is_none(ops, world):
    key = {"store_hash": {"S": "sandbox"}, "started_at": {"S": "lease"}}
    until = {"N": str(int(world.clock.time()) + 600)}
    item = {**key, "held_by": {"S": "another"}, "held_until": until}
    world.stack.dynamodb.put_item(TableName=world.stack.name("jobs"), Item=item)

    told = ops("poll")

    assert told.exit_code == 1
    assert "another one is running" in told.output


def test_a_replayed_order_is_stored_again_as_it_is_now_and_not_moved_again(ops, world, store):
    order_id = store.place_order(via="api")
    world.poll()
    world.drain()
    before = world.item(order_id)["replication"]
    store.set_status(order_id, Status.SHIPPED)
    world.clock.advance(5)

    assert ops.json("replay", str(order_id)) == {"queued": [order_id]}
    world.drain()

    after = world.item(order_id)
    assert world.order(order_id) == store.whole(order_id)
    assert after["status_id"] == Status.SHIPPED
    assert after["replication"]["moved_at"] == before["moved_at"]
    assert after["replication"]["replicated_at"] > before["replicated_at"]
    assert len(moves(store, order_id)) == 1


def test_an_unchanged_order_is_written_again_by_a_replay(ops, world, store):
    order_id = store.place_order(status=Status.SHIPPED, via="api")
    ops("replay", str(order_id))
    world.drain()
    first = world.item(order_id)["replication"]

    ops("replay", str(order_id))
    world.drain()

    second = world.item(order_id)["replication"]
    assert second["digest"] == first["digest"]
    assert second["replicated_at"] > first["replicated_at"]


def test_a_replay_moves_an_order_that_is_new_and_never_was_moved(ops, world, store):
    order_id = store.place_order(via="api")

    ops("replay", str(order_id))
    world.drain()

    assert replicated(world, order_id)
    assert world.item(order_id)["replication"]["source"] == "replay"


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.SHIPPED, Status.CANCELLED])
def test_a_replay_never_moves_an_order_that_is_not_new(ops, world, store, status):
    order_id = store.place_order(status=status, via="api")

    ops("replay", str(order_id))
    world.drain()

    assert world.order(order_id) == store.whole(order_id)
    assert moves(store, order_id) == []


def test_a_replay_and_a_poll_in_one_batch_are_a_replay(ops, world, store):
    order_id = store.place_order(via="api")
    world.poll()
    world.drain()
    before = world.item(order_id)["replication"]["replicated_at"]
    store.set_status(order_id, Status.AWAITING_FULFILLMENT)
    world.deliver_webhooks()

    ops("replay", str(order_id))
    world.drain()

    assert world.item(order_id)["replication"]["replicated_at"] > before
    assert world.messages() == []


def test_status_shows_polls_queues_orders_and_webhooks(ops, world, store, metrics):
    store.place_order()
    world.deliver_webhooks()
    world.poll()
    world.drain()
    poison = store.place_order(via="api")
    store.faults.add(Fault(route=f"GET /orders/{poison}*", kind="html", status=404, times=None))
    world.poll()
    world.drain()
    metrics.publish()

    seen = ops.json("status")

    assert [poll["mode"] for poll in seen["polls"]] == ["changes", "sweep"]
    assert sum(seen["queue"][name] for name in ("visible", "in_flight", "delayed")) == 1
    assert seen["queue"]["oldest_seconds"] >= 0
    assert sum(seen["replicated_by_hour"].values()) == 1
    assert seen["webhooks_in_24_hours"] == {"accepted": 1, "refused": 0}
    assert seen["dead_letters"] == 0


def test_status_says_it_in_words_too(ops, world, store, metrics):
    empty = ops("status")
    store.place_order(via="api")
    world.poll()
    world.drain()
    metrics.publish()
    told = ops("status")

    assert "none in 7 days" in empty.output
    assert "No order was replicated" in empty.output
    for words in (
        "Last polls",
        "sweep",
        "succeeded",
        "Orders replicated",
        "█",
        "Dead letters   none",
    ):
        assert words in told.output


class ImpatientClock(SimulatedClock):
    """The time of somebody who presses Ctrl-C in the third wait."""

    waits = 0

    def sleep(self, seconds: float) -> None:
        self.waits += 1
        if self.waits == 3:
            raise KeyboardInterrupt
        super().sleep(seconds)


def test_a_watched_status_is_looked_at_again_until_ctrl_c(ops, world):
    world.poll()
    clock = ImpatientClock(world.clock.time())

    told = CliRunner().invoke(
        main, ["--stage", world.stack.stage, "status", "--watch", "--every", "60"], obj=clock
    )

    assert told.exit_code == 0
    assert clock.waits == 3
    assert "Stopped." in told.output


def test_an_unknown_stage_is_a_sentence(ops):
    told = ops("status", stage="nowhere")

    assert told.exit_code == 1
    assert "there is no function order-replication-nowhere-poll-orders" in told.output
    assert "was it deployed?" in told.output


def test_no_network_is_a_sentence(ops, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")

    told = ops("status")

    assert told.exit_code == 1
    assert "AWS cannot be reached" in told.output


def test_no_region_is_a_sentence(ops, monkeypatch):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)

    told = ops("status", stage="nowhere")

    assert told.exit_code == 1
    assert "no AWS region is set" in told.output


def test_json_is_json_and_nothing_else(ops):
    assert json.loads(ops("status", "--json").output)["polls"] == []
