"""A stored order is kept current, at the price of the fewest requests."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from sandbox.store import Store
from sandbox.store.clock import SimulatedClock
from sandbox.store.faults import Fault
from sandbox.store.statuses import Status
from sandbox.world import World
from tests.e2e.journeys import (
    come_to_rest,
    confirm,
    differing,
    next_second,
    pause,
    record,
    replicated,
    requests,
    send,
)

ONE_ORDER = "GET /orders/*[0-9]"


def first_line(store: Store, order_id: int) -> int:
    return int(store.parts(order_id)["products"][0]["id"])


def last_shipment(store: Store, order_id: int) -> int:
    return int(store.parts(order_id)["shipments"][-1]["id"])


ACTS: dict[str, Callable[[Store, int], object]] = {
    "a note is written": lambda store, n: store.edit(n, staff_notes="urgent"),
    "it is cancelled": lambda store, n: store.set_status(n, Status.CANCELLED),
    "a line is added": lambda store, n: store.add_line(n),
    "a line is changed": lambda store, n: store.change_line(n, first_line(store, n), quantity=9),
    "a line is removed": lambda store, n: store.remove_line(n, first_line(store, n)),
    "its address is changed": lambda store, n: store.change_address(n, street_1="2 New Street"),
    "a coupon is added": lambda store, n: store.add_coupon(n, "WELCOME"),
    "a fee is added": lambda store, n: store.add_fee(n, "Gift wrapping"),
    "it is shipped": lambda store, n: store.ship(n, tracking_number="1Z"),
    "a part is shipped": lambda store, n: store.ship(n, {first_line(store, n): 1}),
    "it is refunded": lambda store, n: store.refund(n),
    "a part is refunded": lambda store, n: store.refund(n, "1.00"),
}
"""What people do to an order, which advances its date_modified."""

SHIPMENT_ACTS: dict[str, Callable[[Store, int], object]] = {
    "the tracking number is changed": lambda store, n: store.change_shipment(
        n, last_shipment(store, n), tracking_number="1Z2"
    ),
    "the shipment is deleted": lambda store, n: store.delete_shipment(n, last_shipment(store, n)),
}
"""What people do to a shipment; the order's date_modified stays."""


@pytest.fixture
def moved(world: World, store: Store) -> int:
    """An order with all kinds of lists that was moved, at rest."""
    order_id = store.place_order(lines=3, coupons=1, fees=1)
    come_to_rest(world)
    world.advance(600)
    return order_id


@pytest.fixture
def shipped(world: World, store: Store) -> int:
    """An order of which nothing is left to do, at rest."""
    order_id = store.place_order(status=Status.SHIPPED)
    come_to_rest(world)
    world.advance(600)
    return order_id


@pytest.mark.parametrize("act", ACTS)
def test_a_change_arrives_by_its_callbacks(world, store, moved, act):
    ACTS[act](store, moved)
    come_to_rest(world)

    assert differing(world, moved) == set()
    assert len(world.dead_letters()) == 0


@pytest.mark.parametrize("act", ACTS)
def test_a_change_arrives_by_the_next_poll(new_world, act):
    world = new_world(hooks="cart")
    order_id = world.store.place_order(lines=3, coupons=1, fees=1)
    come_to_rest(world)

    world.advance(600)
    ACTS[act](world.store, order_id)
    world.poll()
    world.settle()

    assert differing(world, order_id) == set()


@pytest.mark.parametrize("act", SHIPMENT_ACTS)
def test_a_change_of_a_shipment_arrives_by_its_callback(world, store, moved, act):
    store.ship(moved)
    come_to_rest(world)
    world.advance(600)

    SHIPMENT_ACTS[act](store, moved)
    come_to_rest(world)

    assert differing(world, moved) == set()


@pytest.mark.parametrize("answers", ["404", "200"])
def test_an_archived_order_stays_and_is_marked(new_world, answers):
    clock = SimulatedClock()
    world = new_world(clock=clock, store=Store(clock=clock, archived_answers=answers))
    order_id = world.store.place_order()
    come_to_rest(world)
    before = record(world, order_id)["sequence"]

    world.store.archive(order_id)
    come_to_rest(world)

    assert world.item(order_id)["is_deleted"] is True
    assert "archived_at" in record(world, order_id)
    assert record(world, order_id)["sequence"] > before
    assert differing(world, order_id) <= {"date_modified"}, "a 404 has no date"
    assert world.dead_letters() == []


def test_a_moved_order_is_current_before_its_callbacks_arrive(world, store):
    order_id = store.place_order()
    world.poll()

    world.drain()

    assert replicated(world, order_id)


def test_the_callbacks_of_the_own_move_cost_one_shared_read(world, store):
    ids = [store.place_order() for _ in range(5)]
    world.deliver_webhooks()
    world.drain()
    before = requests(store)

    come_to_rest(world)

    assert requests(store) - before == 1
    assert all(replicated(world, order_id) for order_id in ids)


def test_a_burst_of_callbacks_about_one_order_costs_one_read(world, store, moved):
    for number in range(8):
        store.edit(moved, staff_notes=f"note {number}")
        world.advance(0.5)
        world.deliver_webhooks()
    before = store.requests.copy()

    come_to_rest(world)

    cost = store.requests - before
    assert cost["GET /orders/{id}"] + cost["GET /orders"] == 1
    assert cost["GET /orders/{id}/products"] == 1


def test_a_message_that_was_sent_well_before_the_order_was_read_costs_nothing(world, store, moved):
    send(world, *[moved] * 30, queue="changes")
    world.advance(10)
    before = requests(store)

    world.settle()

    assert requests(store) - before == 1
    assert world.messages() == []


def test_an_unchanged_order_costs_no_request_after_any_poll(world, store, moved):
    confirm(world)

    for _ in range(13):
        world.poll()
        assert world.messages() == []


def test_an_order_read_within_two_seconds_of_its_change_is_read_again(world, store):
    order_id = store.place_order(status=Status.SHIPPED, via="api")
    send(world, order_id)
    world.drain()
    assert store.requests["GET /orders/{id}"] == 1

    world.settle()

    assert store.requests["GET /orders/{id}"] == 2
    assert store.requests["GET /orders/{id}/products"] == 1


@pytest.mark.parametrize("move_status", ["true", "false"])
def test_an_edit_in_the_second_in_which_the_order_was_read_is_stored(new_world, move_status):
    """It leaves date_modified as it was."""
    world = new_world(MOVE_STATUS=move_status)
    next_second(world)
    order_id = world.store.place_order(status=Status.SHIPPED, via="api")
    send(world, order_id)
    world.drain()
    world.store.edit(order_id, staff_notes="paid in full")

    world.settle()

    assert differing(world, order_id) == set()


def test_an_edit_between_the_read_and_the_move_is_stored(world, store):
    """The move's date_modified hides it."""
    order_id = store.place_order(via="api")
    store.faults.add(
        Fault(
            route="PUT /orders/*",
            kind="before",
            act=lambda: store.change_line(order_id, first_line(store, order_id), quantity=9),
        )
    )
    send(world, order_id)

    come_to_rest(world)

    assert replicated(world, order_id)


@pytest.mark.parametrize("by_callback", [True, False])
def test_a_line_that_existed_only_while_the_lists_were_read_is_not_kept(world, store, by_callback):
    """It is added after the shared read, and removed before the move."""
    order_id = store.place_order(via="api")
    added: list[int] = []
    store.faults.add(
        Fault(route=ONE_ORDER, kind="late", act=lambda: added.append(store.add_line(order_id))),
        Fault(
            route="PUT /orders/*",
            kind="before",
            act=lambda: store.remove_line(order_id, added[0]),
        ),
    )
    send(world, order_id)
    world.drain()

    if by_callback:
        come_to_rest(world)
    else:
        world.poll()
        world.settle()

    assert len(added) == 1
    assert replicated(world, order_id)


def test_a_move_in_the_second_of_the_last_change_is_stored(world, store):
    """The version stays; the response to the PUT is lost."""
    next_second(world)
    order_id = store.place_order(via="api")
    store.faults.add(Fault(route="PUT /orders/*", kind="drop_after"))
    send(world, order_id)

    world.settle()

    assert replicated(world, order_id)


@pytest.mark.parametrize(
    "fault",
    [
        {"limit": 0, "warns": False},
        {"limit": 1},
        {"limit": 0, "warns": False, "stubs": True},
    ],
    ids=["silently cut", "cut", "stubs"],
)
def test_an_embedded_form_that_is_not_whole_hides_no_edit(world, store, fault):
    next_second(world)
    order_id = store.place_order(status=Status.SHIPPED, via="api", lines=3)
    store.faults.add(Fault(route="GET /orders*", kind="embedded", times=None, **fault))
    send(world, order_id)
    world.drain()
    last = int(store.parts(order_id)["products"][-1]["id"])
    store.change_line(order_id, last, name="Another towel")

    world.settle()

    assert differing(world, order_id) == set()


@pytest.mark.parametrize("route", ["GET /orders", "GET /orders/*"], ids=["lists", "the order"])
def test_an_order_that_the_store_still_shows_after_it_was_archived_is_marked(world, store, route):
    """No list shows it later: the callback is the only one to tell."""
    order_id, neighbour = store.place_order(via="api"), store.place_order(via="api")
    come_to_rest(world)
    store.archive(order_id)
    store.edit(neighbour, staff_notes="x")
    store.faults.add(Fault(route=route, kind="stale", times=2))

    come_to_rest(world)

    assert record(world, order_id)["archived_at"]


def test_an_order_that_was_restored_at_once_is_not_marked_as_archived(world, store):
    order_id = store.place_order(via="api")
    come_to_rest(world)
    send(world, order_id, queue="changes", source="webhook", part="is_deleted")

    come_to_rest(world)

    assert "archived_at" not in record(world, order_id)
    assert world.messages() == []


def test_an_older_read_never_overwrites_a_later_one_of_the_same_second(world, store, shipped):
    next_second(world)
    store.edit(shipped, staff_notes="first")

    def edit_and_store() -> None:
        store.edit(shipped, staff_notes="second")
        send(world, shipped, queue="changes")
        world.pump.deliver("follow 2")

    store.faults.add(Fault(route=ONE_ORDER, kind="late", act=edit_and_store))
    send(world, shipped, queue="changes")
    world.pump.deliver("follow 1")

    assert world.item(shipped)["staff_notes"] == "second"
    world.settle()
    assert differing(world, shipped) == set()


def test_an_edit_that_the_store_shows_late_is_found_by_the_next_read(world, store, shipped):
    """Both edits have the same second, so the version does not tell them apart."""
    next_second(world)
    store.edit(shipped, staff_notes="first")
    store.edit(shipped, staff_notes="second")
    world.clock.advance(30)
    store.faults.add(Fault(route="GET /orders*", kind="stale"))
    send(world, shipped, queue="changes")
    world.drain()
    assert world.item(shipped)["staff_notes"] == "first"

    send(world, shipped, queue="changes")
    world.drain()

    assert differing(world, shipped) == set()


def test_an_older_version_never_overwrites_a_newer_one(world, store, shipped):
    store.edit(shipped, staff_notes="second")
    come_to_rest(world)

    store.faults.add(Fault(route="GET /orders/*", kind="stale"))
    send(world, shipped)
    world.drain()

    assert world.item(shipped)["staff_notes"] == "second"
    assert len(world.messages()) == 1
    world.settle()
    assert differing(world, shipped) == set()


def test_a_page_older_than_the_item_queues_nothing(world, store, shipped):
    store.edit(shipped, staff_notes="second")
    come_to_rest(world)
    store.faults.add(Fault(route="GET /orders", kind="stale", times=None))

    world.pump.poll()

    assert world.messages() == []


def test_the_store_is_believed_when_it_shows_an_older_order_for_more_than_a_minute(
    world, store, shipped
):
    version = record(world, shipped)["version"]
    world.stack.dynamodb.update_item(
        TableName=world.stack.name("orders"),
        Key={"id": {"N": str(shipped)}},
        UpdateExpression="SET #r.version = :v, staff_notes = :n",
        ExpressionAttributeNames={"#r": "replication"},
        ExpressionAttributeValues={":v": {"N": str(version + 60)}, ":n": {"S": "never sent"}},
    )

    send(world, shipped)
    world.settle()

    assert differing(world, shipped) == set()
    assert record(world, shipped)["version"] == version


def test_a_moved_order_that_is_set_back_and_edited_is_stored_again(world, store, moved):
    store.set_status(moved, Status.AWAITING_FULFILLMENT)
    world.advance(60)
    store.edit(moved, staff_notes="two towels, not one")
    for _ in range(2):
        world.poll()
        come_to_rest(world)

    assert replicated(world, moved)


def without_read_at(item: dict[str, Any]) -> dict[str, Any]:
    rest = {name: value for name, value in item["replication"].items() if name != "read_at"}
    return {**item, "replication": rest}


@pytest.mark.parametrize("source", ["poll", "sweep", "webhook", "retry", "replay"])
def test_an_unchanged_order_is_not_written_again(world, store, shipped, source):
    """A read that confirms it updates `read_at` alone."""
    before = world.item(shipped)

    send(world, shipped, source=source)
    world.settle()

    after = world.item(shipped)
    assert without_read_at(after) == without_read_at(before)
    assert after["replication"]["read_at"] > before["replication"]["read_at"]


def test_each_change_of_the_item_has_a_higher_sequence(world, store):
    order_id = store.place_order(via="api")
    pause(world)
    send(world, order_id)
    world.settle()
    sequences = [record(world, order_id)["sequence"]]

    for act in (ACTS["a note is written"], ACTS["it is shipped"], ACTS["it is refunded"]):
        act(store, order_id)
        come_to_rest(world)
        sequences.append(record(world, order_id)["sequence"])

    assert sequences == sorted(set(sequences))
    assert sequences[0] <= datetime.now(UTC).timestamp() * 1000 + 10**6


@pytest.mark.parametrize("source", ["poll", "webhook"])
def test_the_record_of_an_order_names_what_found_it_first(world, store, source):
    order_id = store.place_order(via="api")
    send(world, order_id, source=source)
    world.settle()
    send(world, order_id, source="sweep")
    world.settle()

    assert record(world, order_id)["source"] == source
