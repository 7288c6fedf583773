"""Forecasts the requests of the first sweep, and of the replication of what it queues.

The orders are put into batches as the queues would, and each batch into the groups that the
consumers read together. SQS does not keep the order of messages exactly, so this is an estimate.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import ceil
from typing import Literal, TypeAlias

from chalicelib.consumer import LONGEST_PAGE, ORDERS_AT_A_TIME, neighbours
from chalicelib.domain.embedded import doubt_about
from chalicelib.domain.models import Order, OrderStatus
from chalicelib.domain.parts import (
    SILENT_LIMIT,
    lists_never_embedded,
    lists_to_request,
    may_have_coupons,
)
from chalicelib.domain.records import ReplicationRecord
from chalicelib.domain.rules import Policy, has_move_left, is_settled
from chalicelib.edges.bigcommerce import PAGE_SIZE
from chalicelib.polling import LONGEST_CHANGES_QUEUE
from chalicelib.reading import is_compared
from ops.rehearse.share import ShareOfQuota

BATCHES = {"orders": 10, "changes": 20}
"""Messages of a full batch of each queue, as in app.py."""

MOVES_OF_A_BATCH = 10
"""A move causes two callbacks, so that a batch of changes has those of ten moves."""

RECEIVES = 20
"""How often an order that cannot be read is tried: MAX_RECEIVE_COUNT."""

TRIES = 5
"""Requests for an order in whose place the store returns an error, each time it is tried."""

RECENT = timedelta(minutes=5)
"""The first poll of changes lists the orders that changed in this time."""

RESERVED = 0.05
"""The share of the quota that the service does not use: other apps may have requests in flight."""

FASTEST = 40.0
"""Requests per second of the consumers that Lambda runs at least, when no quota limits them: two
with five requests in flight, which the store answers in 250 ms."""

Queue: TypeAlias = Literal["orders", "changes"]


@dataclass(frozen=True, slots=True)
class Reads:
    """What replicating one order takes. `listing`: the ordinal of the listing that finds it;
    `lists`: requests for its lists, without refunds; `again`: those of them that are requested
    again when its move is confirmed."""

    order_id: int
    queue: Queue
    listing: int
    lists: int
    has_refunds: bool
    again: int


@dataclass
class Fill:
    """Collects the orders of a store, and forecasts the requests for them.

    Memory holds the ids, and a few numbers for each order that is queued.
    """

    policy: Policy
    sweep_days: int
    max_in_flight: int
    now: datetime
    swept_since: datetime | None = None
    """The sweep lists the orders of all statuses that changed since then; None for every order."""
    ids: "array[int]" = field(default_factory=lambda: array("q"))
    reads: dict[int, Reads] = field(default_factory=dict)
    moved: "array[int]" = field(default_factory=lambda: array("q"))
    retries: int = 0
    listed: Counter[int | None] = field(default_factory=Counter)
    """The members of each listing of a sweep, by its status; of that of all orders by None."""
    changed: int = 0

    def add(
        self,
        order: Order,
        whole: Order,
        record: ReplicationRecord | None,
        *,
        moves: bool,
        fails: bool,
    ) -> None:
        """Count an order, and what it takes; `whole` has its lines, as far as they are known.

        One that `fails` is read with its lists each time it is tried.
        """
        self.ids.append(order.id)
        self._list(order)
        if not self.is_swept(order) or is_settled(order, record, self.policy, is_sweep=True):
            return
        # A poll sees the order without its lines.
        plain = replace(order, fields={})
        is_new = has_move_left(plain, record, self.policy, is_paused=False)
        lists, again = self._lists(order, whole)
        if fails:
            self.retries += RECEIVES * (1 + lists)
            return
        has_refunds = "refunds" in lists_never_embedded(order)
        queue: Queue = "orders" if is_new else "changes"
        self.reads[order.id] = Reads(
            order.id, queue, self._listing_of(order), lists - has_refunds, has_refunds, again
        )
        if moves:
            self.moved.append(order.id)

    def add_unreadable(self, order_id: int, *, is_served: bool) -> None:
        """Count an order that is not replicated, however often it is tried."""
        self.ids.append(order_id)
        self.listed[None] += is_served
        self.retries += RECEIVES * (1 if is_served else TRIES)

    def requests(self, per_window: float | None = None) -> dict[str, int]:
        """The forecast, by what the requests are for, with so many requests of the quota."""
        ascending, moved = sorted(self.ids), set(self.moved)
        orders, lists, new = 0, 0, 0
        for queue, size in BATCHES.items():
            batches = list(_batches(self._in_order_of(queue), size))
            read = sum(_reads(batch, ascending) for batch in batches)
            requested = sum(map(self._lists_of_batch, batches))
            orders, lists = orders + read, lists + requested
            new += read + requested if queue == "orders" else 0
        confirmed = list(
            _batches([n for n in self._in_order_of("orders") if n in moved], MOVES_OF_A_BATCH)
        )
        return {
            "listings": self._listings(),
            "orders": orders,
            "lists": lists,
            "repeated": self._repeated(new + len(moved), per_window),
            "moves": len(moved),
            "confirmations": sum(_reads(batch, ascending) for batch in confirmed)
            + sum(self.reads[n].again for n in moved),
            "retries": self.retries,
        }

    def _lists_of_batch(self, batch: Sequence[int]) -> int:
        """Requests for the lists of a batch, whose refunds are in one."""
        reads = [self.reads[order_id] for order_id in batch]
        return sum(each.lists for each in reads) + any(each.has_refunds for each in reads)

    def _repeated(self, requests: int, per_window: float | None) -> int:
        """Orders that are read again before their move, since they waited for the next window.

        Those are the orders of a batch that are replicated at the time when a window is used up.
        """
        at_a_time = 1 if self.max_in_flight == 1 else ORDERS_AT_A_TIME
        windows = int(requests / per_window) if per_window else 0
        return min(len(self.moved), windows * at_a_time)

    def polls(self, scale: float = 1.0) -> int:
        """The polls that the first sweep takes: it stops while the queue of changes is long.

        `scale` is by how much there are more orders than were counted.
        """
        changes = scale * sum(each.queue == "changes" for each in self.reads.values())
        return max(1, ceil(changes / LONGEST_CHANGES_QUEUE))

    def _list(self, order: Order) -> None:
        if order.date_modified >= self.now - RECENT:
            self.changed += 1
        if order.date_created < self.policy.since(self.now) or order.is_deleted:
            return
        self.listed[None] += self.swept_since is None or order.date_modified >= self.swept_since
        if self.is_listed_by_status(order):
            self.listed[order.status_id] += 1

    def is_listed_by_status(self, order: Order) -> bool:
        """Whether the sweep lists the order by its status."""
        return self._listing_of(order) < len(self.policy.new_statuses)

    def is_swept(self, order: Order) -> bool:
        """Whether the sweep lists the order, by its status or by its last change."""
        since = self.swept_since
        return since is None or order.date_modified >= since or self.is_listed_by_status(order)

    def _listing_of(self, order: Order) -> int:
        """The first listing with the order: a sweep has one for each new status, then one of all.

        That of completed orders covers SWEEP_DAYS only.
        """
        new = self.policy.new_statuses
        is_recent = order.date_modified >= self.now - timedelta(days=self.sweep_days)
        if order.status_id in new and (order.status_id != OrderStatus.COMPLETED or is_recent):
            return new.index(order.status_id)
        return len(new)

    def _listings(self) -> int:
        """Every listing of the first poll, the counts by status, and the webhooks."""
        statuses = (*self.policy.new_statuses, None)
        return 2 + pages(self.changed) + sum(pages(self.listed[status]) for status in statuses)

    def _lists(self, order: Order, whole: Order) -> tuple[int, int]:
        """Requests for the lists of an order, and again after its move."""
        requested = sum(_pages_of(whole, name) for name in lists_to_request(order))
        if doubt_about(order):
            return requested, requested
        if not self.policy.embedded_reads:
            return requested, 0
        embedded = len(lists_never_embedded(order)) + may_have_coupons(whole)
        return embedded + (requested if is_compared(order.id) else 0), 0

    def _in_order_of(self, queue: Queue | str) -> list[int]:
        """The ids of a queue in the order in which a sweep sends them."""
        sent = [each for each in self.reads.values() if each.queue == queue]
        return [each.order_id for each in sorted(sent, key=lambda e: (e.listing, e.order_id))]


def pages(members: int) -> int:
    """Requests for a list: a full page is followed by another, and so is one that may be cut."""
    rest = members % PAGE_SIZE
    return members // PAGE_SIZE + 1 + (rest == SILENT_LIMIT)


def _pages_of(whole: Order, name: str) -> int:
    return pages(len(whole.lines)) if name == "products" and whole.lines else 1


def per_window(pacer: ShareOfQuota) -> float | None:
    """The requests that other apps left of the quota; None where the store states no quota."""
    if not pacer.quota:
        return None
    return max(1.0, pacer.quota * (1 - RESERVED) - pacer.by_others)


def seconds(requests: int, pacer: ShareOfQuota) -> float:
    """How long requests take, with what other apps left of the quota while this was measured."""
    left = per_window(pacer)
    return requests / (FASTEST if left is None else min(FASTEST, left / pacer.seconds))


def _batches(ids: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), size):
        yield ids[start : start + size]


def _reads(batch: Iterable[int], ascending: Sequence[int]) -> int:
    """Requests for the orders of a batch: one for neighbours, and one for each that it misses."""
    count = 0
    for group in neighbours(batch):
        if len(group) < 2:
            count += 1
            continue
        first = bisect_left(ascending, group[0])
        last = bisect_right(ascending, group[-1])
        shown = set(ascending[first : min(last, first + LONGEST_PAGE)])
        count += 1 + sum(n not in shown for n in group)
    return count
