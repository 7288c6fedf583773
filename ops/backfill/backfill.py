"""Copies historical orders into the table; the store is only read.

The orders do not go through the queues: a hundred thousand messages would delay new orders by a
day. They are stored as the functions store them, by the same code.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Literal, TypeAlias

from chalicelib.domain.items import ItemTooLarge, UnstorableNumber
from chalicelib.domain.messages import Task
from chalicelib.domain.models import JsonObject, Order, UnreadableOrder
from chalicelib.domain.records import ReplicationRecord
from chalicelib.domain.rules import DecideLater, is_same, is_up_to_date, why_not_stored
from chalicelib.edges.aws import AwsError
from chalicelib.edges.bigcommerce import (
    BigCommerce,
    MalformedResponse,
    NotFound,
    Rejected,
    StoreError,
    Unavailable,
)
from chalicelib.edges.dynamodb import ConcurrentWrite
from chalicelib.listing import Listing
from chalicelib.reading import Reader
from chalicelib.replication import Replicator
from chalicelib.switches import Switches
from ops.backfill.workers import Workers
from ops.deployment import Deployment
from ops.store import UnservedOrder, chunks, created, read_order, read_orders, unserved
from ops.tables import Bookmark

Outcome: TypeAlias = Literal[
    "stored", "there already", "other status", "out of scope", "in use", "gone", "failed"
]

ORDERS_AT_A_TIME = 50
"""Orders that are read together, immediately before they are copied."""

BAD_ORDER = (ItemTooLarge, MalformedResponse, Rejected, UnreadableOrder, UnstorableNumber)
"""Errors that concern one order only, so that the others are still copied."""


@dataclass
class Tally:
    """The outcomes so far, the orders to name, and the last day reached.

    `failed` has the errors, and `incomplete` the lists that are too short, both by order id.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    failed: dict[int, str] = field(default_factory=dict)
    incomplete: dict[int, tuple[str, ...]] = field(default_factory=dict)
    in_use: list[int] = field(default_factory=list)
    day: datetime | None = None


@dataclass(frozen=True)
class Backfill:
    """One backfill of a stage. With equal arguments it continues where the last one stopped.

    `interrupted` ends the requests of all threads.
    """

    deployment: Deployment
    since: datetime
    until: datetime
    statuses: tuple[int, ...]
    progress: Callable[[Tally], None]
    interrupted: threading.Event

    @property
    def bookmark(self) -> Bookmark:
        statuses = ",".join(map(str, self.statuses)) or "all"
        span = f"{self.since.isoformat()}/{self.until.isoformat()}"
        return Bookmark(self.deployment, f"backfill {span} {statuses}")

    def run(self, min_id: int, tally: Tally) -> None:
        """Copy page by page, from an order id upwards; the bookmark holds the next page's id.

        Raises StoreError when the store is down or rejects the token, AwsError and OutOfTime.
        """
        store = self._store()
        listing = Listing(store, created(self.since, self.until))
        with self._workers() as workers, self._workers() as fetchers:
            copy = partial(self._copy, self._copier(store, fetchers, tally), workers, tally)
            for page, next_id in listing.pages(min_id):
                for orders in chunks([*page, *map(_only_id, listing.unserved)], ORDERS_AT_A_TIME):
                    copy(orders)
                listing.unserved.clear()
                self.bookmark.write(next_id, self.deployment.clock.now())
                self.progress(tally)
        self.bookmark.remove()

    @contextmanager
    def _workers(self) -> Iterator[Executor]:
        """Threads that end with the block; after Ctrl-C the block does not wait for them."""
        workers = Workers(self.deployment.settings.max_in_flight)
        try:
            yield workers
        except KeyboardInterrupt:
            self.interrupted.set()
            raise
        finally:
            workers.shutdown(wait=not self.interrupted.is_set())

    def _copy(
        self, copier: "_Copier", workers: Executor, tally: Tally, listed: Sequence[JsonObject]
    ) -> None:
        """Copy the orders of a listing, some of which are known by their ids only."""
        ids = [fields["id"] for fields in listed if not self._is_skipped(fields, tally)]
        # The records are read before the orders.
        before = copier.replicator.orders.records(ids)
        orders = read_orders(copier.store, ids)
        outcomes = list(workers.map(lambda n: copier.copy(n, orders.get(n), before.get(n)), ids))
        after = copier.replicator.orders.records(ids)
        for order_id, outcome in zip(ids, outcomes, strict=True):
            _count(tally, order_id, outcome, before.get(order_id), after.get(order_id))
        tally.day = max((order.date_created for order in orders.values()), default=tally.day)

    def _is_skipped(self, fields: JsonObject, tally: Tally) -> bool:
        status_id = fields.get("status_id")
        is_skipped = bool(self.statuses) and status_id is not None
        if is_skipped and status_id not in self.statuses:
            tally.outcomes["other status"] += 1
            return True
        return False

    def _copier(self, store: BigCommerce, fetchers: Executor, tally: Tally) -> "_Copier":
        wiring, clock = self.deployment.wiring, self.deployment.clock
        policy, switches = self.deployment.settings.policy(), Switches(wiring.jobs, clock)
        reader = Reader(store, switches, fetchers, policy.embedded_reads)
        replicator = Replicator(store, wiring.orders, policy, switches, clock, reader)
        return _Copier(store, replicator, self.statuses, tally)

    def _store(self) -> BigCommerce:
        """The stage's store; its requests raise OutOfTime once the backfill is interrupted."""
        return replace(self.deployment.store_beside_orders(), given_up=self.interrupted)


@dataclass(frozen=True)
class _Copier:
    """Copies single orders in several threads. `is_down`: the store serves no request."""

    store: BigCommerce
    replicator: Replicator
    statuses: tuple[int, ...]
    tally: Tally
    is_down: threading.Event = field(default_factory=threading.Event)

    def copy(self, order_id: int, order: Order | None, record: ReplicationRecord | None) -> Outcome:
        """Store an order; raises what stops the backfill."""
        if self.is_down.is_set():
            raise Unavailable("not attempted: the store is down")
        try:
            return self._copied(order or read_order(self.store, order_id), record)
        except NotFound:
            return "gone"
        except (*BAD_ORDER, UnservedOrder) as error:
            return self._failed(order_id, error)
        except AwsError as error:
            if error.reason != "ValidationException":
                raise
            return self._failed(order_id, error)
        except Unavailable as error:
            return self._failed(order_id, self._unserved(error))

    def _unserved(self, error: Unavailable) -> UnservedOrder:
        try:
            return unserved(self.store, error)
        except StoreError:
            self.is_down.set()
            raise

    def _copied(self, order: Order, record: ReplicationRecord | None) -> Outcome:
        if self.statuses and order.status_id not in self.statuses:
            return "other status"
        now = self.replicator.clock.now()
        task = Task(order.id, "backfill", queued_at=now, may_move=False)
        if why_not_stored(order, record, self.replicator.policy, task):
            return "out of scope"
        if record and (record.is_forgotten or _is_stored(order, record)):
            return "there already"
        try:
            self.replicator.replicate(order, record, task)
        except (ConcurrentWrite, DecideLater):
            # Stored and not final yet, or not stored because the service is processing it.
            after = self.replicator.orders.records([order.id]).get(order.id)
            is_stored = after and after.pending_move is None and is_same(order, after)
            return "stored" if is_stored else "in use"
        return "stored"

    def _failed(self, order_id: int, error: Exception) -> Outcome:
        known = isinstance(error, UnservedOrder)
        self.tally.failed[order_id] = str(error) if known else f"{type(error).__name__}: {error}"
        return "failed"


def _count(
    tally: Tally,
    order_id: int,
    outcome: Outcome,
    before: ReplicationRecord | None,
    after: ReplicationRecord | None,
) -> None:
    if outcome == "stored" and before and after and before.sequence == after.sequence:
        outcome = "there already"
    tally.outcomes[outcome] += 1
    if outcome == "in use":
        tally.in_use.append(order_id)
    if outcome in ("stored", "there already") and after and after.incomplete:
        tally.incomplete[order_id] = after.incomplete


def _is_stored(order: Order, record: ReplicationRecord) -> bool:
    return is_up_to_date(order, record) and not record.incomplete


def _only_id(order_id: int) -> JsonObject:
    return {"id": order_id}
