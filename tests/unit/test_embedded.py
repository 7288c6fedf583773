"""The embedded form of an order: what it shows, and when it cannot be trusted."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.embedded import (
    doubt_about,
    embedded_digest,
    parts_digest,
    with_embedded_lists,
)
from chalicelib.domain.items import to_json
from chalicelib.domain.models import JsonObject, Order
from chalicelib.domain.parts import with_parts
from tests.factories import COSTS, address, consignments, line, order, pickup, shipping

DOWNLOAD = line(id=66, type="digital", order_address_id=0)
COLLECTED = line(id=67, order_pickup_method_id=3, order_address_id=0)
CERTIFICATE = line(id=68, type="giftcertificate", order_address_id=0)
FEE = {"id": 4, "name": "Wrapping", "cost": "2.0000"}


def embedded(
    *shipments: JsonObject, fees: Any = (), count: int | None = None, **kinds: Any
) -> Order:
    """An order of as many items and addresses as its embedded form has."""
    form = consignments(*shipments, **kinds)
    groups = [*shipments, *form["pickups"], *form["downloads"], *form["email"]["gift_certificates"]]
    lines = [member for group in groups for member in group["line_items"]]
    return order(
        consignments=form,
        fees=list(fees),
        items_total=sum(member["quantity"] for member in lines) if count is None else count,
        shipping_address_count=len(shipments),
    )


def stored_digest(
    read: Order, lines: list[JsonObject], addresses: list[JsonObject], redacted: Any = ()
) -> str:
    """The digest of the same order with its lists as they are requested one by one."""
    whole = with_parts(read, {"products": lines, "shipping_addresses": addresses})
    return parts_digest(whole, redacted)


@pytest.mark.parametrize(
    ("read", "lines", "addresses"),
    [
        (embedded(shipping()), [line()], [address()]),
        (
            embedded(shipping(), fees=[FEE], downloads=[{"line_items": [DOWNLOAD]}]),
            [DOWNLOAD, line()],
            [address()],
        ),
        (
            embedded(shipping(line(id=70), id=52), shipping(line())),
            [line(), line(id=70)],
            [address(), address(id=52)],
        ),
        (embedded(pickups=[pickup(COLLECTED)]), [COLLECTED], []),
        (
            embedded(email={"gift_certificates": [{"line_items": [CERTIFICATE]}]}),
            [CERTIFICATE],
            [],
        ),
        (embedded(), [], []),
    ],
    ids=["one address", "download and fee", "two addresses", "pickup", "certificate", "empty"],
)
def test_an_order_is_the_same_whichever_way_its_lists_are_read(
    read: Order, lines: list[JsonObject], addresses: list[JsonObject]
) -> None:
    requested = with_parts(read, {"products": lines, "shipping_addresses": addresses})

    assert doubt_about(read) is None
    assert to_json(with_embedded_lists(read).fields) == to_json(requested.fields)
    assert embedded_digest(read, ()) == (stored_digest(read, lines, addresses), True)


@pytest.mark.parametrize("name", COSTS)
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12.9900", Decimal("12.99")),
        ("5.0000", 5),
        ("0.0000", 0),
        ("0.0000", Decimal("0.0")),
        ("1234567.8900", Decimal("1234567.89")),
    ],
)
def test_a_cost_of_an_address_is_the_same_as_text_and_as_a_number(
    name: str, text: str, value: object
) -> None:
    read = embedded(shipping(**{name: value}))

    assert embedded_digest(read, ()) == (
        stored_digest(read, [line()], [address(**{name: text})]),
        True,
    )


@given(st.decimals(min_value=0, max_value=10**9, places=2))
def test_any_amount_of_cents_is_the_same_in_both_forms(cost: Decimal) -> None:
    read = embedded(shipping(base_cost=Decimal(str(cost.normalize()))))

    digest, _ = embedded_digest(read, ())

    assert digest == stored_digest(read, [line()], [address(base_cost=f"{cost}00")])


def test_a_redacted_field_is_part_of_neither_digest() -> None:
    redacted = ["shipping_addresses.phone", "products.name", "billing_address.email"]
    before = embedded(shipping())
    after = before.with_fields(
        {**before.fields, "consignments": consignments(shipping(line(name="other"), phone="0"))}
    )

    assert embedded_digest(after, redacted)[0] == embedded_digest(before, redacted)[0]
    assert embedded_digest(before, redacted)[0] == stored_digest(
        before, [line()], [address()], redacted
    )


CHANGES: dict[str, Callable[[], Order]] = {
    "a field of the order": lambda: order(**{**embedded(shipping()).fields, "staff_notes": "new"}),
    "another line": lambda: embedded(shipping(line(), line(id=66))),
    "a field of a line": lambda: embedded(shipping(line(name="Woollen towel"))),
    "a quantity": lambda: embedded(shipping(line(quantity=2))),
    "a field of an address": lambda: embedded(shipping(street_1="12 Example Avenue")),
    "a cost of an address": lambda: embedded(shipping(base_cost=Decimal("12.98"))),
    "another address": lambda: embedded(shipping(), shipping(line(id=66), id=52)),
    "a fee": lambda: embedded(shipping(), fees=[FEE]),
    "the place of a pickup": lambda: embedded(
        shipping(), pickups=[pickup(location={"code": "LOCATION-2"})]
    ),
    "the recipient of a download": lambda: embedded(
        shipping(), downloads=[{"recipient_email": "joe@example.com", "line_items": []}]
    ),
}


@pytest.mark.parametrize("changed", CHANGES.values(), ids=CHANGES)
def test_a_change_of_the_order_or_a_list_changes_the_digest(changed: Callable[[], Order]) -> None:
    before = stored_digest(embedded(shipping()), [line()], [address()])

    assert embedded_digest(changed(), ()) != (before, True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status_id", 9),
        ("status", "Awaiting Shipment"),
        ("custom_status", "Packed"),
        ("date_modified", "Mon, 02 Jun 2025 11:59:59 +0000"),
        ("is_deleted", True),
    ],
)
def test_what_a_move_or_the_record_shows_is_not_part_of_the_digest(
    name: str, value: object
) -> None:
    before = embedded(shipping())
    after = order(**{**before.fields, name: value})

    assert embedded_digest(after, ()) == embedded_digest(before, ())


BARE = {name: value for name, value in line().items() if name != "base_total"}
DOUBTS: dict[str, Order] = {
    "no consignments": order(fees=[]),
    "the legacy form": order(fees=[], consignments=[{"id": 1}]),
    "links in place of lines": embedded(
        shipping() | {"line_items": [{"quantity": 1, "resource": "/orders/118/products/65"}]}
    ),
    "links in place of fees": order(**{**embedded(shipping()).fields, "fees": {"url": "stub"}}),
    "a warning": embedded(shipping() | {"__warning__": "50 lines at most"}),
    "50 lines of an address": embedded(shipping(*(line(id=n) for n in range(50)))),
    "50 downloads": embedded(downloads=[{"line_items": [DOWNLOAD] * 50}]),
    "a short line": embedded(shipping(BARE)),
    "no lines of an address": embedded(
        {name: value for name, value in shipping().items() if name != "line_items"}
        | {"line_items": []},
        count=1,
    ),
    "a line less": embedded(shipping(), count=2),
    "a line more": embedded(shipping(), count=0),
    "an address less": order(**{**embedded(shipping()).fields, "shipping_address_count": 2}),
    "an address more": order(**{**embedded(shipping()).fields, "shipping_address_count": 0}),
    "no list of shipments": order(
        **{**embedded().fields, "consignments": consignments(shipping=None)}
    ),
    "no list of downloads": order(
        **{**embedded().fields, "consignments": consignments(downloads={})}
    ),
    "no list of pickups": order(
        **{**embedded().fields, "consignments": {"shipping": [], "downloads": []}}
    ),
    "no list of certificates": order(
        **{**embedded().fields, "consignments": consignments(email={"gift_certificates": None})}
    ),
    "a consignment that is no object": order(
        **{**embedded().fields, "consignments": consignments(downloads=["text"])}
    ),
    "a line that is no object": order(
        **{**embedded().fields, "consignments": consignments(downloads=[{"line_items": [None]}])}
    ),
}


REASONS = {
    "no consignments": "form",
    "the legacy form": "form",
    "links in place of lines": "stub",
    "links in place of fees": "form",
    "a warning": "warning",
    "50 lines of an address": "cut",
    "50 downloads": "cut",
    "a short line": "stub",
    "no lines of an address": "quantity",
    "a line less": "quantity",
    "a line more": "quantity",
    "an address less": "addresses",
    "an address more": "addresses",
    "no list of shipments": "form",
    "no list of downloads": "form",
    "no list of pickups": "form",
    "no list of certificates": "form",
    "a consignment that is no object": "form",
    "a line that is no object": "stub",
}


@pytest.mark.parametrize("name", DOUBTS)
def test_a_form_that_may_be_cut_short_is_not_trusted(name: str) -> None:
    assert doubt_about(DOUBTS[name]) == REASONS[name]
    assert embedded_digest(DOUBTS[name], ())[1] is False


def test_49_lines_of_an_address_are_trusted() -> None:
    lines = [line(id=n) for n in range(49)]
    read = embedded(shipping(*lines))

    assert embedded_digest(read, ()) == (stored_digest(read, lines, [address()]), True)


def test_a_download_without_an_email_group_is_trusted() -> None:
    form = {"pickups": [], "shipping": [], "downloads": [{"line_items": [DOWNLOAD]}]}
    read = order(consignments=form, fees=[], items_total=1, shipping_address_count=0)

    assert embedded_digest(read, ())[1] is True


scalars = st.none() | st.booleans() | st.integers(-2, 2) | st.text("a1", max_size=3)
anything = st.recursive(
    scalars | st.decimals(allow_nan=False, allow_infinity=False),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["line_items", "id", "quantity", "base_cost"]), inner)
    ),
    max_leaves=6,
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "pickups": anything,
            "shipping": anything | st.lists(st.just(shipping()), max_size=2),
            "downloads": anything,
            "email": anything,
        },
    )
    | anything,
    anything,
)
def test_any_form_has_a_digest(form: Any, fees: Any) -> None:
    read = order(consignments=form, fees=fees)

    digest, is_trusted = embedded_digest(read, ())

    assert len(digest) == 64
    assert is_trusted in (True, False)
    assert embedded_digest(read, ()) == (digest, is_trusted)


@pytest.mark.parametrize("cost", ["1E400", Decimal("1E30"), "much", None, [], {}, True, "NaN"])
def test_a_cost_of_any_kind_has_a_digest(cost: object) -> None:
    assert embedded_digest(embedded(shipping(base_cost=cost)), ())[1] is True
