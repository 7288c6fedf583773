"""Copies historical orders into the table; the store is read and never written to.

The work is done here and not in the queue: a hundred thousand messages there would keep new
orders waiting for a day.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

from chalicelib.domain.items import ItemTooLarge, UnstorableNumber
from chalicelib.domain.models import JsonObject, Order, ReplicationRecord, UnreadableOrder
from chalicelib.domain.rules import DecideLater
from chalicelib.edges.bigcommerce import MalformedResponse, NotFound, Rejected
from chalicelib.edges.dynamodb import ConcurrentWrite
from chalicelib.replication import Replicator, Snapshot
from ops.deployment import Deployment
from ops.listing import pages, readable
from ops.store import orders_created
from ops.tables import Bookmark

Outcome: TypeAlias = Literal["stored", "there already", "other status", "in use", "gone", "failed"]

BAD_ORDER = (MalformedResponse, ItemTooLarge, Rejected, UnreadableOrder, UnstorableNumber)
"""What is wrong with one order, and no reason to leave the others."""


@dataclass
class Tally:
    """What became of the orders so far, why some failed, and the last day reached."""

    outcomes: Counter[str] = field(default_factory=Counter)
    failed: dict[int, str] = field(default_factory=dict)
    day: datetime | None = None


@dataclass(frozen=True)
class Backfill:
    """One backfill of a stage. A second of the same name goes on from where the first came to."""

    deployment: Deployment
    since: datetime
    until: datetime
    statuses: tuple[int, ...]
    progress: Callable[[Tally], None]

    @property
    def bookmark(self) -> Bookmark:
        statuses = ",".join(map(str, self.statuses)) or "all"
        span = f"{self.since.isoformat()}/{self.until.isoformat()}"
        return Bookmark(self.deployment, f"backfill {span} {statuses}")

    def run(self, min_id: int) -> Tally:
        """Copy page by page, from an id upwards; after an error the bookmark has the next one.

        Raises StoreError when the store is down or refuses the token, AwsError and OutOfTime.
        """
        tally = Tally()
        in_flight = self.deployment.settings.max_in_flight
        with ThreadPoolExecutor(in_flight) as workers, ThreadPoolExecutor(in_flight) as fetchers:
            replicator = self._replicator(fetchers)
            for page in pages(self._page_from, min_id):
                self._copy(page, replicator, workers, tally)
                self._copy(self._changed(page), replicator, workers, tally)
                self.bookmark.write(page[-1]["id"] + 1, self.deployment.clock.now())
                self.progress(tally)
        self.bookmark.remove()
        return tally

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
            order = readable(fields)
            tally.day = order.date_created if order else tally.day

    def _copied(
        self, snapshot: Snapshot, stored: ReplicationRecord | None, replicator: Replicator
    ) -> Outcome:
        order = readable(snapshot.fields)
        if order and self.statuses and order.status_id not in self.statuses:
            return "other status"
        if order and stored and _is_there(order, stored):
            return "there already"
        try:
            replicator.replicate(snapshot, stored, "backfill")
        except NotFound:
            return "gone"
        except (DecideLater, ConcurrentWrite):
            # The service is at work on this very order, and stores it itself.
            return "in use"
        return "stored"

    def _changed(self, page: list[JsonObject]) -> list[JsonObject]:
        """The orders of a page as they are now, where they have changed since it was listed.

        A page takes minutes to copy, and an order must not be stored half old and half new.
        """
        now, before = self._page_from(page[0]["id"]), _versions(page)
        return [fields for fields in now if _versions([fields]).items() - before.items()]

    def _page_from(self, min_id: int) -> list[JsonObject]:
        return orders_created(self.deployment.wiring.store, self.since, self.until)(min_id)

    def _replicator(self, fetchers: Executor) -> Replicator:
        wiring, settings = self.deployment.wiring, self.deployment.settings
        return Replicator(
            wiring.store,
            wiring.orders,
            settings.policy(),
            settings.redacted_fields,
            self.deployment.clock,
            fetchers,
        )


def _is_there(order: Order, stored: ReplicationRecord) -> bool:
    """What was replicated when it was new is left as it was then."""
    return stored.is_forgotten or stored.is_moved or stored.version >= order.version


def _versions(page: Iterable[JsonObject]) -> dict[int, int]:
    orders = map(readable, page)
    return {order.id: order.version for order in orders if order}
