"""EMBEDDED_READS: about one request an order, and the same items as from lists read one by one."""

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.reading import is_compared
from sandbox.store import Store
from sandbox.store.clock import SimulatedClock
from sandbox.store.faults import Fault
from sandbox.store.statuses import Status
from sandbox.world import World
from tests.e2e.journeys import (
    come_to_rest,
    differing,
    lists_read,
    moves,
    record,
    replicated,
    requests,
    send,
    skip_to,
)

COUPONS = "GET /orders/{id}/coupons"
USUAL: dict[str, Any] = {"via": "api", "coupons": 0}


@pytest.fixture
def world(new_world: Callable[..., World]) -> World:
    return new_world(EMBEDDED_READS="true")


def place(store: Store, *, compared: bool = False, **order: Any) -> int:
    """Place an order that is read both ways, or one that is not."""
    skip_to(store, compared=compared)
    return int(store.place_order(**{**USUAL, **order}))


def events(caplog: pytest.LogCaptureFixture, event: str) -> list[Any]:
    return [each for each in caplog.records if getattr(each, "event", "") == event]


def test_ten_orders_are_replicated_with_one_request_for_all_and_one_move_each(world, store):
    ids = [place(store) for _ in range(10)]
    send(world, *ids)
    before = requests(store)

    world.drain()

    assert requests(store) - before == 1 + 10
    assert all(replicated(world, order_id) for order_id in ids)


KINDS: dict[str, dict[str, Any]] = {
    "one line": {"lines": 1},
    "49 lines": {"lines": 49},
    "50 lines": {"lines": 50},
    "51 lines": {"lines": 51},
    "300 lines": {"lines": 300},
    "several addresses": {"addresses": 3, "lines": 6},
    "mixed": {"kind": "mixed"},
    "pickup": {"kind": "pickup"},
    "partial pickup": {"kind": "partial_pickup"},
    "digital": {"kind": "digital"},
    "gift certificate": {"kind": "gift_certificate"},
    "prices with tax": {"is_tax_inclusive_pricing": True},
    "a coupon": {"coupons": 1},
    "free shipping": {"coupons": 1, "coupon_kind": "free_shipping"},
    "a code of a line": {"coupons": 2, "coupon_kind": "line"},
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_both_ways_give_the_same_item(new_world, kind):
    """Before and after it is edited, given a fee, shipped in part and refunded."""
    items, began = [], SimulatedClock().time()
    for setting in ("true", "false"):
        clock = SimulatedClock(began)
        world = new_world(clock=clock, store=Store(clock=clock), EMBEDDED_READS=setting)
        order_id = place(world.store, **kind)
        send(world, order_id)
        come_to_rest(world)
        first = world.order(order_id)
        world.advance(60)
        world.store.add_fee(order_id, "Gift wrapping")
        world.store.edit(order_id, staff_notes="urgent")
        world.store.refund(order_id, "1.00")
        come_to_rest(world)
        assert differing(world, order_id) == set()
        items.append((first, world.order(order_id), record(world, order_id)["parts_digest"]))

    assert items[0] == items[1]


@pytest.mark.parametrize(
    ("kind", "is_read"),
    [("one line", False), ("free shipping", True), ("a code of a line", True), ("a coupon", True)],
)
def test_coupons_are_requested_where_anything_shows_one(world, store, kind, is_read):
    order_id = place(store, **KINDS[kind])
    send(world, order_id)

    world.drain()

    assert store.requests[COUPONS] == is_read
    assert replicated(world, order_id)


DOUBTS: dict[str, tuple[dict[str, Any], str]] = {
    "no lines": ({"limit": 0, "warns": False}, "quantity"),
    "a line less": ({"limit": 2, "warns": False}, "quantity"),
    "a warning": ({"limit": 2}, "warning"),
    "links": ({"stubs": True}, "stub"),
    "a field less": ({"without": "base_total"}, "stub"),
}


@pytest.mark.parametrize(("fault", "reason"), DOUBTS.values(), ids=DOUBTS)
def test_an_order_that_fails_a_check_is_read_list_by_list_in_the_same_delivery(
    world, store, caplog, fault, reason
):
    caplog.set_level("INFO")
    order_id = place(store, lines=3)
    store.faults.add(Fault(route="GET /orders*", kind="embedded", times=None, **fault))
    send(world, order_id)

    world.drain()

    assert replicated(world, order_id)
    (event,) = events(caplog, "embedded_not_used")
    assert (event.order_id, event.reason) == (order_id, reason)


@pytest.mark.parametrize("lines", [50, 51, 300])
@pytest.mark.parametrize("warns", [True, False])
def test_fifty_lines_are_never_taken_for_all(world, store, lines, warns):
    order_id = place(store, lines=lines)
    store.faults.add(Fault(route="GET /orders*", kind="embedded", times=None, warns=warns))
    send(world, order_id)

    world.drain()

    assert replicated(world, order_id)
    assert lists_read(store) > 0


@pytest.mark.parametrize(
    "fault", [{"kind": "status", "status": 400}, {"kind": "drop_before"}], ids=["400", "no answer"]
)
@pytest.mark.parametrize("count", [1, 3])
def test_a_store_that_does_not_send_the_embedded_form_is_read_without_it(
    world, store, fault, count
):
    ids = [place(store, kind="partial_pickup") for _ in range(count)]
    store.faults.add(Fault(route="GET /orders*", embedded=True, times=None, **fault))
    send(world, *ids)

    world.drain()

    assert [order_id for order_id in ids if not replicated(world, order_id)] == []


def test_one_order_in_a_hundred_is_read_both_ways(world, store):
    order_id = place(store, compared=True)
    send(world, order_id)

    world.drain()

    assert replicated(world, order_id)
    assert (lists_read(store), store.requests[COUPONS]) == (2, 1)
    assert sum(map(is_compared, range(100_000))) == pytest.approx(1000, rel=0.1)


class TestADifference:
    """An order that is not the same both ways: its embedded lines lack their weight."""

    @pytest.fixture
    def order_id(self, world, store) -> int:
        order_id = place(store, compared=True)
        store.faults.add(Fault(route="GET /orders*", kind="embedded", without="weight", times=None))
        send(world, order_id)
        return order_id

    def test_the_requested_lists_are_stored(self, world, order_id):
        world.drain()

        assert replicated(world, order_id)

    def test_the_names_of_the_fields_are_logged_and_recorded(self, world, order_id, caplog):
        world.drain()

        (event,) = events(caplog, "embedded_differs")
        assert (event.order_id, event.fields) == (order_id, ["products.weight"])
        (item,) = [each for each in world.items("jobs") if each["started_at"] == "embedded_off"]
        assert (item["order_id"], item["fields"]) == (order_id, ["products.weight"])

    def test_the_stage_reads_list_by_list_from_then_on(self, world, store, order_id):
        world.drain()
        before = lists_read(store)
        other = place(store)
        send(world, other)

        world.drain()

        assert replicated(world, other)
        assert lists_read(store) - before == 2

    def test_an_order_that_was_shipped_between_both_reads_is_not_moved(self, new_world):
        """The read that explains the difference shows that the order is not new any more."""
        world = new_world(EMBEDDED_READS="true")
        order_id = place(world.store, compared=True)
        world.store.faults.add(
            Fault(
                route="GET /orders/*/products",
                kind="before",
                act=lambda: world.store.ship(order_id),
            )
        )
        send(world, order_id)

        come_to_rest(world)

        assert moves(world.store, order_id) == []
        assert world.store.order(order_id)["status_id"] == Status.SHIPPED
        assert not differing(world, order_id)

    def test_an_order_that_was_edited_between_both_reads_is_none(self, new_world):
        world = new_world(EMBEDDED_READS="true")
        order_id = place(world.store, compared=True, lines=2)
        world.store.faults.add(
            Fault(
                route="GET /orders/*/products",
                kind="before",
                act=lambda: world.store.add_line(order_id),
            )
        )
        send(world, order_id)

        come_to_rest(world)

        assert differing(world, order_id) == set()
        assert "embedded_off" not in {each["started_at"] for each in world.items("jobs")}

    def test_a_requested_list_that_is_short_is_none(self, new_world):
        world = new_world(EMBEDDED_READS="true")
        order_id = place(world.store, compared=True, lines=2)
        world.store.faults.add(Fault(route="GET /orders/*/products", kind="short", times=None))
        send(world, order_id)

        world.drain()

        assert replicated(world, order_id)
        assert "embedded_off" not in {each["started_at"] for each in world.items("jobs")}


def test_the_refunds_of_several_orders_are_read_in_one_request(world, store):
    ids = [place(store) for _ in range(4)]
    for order_id in ids:
        store.refund(order_id, "1.00")
    send(world, *ids)

    world.drain()

    assert all(differing(world, order_id) == set() for order_id in ids)
    assert store.requests["GET /orders/payment_actions/refunds"] == 1


def test_an_unchanged_order_among_neighbours_costs_a_tenth_of_a_request(world, store):
    ids = [place(store) for _ in range(10)]
    send(world, *ids)
    come_to_rest(world)
    world.advance(60)
    before = requests(store)
    send(world, *ids, queue="changes")

    world.settle()

    assert requests(store) - before == 1
