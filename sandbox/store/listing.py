"""The query parameters of `GET /v2/orders` and of sub-resources, and the orders they select."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from sandbox.store.dates import parse_date

DEFAULT_LIMIT = 50
MAXIMUM_LIMIT = 250
SORTS = frozenset(
    ("id", "customer_id", "date_created", "date_modified", "status_id", "channel_id", "external_id")
)
INCLUDES = frozenset(("consignments", "consignments.line_items", "fees"))
INTEGERS = frozenset(("min_id", "max_id", "status_id", "customer_id", "channel_id"))
DATES = frozenset(
    ("min_date_created", "max_date_created", "min_date_modified", "max_date_modified")
)
TEXTS = frozenset(("email", "cart_id", "payment_method", "external_order_id"))
TOTALS = frozenset(("min_total", "max_total"))


class BadField(Exception):
    """A query key or field that BigCommerce answers with 400; carries its message."""

    def __init__(self, message: str, reason: str | None = None) -> None:
        super().__init__(message)
        self.details = {"invalid_reason": reason} if reason else None

    @classmethod
    def unsupported(cls, name: str) -> "BadField":
        return cls(f"The field '{name}' is not supported by this resource.")

    @classmethod
    def required(cls, name: str) -> "BadField":
        return cls(f"The required field '{name}' was not supplied.")

    @classmethod
    def invalid(cls, name: str, reason: str | None = None) -> "BadField":
        return cls(f"The field '{name}' is invalid.", reason)


@dataclass(frozen=True)
class Query:
    """A parsed query. `filters` holds the bounds by their names, dates in epoch seconds."""

    page: int = 1
    limit: int = DEFAULT_LIMIT
    sort: str = "id"
    descending: bool = False
    includes: frozenset[str] = frozenset()
    as_object: bool = False
    filters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def offset(self) -> int:
        return (self.page - 1) * self.limit


def order_query(pairs: Mapping[str, str]) -> Query:
    """Raises BadField for a key that orders v2 does not know, or a value it cannot read."""
    filters: dict[str, Any] = {}
    options: dict[str, Any] = {}
    for name, text in pairs.items():
        if name in FILTERS:
            filters[name] = _read(FILTERS[name], name, text)
        elif name in OPTIONS:
            options |= _read(OPTIONS[name], name, text)
        else:
            raise BadField.unsupported(name)
    return Query(filters=filters, **options)


def page_query(pairs: Mapping[str, str], *more: str) -> Query:
    """The query of a sub-resource: `page`, `limit` and the names in `more`."""
    return _restricted(pairs, ("page", "limit", *more))


def include_query(pairs: Mapping[str, str]) -> Query:
    """The query of a single order, and of its consignments."""
    return _restricted(pairs, ("include", "consignment_structure"))


def _restricted(pairs: Mapping[str, str], names: tuple[str, ...]) -> Query:
    for name in pairs:
        if name not in names:
            raise BadField.unsupported(name)
    return order_query({k: v for k, v in pairs.items() if k in FILTERS or k in OPTIONS})


def _read(reader: Callable[[str], Any], name: str, text: str) -> Any:
    try:
        return reader(text)
    except (ValueError, InvalidOperation) as exc:
        raise BadField.invalid(name, str(exc) or None) from exc


def _integer(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise ValueError("A whole number is expected.")
    return int(text)


def _positive(text: str) -> int:
    number = _integer(text)
    if number < 1:
        raise ValueError("Must be at least 1.")
    return number


def _sort(text: str) -> dict[str, Any]:
    name, _, direction = text.partition(":")
    if name not in SORTS or direction not in ("", "asc", "desc"):
        raise ValueError("Unknown sort.")
    return {"sort": name, "descending": direction == "desc"}


def _include(text: str) -> dict[str, Any]:
    if not set(text.split(",")) <= INCLUDES:
        raise ValueError("Unknown include.")
    return {"includes": frozenset(text.split(","))}


def _structure(text: str) -> dict[str, Any]:
    if text not in ("object", "array"):
        raise ValueError("Unknown structure.")
    return {"as_object": text == "object"}


FILTERS: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(INTEGERS, _integer),
    **dict.fromkeys(DATES, parse_date),
    **dict.fromkeys(TEXTS, str),
    **dict.fromkeys(TOTALS, Decimal),
}
OPTIONS: dict[str, Callable[[str], dict[str, Any]]] = {
    "page": lambda text: {"page": _positive(text)},
    "limit": lambda text: {"limit": min(_positive(text), MAXIMUM_LIMIT)},
    "sort": _sort,
    "include": _include,
    "consignment_structure": _structure,
}


def within(query: Query, name: str, value: int) -> bool:
    """Whether `value` is within the inclusive bounds of the query on `name`."""
    low, high = query.filters.get(f"min_{name}"), query.filters.get(f"max_{name}")
    return (low is None or value >= low) and (high is None or value <= high)


def needs_fields(query: Query) -> bool:
    """Whether the query filters by more than id, status and dates, which are cheap to read."""
    return bool(query.filters.keys() & (TEXTS | TOTALS | {"customer_id"}))


def fields_match(query: Query, order: Mapping[str, Any]) -> bool:
    wanted = query.filters
    for name in ("customer_id", "cart_id", "payment_method", "external_order_id"):
        if name in wanted and order[name] != wanted[name]:
            return False
    if "email" in wanted and order["billing_address"].get("email") != wanted["email"]:
        return False
    if not query.filters.keys() & TOTALS:
        return True
    total = Decimal(str(order["total_inc_tax"]))
    low, high = wanted.get("min_total", total), wanted.get("max_total", total)
    return bool(low <= total <= high)
