"""The poll: lists new orders and queues the ids of those that are not replicated."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

from chalicelib.clock import Clock, Remaining
from chalicelib.domain.jobs import HISTORY_MARGIN, Cursor, Job, Outcome, next_job
from chalicelib.domain.models import (
    JsonObject,
    Order,
    OrderMessage,
    ReplicationRecord,
    UnreadableOrder,
)
from chalicelib.domain.rules import Policy, is_missing, is_new, is_replicated
from chalicelib.edges.bigcommerce import PAGE_SIZE, BigCommerce
from chalicelib.edges.dynamodb import JobsTable, OrdersTable
from chalicelib.edges.pacing import OutOfTime
from chalicelib.edges.sqs import OrdersQueue
from chalicelib.hook_check import HookCheck

logger = logging.getLogger(__name__)

LEASE_SLACK = 60.0
"""Seconds that a lease is valid after the function's timeout."""

TIME_FOR_A_PAGE = 60.0
"""Seconds that must remain before another page is requested."""


@dataclass(frozen=True)
class _Found:
    """Counts of the orders on a page."""

    queued: int
    already_replicated: int
    missing: int


@dataclass(frozen=True)
class Poller:
    """Polls a store as `holder` of the lease, in the `remaining` seconds of an invocation."""

    store: BigCommerce
    orders: OrdersTable
    jobs: JobsTable
    queue: OrdersQueue
    watch: HookCheck
    policy: Policy
    sweep_every: timedelta
    clock: Clock
    remaining: Remaining
    holder: str

    def poll(self, *, sweep: bool = False) -> Job | None:
        """Run one poll; returns its job, or None when another poll is running.

        A poll without time for another page ends as `stopped`; the next poll continues it.
        """
        with self.jobs.lease(self.holder, self.remaining() + LEASE_SLACK) as is_ours:
            if not is_ours:
                logger.info("another poll is running", extra={"event": "poll_skipped"})
                return None
            now = self.clock.now()
            history = self.jobs.history(now - self.sweep_every - HISTORY_MARGIN)
            scope = self.policy.scope
            job = next_job(history, now, self.sweep_every, sweep=sweep, scope=scope)
            with _Recording(job, self.jobs, self.store, self.clock) as recording:
                self._run(recording)
            return recording.job

    def _run(self, recording: "_Recording") -> None:
        counts = self.store.counts()
        recording.note(
            counts={str(status): counts.get(status, 0) for status in self.policy.new_statuses}
        )
        if recording.job.mode == "sweep":
            self.watch.check()
        for page, cursor in self._pages(recording.job):
            job = recording.job
            found = self._queue_new(page, job.due)
            recording.note(
                listed=job.listed + len(page),
                queued=job.queued + found.queued,
                already_replicated=job.already_replicated + found.already_replicated,
                missing=job.missing + found.missing,
                cursor=cursor,
            )

    def _pages(self, job: Job) -> Iterator[tuple[list[JsonObject], Cursor]]:
        """The remaining pages, each with the cursor after it. Raises OutOfTime between pages."""
        statuses = self.policy.new_statuses
        first = job.cursor if job.cursor and job.cursor.status_id in statuses else None
        if first:
            statuses = statuses[statuses.index(first.status_id) :]
        since = datetime.fromisoformat(job.since) if job.since else None
        for status_id in statuses:
            min_id = first.min_id if first and first.status_id == status_id else 1
            is_last = False
            while not is_last:
                if self.remaining() < TIME_FOR_A_PAGE:
                    raise OutOfTime(f"{self.remaining():.0f} s left")
                page = self.store.orders(status_id, min_id, self.policy.replicate_since, since)
                is_last = len(page) < PAGE_SIZE
                min_id = page[-1]["id"] + 1 if page else min_id
                yield page, Cursor(status_id, min_id)

    def _queue_new(self, page: list[JsonObject], due: str | None) -> "_Found":
        """Queue the orders of a page that are new and not replicated."""
        wanted = {fields["id"]: _read(fields) for fields in page}
        new = [
            order_id
            for order_id, order in wanted.items()
            if order is None or is_new(order, self.policy)
        ]
        records = self.orders.records(new, consistent=False)
        waiting = [
            order_id
            for order_id in new
            if not self._is_replicated(wanted[order_id], records.get(order_id))
        ]
        queued_at = self.clock.now().isoformat()
        self.queue.send(
            OrderMessage(order_id=order_id, source="poll", queued_at=queued_at)
            for order_id in waiting
        )
        before = datetime.fromisoformat(due) if due else None
        missing = [n for n in waiting if self._is_missing(wanted[n], records.get(n), before)]
        return _Found(len(waiting), len(new) - len(waiting), len(missing))

    def _is_missing(
        self, order: Order | None, record: ReplicationRecord | None, due: datetime | None
    ) -> bool:
        return bool(due and order and is_missing(order, record, self.policy, due))

    def _is_replicated(self, order: Order | None, record: ReplicationRecord | None) -> bool:
        return order is not None and is_replicated(order, record, self.policy)


class _Recording:
    """Keeps the poll's item up to date, and records its outcome."""

    def __init__(self, job: Job, jobs: JobsTable, store: BigCommerce, clock: Clock) -> None:
        self.job = job
        self._jobs = jobs
        self._store = store
        self._clock = clock

    def __enter__(self) -> Self:
        self._jobs.write(self.job)
        return self

    def note(self, **facts: Any) -> None:
        """Record the poll's progress."""
        self.job = replace(self.job, requests=self._store.usage.requests, **facts)
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
        self.note(outcome=outcome, finished_at=self._clock.now().isoformat(), **facts)
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
            },
        )
        self._store.usage.log()
        if job.due and outcome == "succeeded":
            logger.info(
                "missing orders counted",
                extra={"event": "missing_orders_counted", "missing": job.missing},
            )


def _read(fields: JsonObject) -> Order | None:
    """The order; None for one that cannot be parsed, which the consumer will report."""
    try:
        return Order.parse(fields)
    except UnreadableOrder as error:
        logger.warning(
            "order is unreadable", extra={"event": "order_unreadable", "error": str(error)}
        )
        return None
