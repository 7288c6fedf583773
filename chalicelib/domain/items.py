"""Encodes an order as a DynamoDB item, and decodes it.

The limits are DynamoDB's: 400 KB per item, 38 digits per number
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html).
"""

import base64
import gzip
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC
from decimal import Clamped, Context, Decimal, Inexact, Overflow, Rounded, Subnormal
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from chalicelib.domain.models import JsonObject, store_date
from chalicelib.domain.records import RECORD, ReplicationRecord

LARGEST_ITEM = 400 * 1024 - 2048
"""The largest estimated size of an item in bytes; the rest is a margin for the estimate."""

EXPIRES_AT = "expires_at"
"""The attribute by which DynamoDB deletes an item, in epoch seconds, where there is a retention."""

CREATED_DAY = "created_day"
"""The attribute with the day of the order's creation in UTC, the key of the index `by_day`."""

OUTSIDE_THE_ORDER = (RECORD, EXPIRES_AT, CREATED_DAY)
"""The attributes of an item that are not the order's."""

GZIPPED_JSON = "gzip+json"

_deserialize = TypeDeserializer().deserialize

# boto3's limits, where they are narrower than DynamoDB's (boto3.dynamodb.types).
_NUMBER = Context(
    prec=38, Emin=-128, Emax=125, traps=[Clamped, Inexact, Overflow, Rounded, Subnormal]
)


class UnstorableNumber(Exception):
    """DynamoDB cannot store a number of the order exactly."""


class ItemTooLarge(Exception):
    """The order does not fit into an item, even with its lists compressed."""


def redact(fields: JsonObject, paths: Iterable[str]) -> JsonObject:
    """The order without the fields at the dotted `paths`; a path applies to each list member."""
    for path in paths:
        fields = _without(fields, path.split("."))
    return fields


def digest(fields: JsonObject) -> str:
    """SHA-256 of the order as stored, independent of the order of its keys."""
    canonical = json.dumps(fields, sort_keys=True, separators=(",", ":"), default=_tagged)
    return hashlib.sha256(canonical.encode()).hexdigest()


def encode(
    fields: JsonObject, record: ReplicationRecord, expires_at: int | None = None
) -> tuple[JsonObject, ReplicationRecord]:
    """The item of an order, and its record as stored; the longest lists are gzipped if necessary.

    `expires_at` is when DynamoDB may delete the item, in epoch seconds; None for never.

    Raises UnstorableNumber with the field's name, ItemTooLarge with the size in bytes.
    """
    _refuse_inexact_numbers(fields, "")
    record = replace(record, encoding=None)
    item = {**fields, RECORD: record.to_map()}
    if expires_at is not None:
        item[EXPIRES_AT] = expires_at
    if day := _day_of(fields):
        item[CREATED_DAY] = day
    encoding: dict[str, str] = {}
    while (size := size_of(item)) > LARGEST_ITEM:
        name = _longest_list(item)
        if name is None:
            raise ItemTooLarge(
                f"order {fields.get('id')} has {size} bytes with its lists compressed, "
                f"more than the {LARGEST_ITEM} that fit into a DynamoDB item"
            )
        item[name] = gzip.compress(to_json(item[name]).encode(), mtime=0)
        encoding[name] = GZIPPED_JSON
        record = replace(record, encoding=dict(encoding))
        item[RECORD] = record.to_map()
    return item, record


def decode(item: Mapping[str, Any]) -> tuple[JsonObject, ReplicationRecord]:
    """The order and its record, from an item in Python types (Decimal, bytes)."""
    record = ReplicationRecord.from_item(dict(item))
    fields = {name: value for name, value in item.items() if name not in OUTSIDE_THE_ORDER}
    for name in record.encoding or ():
        fields[name] = json.loads(gzip.decompress(bytes(fields[name])), parse_float=Decimal)
    return fields, record


def from_image(image: Mapping[str, Any]) -> JsonObject:
    """An item in Python types, from DynamoDB JSON: an item of a table or an image of a stream."""
    return {name: _deserialize(_as_bytes(value)) for name, value in image.items()}


def to_json(value: Any) -> str:
    """JSON with all digits of a Decimal, which json.dumps cannot write."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k)}:{to_json(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(to_json(member) for member in value) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value)


def size_of(value: Any) -> int:
    """The size of a value in bytes by DynamoDB's published rules, rounded up.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogatepass"))
    if value is None or isinstance(value, bool):
        return 1
    if isinstance(value, int | Decimal):
        return min(21, len(str(value)) // 2 + 2)
    if isinstance(value, dict):
        return 3 + sum(size_of(key) + size_of(member) + 1 for key, member in value.items())
    if isinstance(value, list):
        return 3 + sum(size_of(member) + 1 for member in value)
    return len(value)


def _day_of(fields: JsonObject) -> str | None:
    """The day of the order's creation, like 2026-11-29; None for a tombstone."""
    created = fields.get("date_created")
    return created and store_date(created).astimezone(UTC).date().isoformat()


def _as_bytes(value: Any) -> Any:
    """A value whose binary is bytes: Lambda's event has it as base64 text, boto3 as bytes."""
    binary = value.get("B")
    return {"B": base64.b64decode(binary)} if isinstance(binary, str) else value


def _tagged(number: Decimal) -> list[str]:
    """Distinguishes the number 0.5 from the text "0.5" in a digest."""
    return ["number", str(number)]


def _without(value: Any, path: list[str]) -> Any:
    if isinstance(value, list):
        return [_without(member, path) for member in value]
    if not isinstance(value, dict) or path[0] not in value:
        return value
    rest = {name: member for name, member in value.items() if name != path[0]}
    if len(path) > 1:
        rest[path[0]] = _without(value[path[0]], path[1:])
    return rest


def _refuse_inexact_numbers(value: Any, path: str) -> None:
    if isinstance(value, dict):
        for key, member in value.items():
            _refuse_inexact_numbers(member, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for member in value:
            _refuse_inexact_numbers(member, path)
    elif isinstance(value, int | Decimal) and not isinstance(value, bool):
        try:
            _NUMBER.create_decimal(value)
        except ArithmeticError:
            raise UnstorableNumber(
                f"{path} is a number that DynamoDB cannot hold exactly "
                "(38 digits, 1E-128 to 9.9E+125); add it to REDACTED_FIELDS to leave it out"
            ) from None


def _longest_list(item: JsonObject) -> str | None:
    lists = [name for name, value in item.items() if isinstance(value, list) and value]
    return max(lists, key=lambda name: size_of(item[name]), default=None)
