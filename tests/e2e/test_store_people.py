"""What people do to the orders of the simulated store, and the events that it causes."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from sandbox.store import Store
from sandbox.store.clock import SimulatedClock
from sandbox.store.dates import parse_date
from sandbox.store.statuses import Status

START = 1_750_000_000
LISTENER = "https://example.com/hook"


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(START)


@pytest.fixture
def store(clock: SimulatedClock) -> Store:
    return Store(clock=clock)


@pytest.fixture
def events(store: Store) -> Callable[[], list[Any]]:
    """Listens to orders and shipments: the events since the last call, as scope and data."""
    for scope in ("store/order/*", "store/shipment/*"):
        store.register_hook(scope=scope, destination=LISTENER)
    heard = 0

    def since() -> list[Any]:
        nonlocal heard
        bodies = [json.loads(callback.body) for callback in store.pending_callbacks]
        new, heard = bodies[heard:], len(bodies)
        return [(body["scope"].removeprefix("store/"), body["data"]) for body in new]

    return since


def scopes(events: Callable[[], list[Any]]) -> list[str]:
    return [scope for scope, _ in events()]


def modified(store: Store, order_id: int) -> int:
    return parse_date(store.order(order_id)["date_modified"]) - START


EDITS: dict[str, Callable[[Store, int], object]] = {
    "a field": lambda store, n: store.edit(n, staff_notes="by hand"),
    "a line's quantity": lambda store, n: store.change_line(n, first_line(store, n), quantity=9),
    "one line more": lambda store, n: store.add_line(n, price="3.00", quantity=2),
    "one line less": lambda store, n: store.remove_line(n, first_line(store, n)),
    "an address": lambda store, n: store.change_address(n, city="Lyon"),
    "a coupon": lambda store, n: store.add_coupon(n, "SPRING"),
    "a fee": lambda store, n: store.add_fee(n, "Packaging"),
}


def first_line(store: Store, order_id: int) -> int:
    return int(store.parts(order_id)["products"][0]["id"])


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_advances_the_date_fires_updated_and_keeps_the_totals_right(
    store: Store, clock: SimulatedClock, events: Callable[[], list[Any]], name: str
) -> None:
    order_id = store.place_order(lines=2, coupons=1, fees=1)
    before = store.order(order_id) | store.parts(order_id)
    events()
    clock.advance(5)

    EDITS[name](store, order_id)

    order, parts = store.order(order_id), store.parts(order_id)
    assert events() == [("order/updated", {"type": "order", "id": order_id})]
    assert modified(store, order_id) == 5
    assert order | parts != before | {"date_modified": order["date_modified"]}
    assert order["items_total"] == sum(line["quantity"] for line in parts["products"])
    assert Decimal(order["total_inc_tax"]) == (
        sum(Decimal(line["total_inc_tax"]) for line in parts["products"])
        + sum(Decimal(to["cost_inc_tax"]) for to in parts["shipping_addresses"])
        + sum(Decimal(fee["cost_inc_tax"]) for fee in parts["fees"])
        - sum(Decimal(str(coupon["discount"])) for coupon in parts["coupons"])
    )


def test_shipping_some_lines_and_then_the_rest(
    store: Store, clock: SimulatedClock, events: Callable[[], list[Any]]
) -> None:
    order_id = store.place_order(lines=2)
    one, two = (line["id"] for line in store.parts(order_id)["products"])
    events()
    clock.advance(5)

    [first] = store.ship(order_id, {one: 1})
    some = store.order(order_id)
    announced = events()
    store.ship(order_id)

    order, parts = store.order(order_id), store.parts(order_id)
    assert (some["status_id"], some["items_shipped"], some["date_shipped"]) == (3, 1, "")
    assert announced == [
        ("shipment/created", {"type": "shipment", "id": first, "orderId": order_id}),
        ("order/updated", {"type": "order", "id": order_id}),
        (
            "order/statusUpdated",
            {
                "type": "order",
                "id": order_id,
                "status": {"previous_status_id": 11, "new_status_id": 3},
            },
        ),
    ]
    assert (order["status_id"], order["items_shipped"]) == (2, order["items_total"])
    assert parse_date(order["date_shipped"]) == START + 5
    assert len(parts["shipments"]) == 2
    assert all(line["quantity_shipped"] == line["quantity"] for line in parts["products"])
    assert parts["shipping_addresses"][0]["items_shipped"] == order["items_total"]
    assert two in {item["order_product_id"] for item in parts["shipments"][1]["items"]}
    with pytest.raises(ValueError, match="left to ship"):
        store.ship(order_id)


def test_each_address_has_its_own_shipment(store: Store) -> None:
    order_id = store.place_order(lines=4, addresses=2)

    store.ship(order_id)

    sent = [shipment["order_address_id"] for shipment in store.parts(order_id)["shipments"]]
    assert sent == [to["id"] for to in store.parts(order_id)["shipping_addresses"]]


def test_a_new_tracking_number_leaves_the_order_as_it_is(
    store: Store, clock: SimulatedClock, events: Callable[[], list[Any]]
) -> None:
    order_id = store.place_order()
    [shipment] = store.ship(order_id)
    before = store.order(order_id)
    events()
    clock.advance(5)

    store.change_shipment(order_id, shipment, tracking_number="T-2")

    assert store.order(order_id) == before
    assert store.parts(order_id)["shipments"][0]["tracking_number"] == "T-2"
    assert scopes(events) == ["shipment/updated"]


@pytest.mark.parametrize(("advances", "date"), [(False, 0), (True, 5)])
def test_a_deleted_shipment_leaves_the_order_shipped(
    store: Store,
    clock: SimulatedClock,
    events: Callable[[], list[Any]],
    advances: bool,
    date: int,
) -> None:
    order_id = store.place_order()
    [shipment] = store.ship(order_id)
    events()
    clock.advance(5)

    store.delete_shipment(order_id, shipment, advances_date_modified=advances)

    assert store.order(order_id)["status_id"] == Status.SHIPPED
    assert store.order(order_id)["items_shipped"] == 0
    assert store.parts(order_id)["shipments"] == []
    assert modified(store, order_id) == date
    assert scopes(events) == ["shipment/deleted"]


def test_a_partial_refund_and_the_rest(store: Store, events: Callable[[], list[Any]]) -> None:
    order_id = store.place_order(lines=2)
    events()

    first = store.refund(order_id, "1.50", reason="Late")
    partly, announced = store.order(order_id), events()
    store.refund(order_id)

    order = store.order(order_id)
    refunds = store.parts(order_id)["refunds"]
    assert (partly["status_id"], partly["refunded_amount"]) == (14, "1.5000")
    assert [scope for scope, _ in announced] == [
        "order/refund/created",
        "order/transaction/created",
        "order/updated",
        "order/statusUpdated",
    ]
    assert announced[0][1] == {"type": "order", "id": order_id, "refund": {"refund_id": first}}
    assert announced[1][1] == {
        "type": "transaction",
        "order_id": str(order_id),
        "transaction_id": 1,
    }
    assert (order["status_id"], order["refunded_amount"]) == (4, order["total_inc_tax"])
    assert sum(refund["total_amount"] for refund in refunds) == Decimal(order["total_inc_tax"])
    with pytest.raises(ValueError, match="left to refund"):
        store.refund(order_id, "0.01")


def test_refunded_lines_are_marked(store: Store) -> None:
    order_id = store.place_order(lines=2)
    line = store.parts(order_id)["products"][0]

    store.refund(order_id, items={line["id"]: line["quantity"]})

    one, two = store.parts(order_id)["products"]
    assert (one["is_refunded"], one["quantity_refunded"]) == (True, line["quantity"])
    assert two["is_refunded"] is False
    assert store.order(order_id)["refunded_amount"] == line["total_inc_tax"]


def test_a_message_changes_nothing_of_the_order(
    store: Store, clock: SimulatedClock, events: Callable[[], list[Any]]
) -> None:
    order_id = store.place_order()
    before = store.order(order_id)
    events()
    clock.advance(5)

    message = store.add_message(order_id, "On its way")

    assert store.order(order_id) == before
    assert store.parts(order_id)["messages"][0]["message"] == "On its way"
    data = {"type": "order", "id": order_id, "message": {"order_message_id": message}}
    assert events() == [("order/message/created", data)]


def test_a_metafield_changes_nothing_of_the_order(
    store: Store, clock: SimulatedClock, events: Callable[[], list[Any]]
) -> None:
    order_id = store.place_order()
    before = store.order(order_id)
    events()
    clock.advance(5)

    store.record_metafield(order_id)

    assert store.order(order_id) == before
    data = {"metafield_id": 1, "resource_id": str(order_id)}
    assert events() == [("order/metafield/created", data)]


def test_a_payment_is_a_transaction_and_a_status(
    store: Store, events: Callable[[], list[Any]]
) -> None:
    order_id = store.place_order(status=Status.INCOMPLETE)
    assert scopes(events) == ["order/created"]

    store.pay(order_id)

    assert store.order(order_id)["status_id"] == Status.AWAITING_FULFILLMENT
    assert scopes(events) == ["order/transaction/created", "order/updated", "order/statusUpdated"]


def test_an_archived_order_fires_archived(store: Store, events: Callable[[], list[Any]]) -> None:
    order_id = store.place_order()
    events()

    store.archive(order_id)

    assert scopes(events) == ["order/archived"]
    assert store.order(order_id)["is_deleted"] is True


def test_the_hooks_of_a_channel_hear_of_its_orders_alone(store: Store) -> None:
    for scope in ("store/channel/2/order/*", "store/channel/2/cart/converted"):
        store.register_hook(scope=scope, destination=LISTENER)
    store.place_order()
    order_id = store.place_order(channel_id=2)

    store.edit(order_id, staff_notes="x")

    heard = [json.loads(callback.body) for callback in store.pending_callbacks]
    assert [(body["scope"], body["data"]) for body in heard] == [
        ("store/channel/2/order/created", {"order_id": order_id}),
        ("store/channel/2/cart/converted", {"cart_id": store.order(order_id)["cart_id"]}),
        ("store/channel/2/order/updated", {"order_id": order_id}),
    ]


def test_any_event_can_be_announced(store: Store, events: Callable[[], list[Any]]) -> None:
    order_id = store.place_order()
    events()

    store.announce("store/order/metafield/created", order_id, {"resource_id": str(order_id)})

    assert events() == [("order/metafield/created", {"resource_id": str(order_id)})]


@pytest.mark.parametrize(
    ("scope", "detail"),
    [
        ("store/shipment/created", {"type": "shipment", "id": 1}),
        ("store/order/refund/created", {"refund": {"refund_id": 1}}),
        ("store/order/message/created", {"message": {"order_message_id": 1_000_000}}),
    ],
)
def test_a_callback_body_is_about_the_last_shipment_refund_or_message(
    store: Store, scope: str, detail: dict[str, Any]
) -> None:
    order_id = store.place_order()
    store.ship(order_id)
    store.refund(order_id, "1.00")
    store.add_message(order_id, "hello")

    data = json.loads(store.callback_body(order_id, scope))["data"]

    assert data.items() >= detail.items()
    assert order_id in (data.get("orderId"), data.get("id"))


def test_a_deleted_api_account_takes_its_hooks_along(store: Store) -> None:
    store.register_hook(destination=LISTENER)
    store.place_order()

    store.replace_api_account(access_token="new", client_secret="new secret")

    assert (store.callbacks.hooks, store.pending_callbacks) == ({}, [])
    assert store.access_token == "new"
    assert store.sign(b"x", timestamp=1) == store.sign(b"x", timestamp=1, secret="new secret")
