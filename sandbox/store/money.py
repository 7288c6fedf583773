"""Amounts as BigCommerce writes them: text with four decimals, or a number."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any


def money(cents: int | Decimal) -> str:
    """Four decimals, as everywhere in orders v2."""
    return f"{Decimal(cents) / 100:.4f}"


def cents(amount: object) -> Decimal:
    """An amount of the store's currency, as text or number, in cents."""
    return Decimal(str(amount or 0)) * 100


def number(amount: object) -> int | float:
    """The amount as a JSON number: 12.99, and 10 without a fraction, as PHP writes it."""
    value = float(str(amount or 0))
    return int(value) if value.is_integer() else value


def total(rows: Iterable[Mapping[str, Any]], name: str) -> Decimal:
    """The sum of one amount of the rows, in cents."""
    return sum((cents(row.get(name)) for row in rows), Decimal(0))
