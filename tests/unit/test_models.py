"""Parsing orders, messages, callbacks and records, and the errors for malformed ones."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.models import (
    CartConverted,
    Delivery,
    Order,
    ReplicationRecord,
    UnreadableCallback,
    UnreadableOrder,
    is_order_id,
    store_date,
)
from tests.factories import (
    MALFORMED_CALLBACKS,
    NOW,
    callback,
    line,
    message,
    moved,
    order,
    order_fields,
    pending,
    record,
    sqs_record,
)

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
    ["", None, 0, 1714980425, True, [], "soon", "0000-00-00", "Wed, 30 Nov -0001 00:00:00 +0000"],
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


def test_a_message_holds_no_field_of_the_order_but_its_id() -> None:
    assert json.loads(message(252, source="webhook").model_dump_json()) == {
        "order_id": 252,
        "source": "webhook",
        "queued_at": NOW.isoformat(),
    }


def test_deliveries_are_read_from_an_sqs_event() -> None:
    body = message().model_dump_json()
    event = {
        "Records": [
            sqs_record(body, attributes={"ApproximateReceiveCount": "7"}),
            sqs_record(body, messageId="m2", receiptHandle="r2"),
        ]
    }

    assert Delivery.from_event(event) == [
        Delivery("m1", "r1", 7, message()),
        Delivery("m2", "r2", 1, message()),
    ]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "118",
        "null",
        "[]",
        "{}",
        "not JSON",
        '{"order_id": 118}',
        '{"order_id": "118", "source": "poll", "queued_at": "now"}',
        '{"order_id": 0, "source": "poll", "queued_at": "now"}',
        '{"order_id": true, "source": "poll", "queued_at": "now"}',
        '{"order_id": 9223372036854775808, "source": "poll", "queued_at": "now"}',
        '{"order_id": 118, "source": "elsewhere", "queued_at": "now"}',
        '{"order_id": 118, "source": "poll", "queued_at": 5}',
    ],
)
def test_an_invalid_message_is_a_delivery_without_a_message(body: str) -> None:
    (foreign,) = Delivery.from_event({"Records": [sqs_record(body)]})

    assert foreign == Delivery("m1", "r1", 1, None)


def test_a_message_with_an_unknown_field_is_valid() -> None:
    body = json.dumps({**message().model_dump(), "added_later": 1})

    (ours,) = Delivery.from_event({"Records": [sqs_record(body)]})

    assert ours.message == message()


def test_a_callback_is_read() -> None:
    read = CartConverted.parse(callback(252))

    assert (read.data.order_id, read.data.id) == (252, "d30016e2-23c0-4a90")
    assert (read.scope, read.producer) == ("store/cart/converted", "stores/abc123")
    assert (read.hash, read.created_at) == ("b86db7c77d7ef8f9", 1561486893)


def test_a_callback_may_lack_optional_fields() -> None:
    read = CartConverted.parse(callback(data={"orderId": 1}, hash=None, created_at=None))

    assert (read.data.order_id, read.data.id, read.hash, read.created_at) == (1, None, None, None)


@pytest.mark.parametrize("body", MALFORMED_CALLBACKS.values(), ids=MALFORMED_CALLBACKS)
def test_a_malformed_callback_is_an_error(body: bytes) -> None:
    with pytest.raises(UnreadableCallback):
        CartConverted.parse(body)


@pytest.mark.parametrize("field", ["scope", "producer", "hash", "created_at", "data"])
def test_the_error_contains_no_value_of_the_callback(field: str) -> None:
    with pytest.raises(UnreadableCallback, match=field) as failure:
        CartConverted.parse(callback(**{field: {"email": "jane.doe@example.com"}}))

    assert "jane" not in str(failure.value)


@given(st.binary(max_size=300))
def test_any_body_is_a_callback_or_a_known_error(body: bytes) -> None:
    with pytest.raises(UnreadableCallback):
        CartConverted.parse(body)


@pytest.mark.parametrize("kept", [record(), pending(), moved(), record(encoding={"products": "g"})])
def test_reading_the_item_of_a_record_returns_the_record(kept: ReplicationRecord) -> None:
    item: dict[str, Any] = kept.to_item()
    as_dynamodb_returns_it = {
        name: Decimal(value) if isinstance(value, int) else value for name, value in item.items()
    }

    assert None not in item.values()
    assert ReplicationRecord.from_item(as_dynamodb_returns_it) == kept
    assert isinstance(ReplicationRecord.from_item(as_dynamodb_returns_it).version, int)


def test_unknown_attributes_of_a_record_are_ignored() -> None:
    item = {**record().to_item(), "checked": True, "notes": ["a"], "weight": Decimal("1.5")}

    assert ReplicationRecord.from_item(item) == record()


@pytest.mark.parametrize("products", [[line(type=None)], [{}], [line(type="digital"), {}]])
def test_a_line_without_a_type_is_physical(products: list[Any]) -> None:
    assert not order(products=products, order_is_digital=True).is_digital


@pytest.mark.parametrize("lines", [[None], ["digital"], [{}], [{"type": ["digital"]}]])
def test_an_order_with_malformed_lines_is_not_digital(lines: list[object]) -> None:
    assert not Order.parse(order_fields(118, products=lines, order_is_digital=True)).is_digital


def test_an_unreadable_orders_error_contains_no_value_even_in_its_context() -> None:
    with pytest.raises(UnreadableOrder) as failure:
        Order.parse({"id": 118, "status_id": "jane@example.com"})

    assert "jane" not in f"{failure.value} {failure.value.__context__}"
