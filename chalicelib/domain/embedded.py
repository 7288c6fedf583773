"""The lists that come embedded in an order, in the object form of its consignments.

By its documentation the form has every line; merchants have seen it without lines, and with 50 at
most. So it is used only while nothing contradicts it
(https://developer.bigcommerce.com/docs/rest-management/orders).
"""

from collections.abc import Iterable
from typing import Literal, TypeAlias

from chalicelib.domain.items import digest, redact
from chalicelib.domain.models import JsonObject, Order, number, objects, total_quantity
from chalicelib.domain.parts import CHANGED_BY_A_MOVE, SILENT_LIMIT, with_parts

Doubt: TypeAlias = Literal["form", "warning", "cut", "stub", "quantity", "addresses"]
"""Why an embedded form is not used: it is not the documented one, says itself that lines are
missing, has as many lines as where it was seen to be cut, has links or short lines, or has other
quantities or another number of addresses than the order states."""

_FULL_LINE = frozenset({"type", "quantity", "base_total", "product_options"})
_NOT_COMPARED = (*CHANGED_BY_A_MOVE, "is_deleted", "coupons", "shipments", "refunds")


def doubt_about(order: Order) -> Doubt | None:
    """Why the embedded lists of an order are not used; None when they pass every check."""
    groups, fees = _groups(order), order.fields.get("fees", [])
    if groups is None or not isinstance(fees, list):
        return "form"
    doubts = [doubt for group in groups if (doubt := _doubt_about_group(group))]
    if doubts:
        return doubts[0]
    if total_quantity(_lines(groups)) != number(order.fields.get("items_total")):
        return "quantity"
    if len(order.fields["consignments"]["shipping"]) != number(
        order.fields.get("shipping_address_count")
    ):
        return "addresses"
    return None


def with_embedded_lists(order: Order) -> Order:
    """The order with its embedded lists; every list that does not come with an order is empty."""
    consignments = order.fields["consignments"]
    lines = _lines(_groups(order) or [])
    return with_parts(order, {"products": lines, "shipping_addresses": consignments["shipping"]})


def parts_digest(whole: Order, redacted: Iterable[str]) -> str:
    """The digest of a whole order that `embedded_digest` of the unchanged order equals."""
    fields = {name: value for name, value in whole.fields.items() if name not in _NOT_COMPARED}
    return digest(redact(fields, redacted))


def embedded_digest(order: Order, redacted: Iterable[str]) -> tuple[str, bool]:
    """The digest of an order with its embedded lists, and whether these can be trusted."""
    if doubt_about(order) is None:
        return parts_digest(with_embedded_lists(order), redacted), True
    # As good as the form is: it shows whether an order that stays incomplete has changed.
    return parts_digest(with_parts(order, {}), redacted), False


def _groups(order: Order) -> list[JsonObject] | None:
    """The consignments of all kinds; None for a form that is not the documented one."""
    consignments = order.fields.get("consignments")
    if not isinstance(consignments, dict):
        return None
    email = consignments.get("email")
    certificates = email.get("gift_certificates", []) if isinstance(email, dict) else []
    kinds = [consignments.get(name) for name in ("pickups", "shipping", "downloads")]
    if not all(isinstance(kind, list) for kind in (*kinds, certificates)):
        return None
    groups = [group for kind in (*kinds, certificates) for group in kind or ()]
    return groups if all(isinstance(group, dict) for group in groups) else None


def _doubt_about_group(group: JsonObject) -> Doubt | None:
    lines = group.get("line_items")
    if not isinstance(lines, list):
        return "form"
    if "__warning__" in group:
        return "warning"
    if len(lines) >= SILENT_LIMIT:
        return "cut"
    is_full = all(isinstance(line, dict) and line.keys() >= _FULL_LINE for line in lines)
    return None if is_full else "stub"


def _lines(groups: Iterable[JsonObject]) -> list[JsonObject]:
    return [line for group in groups for line in objects(group["line_items"])]
