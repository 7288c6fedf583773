"""Every answer of the simulated store has the shape that BigCommerce's reference gives it.

`tests/schemas` states the reference. What the store does otherwise, and why, is in DEPARTURES."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from pydantic import TypeAdapter, ValidationError

from sandbox.store import Store
from sandbox.store.clock import SimulatedClock
from sandbox.store.orders import COUPON_TYPES, KINDS
from tests.schemas import orders, v3
from tests.schemas.shapes import many

LIVE_NULL = "live stores answer null, though the reference says text"
DEPARTURES: dict[tuple[str, str], str] = {
    ("extra_forbidden", "credit_card_type"): "live stores have it; the reference does not",
    ("extra_forbidden", "custom_status"): "live stores have it; the reference does not",
    ("extra_forbidden", "loyalty"): "invented: a service keeps the fields it does not know",
    (
        "extra_forbidden",
        "fulfillment_hint",
    ): "invented: a service keeps the fields it does not know",
    ("extra_forbidden", "__warning__"): "reported of consignments with more than 50 lines",
    ("string_type", "cart_id"): "null for orders without a cart: plausible, not documented",
    ("string_type", "company"): LIVE_NULL,
    ("string_type", "phone"): LIVE_NULL,
    ("string_type", "customer_message"): LIVE_NULL,
    ("string_type", "staff_notes"): LIVE_NULL,
    ("string_type", "payment_provider_id"): LIVE_NULL,
    ("float_type", "discount"): "live stores answer numbers and text",
}
INCLUDED = "include=consignments.line_items,fees&consignment_structure=object"
STUBBED = "include=consignments&consignment_structure=object"


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    """A store with orders of all kinds, a large one, and what people did to some of them."""
    with Store(clock=SimulatedClock(1_750_000_000), quota=10_000) as store:
        for kind in KINDS:
            store.place_order(kind=kind, coupons=1, fees=1)
        for coupon_kind in COUPON_TYPES:
            store.place_order(coupons=3, coupon_kind=coupon_kind, is_tax_inclusive_pricing=True)
        store.place_orders(45)
        large = store.place_order(lines=70)
        worked_on = store.place_order(lines=2, coupons=0)
        store.ship(worked_on)
        line = store.add_line(worked_on, price="3.00")
        store.add_coupon(worked_on, "LATE")
        store.add_message(worked_on, "hello")
        store.refund(worked_on, items={line: 1})
        store.refund(large, "1.00")
        store.register_hook(destination="https://example.com/")
        for _ in range(100):
            store.callbacks.blocks.note("example.com", False)
        yield store


def validation(store: Store, path: str, schema: Any) -> set[tuple[str, str]]:
    """How an answer differs from its schema: kinds of errors, each with the name of the field."""
    url = f"{store.url}/stores/{store.store_hash}{path}"
    answer = requests.get(url, headers={"X-Auth-Token": store.access_token}, timeout=5)
    assert answer.content
    try:
        TypeAdapter(schema).validate_python(json.loads(answer.content), strict=True)
    except ValidationError as exc:
        return {
            (error["type"], str([part for part in error["loc"] if isinstance(part, str)][-1]))
            for error in exc.errors()
        }
    return set()


ANSWERS: tuple[tuple[str, Any], ...] = (
    ("/v2/orders?limit=250", many(orders.Order)),
    (f"/v2/orders?limit=250&{INCLUDED}", many(orders.FullOrder)),
    (f"/v2/orders?limit=250&{STUBBED}", many(orders.StubbedOrder)),
    ("/v2/orders/count", orders.Count),
    ("/v2/order_statuses", many(orders.OrderedStatus)),
    ("/v2/orders/7", many(orders.Error)),
    ("/v2/orders?limit=x", many(orders.Error)),
    ("/v3/orders/payment_actions/refunds", v3.envelope(many(v3.Refund), v3.Paged)),
    ("/v3/orders/7/payment_actions/refunds", v3.Error),
    ("/v3/orders/100/transactions", v3.Error),
    ("/v3/unknown", v3.Error),
    ("/v3/hooks", v3.envelope(many(v3.Hook), v3.Paged)),
    ("/v3/hooks/admin", v3.envelope(v3.Admin, v3.Paged)),
)
OF_AN_ORDER: tuple[tuple[str, Any], ...] = (
    ("", orders.Order),
    (f"?{INCLUDED}", orders.FullOrder),
    (f"?{STUBBED}", orders.StubbedOrder),
    ("/products?limit=250", many(orders.Line)),
    ("/shipping_addresses", many(orders.Address)),
    ("/coupons", many(orders.Coupon)),
    ("/consignments", orders.consignments(orders.Stub)),
    ("/consignments?include=consignments.line_items", orders.consignments(orders.Line)),
    ("/fees", many(orders.Fee)),
    ("/taxes", many(orders.Tax)),
    ("/taxes?details=true", many(orders.DetailedTax)),
    ("/shipments", many(orders.Shipment)),
    ("/messages", many(orders.Message)),
)


@pytest.mark.parametrize(("path", "schema"), ANSWERS, ids=[path for path, _ in ANSWERS])
def test_an_answer_has_its_documented_shape(store: Store, path: str, schema: Any) -> None:
    assert validation(store, path, schema) - DEPARTURES.keys() == set()


@pytest.mark.parametrize(("path", "schema"), OF_AN_ORDER, ids=[path for path, _ in OF_AN_ORDER])
def test_an_answer_about_an_order_has_its_documented_shape(
    store: Store, path: str, schema: Any
) -> None:
    seen = 0
    for order_id in store.order_ids():
        empty = not store.parts(order_id).get(path.split("?")[0].strip("/"), [1])
        if not empty:
            assert validation(store, f"/v2/orders/{order_id}{path}", schema) <= DEPARTURES.keys()
            seen += 1
    assert seen


def test_every_departure_is_one(store: Store) -> None:
    of_orders = [
        (f"/v2/orders/{order_id}/coupons", many(orders.Coupon))
        for order_id in store.order_ids()
        if store.parts(order_id)["coupons"]
    ]

    found = [validation(store, path, schema) for path, schema in (*ANSWERS, *of_orders)]

    assert set().union(*found) == DEPARTURES.keys()
