"""Parsing orders, the facts that rules use, and the errors for orders that are malformed."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.models import (
    Order,
    UnreadableOrder,
    is_order_id,
    is_zero,
    number,
    store_date,
)
from tests.factories import NOW, at, line, order, order_fields

MORNING = datetime(2024, 5, 6, 7, 27, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "Mon, 06 May 2024 07:27:05 +0000",
        "Mon, 06 May 2024 07:27:05 -0000",
        "Mon, 06 May 2024 02:27:05 -0500",
        "Mon, 06 May 2024 07:27:05 GMT",
        "2024-05-06T07:27:05+00:00",
        "2024-05-06T07:27:05Z",
        "2024-05-06T09:27:05+02:00",
        "2024-05-06T07:27:05",
        "2024-05-06 07:27:05",
    ],
)
def test_a_date_is_the_same_moment_however_it_is_written(text: str) -> None:
    assert store_date(text) == MORNING
    assert store_date(text).tzinfo is not None


@given(st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30)), st.integers(-12, 14))
def test_every_iso_date_is_read_as_itself(naive: datetime, hours: int) -> None:
    moment = naive.replace(tzinfo=timezone(timedelta(hours=hours)))

    assert store_date(moment.isoformat()) == moment


@pytest.mark.parametrize(
    "value",
    [
        "",
        None,
        0,
        1714980425,
        True,
        [],
        "soon",
        "0000-00-00",
        "0000-00-00 00:00:00",
        "Wed, 30 Nov -0001 00:00:00 +0000",
        "Wed, 30 Nov 0001 00:00:00 +0000",
    ],
)
def test_a_value_that_is_not_a_date_is_an_error(value: object) -> None:
    with pytest.raises(ValueError):
        store_date(value)


@pytest.mark.parametrize("name", ["date_created", "date_modified"])
@pytest.mark.parametrize("value", ["", None, "soon", 7])
def test_an_unreadable_date_is_an_error_with_the_name_of_its_field(
    name: str, value: object
) -> None:
    with pytest.raises(UnreadableOrder, match=f"order 118: {name}"):
        Order.parse(order_fields(**{name: value}))


@pytest.mark.parametrize(
    "value",
    ["Mon, 06 May 99999999999999999999 07:27:05 +0000", "Mon, 06 May 2024 07:27:05 +9999999999999"],
)
def test_a_date_out_of_range_is_an_error(value: str) -> None:
    with pytest.raises(UnreadableOrder, match="order 118: date_created"):
        Order.parse(order_fields(date_created=value))


@pytest.mark.parametrize("order_id", [None, 0, -1, True, "118", 118.0, Decimal(118), 2**63])
def test_an_order_without_a_valid_id_is_unreadable(order_id: object) -> None:
    assert not is_order_id(order_id)
    with pytest.raises(UnreadableOrder, match="id: "):
        Order.parse({**order_fields(), "id": order_id})


@pytest.mark.parametrize("order_id", [1, 118, 2**63 - 1])
def test_an_id_may_be_any_positive_64_bit_integer(order_id: int) -> None:
    assert is_order_id(order_id)
    assert Order.parse(order_fields(order_id)).id == order_id


@pytest.mark.parametrize("status", [None, "11", True, Decimal("11.5")])
def test_an_order_without_a_status_is_unreadable(status: object) -> None:
    with pytest.raises(UnreadableOrder, match="order 118: status_id"):
        Order.parse(order_fields(status_id=status))


def test_an_unknown_status_is_read() -> None:
    assert order(status_id=15).status_id == 15


def test_the_error_names_every_invalid_field() -> None:
    with pytest.raises(UnreadableOrder) as failure:
        Order.parse({"id": 118})

    for name in ("status_id", "date_created", "date_modified"):
        assert name in str(failure.value)


READ_FIELDS = ("status_id", "date_created", "date_modified", "shipping_address_count")


@pytest.mark.parametrize(
    "name",
    [
        "status_id",
        "shipping_address_count",
        "date_created",
        "date_modified",
        "id",
    ],
)
def test_the_error_contains_no_value_of_the_order(name: str) -> None:
    with pytest.raises(UnreadableOrder) as failure:
        Order.parse({**order_fields(), name: "jane.doe@example.com"})

    assert "jane" not in str(failure.value)
    assert failure.value.__context__ is None, "pydantic's error contains the value"


@pytest.mark.parametrize("value", [{"email": "jane"}, ["jane"], 7.25, False])
@pytest.mark.parametrize("name", READ_FIELDS)
def test_the_error_contains_no_value_of_another_type(name: str, value: object) -> None:
    with pytest.raises(UnreadableOrder) as failure:
        Order.parse({**order_fields(), name: value})

    assert "jane" not in str(failure.value)
    assert "7.25" not in str(failure.value)


def test_every_field_is_kept_even_an_unknown_one() -> None:
    sent = order_fields(**{"unknown_field": {"a": [1]}, "fields": "f", "*": "star"})

    assert Order.parse(sent).fields == sent


@pytest.mark.parametrize("value", [None, 1, "true", "", 0])
def test_only_the_boolean_true_sets_a_flag(value: object) -> None:
    read = order(is_deleted=value, order_is_digital=value)

    assert (read.is_deleted, read.order_is_digital) == (False, False)


def test_the_version_is_the_second_of_the_last_change() -> None:
    assert order(date_modified="Mon, 06 May 2024 07:27:05 +0000").version == 1714980425


def test_an_order_keeps_when_it_was_read_and_requested() -> None:
    read = Order.parse(order_fields(), read_at=at(1), requested_at=at(-1))

    assert (read.read_at, read.requested_at) == (at(1), at(-1))
    assert read.with_fields({"id": 118}).read_at == at(1)


@pytest.mark.parametrize("value", ["1", True, 0, -1, 2**63])
def test_a_channel_that_is_not_an_id_is_unknown(value: object) -> None:
    assert order(channel_id=value).channel_id is None


@pytest.mark.parametrize("products", [None, {"url": "stub"}, "text"])
def test_lines_that_are_not_read_are_none(products: object) -> None:
    assert order(products=products).lines is None


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        (["physical"], False),
        (["digital", "physical"], False),
        (["giftcertificate", "physical"], False),
        (["unknown type"], False),
        ([None], False),
        ([["digital"]], False),
        (["digital"], True),
        (["giftcertificate"], True),
        (["digital", "giftcertificate"], True),
    ],
)
@pytest.mark.parametrize("flag", [False, True])
def test_the_lines_show_whether_an_order_is_digital_and_not_its_flag(
    types: list[Any], expected: bool, flag: bool
) -> None:
    read = order(products=[line(type=kind) for kind in types], order_is_digital=flag)

    assert read.is_digital == read.may_be_digital == expected


@pytest.mark.parametrize("products", [[{}], [line(type="digital"), {}]])
def test_a_line_without_a_type_is_goods(products: list[Any]) -> None:
    assert not order(products=products, order_is_digital=True).is_digital


@pytest.mark.parametrize("products", [[], {"url": "stub"}])
@pytest.mark.parametrize("flag", [False, True])
def test_without_lines_the_flag_shows_whether_an_order_is_digital(
    products: object, flag: bool
) -> None:
    assert order(products=products, order_is_digital=flag).is_digital == flag


@pytest.mark.parametrize(
    ("flag", "count", "expected"),
    [
        (True, 0, True),
        (True, 1, True),
        (False, 0, True),
        (False, None, True),
        (False, 1, False),
        ("true", 1, False),
    ],
)
def test_an_order_whose_lines_are_not_read_may_be_digital_without_an_address(
    flag: object, count: int | None, expected: bool
) -> None:
    read = order(order_is_digital=flag, shipping_address_count=count)

    assert read.may_be_digital == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([line(order_pickup_method_id=3)], True),
        ([line(order_pickup_method_id="3")], True),
        ([line(order_pickup_method_id=3), line(type="digital")], True),
        ([line(order_pickup_method_id=3), line()], False),
        ([line(order_pickup_method_id=0)], False),
        ([line(order_pickup_method_id=None)], False),
        ([line(type="digital", order_pickup_method_id=3)], False),
        ([], False),
        (None, False),
    ],
)
def test_an_order_is_collected_if_every_line_that_is_goods_is(
    lines: list[Any] | None, expected: bool
) -> None:
    assert order(products=lines).is_collected == expected


@pytest.mark.parametrize("zero", ["0.0000", "0", "-0.00", 0, Decimal(0)])
def test_an_amount_is_zero_as_text_and_as_a_number(zero: object) -> None:
    assert is_zero(zero)


@pytest.mark.parametrize(
    "value", ["5.0000", "0.0001", "-1", 5, "", None, "none", "NaN", "sNaN", False, [], {}]
)
def test_what_is_not_certainly_zero_is_not(value: object) -> None:
    assert not is_zero(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2", 2),
        (2, 2),
        ("1.5", Decimal("1.5")),
        (None, 0),
        ("", 0),
        ("two", 0),
        ([], 0),
        (True, 0),
        ("NaN", 0),
        ("Infinity", 0),
    ],
)
def test_an_amount_that_cannot_be_parsed_is_zero(value: object, expected: Decimal) -> None:
    assert number(value) == expected


def test_an_unreadable_orders_error_contains_no_value_even_in_its_context() -> None:
    with pytest.raises(UnreadableOrder) as failure:
        Order.parse({"id": 118, "status_id": "jane@example.com"}, read_at=NOW)

    assert "jane" not in f"{failure.value} {failure.value.__context__}"
