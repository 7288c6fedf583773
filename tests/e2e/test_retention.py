"""The retention of orders: what is older is neither stored nor moved, and its item expires."""

from datetime import timedelta
from typing import Any

import pytest

from sandbox.store.dates import parse_date
from sandbox.store.faults import Fault
from sandbox.store.statuses import Status
from sandbox.world import World
from tests.e2e.conftest import Ops
from tests.e2e.journeys import (
    DAY,
    come_to_rest,
    confirm,
    differing,
    moves,
    record,
    replicated,
    send,
)

DAYS = 30
SPAN = ("--since", "2019-01-01", "--until", "2100-01-01")


@pytest.fixture
def world(new_world) -> World:
    made: World = new_world(ORDERS_RETENTION_DAYS=str(DAYS))
    return made


def place_expired(world: World, **facts: Any) -> int:
    """An order that is older than the retention, and that was changed a moment ago."""
    created = world.clock.now() - timedelta(days=DAYS, minutes=1)
    order_id: int = world.store.place_order(via="api", created=created, **facts)
    world.store.edit(order_id, staff_notes="found at last")
    return order_id


def delete_expired(world: World) -> None:
    """What DynamoDB does with the Orders table, some time after an item has expired."""
    for item in world.items("orders"):
        if "expires_at" in item and item["expires_at"] < world.clock.time():
            remove(world, item["id"])


def remove(world: World, order_id: int) -> None:
    world.stack.dynamodb.delete_item(
        TableName=world.stack.name("orders"), Key={"id": {"N": str(order_id)}}
    )


def stored_until(world: World, order_id: int) -> float:
    """When the item of an order expires."""
    created: int = parse_date(world.store.order(order_id)["date_created"])
    return created + DAYS * DAY + 3600


def test_an_item_expires_after_the_retention_of_its_order(world, store):
    moved, shipped = store.place_order(), store.place_order(status=Status.SHIPPED)
    come_to_rest(world)
    world.advance(5 * DAY)
    store.edit(shipped, staff_notes="again")
    come_to_rest(world)

    assert replicated(world, moved)
    assert not differing(world, shipped)
    for order_id in (moved, shipped):
        assert world.item(order_id)["expires_at"] == stored_until(world, order_id)


def test_without_a_retention_no_item_expires_and_no_order_is_too_old(new_world):
    world = new_world()
    order_id = world.store.place_order(created=world.clock.now() - timedelta(days=1000))
    world.poll()
    come_to_rest(world)

    assert replicated(world, order_id)
    assert "expires_at" not in world.item(order_id)
    assert all("retention" not in job["scope"] for job in world.items("jobs"))


def test_a_poll_and_a_sweep_queue_no_order_that_is_too_old(world, store):
    place_expired(world)
    kept = store.place_order(via="api", created=world.clock.now() - timedelta(days=DAYS - 1))

    world.poll()

    queued = {job["mode"]: job["queued"] for job in world.items("jobs")}
    assert queued == {"changes": 0, "sweep": 1}
    come_to_rest(world)
    assert [item["id"] for item in world.items("orders")] == [kept]


@pytest.mark.parametrize("source", ["webhook", "poll", "sweep", "retry", "replay"])
def test_no_message_stores_or_moves_an_order_that_is_too_old(world, store, source):
    order_id = place_expired(world)

    send(world, order_id, source=source)
    come_to_rest(world)

    assert world.items("orders") == []
    assert moves(store, order_id) == []
    assert world.dead_letters() == []


def test_a_backfill_stores_only_orders_within_the_retention(ops, world, store):
    for _ in range(3):
        place_expired(world, status=Status.SHIPPED)
    created = world.clock.now() - timedelta(days=DAYS - 1)
    kept = store.place_order(via="api", status=Status.SHIPPED, created=created)

    assert ops.json("backfill", *SPAN)["outcomes"] == {"out of scope": 3, "stored": 1}
    assert world.item(kept)["expires_at"] == stored_until(world, kept)


@pytest.mark.parametrize("is_removed", [True, False], ids=["removed", "still there"])
def test_an_order_that_a_person_takes_back_after_the_retention_is_not_moved_again(
    ops, world, store, is_removed
):
    order_id = store.place_order()
    come_to_rest(world)
    world.advance(DAYS * DAY + 7200)
    if is_removed:
        delete_expired(world)
    before = world.items("orders")

    store.set_status(order_id, Status.AWAITING_FULFILLMENT)
    come_to_rest(world)
    world.poll()
    come_to_rest(world)

    assert len(before) == (0 if is_removed else 1)
    assert world.items("orders") == before
    assert len(moves(store, order_id)) == 1
    assert ops.json("audit", "--since", "2019-01-01")["totals"] == {"expired": 1}


def test_a_move_that_was_pending_when_the_item_expired_is_not_repeated(world, store):
    """The first request was lost, and the order is still new: but nobody moves it any more."""
    order_id = store.place_order(created=world.clock.now() - timedelta(days=DAYS, minutes=-2))
    store.faults.add(Fault(route="PUT /orders/*", kind="drop_before", times=None))
    world.deliver_webhooks()
    world.drain()
    assert record(world, order_id)["moved_to"] == Status.AWAITING_SHIPMENT
    store.faults.clear()
    world.advance(2 * 3600)
    delete_expired(world)
    assert world.item(order_id) is None

    come_to_rest(world)

    assert world.items("orders") == []
    assert moves(store, order_id) == []
    assert world.messages() == world.dead_letters() == []


def test_an_order_whose_item_was_removed_during_its_move_is_moved_once(world, store):
    order_id = store.place_order(created=world.clock.now() - timedelta(days=DAYS, minutes=-2))
    store.faults.add(Fault(route="PUT /orders/*", kind="late", act=lambda: remove(world, order_id)))
    world.deliver_webhooks()
    world.drain()
    world.advance(2 * 3600)

    come_to_rest(world)

    assert len(moves(store, order_id)) == 1
    assert world.items("orders") == []
    assert world.messages() == world.dead_letters() == []


def test_a_sweep_counts_no_expired_order_as_missing_or_stale(world, store):
    removed, stale = store.place_order(), store.place_order()
    come_to_rest(world)
    world.advance((DAYS - 2) * DAY)
    world.poll()
    store.callbacks.hooks.clear()
    world.advance(2 * DAY)
    remove(world, removed)
    for order_id in (removed, stale):
        store.edit(order_id, staff_notes="nobody hears of it")
    for _ in range(3):
        world.advance(DAY)
        world.poll()

    sweeps = [job for job in world.items("jobs") if job["mode"] == "sweep"]
    assert sweeps[-1]["due"]
    assert sweeps[-1]["listed"] == 2
    assert {(job["missing"], job["stale"], job["queued"]) for job in sweeps[1:]} == {(0, 0, 0)}


def test_a_tombstone_never_expires(ops, world, store):
    order_id = store.place_order()
    come_to_rest(world)
    ops("forget", "--order", str(order_id))
    world.advance(DAYS * DAY + 7200)
    ops("expire")
    delete_expired(world)

    store.set_status(order_id, Status.AWAITING_FULFILLMENT)
    come_to_rest(world)

    assert set(world.item(order_id)) == {"id", "replication"}
    assert "forgotten_at" in record(world, order_id)
    assert len(moves(store, order_id)) == 1
    assert ops.json("audit", "--since", "2019-01-01")["totals"] == {"forgotten": 1}


def test_explain_states_the_age_of_an_order(ops, world, store):
    never_stored, kept = place_expired(world), store.place_order()
    come_to_rest(world)
    world.advance(DAYS * DAY + 60)

    found = {n: ops.json("explain", str(n)) for n in (never_stored, kept)}

    verdicts = {n: each["conclusion"]["verdict"] for n, each in found.items()}
    assert verdicts == {never_stored: "out_of_scope", kept: "expired"}
    for each in found.values():
        assert each["store"]["why_not_in_scope"] == "older than the retention of 30 days"
        assert "retention of 30 days" in each["conclusion"]["because"]


def test_an_audit_states_how_many_orders_are_older_than_the_retention(ops, world):
    place_expired(world)
    come_to_rest(world)

    result = ops("audit", "--since", "2019-01-01", "--wait", "0")

    assert result.exit_code == 0
    assert "1 order is older than the retention of 30 days." in result.output
    assert ops.json("audit")["orders"] == 0, "by default it starts at the retention"


class TestAfterTheRetentionHasChanged:
    """Items that were stored before have the time of the old retention, or none."""

    @pytest.fixture
    def world(self, new_world) -> World:
        """Three orders that were stored when orders were kept for ever; two of them are old."""
        made: World = new_world(REPLICATE_SINCE="2010-01-01T00:00:00Z")
        now = made.clock.now()
        for age in (3000, DAYS + 1, 1):
            made.store.place_order(created=now - timedelta(days=age))
        made.poll()
        come_to_rest(made)
        confirm(made)
        return made

    def test_an_item_without_a_time_is_left_alone_until_the_command_sets_it(self, ops, world):
        before = world.items("orders")
        world.configure(ORDERS_RETENTION_DAYS=str(DAYS))
        world.poll()
        come_to_rest(world)
        planned = ops.json("expire", "--dry-run")
        assert (planned["to_change"], planned["expired"], planned["changed"]) == (3, 2, 0)
        assert world.items("orders") == before

        done = ops.json("expire")

        assert (done["to_change"], done["expired"], done["changed"]) == (3, 2, 3)
        after = world.items("orders")
        oldest, old, young = (item.pop("expires_at") for item in after)
        assert after == before
        assert old == stored_until(world, after[1]["id"])
        assert young == stored_until(world, after[2]["id"])
        # DynamoDB keeps an item that expired more than five years ago.
        assert world.clock.time() - 5 * 365 * DAY < oldest < world.clock.time()
        delete_expired(world)
        assert [item["id"] for item in world.items("orders")] == [after[2]["id"]]

    def test_the_command_asks_before_dynamodb_deletes_items(self, world):
        world.configure(ORDERS_RETENTION_DAYS=str(DAYS))
        before = world.items("orders")

        refused = Ops(world, asks=True)("expire", answer="n\n")

        assert refused.exit_code == 1
        assert "deletes 2 permanently" in refused.stderr
        assert world.items("orders") == before

    def test_a_second_run_changes_nothing(self, ops, world):
        world.configure(ORDERS_RETENTION_DAYS="3650")
        ops("expire")
        before = world.items("orders")

        done = ops.json("expire")

        assert (done["to_change"], done["unchanged"], done["changed"]) == (0, 3, 0)
        assert world.items("orders") == before

    def test_the_command_removes_the_time_when_orders_are_kept_for_ever_again(self, ops, world):
        before = world.items("orders")
        world.configure(ORDERS_RETENTION_DAYS="3650")
        ops("expire")
        assert world.items("orders") != before
        world.configure(ORDERS_RETENTION_DAYS="0")

        assert ops.json("expire")["changed"] == 3
        assert world.items("orders") == before

    def test_an_order_whose_item_has_gone_is_stored_again_by_a_longer_retention(self, ops, world):
        world.configure(ORDERS_RETENTION_DAYS=str(DAYS), REPLICATE_SINCE="2010-01-01T00:00:00Z")
        ops("expire")
        delete_expired(world)
        world.poll()
        assert len(world.items("orders")) == 1
        world.configure(ORDERS_RETENTION_DAYS="3650", REPLICATE_SINCE="2010-01-01T00:00:00Z")

        world.poll()
        come_to_rest(world)

        assert ops.json("audit")["totals"] == {"replicated": 3}
        assert {len(moves(world.store, item["id"])) for item in world.items("orders")} == {1}

    def test_an_item_that_changes_gets_the_time_of_the_present_retention(self, world):
        world.configure(ORDERS_RETENTION_DAYS=str(DAYS))
        young = int(max(item["id"] for item in world.items("orders")))
        world.store.edit(young, staff_notes="again")
        come_to_rest(world)

        assert not differing(world, young)
        assert world.item(young)["expires_at"] == stored_until(world, young)
