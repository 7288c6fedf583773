"""The fields of orders: their names and JSON types, and what of them has changed.

A field has a path, like `billing_address.city` or `products[].price`: `[]` stands for every member
of a list, and `*` for every name that may be data, such as an id or an e-mail address. Names and
types are kept, and never a value.

BigCommerce adds fields to its answers without a new version of its API.
"""

import re
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, Self, TypeAlias

from chalicelib.domain.models import JsonObject

Kind: TypeAlias = Literal["new", "gone", "retyped"]

MOST_FIELDS = 1000
LONGEST_PATH = 200
"""Limits of what is kept, with which it fits into an item of DynamoDB. An order has about 300
paths, of up to 60 characters."""

MOST_CHANGES = 100
"""Changes that are kept until they are accepted; later ones are in the log only."""

DEEPEST = 12
"""Levels of a path, lists included."""

MOST_MEMBERS = 100
"""Members of a list that are read; those of one list have the same fields."""

ENOUGH_ORDERS = 20
USUAL_SHARE = 0.95
"""A field is usual when this share of so many orders had it; it is gone when none of so many has
it."""

MEMBERS, ANY_NAME = "[]", "*"
_NAME = re.compile(r"(?!.*\d{4})[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)


@dataclass(frozen=True)
class OrderField:
    """The JSON types that a field had, and whether it was usual."""

    types: frozenset[str]
    is_usual: bool = False


@dataclass(frozen=True)
class FieldChange:
    """A change of a field: its types, which are those before if it is gone, and when it was seen.

    `before` are the types that a retyped field had.
    """

    kind: Kind
    path: str
    types: tuple[str, ...]
    seen_at: datetime
    before: tuple[str, ...] = ()

    @classmethod
    def from_item(cls, item: JsonObject) -> Self:
        return cls(
            kind=item["kind"],
            path=str(item["path"]),
            types=tuple(item["types"]),
            seen_at=datetime.fromisoformat(item["seen_at"]),
            before=tuple(item.get("before", ())),
        )

    def to_item(self) -> JsonObject:
        """As it is stored, and for JSON."""
        before = {"before": list(self.before)} if self.before else {}
        facts = {"kind": self.kind, "path": self.path, "types": list(self.types), **before}
        return {**facts, "seen_at": self.seen_at.isoformat()}


@dataclass(frozen=True)
class OrderFields:
    """The fields of a stage's orders, by path, and the changes that nobody has accepted.

    `orders` is the number of orders in the last comparison. `revision` grows with every write.
    """

    fields: Mapping[str, OrderField]
    compared_at: datetime
    orders: int
    changes: tuple[FieldChange, ...] = ()
    revision: int = 0

    @classmethod
    def from_item(cls, item: JsonObject) -> Self:
        """Raises AttributeError, KeyError, TypeError or ValueError for an item of another form."""
        return cls(
            fields={
                str(path): OrderField(frozenset(known["types"]), bool(known["usual"]))
                for path, known in item["fields"].items()
            },
            compared_at=datetime.fromisoformat(item["compared_at"]),
            orders=int(item["orders"]),
            changes=tuple(map(FieldChange.from_item, item["changes"])),
            revision=int(item["revision"]),
        )

    def to_item(self) -> JsonObject:
        return {
            "fields": {
                path: {"types": sorted(known.types), "usual": known.is_usual}
                for path, known in self.fields.items()
            },
            "compared_at": self.compared_at.isoformat(),
            "orders": self.orders,
            "changes": [change.to_item() for change in self.changes],
            "revision": self.revision,
        }

    def accepted(self) -> Self:
        """The same fields without changes, as the next revision."""
        return replace(self, changes=(), revision=self.revision + 1)


@dataclass
class Found:
    """What some orders have: the types of each path, in how many orders it is, and in how many
    there is an object with fields at it. The order itself is at the path ""."""

    orders: int = 0
    types: dict[str, set[str]] = field(default_factory=dict)
    having: Counter[str] = field(default_factory=Counter)
    objects: Counter[str] = field(default_factory=Counter)

    def share(self, path: str) -> float | None:
        """The share of the orders with the field's object that have the field; None for few orders,
        and for a path that is no field."""
        objects = self.objects[parent(path)] if is_field(path) else 0
        return self.having[path] / objects if objects >= ENOUGH_ORDERS else None


def find(orders: Iterable[JsonObject], known: Container[str] = ()) -> Found:
    """The paths of these orders: all that are `known`, and a limited number of others."""
    found = Found()
    for order in orders:
        found.orders += 1
        types: dict[str, set[str]] = {}
        for path, name in paths(order):
            if path in types or path in found.types or path in known or not _is_full(found, types):
                types.setdefault(path, set()).add(name)
        for path, names in types.items():
            found.types.setdefault(path, set()).update(names)
        found.having.update(types.keys())
        found.objects.update({parent(path) for path in types if is_field(path)})
    return found


def paths(order: JsonObject) -> Iterator[tuple[str, str]]:
    """Every path of an order with a type that it has, repeated for every member of a list."""
    rest: list[tuple[str, Any]] = [("", order)]
    while rest:
        path, value = rest.pop()
        if path:
            yield path, type_of(value)
        inside = [(f"{path}{end}", member) for end, member in _members(path, value)]
        rest += [(at, member) for at, member in inside if _is_kept(at)]


def compare(
    before: OrderFields | None, found: Found, now: datetime
) -> tuple[OrderFields, list[FieldChange]]:
    """The fields after these orders, and what has changed; nothing the first time.

    - new: an object with fields that were seen before has another one. What is in it, and the first
      content of a list or an object that was always empty, is learnt without a change.
    - retyped: a field has a type that it never had. null is no type: a field may be null at times.
    - gone: a field that was usual is in none of at least ENOUGH_ORDERS orders with its object.
    """
    known = dict(before.fields) if before else {}
    gone = [path for path, of in known.items() if of.is_usual and found.share(path) == 0]
    objects = {parent(path) for path in known if is_field(path)}
    changes = [FieldChange("gone", path, _sorted(known[path].types), now) for path in gone]
    for path in sorted(found.types, key=lambda path: (-found.having[path], path)):
        types, of = found.types[path], known.get(path)
        if of is None and len(known) >= MOST_FIELDS:
            continue
        if of is None and is_field(path) and parent(path) in objects:
            changes.append(FieldChange("new", path, _sorted(types), now))
        if of is not None and _is_retyped(of.types, types):
            changes.append(FieldChange("retyped", path, _sorted(types), now, _sorted(of.types)))
        known[path] = _updated(of, types, found.share(path))
    for path in gone:
        known = {each: of for each, of in known.items() if not _is_within(each, path)}
    changes.sort(key=lambda change: (change.kind, change.path))
    kept = (*(before.changes if before else ()), *changes)[:MOST_CHANGES]
    revision = before.revision + 1 if before else 1
    return OrderFields(known, now, found.orders, kept, revision), changes


def type_of(value: Any) -> str:
    """The JSON type of a value of an item."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float | Decimal):
        return "number"
    if isinstance(value, str):
        return "string"
    if isinstance(value, dict):
        return "object"
    return "array" if isinstance(value, list) else "other"


def parent(path: str) -> str:
    """The path that a path is directly in."""
    if path.endswith(MEMBERS):
        return path.removesuffix(MEMBERS)
    return path.rpartition(".")[0]


def is_field(path: str) -> bool:
    """Whether a path ends with the name of a field: neither a list's members nor any name."""
    return not path.endswith((MEMBERS, ANY_NAME))


def _members(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """What an object or a list contains, with the end of its path."""
    if isinstance(value, list):
        yield from ((MEMBERS, member) for member in value[:MOST_MEMBERS])
    elif isinstance(value, dict):
        dot = "." if path else ""
        for name, member in value.items():
            is_name = isinstance(name, str) and _NAME.fullmatch(name)
            yield f"{dot}{name if is_name else ANY_NAME}", member


def _is_kept(path: str) -> bool:
    return len(path) <= LONGEST_PATH and path.count(".") + path.count(MEMBERS) < DEEPEST


def _is_full(found: Found, types: Mapping[str, set[str]]) -> bool:
    return len(found.types) + len(types) >= 2 * MOST_FIELDS


def _is_retyped(known: Iterable[str], types: Iterable[str]) -> bool:
    before, now = set(known) - {"null"}, set(types) - {"null"}
    return bool(before and now - before)


def _updated(of: OrderField | None, types: set[str], share: float | None) -> OrderField:
    """The field after more orders; what was usual stays so, while its share decreases to none."""
    is_usual = share is not None and share >= USUAL_SHARE
    return OrderField(
        types=(of.types if of else frozenset()) | types,
        is_usual=is_usual or (of is not None and of.is_usual),
    )


def _is_within(path: str, outer: str) -> bool:
    return path == outer or path.startswith((f"{outer}.", f"{outer}{MEMBERS}"))


def _sorted(types: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(types))
