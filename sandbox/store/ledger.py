"""Every change of a store's orders, and the events that it causes."""

import heapq
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from sandbox.store.book import OrderBook
from sandbox.store.callbacks import Callbacks
from sandbox.store.clock import Clock
from sandbox.store.events import channel_twin, order_data, status_data
from sandbox.store.statuses import Status
from sandbox.store.templates import Fields

Author = Literal["api", "merchant"]


@dataclass(frozen=True)
class StatusChange:
    """An order's move from one status to another; `at` in epoch seconds."""

    order_id: int
    before: int
    after: int
    by: Author
    at: float


class Ledger:
    """The orders of a store. `lock` guards every operation."""

    def __init__(
        self,
        *,
        clock: Clock,
        store_hash: str,
        seed: int,
        callbacks: Callbacks,
        shows_archived: bool = False,
        wraps_fees: bool = False,
    ) -> None:
        self.clock, self.store_hash = clock, store_hash
        self.lock = threading.RLock()
        self.book = OrderBook(seed, store_hash, clock)
        self.callbacks = callbacks
        self.status_changes: list[StatusChange] = []
        self.repeated_puts: list[StatusChange] = []
        """PUTs of the status that the order already had."""
        self.wraps_fees = wraps_fees
        self._seed, self._shows_archived = seed, shows_archived
        self._delayed: list[tuple[float, int, Callable[[], object]]] = []
        self._delays = 0
        self._working_at: float | None = None

    @contextmanager
    def working(self) -> Iterator[int]:
        """Hold the lock, first finish the delayed work that is due, and yield the present second.

        Every operation of people and of the API runs in it."""
        with self.lock:
            self._finish_delayed()
            yield int(self.now())

    def now(self) -> float:
        """The time of what is being done: for delayed work, the time it was due."""
        return self.clock.time() if self._working_at is None else self._working_at

    def delay(self, seconds: float, work: Callable[[], object]) -> None:
        """Do the work in so many seconds by the clock, although nobody waits for it any more."""
        with self.lock:
            self._delays += 1
            heapq.heappush(self._delayed, (self.clock.time() + seconds, self._delays, work))

    def _finish_delayed(self) -> None:
        if self._working_at is not None or not self._delayed:
            return
        now = self.clock.time()
        while self._delayed and self._delayed[0][0] <= now:
            self._working_at, _, work = heapq.heappop(self._delayed)
            try:
                work()
            finally:
                self._working_at = None

    def change(
        self,
        order_id: int,
        *,
        by: Author = "merchant",
        status: int | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> None:
        """Make a new version of the order, and announce it."""
        with self.working() as at:
            before = self.book.version(order_id).status
            after = None if status is None else Status(status)
            self.book.change(order_id, at, status=after, fields=fields)
            self.announce("store/order/updated", order_id, order_data(order_id))
            if after is not None:
                self._note_status(StatusChange(order_id, int(before), int(after), by, self.now()))

    def _note_status(self, change: StatusChange) -> None:
        if change.before != change.after:
            self.status_changes.append(change)
            data = status_data(change.order_id, change.before, change.after)
            self.announce("store/order/statusUpdated", change.order_id, data)
        elif change.by == "api":
            self.repeated_puts.append(change)

    def announce(self, scope: str, order_id: int, data: Fields) -> None:
        """Send any event about an order to its subscribers, and to those of the order's channel."""
        if not self.callbacks.hooks:
            return
        self.callbacks.announce(scope, order_id, data)
        if scope.startswith(("store/order/", "store/cart/")):
            channel = self.book.channel(order_id)
            twin, less = channel_twin(scope, data, order_id, channel)
            self.callbacks.announce(twin, order_id, less)
