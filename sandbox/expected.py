"""What the item of an order has to hold, computed from the store alone."""

from typing import Any

from sandbox.store import Store
from sandbox.store.answers import parse, render

ELSEWHERE = ("shipping", "pickups")
"""Consignments that the item holds in lists of their own."""


def expected_item(store: Store, order_id: int) -> dict[str, Any]:
    """The order with its lists, and with what they do not hold of its `consignments`."""
    order, parts = store.order(order_id), store.parts(order_id)
    consignments = parse(render(store.consignments(order_id)))
    rest = {name: kind for name, kind in consignments.items() if name not in ELSEWHERE}
    has_refunds = float(order["refunded_amount"]) > 0
    return {
        **order,
        **{name: parts[name] for name in ("products", "coupons", "fees")},
        "shipping_addresses": [_without_quotes(address) for address in parts["shipping_addresses"]],
        "shipments": parts["shipments"] if order["items_shipped"] else [],
        "refunds": parts["refunds"] if has_refunds else [],
        "pickups": without_lines(parts["pickups"]),
        "consignments": without_lines(rest),
    }


def _without_quotes(address: dict[str, Any]) -> dict[str, Any]:
    """An address without the link to its shipping quotes."""
    return {name: value for name, value in address.items() if name != "shipping_quotes"}


def without_lines(value: Any) -> Any:
    """Consignments without their lines, at any depth."""
    if isinstance(value, list):
        return [without_lines(member) for member in value]
    if isinstance(value, dict):
        return {name: without_lines(v) for name, v in value.items() if name != "line_items"}
    return value
