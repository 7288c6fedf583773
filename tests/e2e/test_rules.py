"""Which orders are stored, which of them are moved, and where: each through the whole service."""

from datetime import UTC, datetime, timedelta

import pytest

from sandbox.store import Store
from sandbox.store.clock import SimulatedClock
from sandbox.store.statuses import Status
from tests.e2e.journeys import come_to_rest, confirm, differing, moves, record, replicated, unmoved

NEW = [Status.AWAITING_FULFILLMENT, Status.AWAITING_PAYMENT]
IGNORED = [Status.INCOMPLETE, Status.PENDING]
STORED = [status for status in Status if status not in IGNORED]


def test_an_order_is_stored_whatever_its_status(world, store):
    ids = [store.place_order(status=status) for status in STORED]

    world.poll()
    come_to_rest(world)

    assert [order_id for order_id in ids if differing(world, order_id)] == []


def test_an_order_in_an_ignored_status_is_not_stored(world, store):
    for status in IGNORED:
        store.place_order(status=status)

    world.poll()
    come_to_rest(world)

    assert world.items("orders") == []


def test_only_an_order_in_a_new_status_is_moved(world, store):
    ids = {status: store.place_order(status=status) for status in Status}

    world.poll()
    come_to_rest(world)

    moved = [status for status, order_id in ids.items() if moves(store, order_id)]
    assert sorted(moved) == sorted(NEW)
    assert {store.order(ids[status])["status_id"] for status in NEW} == {Status.AWAITING_SHIPMENT}


def test_an_order_in_a_new_status_is_stored_and_moved_once(world, store):
    ids = [store.place_order(status=status) for status in NEW]

    world.poll()
    world.drain()

    assert all(replicated(world, order_id) for order_id in ids)


@pytest.mark.parametrize("kind", ["digital", "gift_certificate"])
def test_a_completed_digital_order_is_new(world, store, kind):
    order_id = store.place_order(status=Status.COMPLETED, kind=kind)

    world.poll()
    world.drain()

    assert replicated(world, order_id)
    assert moves(store, order_id) == [(Status.COMPLETED, Status.AWAITING_PICKUP)]


@pytest.mark.parametrize(
    "facts",
    [
        {"kind": "physical"},
        {"kind": "mixed"},
        {"kind": "physical", "addresses": 0},
        {"kind": "physical", "order_is_digital": True, "shipping_address_count": 0},
    ],
    ids=["physical", "mixed", "without an address", "said to be digital"],
)
def test_a_completed_order_with_goods_is_stored_and_stays_completed(world, store, facts):
    order_id = store.place_order(status=Status.COMPLETED, **facts)

    world.poll()
    come_to_rest(world)

    assert world.item(order_id)["status_id"] == Status.COMPLETED
    assert not store.status_changes
    assert world.dead_letters() == []


def test_an_order_from_before_replicate_since_is_not_stored(new_world):
    now = datetime.now(UTC)
    world = new_world(REPLICATE_SINCE=(now - timedelta(days=1)).isoformat())
    old = world.store.place_order(created=now - timedelta(days=1, seconds=2))
    young = world.store.place_order(created=now - timedelta(hours=23))

    world.poll()
    come_to_rest(world)

    assert world.item(old) is None
    assert replicated(world, young)


def test_an_order_that_was_archived_before_it_was_read_is_not_stored(world, store):
    order_id = store.place_order()
    store.archive(order_id)

    come_to_rest(world)

    assert world.item(order_id) is None
    assert world.dead_letters() == []


def test_an_archived_order_that_the_store_still_returns_is_stored_and_not_moved(new_world):
    clock = SimulatedClock()
    world = new_world(clock=clock, store=Store(clock=clock, archived_answers="200"))
    order_id = world.store.place_order()
    world.store.archive(order_id)

    come_to_rest(world)

    assert not differing(world, order_id)
    assert "archived_at" in record(world, order_id)
    assert moves(world.store, order_id) == []


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        ("physical", Status.AWAITING_SHIPMENT),
        ("mixed", Status.AWAITING_SHIPMENT),
        ("partial_pickup", Status.AWAITING_SHIPMENT),
        ("pickup", Status.AWAITING_PICKUP),
        ("digital", Status.AWAITING_PICKUP),
        ("gift_certificate", Status.AWAITING_PICKUP),
    ],
)
def test_an_order_moves_to_the_status_of_its_kind(world, store, kind, target):
    order_id = store.place_order(kind=kind)

    world.poll()
    world.drain()

    assert moves(store, order_id) == [(Status.AWAITING_FULFILLMENT, target)]


def test_the_statuses_are_configurable(new_world):
    world = new_world(
        NEW_STATUS_IDS="12",
        PHYSICAL_STATUS_ID="2",
        PICKUP_STATUS_ID="3",
        DIGITAL_STATUS_ID="14",
    )
    new = Status.MANUAL_VERIFICATION_REQUIRED
    ids = [world.store.place_order(status=new, kind=k) for k in ("physical", "pickup", "digital")]
    other = world.store.place_order(status=Status.AWAITING_FULFILLMENT)

    world.poll()
    world.drain()

    assert [moves(world.store, order_id) for order_id in ids] == [[(12, 2)], [(12, 3)], [(12, 14)]]
    assert unmoved(world, other)


def test_the_store_is_not_written_to_when_move_status_is_false(new_world):
    world = new_world(MOVE_STATUS="false")
    order_id = world.store.place_order()

    come_to_rest(world)
    confirm(world)
    world.poll()

    assert not differing(world, order_id)
    assert world.store.requests["PUT /orders/{id}"] == 0
    assert world.messages() == []


def test_an_unpaid_order_is_stored_and_moved_once_it_is_paid_when_move_unpaid_is_false(new_world):
    world = new_world(MOVE_UNPAID="false")
    order_id = world.store.place_order(status=Status.AWAITING_PAYMENT)
    come_to_rest(world)
    assert not differing(world, order_id)
    assert moves(world.store, order_id) == []

    world.store.pay(order_id)
    world.deliver_webhooks()
    world.drain()

    assert replicated(world, order_id)
    assert moves(world.store, order_id) == [(Status.AWAITING_FULFILLMENT, Status.AWAITING_SHIPMENT)]


def test_an_unpaid_order_that_is_not_moved_costs_nothing_more(new_world):
    world = new_world(MOVE_UNPAID="false")
    world.store.place_order(status=Status.AWAITING_PAYMENT)
    come_to_rest(world)
    confirm(world)

    for _ in range(13):
        world.poll()
        assert world.messages() == []


def test_the_ignored_statuses_are_configurable(new_world):
    world = new_world(IGNORED_STATUS_IDS="6,13")
    ids = {status: world.store.place_order(status=status) for status in Status}

    world.poll()
    come_to_rest(world)

    stored = {item["id"] for item in world.items("orders")}
    assert {s for s, order_id in ids.items() if order_id not in stored} == {6, 13}


def test_a_stored_order_is_kept_current_when_its_status_becomes_ignored(world, store):
    order_id = store.place_order()
    come_to_rest(world)

    store.set_status(order_id, Status.PENDING)
    come_to_rest(world)

    assert not differing(world, order_id)


def test_only_orders_of_the_configured_channels_are_stored(new_world):
    world = new_world(CHANNEL_IDS="1,3")
    ids = {channel: world.store.place_order(channel_id=channel) for channel in (1, 2, 3)}

    world.poll()
    come_to_rest(world)

    assert [item["id"] for item in world.items("orders")] == [ids[1], ids[3]]
    assert moves(world.store, ids[2]) == []


def test_a_stored_order_is_kept_current_when_it_leaves_the_channels_and_is_not_moved(new_world):
    world = new_world(CHANNEL_IDS="1", MOVE_UNPAID="false")
    order_id = world.store.place_order(status=Status.AWAITING_PAYMENT, channel_id=1)
    come_to_rest(world)

    world.store.edit(order_id, channel_id=2)
    world.store.pay(order_id)
    come_to_rest(world)

    assert not differing(world, order_id)
    assert moves(world.store, order_id) == []
