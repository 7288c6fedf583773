"""An order field by field: what the table has beside what the store has; pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from chalicelib.domain.items import to_json
from chalicelib.domain.models import JsonObject

ABSENT = object()

IMPERSONAL = re.compile(
    r"(date|day)(_\w+)?|\w+_date|status|\w+_status|status_id|custom_status|"
    r"(\w+_)?(total|subtotal|price|cost|tax|amount|discount|rate|weight|width|height|depth)|"
    r"\w+_(ex|inc)_tax|(\w+_)?currency_code|type|sku|upc|resource|order_source|payment_method|"
    r"shipping_method|quantity(_\w+)?|items_\w+|\w+_count"
)
"""Names of fields that cannot identify a person. A name that is not known here is hidden: the store
may add a field at any time, and the lines may have texts of the customer."""

OF_A_LINE = re.compile(r"products\[\d+\]\.(name|name_customer|name_merchant|brand)")
"""What the merchant sells. The options of a line are hidden: they may be a name to engrave."""

IDENTIFIES = re.compile(r"customer_id|cart_id")


@dataclass(frozen=True)
class Field:
    """A field by its path; its values as text, which is "hidden" unless it may be shown."""

    path: str
    table: str | None
    store: str | None
    differs: bool


def fields_of(
    table: JsonObject, store: JsonObject | None, *, is_revealed: bool = False
) -> list[Field]:
    """Every field of the order in the table, and in the store unless that is None."""
    ours, theirs = dict(_flat(table)), dict(_flat(store or {}))
    return [
        Field(
            path,
            _text(path, ours, is_revealed),
            _text(path, theirs, is_revealed),
            store is not None and ours.get(path, ABSENT) != theirs.get(path, ABSENT),
        )
        for path in [*ours, *(path for path in theirs if path not in ours)]
    ]


def is_personal(path: str, value: Any) -> bool:
    """Whether a value may say who the customer is, or what they wrote."""
    name = path.rpartition(".")[2]
    if value in (None, "") or isinstance(value, bool | list | dict):
        return False
    if IMPERSONAL.fullmatch(name) or OF_A_LINE.fullmatch(path):
        return False
    is_id = name == "id" or name.endswith("_id")
    return isinstance(value, str) or not is_id or bool(IDENTIFIES.fullmatch(name))


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The values by dotted paths; a member of a list by its id, which its place does not change."""
    members: Iterator[tuple[str, Any]]
    if isinstance(value, dict) and value:
        members = ((f"{path}.{name}" if path else name, each) for name, each in value.items())
    elif isinstance(value, list) and value:
        members = ((f"{path}[{_name(each, n)}]", each) for n, each in enumerate(value))
    else:
        # Only the empty order has no path.
        yield from [(path, value)] if path else []
        return
    for name, member in members:
        yield from _flat(member, name)


def _name(member: Any, place: int) -> str:
    has_id = isinstance(member, dict) and isinstance(member.get("id"), int | Decimal)
    return str(member["id"]) if has_id else f"#{place + 1}"


def _text(path: str, values: Mapping[str, Any], is_revealed: bool) -> str | None:
    if path not in values:
        return None
    value = values[path]
    if not is_revealed and is_personal(path, value):
        return "hidden"
    return value if isinstance(value, str) else to_json(value)
