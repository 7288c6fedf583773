"""Consumes a batch of messages: each order is replicated by itself, and fails by itself."""

import logging
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace

from chalicelib.breaker import Breaker
from chalicelib.clock import Clock
from chalicelib.domain.items import ItemTooLarge, UnstorableNumber
from chalicelib.domain.models import Delivery, OrderMessage, ReplicationRecord
from chalicelib.domain.rules import DecideLater, Policy
from chalicelib.edges.aws import AwsError
from chalicelib.edges.bigcommerce import (
    PAGE_SIZE,
    BigCommerce,
    NotFound,
    StoreError,
    Unauthorized,
    Unavailable,
)
from chalicelib.edges.dynamodb import ConcurrentWrite, OrdersTable
from chalicelib.edges.pacing import OutOfTime
from chalicelib.edges.sns import Alerts
from chalicelib.edges.sqs import OrdersQueue
from chalicelib.replication import Replicator, Snapshot

logger = logging.getLogger(__name__)

FIRST_DELAY = 30.0
LONGEST_DELAY = 3600.0
"""Seconds until a retry: 30, doubled with every receive, at most an hour."""

TRIES_TO_FIND = 5
"""Receives (at least 7 minutes) after which an order that is found neither by id nor in a list is
taken to be deleted."""

ORDERS_AT_A_TIME = 10
"""The batch size of the event source."""

SHARED_READ_WITHIN = 10.0
"""Seconds for a response to a shared read, which is tried twice: the orders can still be read one
by one in the time that is left."""


class ForeignMessage(Exception):
    """The message's body is not an order message."""


class NotAttempted(Exception):
    """The order was not attempted: the store is down, the token rejected, or the time is over."""


EXPECTED = (DecideLater, ConcurrentWrite, NotAttempted)
"""Expected outcomes, logged without a traceback."""

PERMANENT = (ForeignMessage, ItemTooLarge, UnstorableNumber)


@dataclass(frozen=True)
class Consumer:
    """Replicates the orders of a batch of messages."""

    store: BigCommerce
    orders: OrdersTable
    queue: OrdersQueue
    alerts: Alerts
    policy: Policy
    redacted_fields: tuple[str, ...]
    clock: Clock
    max_in_flight: int

    def consume(self, deliveries: Sequence[Delivery]) -> list[str]:
        """Replicate a batch; returns the ids of the messages to return to the queue."""
        by_order = _by_order(deliveries)
        with (
            ThreadPoolExecutor(self._orders_at_a_time()) as workers,
            ThreadPoolExecutor(self.max_in_flight) as fetchers,
        ):
            batch = self._batch(fetchers, sorted(by_order))
            outcomes = dict(
                zip(by_order, workers.map(batch.replicate, by_order.values()), strict=True)
            )
        self.store.usage.log()
        return self._return_failed(deliveries, outcomes)

    def _batch(self, fetchers: Executor, ids: Sequence[int]) -> "_Batch":
        breaker = Breaker(self.alerts, self.store.remaining)
        store = replace(self.store, remaining=breaker.remaining)
        replicator = Replicator(
            store, self.orders, self.policy, self.redacted_fields, self.clock, fetchers
        )
        snapshots = read_together(store, ids, self.clock, breaker)
        return _Batch(replicator, breaker, snapshots, read_records(self.orders, ids))

    def _orders_at_a_time(self) -> int:
        """More than `max_in_flight`: one order reads the store while another writes a table.

        With `max_in_flight` 1 it is one order, so that the same events give the same run.
        """
        return 1 if self.max_in_flight == 1 else ORDERS_AT_A_TIME

    def _return_failed(
        self, deliveries: Sequence[Delivery], outcomes: dict[int, Exception | None]
    ) -> list[str]:
        failed = []
        for delivery in deliveries:
            if delivery.message is None:
                logger.error(
                    "message is invalid",
                    extra={"event": "message_invalid", "message_id": delivery.message_id},
                )
            error = outcomes[delivery.message.order_id] if delivery.message else ForeignMessage()
            if error is not None:
                seconds = delay(error, delivery.receive_count) * spread(delivery.message)
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
    """The orders of one invocation, with what was read for all of them at once."""

    replicator: Replicator
    breaker: Breaker
    snapshots: dict[int, Snapshot]
    records: dict[int, ReplicationRecord] | None

    def replicate(self, delivered: tuple[OrderMessage, int]) -> Exception | None:
        """Replicate the order of a message; returns the error for which to retry it, or None."""
        message, receive_count = delivered
        order_id = message.order_id
        try:
            if self.breaker.open_because:
                raise NotAttempted(f"not attempted after: {self.breaker.open_because}")
            snapshot = self._find(order_id, receive_count)
            if snapshot is None:
                logger.warning(
                    "order skipped",
                    extra={"event": "order_skipped", "order_id": order_id, "reason": "not found"},
                )
            else:
                self.replicator.replicate(snapshot, self._record(order_id), message.source)
        except Exception as error:  # no error of one order may fail the batch
            logger.warning(
                "order returned to the queue",
                extra={
                    "event": "order_returned",
                    "order_id": order_id,
                    "error": f"{type(error).__name__}: {error}",
                },
                exc_info=None if isinstance(error, EXPECTED) else error,
            )
            self.breaker.record_failure(error)
            return error
        self.breaker.record_success()
        return None

    def _find(self, order_id: int, receive_count: int) -> Snapshot | None:
        """The order, or None when it is deleted. Raises NotFound until that is certain."""
        try:
            return self.snapshots.get(order_id) or self.replicator.read(order_id)
        except NotFound:
            # Earlier receives may have failed for other reasons, so a list has to confirm it.
            if receive_count < TRIES_TO_FIND:
                raise
            if self.replicator.store.orders_between(order_id, order_id):
                raise
            return None

    def _record(self, order_id: int) -> ReplicationRecord | None:
        if self.records is None:
            return self.replicator.orders.records([order_id]).get(order_id)
        return self.records.get(order_id)


def read_together(
    store: BigCommerce, ids: Iterable[int], clock: Clock, breaker: Breaker
) -> dict[int, Snapshot]:
    """Orders with neighbouring ids, read in one request each; the others are left out."""
    snapshots: dict[int, Snapshot] = {}
    briefly = replace(store, retry=store.retry.new(total=1), answer_within=SHARED_READ_WITHIN)
    for group in neighbours(ids):
        if len(group) < 2 or breaker.open_because:
            continue
        try:
            found = briefly.orders_between(group[0], group[-1])
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
            now = clock.time()
            snapshots |= {order["id"]: Snapshot(order, now) for order in found}
    return snapshots


def read_records(orders: OrdersTable, ids: Sequence[int]) -> dict[int, ReplicationRecord] | None:
    """The records of the orders; None when they have to be read one by one."""
    try:
        return orders.records(ids)
    except AwsError as error:
        logger.warning("records not read", extra={"event": "records_not_read", "error": str(error)})
        return None


def _by_order(deliveries: Sequence[Delivery]) -> dict[int, tuple[OrderMessage, int]]:
    """One message for each order, with its receive count.

    Several messages of one order are replicated once: a replay takes precedence, then the message
    with the highest receive count.
    """
    chosen: dict[int, tuple[OrderMessage, int]] = {}
    for delivery in deliveries:
        if delivery.message is None:
            continue
        candidate = (delivery.message, delivery.receive_count)
        order_id = delivery.message.order_id
        if order_id not in chosen or _precedence(candidate) > _precedence(chosen[order_id]):
            chosen[order_id] = candidate
    return chosen


def _precedence(candidate: tuple[OrderMessage, int]) -> tuple[bool, int]:
    message, receive_count = candidate
    return message.source == "replay", receive_count


def delay(error: Exception, receive_count: int) -> float:
    """Seconds until a message is retried; 20 receives outlast an outage of half a day.

    After a permanent error the delay does not grow: the message reaches the dead-letter queue
    within minutes.
    """
    if isinstance(error, PERMANENT):
        return FIRST_DELAY
    return float(min(FIRST_DELAY * 2 ** (receive_count - 1), LONGEST_DELAY))


def spread(message: OrderMessage | None) -> float:
    """A factor from 1 to 1.1, the same for the same order, so that a simulation can be repeated.

    Consecutive ids get different factors: the orders of a batch do not all return at once.
    """
    return 1.0 + (message.order_id * 61 % 100) / 1000 if message else 1.0


def neighbours(ids: Iterable[int]) -> list[list[int]]:
    """The ids in ascending order, in groups that fit into one page of orders."""
    groups: list[list[int]] = []
    for order_id in sorted(ids):
        if groups and order_id - groups[-1][0] < PAGE_SIZE:
            groups[-1].append(order_id)
        else:
            groups.append([order_id])
    return groups
