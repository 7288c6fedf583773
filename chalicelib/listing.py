"""Lists orders page by page, past orders that the store cannot serve in a list."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from chalicelib.domain.models import JsonObject
from chalicelib.domain.parts import SILENT_LIMIT
from chalicelib.edges.bigcommerce import (
    PAGE_SIZE,
    BigCommerce,
    MalformedResponse,
    Unavailable,
)
from chalicelib.edges.pacing import OutOfTime

logger = logging.getLogger(__name__)

TIME_FOR_A_PAGE = 60.0
"""Seconds that must remain before another page is requested."""

SPLIT = 16
"""A page that cannot be served is requested again with this fraction of its size, down to one."""

MOST_SKIPPED = 10
"""Orders that one listing skips: more are a problem of the store, not of single orders."""

LARGEST_GAP = 2**40
"""How far above the last id the id of an order is searched that cannot be served."""


@dataclass(frozen=True)
class Listing:
    """The orders that match BigCommerce's `filters`, by ascending id.

    `unserved` collects the ids of orders in whose place the store returned errors.
    """

    store: BigCommerce
    filters: Mapping[str, Any]
    unserved: list[int] = field(default_factory=list)

    def pages(self, min_id: int) -> Iterator[tuple[list[JsonObject], int]]:
        """The pages from `min_id` upwards, each with the smallest id after it.

        Raises OutOfTime between pages, and the store's error when it is not that of one order.
        """
        limit, skips = PAGE_SIZE, 0
        while True:
            left = self.store.time_left()
            if left < TIME_FOR_A_PAGE:
                raise OutOfTime(f"{left:.0f} s left")
            try:
                page = self._page(min_id, limit)
            except (Unavailable, MalformedResponse):
                if limit == PAGE_SIZE:
                    # A store that is down serves no request, and this one raises.
                    self.store.counts()
                if limit > 1:
                    limit = max(1, limit // SPLIT)
                    continue
                skips += 1
                if skips > MOST_SKIPPED:
                    raise Unavailable(
                        f"GET orders -> {MOST_SKIPPED} orders cannot be listed"
                    ) from None
                min_id = self._skip(min_id)
                yield [], min_id
                continue
            min_id = page[-1]["id"] + 1 if page else min_id
            yield page, min_id
            if len(page) < limit and len(page) != SILENT_LIMIT:
                return
            limit = min(PAGE_SIZE, limit * SPLIT)

    def _page(self, min_id: int, limit: int, **bounds: int) -> list[JsonObject]:
        store = self.store
        if limit < PAGE_SIZE:
            store = replace(store, retry=store.retry.new(total=1))
        return store.list_orders(min_id, limit=limit, **self.filters, **bounds)

    def _skip(self, min_id: int) -> int:
        """Report the first order from `min_id`, which cannot be served; returns the id after it.

        Returns `min_id` when it can be served after all.
        """
        bad = self._first_id(min_id)
        if bad is None:
            return min_id
        self.unserved.append(bad)
        logger.error(
            "order skipped in a list",
            extra={"event": "order_unserved", "order_id": bad},
        )
        return bad + 1

    def _first_id(self, min_id: int) -> int | None:
        """The id of the first order from `min_id`: the least upper bound that cannot be served.

        None when that order can be served.
        """
        gap = 1
        while (page := self._up_to(min_id, min_id + gap - 1)) is not None:
            gap *= 2
            if page:
                return None
            if gap > LARGEST_GAP:
                raise Unavailable(f"GET orders -> no list from order {min_id} can be served")
        served, unserved = min_id + gap // 2 - 1, min_id + gap - 1
        while unserved - served > 1:
            middle = (served + unserved) // 2
            page = self._up_to(min_id, middle)
            if page:
                return None
            if page is None:
                unserved = middle
            else:
                served = middle
        return unserved

    def _up_to(self, min_id: int, max_id: int) -> list[JsonObject] | None:
        """The first order between two ids, if any; None when it cannot be served."""
        try:
            return self._page(min_id, 1, max_id=max_id)
        except (Unavailable, MalformedResponse):
            return None
