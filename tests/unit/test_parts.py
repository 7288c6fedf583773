"""The parts of an order: which are requested, and whether they are whole."""

from typing import Any

import pytest

from chalicelib.domain.models import JsonObject, Order
from chalicelib.domain.parts import (
    lacks_pickups,
    lists_to_request,
    shortfalls,
    with_parts,
)
from tests.factories import address, consignments, line, order, pickup, shipping

NO_DISCOUNT: dict[str, Any] = {"coupon_discount": "0.0000", "discount_amount": "0.0000"}
USUAL = ["products", "shipping_addresses", "coupons"]


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ({}, USUAL),
        ({"shipping_address_count": None}, USUAL),
        ({"shipping_address_count": 0}, ["products", "coupons"]),
        ({"fees": {"url": "stub"}}, [*USUAL, "fees"]),
        ({"fees": []}, USUAL),
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
    requested = lists_to_request(order(**overrides), skip_coupons_without_discount=False)

    assert requested == expected


@pytest.mark.parametrize("skips", [False, True])
def test_coupons_are_requested_unless_so_configured_and_the_order_has_no_discount(
    skips: bool,
) -> None:
    no_fields: dict[str, Any] = {}
    for discounts, is_requested in ((no_fields, True), (NO_DISCOUNT, not skips)):
        requested = lists_to_request(order(**discounts), skip_coupons_without_discount=skips)

        assert ("coupons" in requested) == is_requested


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
    assert fields["shipping_addresses"] == [address()]


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
