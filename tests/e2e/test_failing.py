"""Orders that fail: none delays another, each is tried for long, and what fails is visible."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from sandbox.store.faults import Fault
from sandbox.store.statuses import Status
from sandbox.world import World
from tests.e2e.journeys import (
    DAY,
    come_to_rest,
    differing,
    moves,
    pause,
    replicated,
    send,
    unmoved,
)


def failing(world: World) -> list[dict[str, Any]]:
    """The items of failing orders in the Jobs table."""
    return [item for item in world.items("jobs") if item["started_at"].startswith("failing#")]


def deliver(world: World, times: int) -> None:
    """Let the visible messages fail so many times, each time when they are visible again."""
    for _ in range(times):
        world.drain()
        world.advance(3700)


@pytest.fixture
def broken(world, store) -> int:
    """A queued order whose lines cannot be read."""
    order_id = int(store.place_order(via="api"))
    store.faults.add(
        Fault(route=f"GET /orders/{order_id}/products", kind="html", status=200, times=None)
    )
    send(world, order_id)
    return order_id


@pytest.mark.parametrize(
    "fault",
    [
        {"route": "GET /orders/104/*", "kind": "status", "status": 500},
        {"route": "GET /orders/104/products", "kind": "html", "status": 200},
        {"route": "GET /orders/104/products", "kind": "html", "status": 403},
        {"route": "GET /orders/104/products", "kind": "body", "body": b'[{"id": 1, "x": 1E400}]'},
        {"route": "GET /orders/104/coupons", "kind": "status", "status": 422},
        {"route": "PUT /orders/104", "kind": "status", "status": 409},
    ],
    ids=["unavailable", "malformed", "blocked", "not storable", "rejected", "not moved"],
)
def test_one_bad_order_never_delays_its_batch(world, store, fault):
    ids = [store.place_order(via="api") for _ in range(10)]
    store.faults.add(Fault(times=None, **fault))
    send(world, *ids)

    world.drain()

    assert [order_id for order_id in ids if not replicated(world, order_id)] == [104]
    assert len(world.messages()) == 1
    assert world.mail() == []


def test_an_order_that_is_not_found_is_skipped_at_the_fifth_receive(world, store):
    order_id = store.place_order(via="api")
    store.faults.add(
        Fault(route=f"GET /orders/{order_id}", kind="missing", times=None),
        Fault(route="GET /orders", kind="body", body=b"[]", times=None),
    )
    send(world, order_id)

    began = world.clock.time()
    world.settle()

    assert store.requests["GET /orders/{id}"] == 5
    assert world.clock.time() - began > 7 * 60
    assert world.dead_letters() == []


def test_an_order_that_a_list_still_shows_is_not_skipped(world, store):
    order_id = store.place_order(via="api")
    store.faults.add(Fault(route=f"GET /orders/{order_id}", kind="missing", times=None))
    send(world, order_id)

    world.settle()

    assert len(world.dead_letters()) == 1


def test_an_order_without_a_list_reaches_the_dead_letter_queue(world, store):
    ids = []
    for name in ("products", "shipping_addresses", "coupons"):
        ids.append(store.place_order(via="api"))
        store.faults.add(Fault(route=f"GET /orders/{ids[-1]}/{name}", kind="missing", times=None))
    send(world, *ids)

    world.settle()

    assert len(world.dead_letters()) == 3
    assert world.items("orders") == []


def test_an_order_that_appears_late_is_replicated(world, store):
    order_id = store.place_order()
    store.faults.add(Fault(route=f"GET /orders/{order_id}", kind="missing", times=3))
    world.deliver_webhooks()

    come_to_rest(world)

    assert replicated(world, order_id)


def test_an_order_is_failing_from_its_third_failure_on(world, broken):
    deliver(world, 2)
    assert failing(world) == []

    began = world.clock.now()
    world.drain()

    (item,) = failing(world)
    assert item["started_at"] == f"failing#{broken}"
    assert (item["order_id"], item["receives"]) == (broken, 3)
    assert item["error_class"] == "MalformedResponse"
    assert f"GET orders/{broken}/products -> 200" in item["error"]
    next_try = datetime.fromisoformat(item["next_try_at"]) - began
    assert timedelta(minutes=2) <= next_try <= timedelta(minutes=5)
    assert "dead_at" not in item


def test_a_failing_order_keeps_its_beginning(world, broken):
    deliver(world, 3)
    since = failing(world)[0]["since"]

    deliver(world, 2)

    (item,) = failing(world)
    assert (item["since"], item["receives"]) == (since, 5)


def test_a_failing_order_that_was_received_for_the_last_time_is_marked(world, broken):
    world.settle()

    assert len(world.dead_letters()) == 1
    assert failing(world)[0]["dead_at"]


def test_an_order_that_succeeds_is_not_failing_any_more(world, store, broken):
    deliver(world, 3)
    store.faults.clear()

    world.settle()

    assert replicated(world, broken)
    assert failing(world) == []


def test_an_order_whose_message_is_dropped_is_not_failing_any_more(world, store, broken):
    deliver(world, 3)
    store.set_status(broken, Status.PENDING)

    world.settle()

    assert world.item(broken) is None
    assert failing(world) == []
    assert world.dead_letters() == []


def test_a_sweep_clears_an_order_that_is_settled(world, store, broken):
    """Two deliveries overlapped: the one that succeeded ended first."""
    world.settle()
    dead = failing(world)[0]
    store.faults.clear()
    for _ in ("moved", "read again a minute later"):
        send(world, broken)
        come_to_rest(world)
        world.advance(60)
    world.stack.dynamodb.put_item(
        TableName=world.stack.name("jobs"),
        Item={
            name: {"N": str(dead[name])} if name in ("order_id", "receives") else {"S": dead[name]}
            for name in dead
            if name != "expires_at"
        },
    )

    world.advance(DAY)
    world.poll()

    assert failing(world) == []


def test_a_poll_of_changes_queues_a_failing_order_that_changes(world, store, broken):
    """The change may be what makes it succeed."""
    world.poll()
    world.settle()
    store.faults.clear()

    store.edit(broken, staff_notes="repaired")
    world.poll()
    come_to_rest(world)

    assert replicated(world, broken)
    assert failing(world) == []


def test_a_broken_order_is_one_dead_letter_after_several_sweeps(world, broken):
    world.settle()

    for _ in range(4):
        world.advance(DAY)
        world.poll()
        world.settle()

    assert len(world.dead_letters()) == 1


@pytest.mark.parametrize(
    "order", [{"items_total": 99}, {"status": Status.COMPLETED}], ids=["incomplete", "not current"]
)
def test_an_order_that_waits_is_not_failing(world, store, order):
    send(world, store.place_order(via="api", **order))
    for _ in range(6):
        world.drain()
        world.advance(100)
        assert failing(world) == []


def test_an_order_whose_move_is_in_doubt_is_not_failing(world, store):
    order_id = store.place_order(via="api")
    store.faults.add(Fault(route="PUT /orders/*", kind="drop_after"))
    send(world, order_id)
    for _ in range(5):
        world.drain()
        send(world, order_id)
        world.advance(35)
    come_to_rest(world)

    assert failing(world) == []
    assert replicated(world, order_id)


@pytest.mark.parametrize(
    "fault",
    [{"kind": "status", "status": 500}, {"kind": "status", "status": 409}, {"kind": "drop_before"}],
    ids=["failed", "rejected", "no response"],
)
def test_half_a_day_without_moves_loses_nothing(world, store, fault):
    """The store serves reads, and fails every write."""
    order_id = store.place_order(via="api")
    until = world.clock.time() + 11 * 3600
    store.faults.add(Fault(route="PUT *", times=None, until=until, **fault))
    send(world, order_id)

    world.settle()

    assert replicated(world, order_id)
    assert world.dead_letters() == []


def test_an_order_that_changes_all_the_time_is_not_failing(world, store):
    """Every read is within two seconds of a change."""
    order_id = store.place_order(status=Status.SHIPPED, via="api")
    send(world, order_id)
    for number in range(100):
        store.edit(order_id, staff_notes=f"note {number}")
        world.drain()
        world.advance(1)

    world.settle()

    assert differing(world, order_id) == set()
    assert world.dead_letters() == []


def test_the_other_orders_of_a_stopped_batch_are_not_failing(world, store):
    """The store is down for three of them."""
    ids = []
    for _ in range(5):
        ids.append(store.place_order(via="api"))
        store.skip_ids(1000)
    store.faults.add(Fault(route="*", kind="status", status=503, times=None))
    send(world, *ids)
    deliver(world, 3)

    assert len(failing(world)) == 3


def test_no_failing_order_names_customer_data(world, store):
    bad = store.place_order(via="api", staff_notes="Ring twice " * 40_000)
    odd = store.place_order(via="api", date_modified="yesterday", customer_message="Ring twice")
    send(world, bad, odd)

    deliver(world, 4)

    assert [item["error_class"] for item in failing(world)] == ["ItemTooLarge", "UnreadableOrder"]
    assert "Ring twice" not in str(failing(world))


def test_an_order_whose_item_belongs_to_another_program_is_failing(world, store):
    """An item without a record is never overwritten: nobody can tell what it means."""
    order_id = store.place_order(via="api")
    world.stack.dynamodb.put_item(
        TableName=world.stack.name("orders"), Item={"id": {"N": str(order_id)}, "note": {"S": "x"}}
    )
    send(world, order_id)

    deliver(world, 3)

    (item,) = failing(world)
    assert item["error_class"] == "ConcurrentWrite"
    assert item["error"].startswith("PutItem")
    assert world.item(order_id) == {"id": order_id, "note": "x"}
    assert moves(store, order_id) == []


def test_a_change_that_fails_leaves_the_order_as_it_was(world, store):
    order_id = store.place_order(via="api")
    pause(world)
    send(world, order_id)
    world.settle()
    store.faults.add(Fault(route="GET /orders/*/coupons", kind="html", status=200, times=None))
    world.advance(60)
    store.edit(order_id, staff_notes="x")
    send(world, order_id, queue="changes")
    deliver(world, 3)

    assert differing(world, order_id) == {"staff_notes", "date_modified"}
    assert unmoved(world, order_id)
    assert moves(store, order_id) == []
    assert [item["order_id"] for item in failing(world)] == [order_id]
