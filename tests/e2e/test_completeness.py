"""An order is stored whole; one whose lists are too short is stored at once, and read again."""

import json
from decimal import Decimal
from typing import Any

import pytest

from sandbox.expected import expected_item
from sandbox.store import Store
from sandbox.store.clock import SimulatedClock
from sandbox.store.faults import Fault
from sandbox.store.statuses import Status
from tests.e2e.journeys import (
    DAY,
    come_to_rest,
    differing,
    moves,
    record,
    replicated,
    send,
    unmoved,
)

PRODUCTS = "GET /orders/{id}/products"
NEVER_ADDS_UP: dict[str, dict[str, Any]] = {
    "lines": {"items_total": 99},
    "addresses": {"kind": "pickup", "shipping_address_count": 1},
    "shipments": {"items_shipped": 99},
    "refunds": {"refunded_amount": "5.0000"},
}
"""Orders that state more than their lists have."""


@pytest.mark.parametrize("count", [50, 51, 251, 620])
def test_every_line_is_stored_whatever_the_number_of_pages(world, store, count):
    order_id = store.place_order(lines=count, addresses=3, coupons=2)

    world.poll()
    world.drain()

    assert len(world.order(order_id)["products"]) == count
    assert replicated(world, order_id)


def test_an_order_too_large_for_an_item_has_its_longest_list_compressed(world, store):
    order_id = store.place_order(lines=620)

    world.poll()
    world.drain()

    assert record(world, order_id)["encoding"] == {"products": "gzip+json"}


def test_unknown_fields_and_exact_numbers_are_kept(world, store):
    order_id = store.place_order(
        brand_new_field={"deep": [None, "", "ÄÖ 漢 🎁"]},
        exact=[Decimal("0.1000000000000000000000000000000000001"), Decimal("1E+100"), 10**37 + 1],
    )

    world.poll()
    world.drain()

    assert replicated(world, order_id)


@pytest.mark.parametrize(
    ("name", "order"),
    [
        ("products", {}),
        ("shipping_addresses", {"addresses": 2}),
        ("coupons", {"coupons": 2}),
        ("fees", {"fees": 2}),
        ("pickups", {"kind": "partial_pickup"}),
    ],
)
def test_each_list_of_an_order_is_stored(world, store, name, order):
    order_id = store.place_order(**order)

    world.poll()
    world.drain()

    assert world.order(order_id)[name] == expected_item(store, order_id)[name] != []


@pytest.mark.parametrize("wraps_fees", [True, False])
def test_fees_that_did_not_come_with_the_order_are_read(new_world, wraps_fees):
    """The response has links in place of the lists."""
    clock = SimulatedClock()
    store = Store(clock=clock, wraps_fees=wraps_fees)
    world = new_world(clock=clock, store=store)
    order_id = store.place_order(fees=2, via="api")
    body = json.dumps(store.order(order_id), default=str).encode()
    store.faults.add(Fault(route="GET /orders/*[0-9]", kind="body", body=body))
    send(world, order_id)

    world.drain()

    assert len(world.order(order_id)["fees"]) == 2


def test_the_shipments_and_refunds_of_an_order_are_stored_when_it_is_read_for_the_first_time(
    world, store
):
    order_id = store.place_order(via="api")
    store.ship(order_id)
    store.refund(order_id, "1.00")

    world.poll()
    world.settle()

    order = world.order(order_id)
    assert (len(order["shipments"]), len(order["refunds"])) == (1, 1)
    assert not differing(world, order_id)


@pytest.mark.parametrize(
    ("order", "requested"),
    [
        ({"status": Status.PENDING}, set()),
        ({"kind": "digital", "addresses": 0}, {"products", "coupons"}),
        ({"addresses": 1}, {"products", "coupons", "shipping_addresses"}),
        ({"kind": "pickup", "addresses": 0}, {"products", "coupons"}),
        ({"items_shipped": 1}, {"products", "coupons", "shipping_addresses", "shipments"}),
        ({"refunded_amount": "1.0000"}, {"products", "coupons", "shipping_addresses", "refunds"}),
    ],
    ids=["out of scope", "without addresses", "with addresses", "collected", "shipped", "refunded"],
)
def test_only_the_lists_that_an_order_may_have_are_requested(world, store, order, requested):
    send(world, store.place_order(**{"status": Status.DISPUTED, "via": "api", **order}))

    world.drain()

    names = {route.rpartition("/")[2] for route in store.requests}
    assert names - {"{id}", "orders"} == requested


@pytest.mark.parametrize("name", ["products", "shipping_addresses"])
def test_an_order_is_stored_at_once_and_moved_when_a_short_list_is_whole(world, store, name):
    order_id = store.place_order(lines=3, addresses=3, via="api")
    store.faults.add(Fault(route=f"GET /orders/{order_id}/{name}", kind="short", times=2))
    send(world, order_id)
    world.drain()
    assert record(world, order_id)["incomplete"] == [name]
    assert unmoved(world, order_id)
    assert moves(store, order_id) == []

    world.settle()

    assert replicated(world, order_id)
    assert "incomplete" not in record(world, order_id)


@pytest.mark.parametrize("kind", ["mixed", "partial_pickup"])
def test_an_old_order_is_not_moved_by_the_first_list_that_is_short(world, store, kind):
    """Its callback was late, and the list lacks the line that decides where it is moved."""
    order_id = store.place_order(kind=kind, via="api")
    world.clock.advance(3600)
    store.faults.add(Fault(route=f"GET /orders/{order_id}/products", kind="short", times=1))
    send(world, order_id)
    world.drain()
    assert record(world, order_id)["incomplete"] == ["products"]
    assert moves(store, order_id) == []

    world.settle()

    assert replicated(world, order_id)
    assert "incomplete" not in record(world, order_id)


@pytest.mark.parametrize("kind", ["digital", "gift_certificate"])
def test_a_completed_order_whose_lines_are_missing_does_not_count_as_processed(world, store, kind):
    """BigCommerce completes digital orders by itself, and only the lines tell that it is one."""
    order_id = store.place_order(kind=kind, lines=1, status=Status.COMPLETED, via="api")
    fault = Fault(route=f"GET /orders/{order_id}/products", kind="short", missing=9, times=1)
    store.faults.add(fault)
    send(world, order_id)
    world.drain()
    assert record(world, order_id)["incomplete"] == ["products"]

    world.settle()

    assert len(moves(store, order_id)) == 1
    assert replicated(world, order_id)


def test_an_old_order_that_never_adds_up_is_read_twice(world, store):
    """The first sweep of a store may find many of them."""
    store.place_order(status=Status.SHIPPED, via="api", **NEVER_ADDS_UP["lines"])
    world.clock.advance(3600)
    world.poll()

    world.settle()

    assert store.requests[PRODUCTS] == 2
    assert world.dead_letters() == []


def test_a_short_list_is_not_stored_as_whole_when_the_embedded_form_is_short_as_well(world, store):
    order_id = store.place_order(status=Status.SHIPPED, lines=3, via="api")
    store.faults.add(Fault(route=f"GET /orders/{order_id}*", kind="short", times=4))

    send(world, order_id)
    world.settle()

    assert not differing(world, order_id)
    assert "incomplete" not in record(world, order_id)


@pytest.mark.parametrize("embedded", ["false", "true"])
@pytest.mark.parametrize("kind", ["digital", "gift_certificate"])
def test_who_receives_a_download_is_known_though_the_embedded_form_came_without_its_lines(
    new_world, kind, embedded
):
    """The requested lists are whole; the consignments of the shared read were not."""
    world = new_world(EMBEDDED_READS=embedded)
    order_id = world.store.place_order(kind=kind, lines=1, via="api")
    short = Fault(route=f"GET /orders/{order_id}", kind="short", embedded=True, times=1)
    world.store.faults.add(short)
    send(world, order_id)

    world.settle()

    assert not differing(world, order_id)


@pytest.mark.parametrize("order", NEVER_ADDS_UP.values(), ids=NEVER_ADDS_UP)
def test_a_list_that_stays_short_is_believed_a_quarter_of_an_hour_after_the_last_change(
    world, store, order
):
    order_id = store.place_order(**order)
    world.deliver_webhooks()
    placed = world.clock.time()
    world.drain()
    assert not differing(world, order_id)
    assert unmoved(world, order_id)

    come_to_rest(world)

    assert len(moves(store, order_id)) == 1
    (move,) = [change.at for change in store.status_changes if change.by == "api"]
    assert 900 <= move - placed <= 1800
    assert record(world, order_id)["incomplete"]
    assert not differing(world, order_id)
    assert world.dead_letters() == []


def test_a_move_does_not_end_that_a_short_list_is_believed(world, store):
    store.place_order(**NEVER_ADDS_UP["lines"])
    world.deliver_webhooks()
    world.settle()
    before = store.requests.copy()

    come_to_rest(world)

    assert (store.requests - before)[PRODUCTS] == 1


def test_a_believed_order_costs_no_request_of_a_poll_and_one_read_of_a_sweep(world, store):
    world.poll()
    store.place_order(**NEVER_ADDS_UP["lines"])
    come_to_rest(world)
    assert world.pump.poll() is None
    assert world.items("jobs")[-1]["already_replicated"] == 1
    assert world.messages() == []

    world.clock.advance(DAY)
    before = store.requests.copy()
    world.poll()
    world.settle()

    assert (store.requests - before)[PRODUCTS] == 1
    assert world.dead_letters() == []


def test_a_believed_order_is_read_by_sweeps_for_sweep_days_only(new_world):
    world = new_world(SWEEP_DAYS="2")
    world.store.place_order(**NEVER_ADDS_UP["lines"])
    come_to_rest(world)
    reads = []

    for _ in range(6):
        before = world.store.requests[PRODUCTS]
        world.clock.advance(DAY)
        world.poll()
        world.settle()
        reads.append(world.store.requests[PRODUCTS] - before)

    assert reads[0] == 1
    assert reads[-3:] == [0, 0, 0]


def test_an_order_that_adds_up_after_a_change_is_not_marked_any_more(world, store):
    order_id = store.place_order(items_total=99)
    come_to_rest(world)
    world.clock.advance(600)

    store.add_line(order_id)
    come_to_rest(world)

    assert "incomplete" not in record(world, order_id)
    assert not differing(world, order_id)


def test_an_order_that_changes_and_does_not_add_up_is_read_again(world, store):
    """What was believed of the order before says nothing of the order after."""
    order_id = store.place_order(**NEVER_ADDS_UP["lines"])
    come_to_rest(world)
    world.clock.advance(600)

    store.edit(order_id, staff_notes="urgent")
    world.deliver_webhooks()
    world.clock.advance(11)
    world.drain()

    assert len(world.messages()) > 0
    come_to_rest(world)
    assert not differing(world, order_id)
    assert world.dead_letters() == []
