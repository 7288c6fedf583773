"""Copies historical orders into the table; the store is only read.

The orders do not go through the queue: a hundred thousand messages would delay new orders by a day.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

from chalicelib.domain.items import ItemTooLarge, UnstorableNumber
from chalicelib.domain.models import JsonObject, Order, ReplicationRecord, UnreadableOrder
from chalicelib.domain.rules import DecideLater
from chalicelib.edges.bigcommerce import BigCommerce, MalformedResponse, NotFound, Rejected
from chalicelib.edges.dynamodb import ConcurrentWrite
from chalicelib.replication import Replicator, Snapshot
from ops.backfill.workers import Workers
from ops.deployment import Deployment
from ops.store import orders_created, pages, parse_order
from ops.tables import Bookmark

Outcome: TypeAlias = Literal["stored", "there already", "other status", "in use", "gone", "failed"]

BAD_ORDER = (MalformedResponse, ItemTooLarge, Rejected, UnreadableOrder, UnstorableNumber)
"""Errors that concern one order only, so that the others are still copied."""


@dataclass
class Tally:
    """The outcomes so far, the errors of failed orders, and the last day reached."""

    outcomes: Counter[str] = field(default_factory=Counter)
    failed: dict[int, str] = field(default_factory=dict)
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
        with self._workers() as workers, self._workers() as fetchers:
            replicator = self._replicator(fetchers)
            for page in pages(self._page_from, min_id):
                self._copy(page, replicator, workers, tally)
                self._copy(self._changed(page), replicator, workers, tally)
                self.bookmark.write(page[-1]["id"] + 1, self.deployment.clock.now())
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
        self,
        page: list[JsonObject],
        replicator: Replicator,
        workers: Executor,
        tally: Tally,
    ) -> None:
        seen_at = self.deployment.clock.time()
        records = self.deployment.wiring.orders.records([fields["id"] for fields in page])

        def copy(fields: JsonObject) -> Outcome:
            try:
                return self._copied(
                    Snapshot(fields, seen_at), records.get(fields["id"]), replicator
                )
            except BAD_ORDER as error:
                tally.failed[fields["id"]] = f"{type(error).__name__}: {error}"
                return "failed"

        for fields, outcome in zip(page, workers.map(copy, page), strict=True):
            tally.outcomes[outcome] += 1
            order = parse_order(fields)
            tally.day = order.date_created if order else tally.day

    def _copied(
        self, snapshot: Snapshot, stored: ReplicationRecord | None, replicator: Replicator
    ) -> Outcome:
        order = parse_order(snapshot.fields)
        if order and self.statuses and order.status_id not in self.statuses:
            return "other status"
        if order and stored and _is_stored(order, stored):
            return "there already"
        try:
            replicator.replicate(snapshot, stored, "backfill")
        except NotFound:
            return "gone"
        except (DecideLater, ConcurrentWrite):
            # The service is processing this order, and stores it itself.
            return "in use"
        return "stored"

    def _changed(self, page: list[JsonObject]) -> list[JsonObject]:
        """The current state of the orders of a page that have changed since it was listed.

        Copying a page takes minutes, and an order must not be stored from two versions.
        """
        now, before = self._page_from(page[0]["id"]), _versions(page)
        return [fields for fields in now if _versions([fields]).items() - before.items()]

    def _page_from(self, min_id: int) -> list[JsonObject]:
        return orders_created(self._store, self.since, self.until)(min_id)

    def _replicator(self, fetchers: Executor) -> Replicator:
        wiring, settings = self.deployment.wiring, self.deployment.settings
        return Replicator(
            self._store,
            wiring.orders,
            settings.policy(),
            settings.redacted_fields,
            self.deployment.clock,
            fetchers,
        )

    @property
    def _store(self) -> BigCommerce:
        """The stage's store; its requests raise OutOfTime once the backfill is interrupted."""
        return self.deployment.wiring.store.within(
            lambda: 0.0 if self.interrupted.is_set() else float("inf")
        )


def _is_stored(order: Order, stored: ReplicationRecord) -> bool:
    """Whether the item stays as it is: an order that was moved keeps its state of that time."""
    return stored.is_forgotten or stored.is_moved or stored.version >= order.version


def _versions(page: Iterable[JsonObject]) -> dict[int, int]:
    orders = map(parse_order, page)
    return {order.id: order.version for order in orders if order}
