"""Consumes a batch of messages: each order is replicated by itself, and fails by itself."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar

from chalicelib.breaker import Breaker
from chalicelib.clock import Clock
from chalicelib.domain.failing import FAILING_FROM, FailingOrder, failing_order
from chalicelib.domain.items import ItemTooLarge, UnstorableNumber
from chalicelib.domain.messages import Delivery, Task
from chalicelib.domain.models import Order, UnreadableOrder
from chalicelib.domain.records import ReplicationRecord
from chalicelib.domain.rules import UNKNOWN_MOVE_DELAY, DecideLater, Policy, needs_no_read
from chalicelib.edges.aws import AwsError
from chalicelib.edges.bigcommerce import (
    BigCommerce,
    NotFound,
    StoreError,
    Unauthorized,
    Unavailable,
)
from chalicelib.edges.dynamodb import ConcurrentWrite, OrdersTable
from chalicelib.edges.dynamodb_jobs import JobsTable
from chalicelib.edges.pacing import OutOfTime
from chalicelib.edges.sns import Alerts
from chalicelib.edges.sqs import OrdersQueue
from chalicelib.reading import Reader, with_refunds
from chalicelib.replication import Replicator
from chalicelib.switches import Switches

logger = logging.getLogger(__name__)

R = TypeVar("R")

FIRST_DELAY = 30.0
LONGEST_DELAY = 3600.0
"""Seconds until a retry: 30, doubled with every receive, at most an hour."""

TRIES_TO_FIND = 5
"""Receives (at least 7 minutes) after which an order that was never stored, and is found neither by
id nor in a list, is taken to be deleted."""

ORDERS_AT_A_TIME = 10
"""Orders of a batch that are replicated at the same time."""

WIDEST_GROUP = 50
"""Ids from the first to the last order of a shared read."""

LONGEST_PAGE = 20
"""Orders of a shared read: it returns every order in between, with all its lines, which should not
be more than a few megabytes."""


class ForeignMessage(Exception):
    """The message's body is not an order message."""


class NotAttempted(Exception):
    """The order was not attempted: the store is down, the token rejected, or the time is over."""


NO_FAILURES = (DecideLater, NotAttempted, OutOfTime)
"""Outcomes after which an order does not count as failing."""

EXPECTED = (*NO_FAILURES, ConcurrentWrite)
"""Outcomes that are logged without a traceback."""

WITHOUT_DATA = (
    *(StoreError, AwsError, ConcurrentWrite),
    *(ItemTooLarge, UnstorableNumber, UnreadableOrder),
)
"""Errors whose text has no customer data: it names requests and fields."""

PERMANENT = (ForeignMessage, ItemTooLarge, UnstorableNumber, UnreadableOrder)


@dataclass(frozen=True)
class Consumer:
    """Replicates the orders of a batch of messages.

    After `max_receives` receives, a message is moved to the dead-letter queue.
    """

    store: BigCommerce
    orders: OrdersTable
    jobs: JobsTable
    queue: OrdersQueue
    alerts: Alerts
    policy: Policy
    clock: Clock
    max_in_flight: int
    max_receives: int

    def consume(self, deliveries: Sequence[Delivery]) -> list[str]:
        """Replicate a batch; returns the ids of the messages to return to the queue."""
        tasks = Task.of(deliveries)
        with self._batch(tasks) as batch, ThreadPoolExecutor(self._orders_at_a_time()) as workers:
            delays = dict(
                zip(
                    (task.order_id for task in tasks),
                    workers.map(batch.replicate, tasks),
                    strict=True,
                )
            )
        self.store.usage.log()
        return self._return_failed(deliveries, delays)

    @contextmanager
    def _batch(self, tasks: Sequence[Task]) -> Iterator["_Batch"]:
        """What the tasks have in common, read once; the records are read before the orders."""
        breaker = Breaker(self.alerts)
        store = replace(self.store, given_up=breaker.opened)
        ids = sorted(task.order_id for task in tasks)
        records = _optional(lambda: self.orders.records(ids), "records")
        known = records or {}
        # An order is read after its record, so not yet while the records are not read. A list shows
        # an archived order only if the list is outdated.
        to_read = [
            task.order_id
            for task in tasks
            if records is not None
            and not task.is_archival
            and not needs_no_read(task, known.get(task.order_id), self.policy)
        ]
        orders = read_together(store, to_read, breaker)
        switches = Switches(self.jobs, self.clock)
        with ThreadPoolExecutor(self.max_in_flight) as fetchers:
            reader = Reader(
                store, switches, fetchers, self.policy.embedded_reads, with_refunds(orders)
            )
            yield _Batch(
                consumer=self,
                replicator=Replicator(
                    store, self.orders, self.policy, switches, self.clock, reader
                ),
                breaker=breaker,
                records=records,
                orders=orders,
                failing=_optional(lambda: self.jobs.failing(ids), "failing orders") or {},
            )

    def _orders_at_a_time(self) -> int:
        """More than `max_in_flight`: one order reads the store while another writes a table.

        With `max_in_flight` 1 it is one order, so that the same events give the same run.
        """
        return 1 if self.max_in_flight == 1 else ORDERS_AT_A_TIME

    def _return_failed(
        self, deliveries: Sequence[Delivery], delays: dict[int, float | None]
    ) -> list[str]:
        failed = []
        for delivery in deliveries:
            seconds: float | None = FIRST_DELAY
            if delivery.message is None:
                logger.error(
                    "message is invalid",
                    extra={"event": "message_invalid", "message_id": delivery.message_id},
                )
            else:
                seconds = delays[delivery.message.order_id]
            if seconds is not None:
                failed.append((delivery, seconds))
        try:
            self.queue.postpone(failed)
        except AwsError as error:
            # They become visible anyway when the queue's own visibility timeout ends.
            logger.warning(
                "visibility timeout not changed",
                extra={"event": "visibility_not_changed", "error": str(error)},
            )
        return [delivery.message_id for delivery, _ in failed]


@dataclass(frozen=True)
class _Batch:
    """The orders of one invocation, with what was read for all of them at once.

    `records` is None when they could not be read together.
    """

    consumer: Consumer
    replicator: Replicator
    breaker: Breaker
    records: dict[int, ReplicationRecord] | None
    orders: dict[int, Order]
    failing: dict[int, FailingOrder]

    def replicate(self, task: Task) -> float | None:
        """Replicate the order of a task; returns the seconds until it is retried, or None."""
        try:
            self._attempt(task)
        except Exception as error:  # no error of one order may fail the batch
            self.breaker.record_failure(error)
            seconds = delay(error, task.receive_count) * spread(task.order_id)
            _log_return(task, error, self.consumer.clock.now() - task.queued_at)
            if not isinstance(error, NO_FAILURES) and task.receive_count >= FAILING_FROM:
                self._record_failure(task, error, seconds)
            return seconds
        self.breaker.record_success()
        if task.order_id in self.failing:
            _optional(lambda: self.consumer.jobs.remove_failing(task.order_id), "failing order")
        return None

    def _attempt(self, task: Task) -> None:
        if self.breaker.open_because:
            raise NotAttempted(f"not attempted after: {self.breaker.open_because}")
        record = self._record(task.order_id)
        if needs_no_read(task, record, self.consumer.policy):
            return logger.info(
                "order was read already",
                extra={"event": "order_read_already", "order_id": task.order_id},
            )
        order = self._find(task, is_stored=record is not None)
        if order is not None:
            return self.replicator.replicate(order, record, task)
        if record is not None:
            return self.replicator.archive(task, record)
        return logger.warning(
            "order skipped",
            extra={"event": "order_skipped", "order_id": task.order_id, "reason": "not found"},
        )

    def _find(self, task: Task, *, is_stored: bool) -> Order | None:
        """The order, or None when it is deleted. Raises NotFound until that is certain."""
        store, order_id = self.replicator.store, task.order_id
        try:
            return self.orders.get(order_id) or store.order(order_id)
        except NotFound:
            # A new order may not be found yet. Earlier receives may have failed for other reasons,
            # so a list has to confirm it.
            if task.receive_count < TRIES_TO_FIND and not is_stored:
                raise
            if store.list_orders(order_id, limit=1, max_id=order_id):
                raise
            return None

    def _record(self, order_id: int) -> ReplicationRecord | None:
        if self.records is None:
            return self.replicator.orders.records([order_id]).get(order_id)
        return self.records.get(order_id)

    def _record_failure(self, task: Task, error: Exception, seconds: float) -> None:
        now = self.consumer.clock.now()
        order = failing_order(
            task.order_id,
            type(error).__name__,
            str(error) if isinstance(error, WITHOUT_DATA) else "",
            task.receive_count,
            self.failing.get(task.order_id),
            now,
            now + timedelta(seconds=seconds),
            is_last=task.receive_count >= self.consumer.max_receives,
        )
        logger.error(
            "order is failing",
            extra={
                "event": "order_failing",
                "order_id": task.order_id,
                "receives": task.receive_count,
                "failing_seconds": int((now - order.since).total_seconds()),
            },
        )
        _optional(lambda: self.consumer.jobs.write_failing(order), "failing order")


def read_together(store: BigCommerce, ids: Iterable[int], breaker: Breaker) -> dict[int, Order]:
    """Orders with neighbouring ids, read in one request each; the others are left out."""
    orders: dict[int, Order] = {}
    for group in neighbours(ids):
        if len(group) < 2 or breaker.open_because:
            continue
        try:
            found = store.briefly().orders_between(group[0], group[-1], LONGEST_PAGE)
        except (Unauthorized, OutOfTime) as error:
            breaker.record_failure(error)
        except (StoreError, AwsError) as error:
            # One bad order can fail a page; its neighbours can still be read one by one.
            logger.warning(
                "shared read failed", extra={"event": "shared_read_failed", "error": str(error)}
            )
            if isinstance(error, Unavailable):
                break
        else:
            orders |= {order.id: order for order in found}
    return orders


def _optional(call: Callable[[], R], what: str) -> R | None:
    """The result of a call whose failure does not stop the batch; None when it failed."""
    try:
        return call()
    except AwsError as error:
        logger.warning(
            "table not reached",
            extra={"event": "table_not_reached", "what": what, "error": str(error)},
        )
        return None


def _log_return(task: Task, error: Exception, waiting: timedelta) -> None:
    """The alarm on waiting orders uses `waiting`: SQS's own metric leaves out retried messages."""
    logger.warning(
        "order returned to the queue",
        extra={
            "event": "order_returned",
            "order_id": task.order_id,
            "error": f"{type(error).__name__}: {error}",
            "waiting_seconds": int(waiting.total_seconds()),
        },
        exc_info=None if isinstance(error, EXPECTED) else error,
    )


def delay(error: Exception, receive_count: int) -> float:
    """Seconds until a message is retried; 20 receives outlast an outage of half a day.

    After a permanent error the delay does not grow: the message reaches the dead-letter queue
    within minutes.
    """
    if isinstance(error, PERMANENT) or _is_invalid(error):
        return FIRST_DELAY
    given = error.seconds if isinstance(error, DecideLater) else None
    first = FIRST_DELAY if given is None else given
    doubled = float(min(first * 2 ** (receive_count - 1), LONGEST_DELAY))
    is_unknown = isinstance(error, StoreError) and error.effect_unknown
    return max(doubled, UNKNOWN_MOVE_DELAY) if is_unknown else doubled


def _is_invalid(error: Exception) -> bool:
    """Whether DynamoDB refuses the item itself, for example a list nested too deeply."""
    return isinstance(error, AwsError) and error.reason == "ValidationException"


def spread(order_id: int) -> float:
    """A factor from 1 to 1.1, the same for the same order, so that a simulation can be repeated.

    Consecutive ids get different factors: the orders of a batch do not all return at once.
    """
    return 1.0 + (order_id * 61 % 100) / 1000


def neighbours(ids: Iterable[int]) -> list[list[int]]:
    """The ids in ascending order, in groups that are read together."""
    groups: list[list[int]] = []
    for order_id in sorted(ids):
        if groups and order_id - groups[-1][0] < WIDEST_GROUP:
            groups[-1].append(order_id)
        else:
            groups.append([order_id])
    return groups
