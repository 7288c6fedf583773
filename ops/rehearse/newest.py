"""Lists orders with their lines, the newest first, past orders that the store cannot serve."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from chalicelib.domain.models import LARGEST_ID, JsonObject, is_order_id
from chalicelib.domain.parts import SILENT_LIMIT
from chalicelib.edges.bigcommerce import (
    EMBEDDED,
    PAGE_SIZE,
    BigCommerce,
    MalformedResponse,
    Rejected,
    Unanswered,
    Unavailable,
    UnexpectedResponse,
)

SPLIT = 5
"""A page that is not served is requested again with this fraction of its size, down to one."""

MOST_SKIPPED = 10
"""Orders that one listing skips: more are a problem of the store, not of single orders."""


@dataclass(frozen=True)
class Page:
    """Orders by descending id, or the id of one that no list can contain."""

    orders: list[JsonObject]
    unserved: int | None = None


@dataclass
class Newest:
    """The orders with ids below `before`, at most `limit` of them."""

    store: BigCommerce
    limit: int
    before: int | None = None
    is_complete: bool = False
    """Whether the last page was the end of the list."""

    def pages(self) -> Iterator[Page]:
        """Raises the store's error when it is not that of one order, and OutOfTime."""
        below, left, skipped = self.before, self.limit, 0
        largest = size = PAGE_SIZE
        form: Mapping[str, str] = EMBEDDED
        while left > 0:
            if below == 1:
                self.is_complete = True
                return
            size = min(size, left)
            try:
                orders = self._page(below, size, form)
            except Rejected:
                if not form:
                    raise
                # Without their lines, which are then requested where a decision depends on them.
                form = {}
                continue
            except (Unavailable, MalformedResponse) as error:
                if size == min(PAGE_SIZE, left):
                    # A store that is down serves no request, and this one raises.
                    self.store.counts()
                if isinstance(error, Unanswered):
                    largest = max(1, size // SPLIT)
                if size > 1:
                    size = max(1, size // SPLIT)
                    continue
                skipped += 1
                if skipped > MOST_SKIPPED:
                    raise
                below = below or self._above_all()
                if (unserved := self._newest_unserved(below - 1)) is not None:
                    yield Page([], unserved)
                    below, left = unserved, left - 1
                continue
            if orders:
                below, left = orders[-1]["id"], left - len(orders)
                yield Page(orders)
            if len(orders) < size and len(orders) != SILENT_LIMIT:
                self.is_complete = True
                return
            size = min(largest, size * SPLIT)

    def _page(self, below: int | None, size: int, form: Mapping[str, str]) -> list[JsonObject]:
        """A page; a single order without its lines, if it is not served with them."""
        try:
            return self._list(below, size, form)
        except (Unavailable, MalformedResponse):
            if size > 1 or not form:
                raise
        return self._list(below, size, {})

    def _list(
        self, below: int | None, size: int, form: Mapping[str, str], **bounds: int
    ) -> list[JsonObject]:
        params: dict[str, Any] = {"sort": "id:desc", "limit": size, **form, **bounds}
        if below is not None:
            params["max_id"] = below - 1
        store = replace(self.store, retry=self.store.retry.new(total=1))
        return store.request("GET", "orders", lambda sent: _descending(below, sent), params)

    def _above_all(self) -> int:
        """An id above that of the newest order, which is not served; from the second newest one.

        Raises the store's error when that one is not served either.
        """
        (second, *_) = self._list(None, 1, {}, page=2) or [{"id": 0}]
        lowest, gap = second["id"] + 1, 1
        while self._is_served(lowest, lowest + gap - 1) is not None and gap < LARGEST_ID:
            gap *= 2
        return int(lowest + gap)

    def _newest_unserved(self, highest: int) -> int | None:
        """The id of the newest order up to `highest`, which is not served: the greatest lower bound
        with which the list is not served. None when it can be served after all."""
        gap = 1
        while (served := self._is_served(highest - gap + 1, highest)) is not None:
            if served or gap > highest:
                return None
            gap *= 2
        served_gap, unserved_gap = gap // 2, gap
        while unserved_gap - served_gap > 1:
            middle = (served_gap + unserved_gap) // 2
            served = self._is_served(highest - middle + 1, highest)
            if served:
                return None
            if served is None:
                unserved_gap = middle
            else:
                served_gap = middle
        return highest - unserved_gap + 1

    def _is_served(self, lowest: int, highest: int) -> bool | None:
        """Whether there is an order between two ids; None when it is not served."""
        try:
            return bool(self._list(highest + 1, 1, {}, min_id=max(1, lowest)))
        except (Unavailable, MalformedResponse):
            return None


def _descending(below: int | None, content: Any) -> list[JsonObject]:
    orders: list[Any] = content if isinstance(content, list) else [None]
    if not all(isinstance(order, dict) and is_order_id(order.get("id")) for order in orders):
        raise UnexpectedResponse("an order without an id")
    ids = [order["id"] for order in orders]
    # A listing that does not advance would not end.
    if ids != sorted(set(ids), reverse=True) or (ids and below is not None and ids[0] >= below):
        raise UnexpectedResponse("orders not in descending order")
    return orders
