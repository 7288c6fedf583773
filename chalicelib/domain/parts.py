"""The parts of an order: which lists to request, whether they are whole, and how to compare them.

The read that several orders share asks for each order's lines, addresses and fees in its embedded
form. Compared with the parts as stored, it shows whether they changed.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from chalicelib.domain.items import digest, redact
from chalicelib.domain.models import JsonObject, Order, is_pickup, number, total_quantity

LISTS = (
    "products",
    "shipping_addresses",
    "coupons",
    "fees",
    "shipments",
    "refunds",
    "pickups",
)
"""The lists of an item that are not part of BigCommerce's order itself."""

SILENT_LIMIT = 50
"""Members of a list at which BigCommerce has been seen to cut it without a hint: its default for
`limit`."""

CHANGED_BY_A_MOVE = ("status_id", "status", "custom_status", "date_modified")
"""Fields that a change of the status changes."""

_NOT_COMPARED = frozenset({*LISTS, *CHANGED_BY_A_MOVE, "consignments", "is_deleted"})
_FULL_LINE = frozenset({"type", "quantity", "base_total", "product_options"})
_NOT_IN_BOTH_FORMS = ("order_id", "line_items", "shipping_quotes")
_ABOUT_LINES = ("line_items", "__warning__")
_COSTS = (
    "base_cost",
    "cost_ex_tax",
    "cost_inc_tax",
    "cost_tax",
    "base_handling_cost",
    "handling_cost_ex_tax",
    "handling_cost_inc_tax",
    "handling_cost_tax",
)
_CENTS = Decimal("0.0001")


def lists_to_request(order: Order, *, skip_coupons_without_discount: bool) -> list[str]:
    """The lists to request, without those that came with the order or that it states to be empty.

    Pickups come with the order; they are requested only when a line shows that they are missing.
    """
    names = ["products"]
    if order.shipping_address_count != 0:
        names.append("shipping_addresses")
    if not (skip_coupons_without_discount and order.has_no_discount):
        names.append("coupons")
    if "fees" in order.fields and not isinstance(order.fields["fees"], list):
        names.append("fees")
    if number(order.fields.get("items_shipped")) > 0:
        names.append("shipments")
    if number(order.fields.get("refunded_amount")) > 0:
        names.append("refunds")
    return names


def with_parts(order: Order, parts: Mapping[str, list[JsonObject]]) -> Order:
    """The order with its lists in place of the links that BigCommerce sent.

    `consignments` is kept without what the lists hold: lines, addresses and pickups.
    """
    consignments = order.fields.get("consignments")
    lists: JsonObject = {name: [] for name in LISTS}
    lists["pickups"] = _without_lines(embedded_pickups(order))
    if isinstance(fees := order.fields.get("fees"), list):
        lists["fees"] = fees
    if isinstance(consignments, dict):
        lists["consignments"] = _trimmed(consignments)
    return order.with_fields({**order.fields, **lists, **parts})


def embedded_pickups(order: Order) -> list[JsonObject]:
    """The pickups that came with the order."""
    consignments = order.fields.get("consignments")
    return _objects(consignments.get("pickups")) if isinstance(consignments, dict) else []


def lacks_pickups(order: Order) -> bool:
    """Whether a line of a whole order is collected and no place to collect it is known."""
    return any(map(is_pickup, order.lines or ())) and not order.fields.get("pickups")


def shortfalls(order: Order) -> tuple[str, ...]:
    """The lists of a whole order with fewer members than the order states."""
    fields = order.fields
    shipped = (line for shipment in fields["shipments"] for line in _objects(shipment.get("items")))
    wrong = {
        "products": total_quantity(order.lines or ()) < number(fields.get("items_total")),
        "shipping_addresses": len(fields["shipping_addresses"])
        < number(fields.get("shipping_address_count")),
        "shipments": total_quantity(shipped) < number(fields.get("items_shipped")),
        "refunds": number(fields.get("refunded_amount")) > 0 and not fields["refunds"],
        "pickups": lacks_pickups(order),
    }
    return tuple(name for name, is_short in wrong.items() if is_short)


def stored_parts_digest(order: Order, redacted: Iterable[str]) -> str:
    """The digest of a whole order that `embedded_digest` of an unchanged order equals."""
    fields = order.fields
    lists = _comparable(fields["products"], fields["shipping_addresses"], fields["fees"])
    return digest(redact({**_own(fields), **lists, **_consignments(fields)}, redacted))


def embedded_digest(order: Order, redacted: Iterable[str]) -> tuple[str, bool]:
    """The digest of an order with its embedded lists, and whether these can be trusted.

    They cannot when a list is missing, cut short, or has other members than the order states.
    """
    lists = _embedded_lists(order)
    consignments = order.fields.get("consignments")
    trimmed = _trimmed(consignments) if isinstance(consignments, dict) else None
    rest = _consignments(
        {"consignments": trimmed, "pickups": _without_lines(embedded_pickups(order))}
    )
    form = {**_own(order.fields), **(lists or {}), **rest}
    return digest(redact(form, redacted)), lists is not None


def _embedded_lists(order: Order) -> JsonObject | None:
    consignments, fees = order.fields.get("consignments"), order.fields.get("fees", [])
    if not isinstance(consignments, dict) or not isinstance(fees, list):
        return None
    groups = _groups(consignments)
    if groups is None or not all(map(_is_whole, groups)):
        return None
    lines = [line for group in groups for line in group["line_items"]]
    shipping = _objects(consignments["shipping"])
    if total_quantity(lines) != number(order.fields.get("items_total")):
        return None
    if len(shipping) != number(order.fields.get("shipping_address_count")):
        return None
    return _comparable(lines, shipping, fees)


def _groups(consignments: JsonObject) -> list[JsonObject] | None:
    """The consignments of all kinds; None for a form that is not the documented one."""
    email = consignments.get("email")
    certificates = email.get("gift_certificates", []) if isinstance(email, dict) else []
    kinds = [consignments.get(name) for name in ("pickups", "shipping", "downloads")]
    if not all(isinstance(kind, list) for kind in (*kinds, certificates)):
        return None
    groups = [group for kind in (*kinds, certificates) for group in kind or ()]
    return groups if all(isinstance(group, dict) for group in groups) else None


def _is_whole(group: JsonObject) -> bool:
    lines = group.get("line_items")
    return (
        "__warning__" not in group
        and isinstance(lines, list)
        and len(lines) < SILENT_LIMIT
        and all(isinstance(line, dict) and line.keys() >= _FULL_LINE for line in lines)
    )


def _comparable(lines: Any, addresses: Any, fees: Any) -> JsonObject:
    """The lists in the one form to which both ways of reading them are brought."""
    return {
        "products": sorted(map(_bare, _objects(lines)), key=_id),
        "shipping_addresses": sorted(map(_priced, map(_bare, _objects(addresses))), key=_id),
        "fees": sorted(map(_bare, _objects(fees)), key=_id),
    }


def _consignments(fields: JsonObject) -> JsonObject:
    return {"consignments": fields.get("consignments"), "pickups": fields.get("pickups")}


def _trimmed(consignments: JsonObject) -> JsonObject:
    rest = {n: v for n, v in consignments.items() if n not in ("shipping", "pickups")}
    return {name: _without_lines(value) for name, value in rest.items()}


def _without_lines(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_lines(member) for member in value]
    if isinstance(value, dict):
        return {n: _without_lines(v) for n, v in value.items() if n not in _ABOUT_LINES}
    return value


def _own(fields: JsonObject) -> JsonObject:
    return {name: value for name, value in fields.items() if name not in _NOT_COMPARED}


def _bare(member: JsonObject) -> JsonObject:
    return {name: value for name, value in member.items() if name not in _NOT_IN_BOTH_FORMS}


def _priced(address: JsonObject) -> JsonObject:
    """An address with its costs as text with four decimals, as the list of addresses has them."""
    return {**address, **{name: _money(address[name]) for name in _COSTS if name in address}}


def _money(value: object) -> str:
    amount = number(value)
    try:
        return str(amount.quantize(_CENTS))
    except InvalidOperation:
        # More digits than a Decimal of the default precision has.
        return str(amount)


def _id(member: JsonObject) -> int:
    return int(number(member.get("id")))


def _objects(value: Any) -> list[JsonObject]:
    return (
        [member for member in value if isinstance(member, dict)] if isinstance(value, list) else []
    )
