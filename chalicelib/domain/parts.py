"""The parts of an order: which lists to request, whether they are whole, and their stored form.

An item has the same lists in the same form whichever way they were read: requested one by one, or
embedded in the order.
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from chalicelib.domain.models import (
    DISCOUNTS,
    JsonObject,
    Order,
    is_pickup,
    is_zero,
    number,
    objects,
    total_quantity,
)

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

_ABOUT_LINES = ("line_items", "__warning__")
_NOT_OF_AN_ADDRESS = (*_ABOUT_LINES, "shipping_quotes")
"""What a consignment has and the list of addresses has not, and a link that differs in both."""

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
_FOUR_DECIMALS = Decimal("0.0001")


def lists_to_request(order: Order) -> list[str]:
    """The lists to request: not those that came with the order, or that it states to be empty."""
    names = ["products"]
    if order.shipping_address_count != 0:
        names.append("shipping_addresses")
    names.append("coupons")
    is_plain = not has_consignments(order)
    if not isinstance(order.fields.get("fees"), list) and (is_plain or "fees" in order.fields):
        names.append("fees")
    return names + lists_never_embedded(order)


def lists_never_embedded(order: Order) -> list[str]:
    """The lists to request in any case: the order states that it has them."""
    names = []
    if number(order.fields.get("items_shipped")) > 0:
        names.append("shipments")
    if number(order.fields.get("refunded_amount")) > 0:
        names.append("refunds")
    return names


def has_consignments(order: Order) -> bool:
    """Whether the order came with its consignments, in their object form."""
    consignments = order.fields.get("consignments")
    return isinstance(consignments, dict) and isinstance(consignments.get("shipping"), list)


def may_have_coupons(whole: Order) -> bool:
    """Whether anything in an order with its lines and addresses shows that it can have a coupon.

    A discount of the order, a code in a discount of a line, or a shipping cost below its base:
    there are coupons for shipping. A field that is missing or cannot be parsed counts as a sign.
    """
    fields = whole.fields
    lines, addresses = whole.lines or (), objects(fields.get("shipping_addresses"))
    return (
        not all(is_zero(fields.get(name)) for name in DISCOUNTS)
        or any(map(_shows_a_code, lines))
        or _is_reduced(fields, fields, "base_shipping_cost", "shipping_cost")
        or any(_is_reduced(fields, address, "base_cost", "cost") for address in addresses)
    )


def with_parts(order: Order, parts: Mapping[str, list[JsonObject]]) -> Order:
    """The order with its lists in place of the links that BigCommerce sent, each by ascending id.

    `consignments` is kept without what the lists hold: lines, addresses and pickups.
    """
    consignments = order.fields.get("consignments")
    lists: JsonObject = {name: [] for name in LISTS}
    lists["pickups"] = _without_lines(embedded_pickups(order))
    if isinstance(fees := order.fields.get("fees"), list):
        lists["fees"] = fees
    lists |= parts
    lists["products"] = [_with_order_id(order, line) for line in _sorted(lists["products"])]
    lists["shipping_addresses"] = [
        _priced(_with_order_id(order, address)) for address in _sorted(lists["shipping_addresses"])
    ]
    lists["fees"] = _sorted(lists["fees"])
    if isinstance(consignments, dict):
        lists["consignments"] = _trimmed(consignments)
    return order.with_fields({**order.fields, **lists})


def embedded_pickups(order: Order) -> list[JsonObject]:
    """The pickups that came with the order."""
    consignments = order.fields.get("consignments")
    return objects(consignments.get("pickups")) if isinstance(consignments, dict) else []


def lacks_pickups(order: Order) -> bool:
    """Whether a line of a whole order is collected and no place to collect it is known."""
    return any(map(is_pickup, order.lines or ())) and not order.fields.get("pickups")


def lacks_recipients(order: Order) -> bool:
    """Whether a line of a whole order is sent by e-mail, and its consignments do not say to whom.

    They do where the store answered before it had all lines.
    """
    consignments = order.fields.get("consignments")
    if not isinstance(consignments, dict):
        return False
    email = consignments.get("email")
    certificates = email.get("gift_certificates") if isinstance(email, dict) else None
    sent = {"digital": consignments.get("downloads"), "giftcertificate": certificates}
    types = {line.get("type") for line in order.lines or ()}
    return any(kind in types and not groups for kind, groups in sent.items())


def shortfalls(order: Order) -> tuple[str, ...]:
    """The lists of a whole order with fewer members than the order states."""
    fields = order.fields
    shipped = (line for shipment in fields["shipments"] for line in objects(shipment.get("items")))
    wrong = {
        "products": total_quantity(order.lines or ()) < number(fields.get("items_total")),
        "shipping_addresses": len(fields["shipping_addresses"])
        < number(fields.get("shipping_address_count")),
        "coupons": _lacks_coupons(order),
        "shipments": total_quantity(shipped) < number(fields.get("items_shipped")),
        "refunds": number(fields.get("refunded_amount")) > 0 and not fields["refunds"],
        "pickups": lacks_pickups(order),
    }
    return tuple(name for name, is_short in wrong.items() if is_short)


def _lacks_coupons(whole: Order) -> bool:
    """Whether there is a discount by coupon without one, or the code of one that is not there."""
    coupons = objects(whole.fields.get("coupons"))
    codes = {
        str(discount["code"])
        for line in whole.lines or ()
        for discount in objects(line.get("applied_discounts"))
        if discount.get("id") == "coupon" and discount.get("code")
    }
    is_discounted = number(whole.fields.get("coupon_discount")) > 0
    known = {str(each.get("code")) for each in coupons}
    return (is_discounted and not coupons) or not codes <= known


def differing_fields(one: Order, other: Order) -> list[str]:
    """The names of the fields in which two whole orders differ; of a list, those of its members."""
    names: set[str] = set()
    for name in one.fields.keys() | other.fields.keys():
        first, second = one.fields.get(name), other.fields.get(name)
        if first == second:
            continue
        pairs = list(zip(objects(first), objects(second), strict=False))
        inner = {key for a, b in pairs for key in a.keys() | b.keys() if a.get(key) != b.get(key)}
        names |= {f"{name}.{key}" for key in inner} or {name}
    return sorted(names)


def _shows_a_code(line: JsonObject) -> bool:
    discounts = line.get("applied_discounts")
    if not isinstance(discounts, list):
        return True
    return any(each.get("code") or each.get("id") == "coupon" for each in objects(discounts))


def _is_reduced(order: JsonObject, costs: JsonObject, base: str, cost: str) -> bool:
    """Whether a cost is, or may be, below its base, which includes tax where the prices do."""
    tax = "inc" if order.get("is_tax_inclusive_pricing") is True else "ex"
    try:
        return Decimal(str(costs[f"{cost}_{tax}_tax"])) < Decimal(str(costs[base]))
    except (KeyError, ArithmeticError):
        return True


def _with_order_id(order: Order, member: JsonObject) -> JsonObject:
    """A member with the order's id, which the embedded form leaves out of addresses."""
    return {"order_id": order.id, **member}


def _priced(address: JsonObject) -> JsonObject:
    """An address with its costs as text with four decimals, as the list of addresses has them."""
    kept = {name: value for name, value in address.items() if name not in _NOT_OF_AN_ADDRESS}
    return {**kept, **{name: _money(kept[name]) for name in _COSTS if name in kept}}


def _money(value: Any) -> Any:
    """An amount as text with four decimals; what is not exactly such an amount as it is."""
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        return value
    try:
        amount = Decimal(value)
        text = amount.quantize(_FOUR_DECIMALS)
    except InvalidOperation:
        return value
    return str(text) if text == amount else value


def _sorted(members: Any) -> list[JsonObject]:
    return sorted(objects(members), key=lambda member: number(member.get("id")))


def _trimmed(consignments: JsonObject) -> JsonObject:
    rest = {n: v for n, v in consignments.items() if n not in ("shipping", "pickups")}
    return {name: _without_lines(value) for name, value in rest.items()}


def _without_lines(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_lines(member) for member in value]
    if isinstance(value, dict):
        return {n: _without_lines(v) for n, v in value.items() if n not in _ABOUT_LINES}
    return value
