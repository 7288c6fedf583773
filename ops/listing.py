"""The store's orders by the time they were created, page by page."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, TypeAlias

import click

from chalicelib.domain.models import JsonObject, Order, UnreadableOrder
from chalicelib.edges.bigcommerce import PAGE_SIZE

PageFrom: TypeAlias = Callable[[int], list[JsonObject]]
"""Asks the store for a page of orders with ids from here upwards."""


class Moment(click.ParamType[datetime]):
    """A date, or a date and time; without a zone it is UTC."""

    name = "date"

    def convert(self, value: Any, param: Any, ctx: Any) -> datetime:
        try:
            moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value} is no date like 2026-01-31 or 2026-01-31T00:00:00Z", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def pages(page_from: PageFrom, min_id: int = 1) -> Iterator[list[JsonObject]]:
    """The pages of a listing, ascending by id, no order twice and none skipped.

    Raises StoreError and OutOfTime.
    """
    while page := page_from(min_id):
        yield page
        if len(page) < PAGE_SIZE:
            return
        min_id = page[-1]["id"] + 1


def readable(fields: JsonObject) -> Order | None:
    """The order, or None for one that only replication itself can complain about."""
    try:
        return Order.parse(fields)
    except UnreadableOrder:
        return None
