"""What the checks examine: a sample of orders, read once, and further answers as they are needed.

Every answer is kept, so that checks share it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import count, islice
from typing import TypeVar

from chalicelib.domain.models import JsonObject, is_order_id, number, objects, store_date
from chalicelib.domain.parts import SILENT_LIMIT
from chalicelib.edges.bigcommerce import EMBEDDED, PAGE_SIZE, Unavailable
from ops.facts.forms import is_used
from ops.facts.source import Answer, Query, Source
from ops.facts.trial import Trial

T = TypeVar("T")

STATUSES = (2, 4, 14, 10)
"""Shipped, Refunded, Partially Refunded, Completed: the newest orders of these are in a sample,
because shipments, refunds and downloads are rare among the newest of all."""

SHARE = 20
"""One order of so many in a sample is one of each of these statuses."""

FEW = 10
"""Orders that are read singly where the facts do not depend on the sample's size."""

PROBES = 3
"""Orders on which each bound is tried."""

AT_ONCE = 5
"""Requests in flight together: the default of MAX_IN_FLIGHT."""

BEYOND = 1_000_000
"""How far above the newest order an id is that no order has."""

WRONG_TOKEN = "0" * 31


@dataclass
class Evidence:
    """A store, as far as its checks have read it: at most `most` orders and their lists.

    `answers` are in the order of the requests. `trial` is what became of the order that the facts
    about writing are checked on.
    """

    source: Source
    most: int
    trial: Trial = field(default_factory=Trial)
    progress: Callable[[], object] = lambda: None
    answers: list[Answer] = field(default_factory=list, repr=False)
    _kept: dict[object, Answer | Unavailable] = field(default_factory=dict, repr=False)

    def get(self, path: str, query: Query | None = None, *, token: str | None = None) -> Answer:
        """The response to a GET of this path and query, which is requested once.

        Raises Unavailable, and then at once whenever it is asked for again.
        """
        key = (path, tuple(sorted((query or {}).items())), token)
        if key not in self._kept:
            try:
                answer = self.source.get(path, query or {}, token=token)
            except Unavailable as error:
                self._kept[key] = error
            else:
                self._kept[key] = answer
                self.answers.append(answer)
            self.progress()
        kept = self._kept[key]
        if isinstance(kept, Unavailable):
            raise kept
        return kept

    @cached_property
    def parallel(self) -> list[Answer]:
        """The responses to pages of one order that are requested at once."""
        queries: list[Query] = [
            {"sort": "id:desc", "limit": 1, "page": n + 1} for n in range(AT_ONCE)
        ]
        answers = self.source.at_once("v2/orders", queries)
        self.answers += answers
        self.progress()
        return answers

    def orders_where(self, **query: str | int) -> Answer:
        """One page of the list of orders, by id if the query has no `sort`."""
        return self.get("v2/orders", {"sort": "id:asc", **query})

    # The sample

    @cached_property
    def queries(self) -> list[Query]:
        """The queries for the sample: the newest orders, and the newest of some statuses."""
        few = max(1, self.most // SHARE)
        newest = min(self.most - few * len(STATUSES), PAGE_SIZE)
        latest: dict[str, str | int] = {"sort": "id:desc"}
        by_status: list[Query] = [{**latest, "limit": few, "status_id": n} for n in STATUSES]
        return [{**latest, "limit": newest}, *by_status]

    @cached_property
    def sample(self) -> list[tuple[Query, Answer]]:
        """The queries that the store can answer, with their answers; the newest orders first.

        Raises Unavailable when it cannot list the newest order.
        """
        pages = [self._page(query) for query in self.queries]
        return [page for page in pages if page]

    def _page(self, query: Query) -> tuple[Query, Answer] | None:
        """A query of the sample; for fewer orders where an order is among them that no list can
        contain."""
        limit = int(query["limit"])
        while limit:
            fewer = {**query, "limit": limit}
            try:
                return fewer, self.get("v2/orders", fewer)
            except Unavailable:
                if limit == 1 and "status_id" not in query:
                    raise
                limit //= 2
        return None

    @cached_property
    def pages(self) -> list[Answer]:
        return [answer for _, answer in self.sample]

    @cached_property
    def newest(self) -> list[JsonObject]:
        """The newest orders, whatever their status, the newest first."""
        return _readable(self.pages[0].members)

    @cached_property
    def rows(self) -> list[JsonObject]:
        """Every order of the sample as it was sent; one that is in two pages is in it twice."""
        return [order for page in self.pages for order in page.members]

    @cached_property
    def orders(self) -> dict[int, JsonObject]:
        """The orders of the sample by id, without those that have none."""
        return {order["id"]: order for order in _readable(self.rows)}

    @cached_property
    def newest_id(self) -> int:
        return max(self.orders, default=0)

    @property
    def unused_id(self) -> int:
        """An id that no order has."""
        return self.newest_id + BEYOND

    @cached_property
    def embedded_pages(self) -> list[Answer]:
        return [self.get("v2/orders", {**query, **EMBEDDED}) for query, _ in self.sample]

    @cached_property
    def embedded(self) -> dict[int, JsonObject]:
        """The same orders with their embedded lists, without those that have changed meanwhile."""
        found = _readable(order for page in self.embedded_pages for order in page.members)
        return {
            order["id"]: order
            for order in found
            if order["id"] in self.orders
            and order.get("date_modified") == self.orders[order["id"]].get("date_modified")
        }

    @cached_property
    def used(self) -> list[JsonObject]:
        """The orders whose embedded lists the service would use."""
        return [order for order in self.embedded.values() if is_used(order)]

    @cached_property
    def page(self) -> list[JsonObject]:
        """The newest orders once more, as a listing of the service asks for them."""
        oldest = min((order["id"] for order in self.newest), default=0)
        bounds = {"min_id": oldest, "max_id": self.newest_id}
        return self.orders_where(**bounds, limit=PAGE_SIZE).members if oldest else []

    @cached_property
    def counts(self) -> dict[int, int]:
        """The number of orders by status id."""
        statuses = objects(self.get("v2/orders/count").object.get("statuses"))
        return {row["id"]: row["count"] for row in statuses}

    @property
    def probes(self) -> list[JsonObject]:
        """A few orders that have not changed for the longest time."""
        return few(self.settled, PROBES)

    @cached_property
    def settled(self) -> list[JsonObject]:
        """Orders of the sample with valid dates, the longest unchanged first."""
        dated = [
            (modified, order_id)
            for order_id, order in self.orders.items()
            if (modified := date_of(order, "date_modified")) and date_of(order, "date_created")
        ]
        return [self.orders[order_id] for _, order_id in sorted(dated)]

    # The lists of an order

    def part(self, order_id: int, name: str) -> list[JsonObject]:
        """All members of a list of an order."""
        found: list[JsonObject] = []
        for page in count(1):
            members = members_of(self.part_page(order_id, name, page))
            found += members
            # A page of 50 may be one that was cut to the default.
            if len(members) < PAGE_SIZE and len(members) != SILENT_LIMIT:
                return found
        raise AssertionError  # count does not end

    def part_page(self, order_id: int, name: str, page: int = 1) -> Answer:
        return self.get(f"v2/orders/{order_id}/{name}", {"page": page, "limit": PAGE_SIZE})

    def lines(self, order_id: int) -> list[JsonObject]:
        return self.part(order_id, "products")

    @cached_property
    def large(self) -> list[int]:
        """Orders of the sample that may have more lines than BigCommerce's default page."""
        return [
            n for n, order in self.orders.items() if number(order.get("items_total")) > SILENT_LIMIT
        ]

    @cached_property
    def collected(self) -> list[int]:
        """Orders of the sample with a line that the buyer collects, at most FEW."""
        return few(n for n in self.orders if any(map(_is_collected, self.lines(n))))

    @cached_property
    def refunds(self) -> Mapping[int, list[JsonObject]]:
        """The refunds of the sample's orders, by order id."""
        found: dict[int, list[JsonObject]] = {order_id: [] for order_id in self.orders}
        for refund in self.refund_answer.members if self.orders else ():
            found.setdefault(refund["order_id"], []).append(refund)
        return found

    @cached_property
    def refund_answer(self) -> Answer:
        ids = ",".join(map(str, sorted(self.orders)))
        query: Query = {"order_id:in": ids, "page": 1, "limit": PAGE_SIZE}
        return self.get("v3/orders/payment_actions/refunds", query)

    @property
    def shipped(self) -> list[int]:
        """Orders of the sample that have shipped items, at most twice FEW."""
        return few((n for n, o in self.orders.items() if number(o.get("items_shipped"))), 2 * FEW)


def few(members: Iterable[T], most: int = FEW) -> list[T]:
    return list(islice(members, most))


def date_of(fields: JsonObject, name: str) -> datetime | None:
    """A date of an order; None if it is missing or invalid."""
    try:
        return store_date(fields.get(name))
    except ValueError:
        return None


def members_of(answer: Answer) -> list[JsonObject]:
    """The members of a list of an order, which for fees may be within an object."""
    content = answer.content
    return objects(content.get("fees")) if isinstance(content, dict) else answer.members


def _readable(orders: Iterable[JsonObject]) -> list[JsonObject]:
    return [order for order in orders if is_order_id(order.get("id"))]


def _is_collected(line: JsonObject) -> bool:
    return number(line.get("order_pickup_method_id")) > 0
