"""The taxes of an order, from its lines and addresses."""

from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.store.money import cents, money, total
from sandbox.store.templates import Fields


def taxes(order_id: int, parts: Mapping[str, Sequence[Fields]], *, details: bool) -> list[Fields]:
    """One tax for each address, or with `details` for each line and each address's shipping."""
    rows = list(_items(parts["products"])) + list(_shipping(parts["shipping_addresses"]))
    if not details:
        rows = _by_address(rows)
    return [_tax(order_id, n, row, details) for n, row in enumerate(rows)]


def _items(lines: Sequence[Fields]) -> list[Fields]:
    return [
        {
            "order_address_id": line.get("order_address_id", 0),
            "order_pickup_method_id": line.get("order_pickup_method_id", 0),
            "amount": money(cents(line.get("total_tax"))),
            "order_product_id": str(line.get("id")),
            "line_item_type": "item",
        }
        for line in lines
        if cents(line.get("total_tax"))
    ]


def _shipping(addresses: Sequence[Fields]) -> list[Fields]:
    return [
        {
            "order_address_id": to.get("id"),
            "order_pickup_method_id": 0,
            "amount": money(cents(to.get("cost_tax"))),
            "order_product_id": None,
            "line_item_type": "shipping",
        }
        for to in addresses
        if cents(to.get("cost_tax"))
    ]


def _by_address(rows: Sequence[Fields]) -> list[Fields]:
    groups: dict[Any, list[Fields]] = {}
    for row in rows:
        key = row["order_address_id"], row["order_pickup_method_id"]
        groups.setdefault(key, []).append(row)
    return [{**group[0], "amount": money(total(group, "amount"))} for group in groups.values()]


def _tax(order_id: int, index: int, row: Fields, details: bool) -> Fields:
    extra = ("order_product_id", "line_item_type") if details else ()
    return {
        "id": order_id * 10_000 + 6000 + index,
        "order_id": order_id,
        "order_address_id": row["order_address_id"],
        "tax_rate_id": 1,
        "sales_tax_id": "1",
        "tax_class_id": 0,
        "name": "Tax",
        "class": "Default Tax Class",
        "rate": "8.0000",
        "priority": 0,
        "priority_amount": row["amount"],
        "line_amount": row["amount"],
        "order_pickup_method_id": row["order_pickup_method_id"],
        **{name: row[name] for name in extra},
    }
