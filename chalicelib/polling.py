"""The poll: lists what has changed in the store, and queues what is not replicated as it is now.

Every poll lists the changes; once a day it sweeps as well. New orders go to the orders queue,
everything else to the changes queue, so that a bulk edit does not delay a new order.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

from chalicelib.clock import Clock
from chalicelib.domain.failing import FailingOrder
from chalicelib.domain.jobs import HISTORY_MARGIN, Cursor, Job, Outcome, next_changes, next_sweep
from chalicelib.domain.messages import CLOCKS_DIFFER, OrderMessage
from chalicelib.domain.models import JsonObject, Order, OrderStatus, Source, UnreadableOrder
from chalicelib.domain.records import ReplicationRecord
from chalicelib.domain.rules import Policy, has_move_left, is_same, is_settled
from chalicelib.edges.bigcommerce import BigCommerce, StoreError, Unauthorized, api_time
from chalicelib.edges.dynamodb import OrdersTable
from chalicelib.edges.dynamodb_jobs import JobsTable
from chalicelib.edges.pacing import OutOfTime
from chalicelib.edges.sqs import OrdersQueue
from chalicelib.field_watch import FieldWatch
from chalicelib.hook_check import HookCheck
from chalicelib.listing import Listing

logger = logging.getLogger(__name__)

LEASE_SLACK = 60.0
"""Seconds that a lease is valid after the function's timeout."""

LONGEST_CHANGES_QUEUE = 5000
"""Messages in the changes queue from which a sweep waits for the next poll: the first sweep must
not delay changes for long."""


class QueueIsLong(OutOfTime):
    """The changes queue is so long that the sweep adds nothing to it."""


@dataclass(frozen=True)
class Poller:
    """Polls a store as `holder` of the lease, until the deadline of the store's client."""

    store: BigCommerce
    orders: OrdersTable
    jobs: JobsTable
    queue: OrdersQueue
    changes: OrdersQueue
    watch: HookCheck
    fields: FieldWatch
    policy: Policy
    sweep_every: timedelta
    sweep_back: timedelta
    clock: Clock
    holder: str

    def poll(self, *, sweep: bool = False) -> list[Job]:
        """Poll the changes, and sweep if that is due or requested; returns the jobs.

        There is none when another poll is running. A job without time for another page ends as
        `stopped`; the next poll continues it.
        """
        with self.jobs.lease(self.holder, self.store.deadline + LEASE_SLACK) as is_ours:
            if not is_ours:
                logger.info("another poll is running", extra={"event": "poll_skipped"})
                return []
            now = self.clock.now()
            history = self.jobs.history(now - self.sweep_every - HISTORY_MARGIN)
            is_paused = self.jobs.pause() is not None
            queued: set[int] = set()
            done = [self._run(next_changes(history, now), queued, is_paused=is_paused)]
            due = next_sweep(
                history,
                # The start identifies a job, so two jobs of one poll must not share it.
                max(self.clock.now(), now + timedelta(microseconds=1)),
                self.sweep_every,
                self.sweep_back,
                is_requested=sweep,
                scope=self.policy.scope,
            )
            if due:
                done.append(self._run(due, queued, is_paused=is_paused))
        # Without the lease, so that it keeps no other poll waiting.
        if any(job.mode == "sweep" and job.outcome == "succeeded" for job in done):
            self.fields.compare()
        return done

    def _run(self, job: Job, queued: set[int], *, is_paused: bool) -> Job:
        with _Recording(job, self.jobs, self.store, self.clock) as recording:
            run = _Run(self, recording, queued, is_paused)
            if job.mode == "sweep":
                run.sweep()
            else:
                run.changes()
        return recording.job


@dataclass(frozen=True)
class _Run:
    """One job: its listings, one after the other.

    `queued` are the orders that this poll has queued: a sweep lists some orders twice, by their
    status and by their change, and the poll of changes has listed some of them before.
    """

    poller: Poller
    recording: "_Recording"
    queued: set[int]
    is_paused: bool

    def changes(self) -> None:
        self._list(None, {"min_date_modified": self._since()}, failing={})

    def sweep(self) -> None:
        """List the new orders, then the changed ones; an error of one listing stops no other."""
        poller = self.poller
        counts = poller.store.counts()
        new = poller.policy.new_statuses
        self.recording.note(counts={str(status): counts.get(status, 0) for status in new})
        failing = {order.order_id: order for order in poller.jobs.all_failing()}
        if self.recording.job.cursor is None:
            poller.watch.check()
            self.recording.note(backlog=poller.queue.depth() + poller.changes.depth())
            self._retry_overdue(failing)
        first_error: StoreError | None = None
        for status_id, filters in self._listings():
            try:
                self._list(status_id, filters, failing, moves_cursor=first_error is None)
            except Unauthorized:
                raise
            except StoreError as error:
                first_error = first_error or error
        if first_error:
            raise first_error

    def _listings(self) -> Iterator[tuple[int | None, dict[str, Any]]]:
        """The listings that are left to a sweep, each with BigCommerce's filters."""
        policy, cursor = self.poller.policy, self.recording.job.cursor
        statuses: tuple[int | None, ...] = (*policy.new_statuses, None)
        if cursor and cursor.status_id in statuses:
            statuses = statuses[statuses.index(cursor.status_id) :]
        now = self.poller.clock.now()
        created = {"min_date_created": api_time(policy.since(now))}
        for status_id in statuses:
            if status_id is None:
                since = self._since()
                yield None, {"min_date_modified": since} if since else created
            elif status_id == OrderStatus.COMPLETED:
                # Most orders end in this status: only those that changed lately can be new.
                back = now - self.poller.sweep_back
                yield status_id, {**created, "min_date_modified": api_time(back)}
            else:
                yield status_id, created

    def _since(self) -> str | None:
        since = self.recording.job.since
        return api_time(since) if since else None

    def _list(
        self,
        status_id: int | None,
        filters: dict[str, Any],
        failing: dict[int, FailingOrder],
        *,
        moves_cursor: bool = True,
    ) -> None:
        cursor, poller = self.recording.job.cursor, self.poller
        if status_id is not None:
            filters = {**filters, "status_id": status_id}
        listing = Listing(poller.store, filters)
        min_id = cursor.min_id if cursor and cursor.status_id == status_id else 1
        for page, next_id in listing.pages(min_id):
            facts = self._queue(page, listing.unserved, failing)
            listing.unserved.clear()
            if moves_cursor:
                facts["cursor"] = Cursor(status_id, next_id)
            self.recording.note(**facts)

    def _queue(
        self, page: list[JsonObject], unserved: list[int], failing: dict[int, FailingOrder]
    ) -> dict[str, Any]:
        """Queue the orders of a page that are not settled, and those that could not be listed.

        Returns the job's numbers after the page.
        """
        poller, job = self.poller, self.recording.job
        if job.mode == "sweep" and poller.changes.depth() > LONGEST_CHANGES_QUEUE:
            raise QueueIsLong(f"more than {LONGEST_CHANGES_QUEUE} messages in the changes queue")
        orders = {fields["id"]: self._parsed(fields) for fields in page}
        records = poller.orders.records(list(orders), consistent=False)
        open_ids = [n for n, order in orders.items() if not self._is_settled(order, records.get(n))]
        for order_id in failing.keys() & (orders.keys() - set(open_ids)):
            poller.jobs.remove_failing(order_id)
        wanted = [n for n in open_ids if n not in failing and n not in self.queued]
        unserved = [order_id for order_id in unserved if order_id not in self.queued]
        new = [n for n in wanted if self._is_new(orders[n], records.get(n))]
        changed = [n for n in wanted if n not in set(new)] + unserved
        self._send(poller.queue, {n: orders.get(n) for n in new})
        self._send(poller.changes, {n: orders.get(n) for n in changed})
        self.queued.update(wanted, unserved)
        overdue = self._overdue([order for n in wanted if (order := orders[n])])
        stored = [order for order in overdue if order.id in records]
        stale = [order for order in stored if not is_same(order, records[order.id])]
        return {
            "listed": job.listed + len(page),
            "queued": job.queued + len(wanted) + len(unserved),
            "already_replicated": job.already_replicated + len(page) - len(open_ids),
            "missing": job.missing + len(overdue) - len(stored),
            "stale": job.stale + len(stale),
            "unserved": (*job.unserved, *unserved),
        }

    def _retry_overdue(self, failing: dict[int, FailingOrder]) -> None:
        """Queue the failing orders whose messages no longer exist."""
        now = self.poller.clock.now()
        lost = [order.order_id for order in failing.values() if not order.is_tried_again(now)]
        self._send(self.poller.changes, dict.fromkeys(lost))
        self.recording.note(queued=self.recording.job.queued + len(lost))

    def _send(self, queue: OrdersQueue, orders: Mapping[int, Order | None]) -> None:
        now = self.poller.clock.now()
        queue.send(
            OrderMessage(order_id=n, source=self._source(order), queued_at=now)
            for n, order in orders.items()
        )

    def _source(self, order: Order | None) -> Source:
        job = self.recording.job
        if job.mode == "changes":
            return "poll"
        is_old = order is not None and order.date_modified < job.began_at - CLOCKS_DIFFER
        return "fill" if job.since is None and is_old else "sweep"

    def _parsed(self, fields: JsonObject) -> Order | None:
        """The order; None for one that cannot be parsed, which the consumer will report."""
        try:
            return Order.parse(fields, read_at=self.poller.clock.now())
        except UnreadableOrder as error:
            logger.warning(
                "order is unreadable", extra={"event": "order_unreadable", "error": str(error)}
            )
            return None

    def _is_settled(self, order: Order | None, record: ReplicationRecord | None) -> bool:
        return order is not None and is_settled(
            order,
            record,
            self.poller.policy,
            is_paused=self.is_paused,
            is_sweep=self.recording.job.mode == "sweep",
        )

    def _is_new(self, order: Order | None, record: ReplicationRecord | None) -> bool:
        return order is not None and has_move_left(
            order, record, self.poller.policy, is_paused=False
        )

    def _overdue(self, orders: list[Order]) -> list[Order]:
        """Those that an earlier sweep queued as they are now, so that they should be replicated."""
        due = self.recording.job.due
        return [order for order in orders if due and order.date_modified < due]


class _Recording:
    """Keeps the job's item up to date, and records its outcome."""

    def __init__(self, job: Job, jobs: JobsTable, store: BigCommerce, clock: Clock) -> None:
        self.job = job
        self._jobs = jobs
        self._store = store
        self._clock = clock
        self._requests_before = store.usage.requests

    def __enter__(self) -> Self:
        self._jobs.write(self.job)
        return self

    def note(self, **facts: Any) -> None:
        """Record the job's progress."""
        requests = self._store.usage.requests - self._requests_before
        self.job = replace(self.job, requests=requests, **facts)
        self._jobs.write(self.job)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        is_stopped = isinstance(error, OutOfTime)
        if error is None:
            self._finish("succeeded", cursor=None)
        elif is_stopped:
            self._finish("stopped", error=str(error))
        else:
            self._finish("failed", error=f"{type(error).__name__}: {error}")
        return is_stopped

    def _finish(self, outcome: Outcome, **facts: Any) -> None:
        self.note(outcome=outcome, finished_at=self._clock.now(), **facts)
        job = self.job
        logger.info(
            "poll finished",
            extra={
                "event": "poll_finished",
                "mode": job.mode,
                "outcome": outcome,
                "listed": job.listed,
                "queued": job.queued,
                "already_replicated": job.already_replicated,
                "unserved": len(job.unserved),
            },
        )
        self._store.usage.log()
        if job.due and outcome == "succeeded":
            logger.info(
                "missing orders counted",
                extra={
                    "event": "missing_orders_counted",
                    "missing": job.surely_missing,
                    "stale": job.surely_stale,
                },
            )
