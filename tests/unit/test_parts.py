"""The parts of an order: which are requested, and whether they are whole."""

from decimal import Decimal
from typing import Any

import pytest

from chalicelib.domain.models import JsonObject, Order
from chalicelib.domain.parts import (
    differing_fields,
    has_consignments,
    lacks_pickups,
    lists_to_request,
    may_have_coupons,
    shortfalls,
    with_parts,
)
from tests.factories import address, consignments, line, order, pickup, shipping

EMBEDDED: dict[str, Any] = {"consignments": consignments(), "fees": []}
USUAL = ["products", "shipping_addresses", "coupons"]


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ({}, USUAL),
        ({"shipping_address_count": None}, USUAL),
        ({"shipping_address_count": 0}, ["products", "coupons"]),
        ({"fees": {"url": "stub"}}, [*USUAL, "fees"]),
        ({"items_shipped": 1}, [*USUAL, "shipments"]),
        ({"items_shipped": "1"}, [*USUAL, "shipments"]),
        ({"items_shipped": None}, USUAL),
        ({"refunded_amount": "0.0100"}, [*USUAL, "refunds"]),
        ({"refunded_amount": "0.0000"}, USUAL),
        ({"items_shipped": 1, "refunded_amount": "5"}, [*USUAL, "shipments", "refunds"]),
    ],
)
def test_the_lists_that_an_order_can_have_are_requested(
    overrides: dict[str, Any], expected: list[str]
) -> None:
    assert lists_to_request(order(**{**EMBEDDED, **overrides})) == expected


@pytest.mark.parametrize(
    "fields",
    [{}, {"consignments": {"url": "stub"}, "fees": {"url": "stub"}}, {"consignments": [{"id": 1}]}],
    ids=["nothing", "links", "the legacy form"],
)
def test_fees_are_requested_of_an_order_without_its_embedded_form(fields: dict[str, Any]) -> None:
    assert lists_to_request(order(**fields)) == [*USUAL, "fees"]
    assert not has_consignments(order(**fields))


def test_fees_are_not_requested_of_a_store_that_does_not_embed_them() -> None:
    assert lists_to_request(order(consignments=consignments())) == USUAL


NO_COUPON: dict[str, Any] = {
    "coupon_discount": "0.0000",
    "discount_amount": "0.0000",
    "base_shipping_cost": "12.9900",
    "shipping_cost_ex_tax": "12.9900",
    "shipping_cost_inc_tax": "14.0600",
    "products": [line(applied_discounts=[])],
    "shipping_addresses": [address()],
}
SHIPPING = {"base_cost": "10.0000", "cost_ex_tax": "9.0000", "cost_inc_tax": "10.0000"}


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ({}, False),
        ({"products": []}, False),
        ({"shipping_addresses": []}, False),
        ({"coupon_discount": "0.0100"}, True),
        ({"discount_amount": 1}, True),
        ({"coupon_discount": None}, True),
        ({"discount_amount": "none"}, True),
        ({"products": [line(applied_discounts=[{"id": "manual", "code": None}])]}, False),
        ({"products": [line(applied_discounts=[{"id": "manual", "code": "TEN"}])]}, True),
        ({"products": [line(applied_discounts=[{"id": "coupon"}])]}, True),
        ({"products": [line(applied_discounts=[]), line()]}, True),
        ({"shipping_cost_ex_tax": "0.0000"}, True),
        ({"shipping_cost_ex_tax": None}, True),
        ({"base_shipping_cost": "free"}, True),
        ({"is_tax_inclusive_pricing": True, "shipping_cost_inc_tax": "12.0000"}, True),
        ({"is_tax_inclusive_pricing": True, "shipping_cost_ex_tax": "12.0000"}, False),
        ({"shipping_addresses": [address(), address(**SHIPPING)]}, True),
        ({"is_tax_inclusive_pricing": True, "shipping_addresses": [address(**SHIPPING)]}, False),
    ],
)
def test_an_order_may_have_coupons_if_anything_shows_one(
    overrides: dict[str, Any], expected: bool
) -> None:
    assert may_have_coupons(order(**{**NO_COUPON, **overrides})) == expected


@pytest.mark.parametrize("name", sorted(NO_COUPON.keys() - {"products", "shipping_addresses"}))
def test_an_order_may_have_coupons_if_a_cost_is_missing(name: str) -> None:
    fields = {key: value for key, value in NO_COUPON.items() if key != name}

    is_read = name != "shipping_cost_inc_tax"
    assert may_have_coupons(order(**fields)) == is_read
    assert may_have_coupons(order(**fields, is_tax_inclusive_pricing=True)) == (
        name != "shipping_cost_ex_tax"
    )


def whole(**overrides: Any) -> Order:
    """An order of one line for one address, with all its lists."""
    fields = {
        "items_total": 1,
        "shipping_address_count": 1,
        "products": [line()],
        "shipping_addresses": [address()],
        "shipments": [],
        "refunds": [],
        "pickups": [],
        **overrides,
    }
    return order(**fields)


COUPON = {"id": "coupon", "code": "TEN"}
SHIPMENT = {"id": 1, "items": [{"order_product_id": 65, "quantity": 2}]}


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ({}, ()),
        ({"items_total": 2}, ("products",)),
        ({"items_total": "2"}, ("products",)),
        ({"items_total": 2, "products": [line(quantity=2)]}, ()),
        ({"items_total": 2, "products": [line(), line(id=66)]}, ()),
        # More lines than stated: a bundle may count as one item.
        ({"products": [line(quantity=2)]}, ()),
        ({"items_total": None}, ()),
        ({"products": []}, ("products",)),
        ({"shipping_addresses": []}, ("shipping_addresses",)),
        ({"shipping_address_count": 2}, ("shipping_addresses",)),
        ({"shipping_address_count": None, "shipping_addresses": []}, ()),
        ({"coupon_discount": "5.0000"}, ("coupons",)),
        ({"coupon_discount": "5.0000", "coupons": [{"id": 1}]}, ()),
        ({"products": [line(applied_discounts=[COUPON])]}, ("coupons",)),
        ({"products": [line(applied_discounts=[COUPON])], "coupons": [{"code": "TEN"}]}, ()),
        (
            {
                "coupon_discount": "5.0000",
                "products": [line(applied_discounts=[COUPON])],
                "coupons": [{"code": "FIVE"}],
            },
            ("coupons",),
        ),
        ({"products": [line(applied_discounts=[{"id": "coupon", "code": None}])]}, ()),
        ({"products": [line(applied_discounts=[{"id": "sale", "code": "TEN"}])]}, ()),
        ({"items_shipped": 1}, ("shipments",)),
        ({"items_shipped": 2, "shipments": [SHIPMENT]}, ()),
        ({"items_shipped": 3, "shipments": [SHIPMENT]}, ("shipments",)),
        ({"items_shipped": 3, "shipments": [SHIPMENT, SHIPMENT]}, ()),
        ({"items_shipped": 1, "shipments": [{"id": 1}, {"items": [None]}]}, ("shipments",)),
        ({"refunded_amount": "0.0100"}, ("refunds",)),
        ({"refunded_amount": "0.0100", "refunds": [{"id": 3}]}, ()),
        ({"products": [line(order_pickup_method_id=3)]}, ("pickups",)),
        ({"products": [line(order_pickup_method_id=3)], "pickups": [pickup()]}, ()),
        (
            {"items_total": 2, "items_shipped": 1, "refunded_amount": "1"},
            ("products", "shipments", "refunds"),
        ),
    ],
)
def test_a_list_is_short_if_the_order_states_more_members(
    overrides: dict[str, Any], expected: tuple[str, ...]
) -> None:
    assert shortfalls(whole(**overrides)) == expected


def complete(read: Order, **parts: list[JsonObject]) -> JsonObject:
    return with_parts(read, parts).fields


def test_the_lists_replace_the_links_of_the_order() -> None:
    fields = complete(order(), products=[line()], shipping_addresses=[address()])

    assert fields["products"] == [line()]
    kept = {name: value for name, value in address().items() if name != "shipping_quotes"}
    assert fields["shipping_addresses"] == [kept]


def test_lists_are_sorted_by_id() -> None:
    lines, addresses = [line(id=66), line()], [address(id=52), address()]

    fields = complete(
        order(fees=[{"id": 2}, {"id": 1}]), products=lines, shipping_addresses=addresses
    )

    names = ("products", "shipping_addresses", "fees")
    assert [[member["id"] for member in fields[name]] for name in names] == [
        [65, 66],
        [51, 52],
        [1, 2],
    ]


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("12.99", "12.9900"),
        ("12.9900", "12.9900"),
        (5, "5.0000"),
        (Decimal("0.1"), "0.1000"),
        ("0.00001", "0.00001"),
        (Decimal("1E30"), Decimal("1E30")),
        (True, True),
        (None, None),
        ("", ""),
        ("NaN", "NaN"),
        ([], []),
    ],
)
def test_a_cost_of_an_address_is_text_with_four_decimals_if_it_is_such_an_amount(
    sent: object, stored: object
) -> None:
    (found,) = complete(order(), shipping_addresses=[address(base_cost=sent)])["shipping_addresses"]

    assert found["base_cost"] == stored
    assert type(found["base_cost"]) is type(stored)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ({}, []),
        ({"products": [line(name="x", sku="y")]}, ["products.name", "products.sku"]),
        ({"products": [line(), line(id=66)]}, ["products"]),
        ({"coupons": []}, ["coupons"]),
        ({"staff_notes": "x"}, ["staff_notes"]),
    ],
)
def test_the_fields_in_which_two_orders_differ_are_named(
    other: dict[str, Any], expected: list[str]
) -> None:
    one = order(products=[line()], coupons=[{"id": 1}], staff_notes="")

    assert differing_fields(one, one.with_fields({**one.fields, **other})) == expected


def test_a_list_that_was_not_requested_is_empty() -> None:
    fields = complete(order(), products=[line()])

    assert {name: fields[name] for name in ("coupons", "fees", "shipments", "refunds")} == {
        "coupons": [],
        "fees": [],
        "shipments": [],
        "refunds": [],
    }


def test_fees_that_came_with_the_order_are_kept() -> None:
    assert complete(order(fees=[{"id": 1, "cost": "2.0000"}]))["fees"] == [
        {"id": 1, "cost": "2.0000"}
    ]


def test_pickups_are_kept_without_their_lines() -> None:
    embedded = consignments(pickups=[pickup(line(order_pickup_method_id=3))])

    (kept,) = complete(order(consignments=embedded))["pickups"]

    assert kept == {"id": 99, "pickup_method_id": 3, "location": {"code": "LOCATION-1"}}


def test_consignments_are_kept_without_what_the_lists_hold() -> None:
    embedded = consignments(
        shipping(),
        downloads=[{"recipient_email": "jane@example.com", "line_items": [line(type="digital")]}],
        email={"gift_certificates": [{"recipient_email": "joe@example.com", "line_items": []}]},
    )

    assert complete(order(consignments=embedded))["consignments"] == {
        "downloads": [{"recipient_email": "jane@example.com"}],
        "email": {"gift_certificates": [{"recipient_email": "joe@example.com"}]},
    }


def test_lines_in_the_legacy_form_of_consignments_are_left_alone() -> None:
    assert complete(order(consignments=[{"id": 1}]))["consignments"] == [{"id": 1}]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"products": [line()]}, False),
        ({"products": [line(order_pickup_method_id=3)]}, True),
        ({"products": [line(order_pickup_method_id=3)], "pickups": []}, True),
        ({"products": [line(), line(order_pickup_method_id=3)], "pickups": [pickup()]}, False),
        ({"products": {"url": "stub"}}, False),
    ],
)
def test_pickups_are_missing_if_a_line_is_collected_and_no_place_is_known(
    fields: dict[str, Any], expected: bool
) -> None:
    assert lacks_pickups(order(**fields)) == expected
