"""Encoding an order as an item, and decoding it."""

import base64
import math
import random
import re
from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.items import (
    LARGEST_ITEM,
    ItemTooLarge,
    UnstorableNumber,
    decode,
    digest,
    encode,
    from_image,
    redact,
    size_of,
)
from chalicelib.domain.models import JsonObject
from chalicelib.domain.records import ReplicationRecord
from tests.factories import line, order_fields, record, stored

numbers = st.integers(-(10**37), 10**37) | st.decimals(
    allow_nan=False, allow_infinity=False, places=4, min_value=-(10**20), max_value=10**20
)
scalars = st.none() | st.booleans() | numbers | st.text(st.characters(codec="utf-8"), max_size=20)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc_", min_size=1), inner),
    max_leaves=15,
)
orders = st.dictionaries(st.text("abcdefgh_", min_size=2), values, max_size=8).map(
    lambda fields: {"id": 118, **fields}
)
long_names = st.sampled_from([name * 40_000 for name in ("pen ", "žluťoučký ", '"\\/ ')])


def many_lines(count: int) -> list[JsonObject]:
    """Lines of about 1 KB each that compress to about a quarter."""
    some = random.Random(118)  # noqa: S311 - the same bytes in every run
    return [line(id=n, name=some.randbytes(128).hex(), note="x" * 700) for n in range(count)]


def stored_and_read(item: JsonObject) -> JsonObject:
    """An item after serialization to DynamoDB's types and back."""
    serialize, deserialize = TypeSerializer().serialize, TypeDeserializer().deserialize
    return {name: deserialize(serialize(value)) for name, value in item.items()}


def encoded(fields: JsonObject, kept: ReplicationRecord) -> JsonObject:
    """The item, whose record is the one that `encode` returns."""
    item, written = encode(fields, kept)
    assert item["replication"] == written.to_map()
    return item


def real_size(item: JsonObject) -> int:
    """Bytes of an item by DynamoDB's published rules: an independent implementation."""
    return sum(len(name.encode()) + _real_size(value) for name, value in item.items())


def _real_size(value: Any) -> int:
    match value:
        case None | bool():
            return 1
        case str():
            return len(value.encode())
        case bytes():
            return len(value)
        case int() | Decimal():
            digits = "".join(map(str, Decimal(value).as_tuple().digits)).strip("0")
            return math.ceil(len(digits) / 2) + 1 + (value < 0)
        case list():
            return 3 + sum(1 + _real_size(member) for member in value)
        case dict():
            return 3 + sum(
                1 + len(key.encode()) + _real_size(member) for key, member in value.items()
            )
    raise TypeError(value)


def test_a_field_is_redacted_in_objects_and_lists() -> None:
    fields = {
        "id": 118,
        "ip_address": "192.0.2.10",
        "billing_address": {"email": "jane@example.com", "city": "Austin"},
        "shipping_addresses": [{"phone": "1", "zip": "78751"}, {"phone": "2"}],
        "products": [{"options": [{"value": "secret", "id": 1}]}],
    }
    paths = [
        "ip_address",
        "billing_address.email",
        "shipping_addresses.phone",
        "products.options.value",
    ]

    assert redact(fields, paths) == {
        "id": 118,
        "billing_address": {"city": "Austin"},
        "shipping_addresses": [{"zip": "78751"}, {}],
        "products": [{"options": [{"id": 1}]}],
    }


@pytest.mark.parametrize("path", ["no_such_field", "id.more", "billing_address.form_fields.value"])
def test_a_path_without_a_field_redacts_nothing(path: str) -> None:
    assert redact(order_fields(), [path]) == order_fields()


def test_redacting_does_not_change_its_argument() -> None:
    fields = order_fields()

    redact(fields, ["billing_address.email", "ip_address"])

    assert fields == order_fields()


@settings(max_examples=40)
@given(orders)
def test_redacting_removes_only_the_named_field(fields: JsonObject) -> None:
    for name in set(fields) - {"id"}:
        assert name not in redact(fields, [name])
        assert redact(fields, [name]).keys() | {name} == fields.keys()


@settings(max_examples=40)
@given(orders)
def test_the_digest_does_not_depend_on_the_order_of_keys(fields: JsonObject) -> None:
    assert digest(dict(reversed(fields.items()))) == digest(fields)


def test_the_digest_does_not_depend_on_the_order_of_nested_keys() -> None:
    assert digest({"a": [{"b": 1, "c": 2}]}) == digest({"a": [{"c": 2, "b": 1}]})


@pytest.mark.parametrize(
    "change",
    [
        {"staff_notes": "new"},
        {"payment_provider_id": ""},
        {"total_inc_tax": "133.6501"},
        {"total_inc_tax": Decimal("133.65")},
        {"products": [line(), line()]},
        {"products": [line(quantity=2)]},
        {"products": [line(weight=Decimal("0.10"))]},
        {"products": []},
    ],
)
def test_the_digest_changes_with_the_content(change: JsonObject) -> None:
    fields = order_fields(products=[line()])

    assert digest({**fields, **change}) != digest(fields)


def test_the_digest_stays_the_same_between_releases() -> None:
    """Another digest would write every stored order again."""
    fields = {"products": [{"name": "Linen towel"}, None], "weight": Decimal("0.5"), "id": 118}

    assert digest(fields) == "08b99587979964ea042c54373243c6166a02b468f772ac0e9b4617ddd5951897"


def test_the_digest_changes_with_the_order_of_lines() -> None:
    assert digest({"products": [1, 2]}) != digest({"products": [2, 1]})


def test_the_digest_of_a_number_differs_from_that_of_its_text() -> None:
    assert digest({"weight": Decimal("0.5")}) != digest({"weight": "0.5"})


@settings(max_examples=40)
@given(orders)
def test_decoding_an_item_returns_the_order(fields: JsonObject) -> None:
    read, kept = decode(stored_and_read(encoded(fields, record())))

    assert read == fields
    assert kept == stored(record())


@settings(max_examples=20)
@given(orders, st.lists(long_names, min_size=1, max_size=4))
def test_decoding_a_compressed_item_returns_the_order(fields: JsonObject, names: list[str]) -> None:
    before = {
        **fields,
        "products": [line(name=name) for name in names * 3],
        "coupons": [fields],
    }

    read, kept = decode(stored_and_read(encoded(before, record())))

    assert read == before
    assert kept.encoding == {"products": "gzip+json"}


def test_a_small_order_is_not_compressed() -> None:
    fields = order_fields(products=[line()])

    item = encoded(fields, record())

    assert item == {**fields, "created_day": "2025-06-02", "replication": record().to_map()}


def test_an_order_of_620_lines_fits_and_its_record_names_the_compressed_list() -> None:
    fields = order_fields(products=many_lines(620), coupons=[{"id": 1}])

    item = encoded(fields, record())

    assert isinstance(item["products"], bytes)
    assert item["coupons"] == [{"id": 1}]
    assert item["replication"]["encoding"] == {"products": "gzip+json"}
    assert real_size(item) <= 400 * 1024
    assert decode(stored_and_read(item))[0] == fields


def test_only_as_many_lists_are_compressed_as_necessary() -> None:
    fields = order_fields(
        products=many_lines(300), consignments=many_lines(400), coupons=many_lines(100)
    )

    item = encoded(fields, record())

    assert item["replication"]["encoding"] == {
        "consignments": "gzip+json",
        "products": "gzip+json",
    }
    assert decode(item)[0] == fields


def test_an_order_compressed_before_is_stored_uncompressed_once_it_fits() -> None:
    item = encoded(order_fields(), record(encoding={"products": "gzip+json"}))

    assert "encoding" not in item["replication"]


def test_the_same_lines_are_compressed_to_the_same_bytes() -> None:
    fields = order_fields(products=many_lines(620))

    item = encoded(fields, record())

    assert item == encoded(fields, record())
    assert item["products"][4:8] == bytes(4), "the header of gzip has room for a time"


def test_an_order_near_the_limit_becomes_an_item_below_it() -> None:
    for length in range(360_000, 400_000, 1_000):
        fields = order_fields(staff_notes="x" * length, products=many_lines(20))

        assert real_size(encoded(fields, record())) <= 400 * 1024


@pytest.mark.parametrize("name", ["staff_notes", "billing_address"])
def test_an_order_that_does_not_fit_compressed_is_an_error_with_its_size(name: str) -> None:
    text = "x" * 500_000
    fields = order_fields(**{name: text if name == "staff_notes" else {"company": text}})

    with pytest.raises(ItemTooLarge, match=r"order 118 has 50\d{4} bytes"):
        encode(fields, record())


def test_compressed_lists_count_with_their_compressed_size() -> None:
    some = random.Random(118)  # noqa: S311 - the same bytes in every run
    noise = [{"id": n, "name": some.randbytes(1000).hex()} for n in range(800)]

    with pytest.raises(ItemTooLarge) as failure:
        encode(order_fields(products=noise), record())

    size = int(re.findall(r"has (\d+) bytes", str(failure.value))[0])
    assert LARGEST_ITEM < size < 1_600_000


@pytest.mark.parametrize(
    "number",
    [
        Decimal("1E400"),
        Decimal("1E126"),
        Decimal("-1E126"),
        Decimal("1E-400"),
        10**38 + 1,
        -(10**38) - 1,
        Decimal("0.123456789012345678901234567890123456789"),
        Decimal("1E-150"),
    ],
)
def test_a_number_that_cannot_be_stored_exactly_is_an_error_with_its_path(
    number: Decimal | int,
) -> None:
    fields = order_fields(products=[line(), line(discounts=[{"amount": number}])])

    with pytest.raises(UnstorableNumber, match=r"products.*discounts.*amount is a number"):
        encode(fields, record())


def test_the_path_in_the_error_redacts_the_number() -> None:
    fields = order_fields(products=[line(discounts=[{"amount": Decimal("1E400")}])])
    with pytest.raises(UnstorableNumber) as failure:
        encode(fields, record())

    path = str(failure.value).partition(" is a number")[0]

    assert encode(redact(fields, [path]), record())


@pytest.mark.parametrize(
    "number",
    [
        0,
        -1,
        10**37,
        int("9" * 38),
        Decimal("9.9E125"),
        Decimal("1E-128"),
        Decimal("0.0000"),
        Decimal("0.1"),
        Decimal("0.12345678901234567890123456789012345678"),
    ],
)
def test_a_number_that_fits_keeps_every_digit(number: Decimal | int) -> None:
    read, _ = decode(stored_and_read(encoded(order_fields(weight=number), record())))

    assert read["weight"] == number


def test_booleans_are_not_stored_as_numbers() -> None:
    read, _ = decode(stored_and_read(encoded({"id": 118, "yes": True, "no": False}, record())))

    assert (read["yes"], read["no"]) == (True, False)


def test_an_order_of_exactly_the_largest_size_is_not_compressed() -> None:
    fields = order_fields(products=many_lines(9), staff_notes="")
    ours = {"created_day": "2025-06-02", "replication": record().to_map()}
    room = LARGEST_ITEM - size_of({**fields, **ours})

    fits = encoded({**fields, "staff_notes": "x" * room}, record())
    exceeds = encoded({**fields, "staff_notes": "x" * (room + 1)}, record())

    assert isinstance(fits["products"], list)
    assert isinstance(exceeds["products"], bytes)


@pytest.mark.parametrize(
    ("value", "size"),
    [
        (None, 1),
        (True, 1),
        ("", 0),
        ("ž", 2),
        (b"abc", 3),
        (7, 2),
        (Decimal("0.1"), 3),
        (int("9" * 38), 21),
        (-int("9" * 38), 21),
        (Decimal("0." + "1" * 40), 21),
        ([], 3),
        ([None, None], 7),
        ({}, 3),
        ({"a": None, "b": None}, 9),
    ],
)
def test_the_size_of_a_value_is_estimated_by_its_type(value: Any, size: int) -> None:
    assert size_of(value) == size


@settings(max_examples=40)
@given(orders)
def test_the_estimated_size_is_never_below_the_real_size(fields: JsonObject) -> None:
    assert size_of(fields) >= real_size(fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"id": 1},
        {"text": "žluťoučký kůň 🐎"},
        {"digits": int("9" * 38)},
        {"negative": -(10**37) - 1},
        {"fraction": Decimal("-0.123456789")},
        {"empty": {}, "none": None, "list": [[], [None, True]]},
        {"bytes": b"\x00" * 1000},
        {"products": [line() for _ in range(200)]},
    ],
)
def test_the_estimated_size_is_near_the_real_size(fields: JsonObject) -> None:
    assert real_size(fields) <= size_of(fields) <= 1.4 * real_size(fields) + 10


def test_an_item_without_a_retention_has_no_time_to_expire() -> None:
    item, _ = encode(order_fields(), record())

    assert set(item) == {*order_fields(), "created_day", "replication"}


def test_the_time_to_expire_is_no_field_of_the_order() -> None:
    item, kept = encode(order_fields(), record(), 1795457118)

    assert item["expires_at"] == 1795457118
    assert decode(item) == (order_fields(), kept)


@pytest.mark.parametrize(
    ("created", "day"),
    [
        ("Sun, 29 Nov 2026 23:59:59 +0000", "2026-11-29"),
        ("Sun, 29 Nov 2026 23:30:00 -0100", "2026-11-30"),
        ("2026-11-30T00:30:00+01:00", "2026-11-29"),
    ],
)
def test_the_day_of_the_creation_is_in_utc_and_no_field_of_the_order(
    created: str, day: str
) -> None:
    fields = order_fields(date_created=created)

    item, kept = encode(fields, record())

    assert item["created_day"] == day
    assert decode(item) == (fields, kept)


def test_a_tombstone_has_no_day() -> None:
    assert set(encode({"id": 118}, record())[0]) == {"id", "replication"}


def test_binary_is_read_from_an_event_of_lambda_and_from_boto3() -> None:
    packed = b"\x1f\x8b"

    assert from_image({"products": {"B": base64.b64encode(packed).decode()}}) == {
        "products": packed
    }
    assert from_image({"products": {"B": packed}}) == {"products": packed}
