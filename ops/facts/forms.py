"""The forms in which consignments are embedded in an order."""

from collections.abc import Iterator

from chalicelib.domain.embedded import doubt_about
from chalicelib.domain.models import JsonObject, Order, UnreadableOrder, objects

KINDS = ("pickups", "shipping", "downloads")


def is_object_form(order: JsonObject) -> bool:
    """Whether the consignments are embedded in the form that the service asks for."""
    consignments = order.get("consignments")
    return isinstance(consignments, dict) and all(
        isinstance(consignments.get(kind), list) for kind in KINDS
    )


def is_used(order: JsonObject) -> bool:
    """Whether the service would use the embedded lists of an order."""
    try:
        return doubt_about(Order.parse(order)) is None
    except UnreadableOrder:
        return False


def groups(order: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    """The embedded consignments of an order, each with its kind."""
    consignments = order.get("consignments")
    if not isinstance(consignments, dict):
        return
    email = consignments.get("email")
    certificates = email.get("gift_certificates") if isinstance(email, dict) else None
    kinds = {name: consignments.get(name) for name in ("pickups", "shipping", "downloads")}
    for kind, members in {**kinds, "gift_certificates": certificates}.items():
        for member in objects(members):
            yield kind, member


def embedded_lines(order: JsonObject) -> list[JsonObject]:
    return [line for _, group in groups(order) for line in objects(group.get("line_items"))]
