"""The simulated store shows the same parts of an order in its embedded form and in its lists."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
import requests

from sandbox.store import Store
from sandbox.store.clock import SimulatedClock

EMBEDDED = "include=consignments.line_items,fees&consignment_structure=object"
CAP = 50
"""Lines of a consignment in the embedded form."""
NUMBERS = {
    *("base_cost", "cost_ex_tax", "cost_inc_tax", "cost_tax", "base_handling_cost"),
    *("handling_cost_ex_tax", "handling_cost_inc_tax", "handling_cost_tax"),
}
"""Fields of an address that are text in the list, and numbers in the embedded form."""

Fields = dict[str, Any]
Ask = Callable[[str], Any]


@pytest.fixture
def store() -> Iterator[Store]:
    with Store(clock=SimulatedClock(1_750_000_000), quota=10_000) as store:
        yield store


@pytest.fixture
def ask(store: Store) -> Ask:
    """The JSON of an answer; of one without content an empty list."""

    def ask(path: str) -> Any:
        url = f"{store.url}/stores/{store.store_hash}/v2/orders{path}"
        answer = requests.get(url, headers={"X-Auth-Token": store.access_token}, timeout=5)
        return answer.json() if answer.content else []

    return ask


def with_a_custom_line(store: Store) -> int:
    order_id = store.place_order(lines=1)
    store.add_line(order_id, product_id=0, variant_id=0, name="Engraving")
    return order_id


def edited(store: Store) -> int:
    order_id = store.place_order(kind="mixed", lines=3, addresses=2)
    store.change_line(order_id, store.parts(order_id)["products"][0]["id"], quantity=4)
    store.change_address(order_id, city="Lyon")
    store.add_coupon(order_id, "LATE")
    store.add_fee(order_id, "Packaging")
    return order_id


def partly_shipped_and_refunded(store: Store) -> int:
    order_id = store.place_order(lines=3, addresses=2)
    line = store.parts(order_id)["products"][0]["id"]
    store.ship(order_id, {line: 1})
    store.refund(order_id, items={line: 1})
    return order_id


def placed(**options: Any) -> Callable[[Store], int]:
    return lambda store: store.place_order(**options)


ORDERS: dict[str, Callable[[Store], int]] = {
    "physical": placed(lines=4),
    "digital": placed(kind="digital", lines=3),
    "mixed": placed(kind="mixed", lines=5),
    "pickup": placed(kind="pickup", lines=3),
    "partial pickup": placed(kind="partial_pickup", lines=4),
    "gift certificate": placed(kind="gift_certificate", lines=2),
    "custom line": with_a_custom_line,
    "several addresses": placed(kind="mixed", lines=8, addresses=3),
    "fees": placed(fees=2),
    "coupons": placed(coupons=2),
    "free shipping": placed(coupons=1, coupon_kind="free_shipping", addresses=2, lines=2),
    "coupon of a line": placed(coupons=1, coupon_kind="line"),
    "tax-inclusive": placed(is_tax_inclusive_pricing=True, fees=1),
    "1 line": placed(lines=1),
    "49 lines": placed(lines=49),
    "50 lines": placed(lines=50),
    "51 lines": placed(lines=51),
    "300 lines": placed(lines=300),
    "300 lines, 3 addresses": placed(lines=300, addresses=3),
    "60 collected lines": placed(kind="pickup", lines=60),
    "120 lines of two kinds": placed(kind="mixed", lines=120),
    "60 gift certificates": placed(kind="gift_certificate", lines=60),
    "edited": edited,
    "partly shipped and refunded": partly_shipped_and_refunded,
}


@pytest.mark.parametrize("name", ORDERS)
def test_the_embedded_form_differs_from_the_lists_only_as_documented(
    store: Store, ask: Ask, name: str
) -> None:
    order_id = ORDERS[name](store)

    order = ask(f"/{order_id}?{EMBEDDED}")

    consignments, plain = order["consignments"], ask(f"/{order_id}")
    stubbed = {"consignments", "fees"}
    assert {k: v for k, v in order.items() if k not in stubbed} == {
        k: v for k, v in plain.items() if k not in stubbed
    }
    assert ask(f"?{EMBEDDED}") == [order]
    assert ask(f"/{order_id}/consignments?include=consignments.line_items") == consignments
    assert order["fees"] == ask(f"/{order_id}/fees")
    addresses = ask(f"/{order_id}/shipping_addresses")
    check_lines(consignments, lines_of(ask, order_id), addresses)
    for shown, listed in zip(consignments["shipping"], addresses, strict=True):
        check_address(shown, listed)


def lines_of(ask: Ask, order_id: int) -> list[Fields]:
    return [line for page in (1, 2) for line in ask(f"/{order_id}/products?limit=250&page={page}")]


def check_lines(consignments: Fields, lines: list[Fields], addresses: list[Fields]) -> None:
    """Each line is in the consignment that it belongs to, as it is in the list, up to the cap.

    An address may have no lines; there is no other consignment without lines."""
    groups = [
        *((("pickup", to["id"]), to) for to in consignments["pickups"]),
        *((("address", to["id"]), to) for to in consignments["shipping"]),
        *((("digital", 0), to) for to in consignments["downloads"]),
        *((("giftcertificate", 0), to) for to in consignments["email"]["gift_certificates"]),
    ]
    expected = {("address", to["id"]) for to in addresses} | set(map(consignment_of, lines))
    assert sorted(key for key, _ in groups) == sorted(expected)
    for key, group in groups:
        own = [line for line in lines if consignment_of(line) == key]
        assert group["line_items"] == own[:CAP]
        assert ("__warning__" in group) == (len(own) > CAP)


def consignment_of(line: Fields) -> tuple[str, int]:
    if line["order_pickup_method_id"]:
        return "pickup", line["order_pickup_method_id"]
    if line["type"] == "physical":
        return "address", line["order_address_id"]
    return line["type"], 0


def check_address(shown: Fields, listed: Fields) -> None:
    assert listed.keys() - shown.keys() == {"order_id"}
    assert shown.keys() - listed.keys() - {"__warning__"} == {"line_items"}
    differing = {name for name in listed.keys() & shown.keys() if shown[name] != listed[name]}
    assert differing == NUMBERS | {"shipping_quotes"}
    assert shown["shipping_quotes"].keys() == listed["shipping_quotes"].keys()
    for cost in NUMBERS:
        assert isinstance(shown[cost], int | float)
        assert Decimal(str(shown[cost])) == Decimal(listed[cost])
