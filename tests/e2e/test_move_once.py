"""An order is moved at most once, ever, and no person is overruled."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from sandbox.store import Store
from sandbox.store.clock import SimulatedClock
from sandbox.store.faults import Fault
from sandbox.store.statuses import Status
from sandbox.world import World
from tests.e2e.journeys import (
    come_to_rest,
    differing,
    moves,
    pause,
    record,
    replicated,
    resume,
    send,
    unmoved,
)
from tests.factories import events

NOT_MOVED = Fault(route="PUT /orders/*", kind="status", status=409)
"""The store refuses the move, which then had no effect."""

ONE_ORDER = "GET /orders/*[0-9]"
"""The read of one order."""

SECOND_LOOK: dict[str, Any] = {"route": ONE_ORDER, "skip": 1}
"""The second read of an order, before its move."""


@pytest.fixture
def impatient(new_world: Callable[..., World]) -> World:
    """A world in which a response that takes more than 30 s is lost.

    The request still takes effect when it arrives.
    """
    clock = SimulatedClock()
    store = Store(clock=clock, client_timeout=30.0)
    return new_world(clock=clock, store=store)


def wait_for_quota_before_the_move(store: Store) -> None:
    """Other apps use up the quota while the lists are read: the move waits for the next window."""
    store.faults.add(
        Fault(route="GET /orders/*/coupons", kind="late", act=lambda: store.use_quota(1000))
    )


def deliver_again(world: World, order_id: int) -> None:
    """Another container receives a message of the same order."""
    send(world, order_id)
    world.pump.deliver("replicate 2")


@pytest.mark.parametrize("status", [2, 3, 8, 9, 10])
def test_an_order_that_is_stored_as_processed_and_set_back_is_not_moved(world, store, status):
    order_id = store.place_order(status=status)
    come_to_rest(world)

    store.set_status(order_id, Status.AWAITING_FULFILLMENT)
    come_to_rest(world)
    world.poll()
    come_to_rest(world)

    assert not differing(world, order_id)
    assert moves(store, order_id) == []


@pytest.mark.parametrize("decision", [Status.COMPLETED, Status.AWAITING_FULFILLMENT])
def test_a_merchant_who_decides_after_the_move_is_not_overruled(world, store, decision):
    order_id = store.place_order()
    come_to_rest(world)

    store.set_status(order_id, decision)
    come_to_rest(world)
    store.edit(order_id, staff_notes="keep the status")
    come_to_rest(world)
    for _ in range(13):
        world.poll()
        come_to_rest(world)

    assert not differing(world, order_id)
    assert store.order(order_id)["status_id"] == decision
    assert len(moves(store, order_id)) == 1


def test_a_merchant_who_decides_while_the_move_waits_is_not_overruled(world, store):
    order_id = store.place_order()
    world.deliver_webhooks()
    store.faults.add(Fault(route="PUT /orders/*", kind="status", status=429))
    world.drain()
    store.set_status(order_id, Status.CANCELLED)

    come_to_rest(world)

    assert not differing(world, order_id)
    assert moves(store, order_id) == []


def test_a_merchant_who_decides_while_the_order_is_sent_is_not_overruled(world, store):
    """The response shows the order as it was 25 s ago."""
    order_id = store.place_order(via="api")
    store.faults.add(
        Fault(
            route=ONE_ORDER,
            kind="late",
            seconds=25,
            act=lambda: store.set_status(order_id, Status.CANCELLED),
        )
    )
    send(world, order_id)

    world.drain()

    assert store.order(order_id)["status_id"] == Status.CANCELLED
    assert moves(store, order_id) == []


def test_an_order_is_stored_before_it_is_moved(world, store):
    order_id = store.place_order()
    store.faults.add(Fault(route="PUT /orders/*", kind="status", status=409, times=None))

    world.poll()
    world.drain()

    assert unmoved(world, order_id)
    assert not differing(world, order_id)


@pytest.mark.parametrize("status", [409, 500, 503])
def test_an_order_that_was_stored_and_not_moved_is_moved_by_the_next_delivery(world, store, status):
    """Although it was read long after its message was sent."""
    order_id = store.place_order()
    store.faults.add(Fault(route="PUT /orders/*", kind="status", status=status, times=5))
    world.deliver_webhooks()
    world.advance(60)
    world.drain()
    assert unmoved(world, order_id)

    world.settle()

    assert replicated(world, order_id)


def test_a_move_that_the_store_shows_is_recorded_and_not_repeated(world, store):
    order_id = store.place_order()
    store.faults.add(Fault(route="PUT /orders/*", kind="drop_after", times=5))
    world.poll()
    world.drain()
    assert unmoved(world, order_id)

    world.settle()

    assert replicated(world, order_id)
    assert store.requests["PUT /orders/{id}"] == 1


@pytest.mark.parametrize(
    ("fault", "recorded"),
    [
        ({"kind": "status", "status": 409}, set()),
        ({"kind": "status", "status": 503}, set()),
        ({"kind": "status", "status": 500}, {"moved_from", "moved_to", "move_began_at"}),
        ({"kind": "html", "status": 200}, {"moved_from", "moved_to", "move_began_at"}),
    ],
    ids=["rejected", "unavailable", "failed", "malformed"],
)
def test_a_failed_move_is_recorded_only_when_its_outcome_is_unknown(world, store, fault, recorded):
    order_id = store.place_order()
    store.faults.add(Fault(route="PUT /orders/*", times=None, **fault))

    world.poll()
    world.drain()

    assert {name for name in record(world, order_id) if name.startswith("move")} == recorded


def test_a_move_that_a_person_made_undecidable_counts_as_made(world, store, caplog):
    """The response to the PUT is lost, and the merchant takes the order back before the retry."""
    order_id = store.place_order()
    store.faults.add(Fault(route="PUT /orders/*", kind="drop_after"))
    world.poll()
    world.drain()
    store.set_status(order_id, Status.AWAITING_FULFILLMENT)

    world.settle()
    world.poll()
    world.settle()

    assert store.order(order_id)["status_id"] == Status.AWAITING_FULFILLMENT
    assert record(world, order_id)["move_unconfirmed"] is True
    assert events(caplog).count("move_unconfirmed") == 1


def test_a_move_without_a_response_is_not_repeated_while_it_can_still_arrive(impatient):
    world, store = impatient, impatient.store
    order_id = store.place_order(via="api")
    store.faults.add(Fault(route="PUT /orders/*", kind="slow", seconds=120))
    send(world, order_id)
    world.drain()

    world.advance(60)
    deliver_again(world, order_id)
    store.set_status(order_id, Status.AWAITING_FULFILLMENT)
    world.advance(40)
    world.settle()

    assert store.order(order_id)["status_id"] == Status.AWAITING_SHIPMENT
    assert moves(store, order_id) == [(11, 9)]
    assert store.repeated_puts == []


def test_a_move_can_still_arrive_as_long_after_the_second_read_as_after_the_first(impatient):
    world, store = impatient, impatient.store
    order_id = store.place_order(via="api")
    wait_for_quota_before_the_move(store)
    store.faults.add(Fault(route="PUT /orders/*", kind="slow", seconds=175))
    send(world, order_id)
    began = world.clock.now()
    world.drain()
    assert store.requests["GET /orders/{id}"] == 2
    assert record(world, order_id)["move_began_at"] > (began + timedelta(seconds=20)).isoformat()

    world.advance(185 - (world.clock.now() - began).total_seconds())
    deliver_again(world, order_id)
    world.advance(60)
    world.settle()

    assert moves(store, order_id) == [(11, 9)]
    assert store.repeated_puts == []


def test_whether_a_move_can_still_arrive_is_judged_by_when_the_order_was_read(impatient):
    """The order is read before the move arrives, and the response comes when it must be over."""
    world, store = impatient, impatient.store
    order_id = store.place_order(via="api")
    store.faults.add(Fault(route="PUT /orders/*", kind="slow", seconds=175))
    send(world, order_id)
    world.drain()

    def take_back() -> None:
        world.advance(10)
        store.set_status(order_id, Status.AWAITING_FULFILLMENT)

    world.advance(140)
    store.faults.add(Fault(route=ONE_ORDER, kind="late", seconds=10, act=take_back))
    deliver_again(world, order_id)
    world.settle()

    assert len(moves(store, order_id)) == 1
    assert store.order(order_id)["status_id"] == Status.AWAITING_FULFILLMENT


def test_what_a_person_did_is_recorded_while_another_delivery_may_be_moving(impatient):
    """A second delivery sees the order shipped before the first one sends its move."""
    world, store = impatient, impatient.store
    order_id = store.place_order(via="api")

    def ship() -> None:
        store.set_status(order_id, Status.SHIPPED)
        deliver_again(world, order_id)

    wait_for_quota_before_the_move(store)
    store.faults.add(Fault(**SECOND_LOOK, kind="late", act=ship))
    send(world, order_id)
    world.drain()

    store.set_status(order_id, Status.AWAITING_FULFILLMENT)
    world.settle()

    assert moves(store, order_id) == []
    assert not differing(world, order_id)


def test_what_the_second_read_shows_of_a_person_is_recorded(impatient):
    world, store = impatient, impatient.store
    order_id = store.place_order(via="api")
    wait_for_quota_before_the_move(store)
    store.faults.add(
        Fault(
            **SECOND_LOOK,
            kind="before",
            act=lambda: store.set_status(order_id, Status.SHIPPED),
        )
    )
    send(world, order_id)
    world.drain()

    store.set_status(order_id, Status.AWAITING_FULFILLMENT)
    world.settle()

    assert moves(store, order_id) == []
    assert not differing(world, order_id)


@pytest.fixture
def stored(world: World, store: Store) -> int:
    """An order in 11 that was stored and, because of a pause, not moved."""
    order_id = store.place_order(via="api")
    pause(world)
    send(world, order_id)
    world.settle()
    world.advance(10)
    return order_id


def test_what_a_person_did_is_recorded_although_the_item_was_written_meanwhile(
    world, store, stored
):
    """One delivery reads the order shipped; another one stores it as it was before."""
    resume(world)
    store.edit(stored, staff_notes="urgent")
    world.advance(2)
    store.set_status(stored, Status.SHIPPED)

    def store_the_version_before() -> None:
        store.faults.add(Fault(route=ONE_ORDER, kind="stale"), NOT_MOVED)
        deliver_again(world, stored)

    store.faults.add(Fault(route=ONE_ORDER, kind="late", act=store_the_version_before))
    send(world, stored)
    world.pump.deliver()
    assert world.item(stored)["staff_notes"] == "urgent"

    store.set_status(stored, Status.AWAITING_FULFILLMENT)
    world.settle()

    assert moves(store, stored) == []


def test_what_a_person_did_is_recorded_when_an_older_answer_shows_it(world, store, stored):
    store.set_status(stored, Status.SHIPPED)
    world.advance(2)
    store.set_status(stored, Status.AWAITING_FULFILLMENT)
    send(world, stored)
    world.settle()
    resume(world)

    store.faults.add(Fault(route=ONE_ORDER, kind="stale"))
    send(world, stored)
    world.settle()

    assert moves(store, stored) == []
    assert not differing(world, stored)


def test_an_order_from_before_replicate_since_that_is_stored_is_never_moved(new_world):
    clock = SimulatedClock()
    since = clock.now() - timedelta(days=1)
    world = new_world(clock=clock, REPLICATE_SINCE=since.isoformat())
    order_id = world.store.place_order(created=since - timedelta(days=1))
    send(world, order_id, source="replay")
    world.settle()

    world.store.edit(order_id, staff_notes="still open")
    come_to_rest(world)
    world.poll()
    come_to_rest(world)

    assert not differing(world, order_id)
    assert moves(world.store, order_id) == []


def test_a_replay_never_moves_an_order_and_a_message_beside_it_does(world, store):
    replayed, polled = store.place_order(via="api"), store.place_order(via="api")
    send(world, replayed, polled, source="replay")
    send(world, polled)

    world.settle()

    assert unmoved(world, replayed)
    assert replicated(world, polled)


def test_a_forgotten_order_that_is_new_is_moved_and_nothing_of_it_is_stored(world, store):
    """Otherwise nobody would ever ship it."""
    order_id = store.place_order(via="api")
    facts = {"source": "poll", "digest": "", "replicated_at": world.clock.now().isoformat()}
    forgotten = {n: {"S": t} for n, t in {**facts, "forgotten_at": facts["replicated_at"]}.items()}
    world.stack.dynamodb.put_item(
        TableName=world.stack.name("orders"),
        Item={
            "id": {"N": str(order_id)},
            "replication": {"M": {**forgotten, "version": {"N": "0"}}},
        },
    )

    world.poll()
    come_to_rest(world)
    for _ in range(13):
        world.poll()
        come_to_rest(world)

    assert moves(store, order_id) == [(11, 9)]
    assert set(world.order(order_id)) == {"id"}
    assert world.items("jobs")[-1]["queued"] == 0
