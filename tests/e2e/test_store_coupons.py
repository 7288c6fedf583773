"""The simulated store has coupons of which the totals of an order show nothing."""

from decimal import Decimal

import pytest

from sandbox.store import Store
from sandbox.store.clock import SimulatedClock

COSTS = ("base_cost", "cost_ex_tax", "cost_inc_tax", "cost_tax")
ORDER_COSTS = (
    "base_shipping_cost",
    "shipping_cost_ex_tax",
    "shipping_cost_inc_tax",
    "shipping_cost_tax",
)


@pytest.fixture
def store() -> Store:
    return Store(clock=SimulatedClock(1_750_000_000))


@pytest.mark.parametrize("kind", ["free_shipping", "line"])
def test_a_coupon_may_leave_no_trace_in_the_discounts_of_the_order(store: Store, kind: str) -> None:
    order_id = store.place_order(coupons=2, coupon_kind=kind)

    order, coupons = store.order(order_id), store.parts(order_id)["coupons"]

    assert (order["coupon_discount"], order["discount_amount"]) == ("0.0000", "0.0000")
    assert [coupon["code"] for coupon in coupons] == [f"SAVE{order_id}-0", f"SAVE{order_id}-1"]
    assert {Decimal(coupon["discount"]) for coupon in coupons} == {0}


def test_free_shipping_shows_in_the_shipping_costs_alone(store: Store) -> None:
    order_id = store.place_order(lines=3, addresses=2, coupons=1, coupon_kind="free_shipping")

    order, parts = store.order(order_id), store.parts(order_id)

    for address in parts["shipping_addresses"]:
        assert [address[name] for name in COSTS] == ["9.9500", "0.0000", "0.0000", "0.0000"]
    assert [order[name] for name in ORDER_COSTS] == ["19.9000", "0.0000", "0.0000", "0.0000"]
    assert (order["total_ex_tax"], order["total_inc_tax"]) == (
        order["subtotal_ex_tax"],
        order["subtotal_inc_tax"],
    )
    assert [line["applied_discounts"] for line in parts["products"]] == [[], [], []]
    assert [coupon["type"] for coupon in parts["coupons"]] == [4]


def test_the_coupon_of_a_line_shows_in_its_discounts_alone(store: Store) -> None:
    order_id = store.place_order(lines=2, coupons=1, coupon_kind="line")

    order, parts = store.order(order_id), store.parts(order_id)

    first, second = (line["applied_discounts"] for line in parts["products"])
    code = f"SAVE{order_id}-0"
    assert first == [
        {"id": "coupon", "amount": "0.0000", "name": "Coupon", "code": code, "target": "product"}
    ]
    assert second == []
    assert [order[name] for name in ORDER_COSTS] == ["9.9500", "9.9500", "10.7500", "0.8000"]
    assert [coupon["type"] for coupon in parts["coupons"]] == [5]


@pytest.mark.parametrize("kind", ["total", "free_shipping", "line"])
@pytest.mark.parametrize("inclusive", [False, True])
def test_an_edit_keeps_what_the_coupons_reduce(store: Store, kind: str, inclusive: bool) -> None:
    order_id = store.place_order(
        lines=1, coupons=1, coupon_kind=kind, is_tax_inclusive_pricing=inclusive
    )
    before = store.order(order_id)

    store.remove_line(order_id, store.add_line(order_id))

    assert store.order(order_id) == before


def test_base_amounts_include_tax_where_the_prices_do(store: Store) -> None:
    order_id = store.place_order(is_tax_inclusive_pricing=True, fees=1)
    store.add_line(order_id, price="10.00", quantity=2)
    store.add_fee(order_id, "Packaging")

    order, parts = store.order(order_id), store.parts(order_id)

    assert order["is_tax_inclusive_pricing"] is True
    assert [order[name] for name in ORDER_COSTS] == ["10.7500", "9.9500", "10.7500", "0.8000"]
    for line in parts["products"]:
        assert (line["base_price"], line["base_total"]) == (
            line["price_inc_tax"],
            line["total_inc_tax"],
        )
    for part in (*parts["shipping_addresses"], *parts["fees"]):
        assert part["base_cost"] == part["cost_inc_tax"] != part["cost_ex_tax"]


def test_free_shipping_of_a_tax_inclusive_store_has_tax_in_its_base_cost(store: Store) -> None:
    order_id = store.place_order(
        coupons=1, coupon_kind="free_shipping", is_tax_inclusive_pricing=True
    )

    [address] = store.parts(order_id)["shipping_addresses"]

    assert [address[name] for name in COSTS] == ["10.7500", "0.0000", "0.0000", "0.0000"]
    assert store.order(order_id)["base_shipping_cost"] == "10.7500"


def test_an_unknown_kind_of_coupon_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="'gift' is not one of total, free_shipping, line"):
        store.place_order(coupons=1, coupon_kind="gift")
