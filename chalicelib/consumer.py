"""Consumes a batch of messages: each order is replicated by itself, and fails by itself."""

import logging
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace

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

DOWN_AFTER = 3
"""Consecutive orders that fail because the store is unavailable before the batch is stopped."""


class ForeignMessage(Exception):
    """The message's body is not an order message."""


class NotAttempted(Exception):
    """The order was not attempted: the store is down, the token refused, or the time is over."""


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
            batch = _Batch(self, fetchers, sorted(by_order))
            outcomes = dict(
                zip(by_order, workers.map(batch.replicate, by_order.values()), strict=True)
            )
        usage = self.store.usage
        logger.info(
            "store requests",
            extra={
                "event": "store_requests",
                "requests": usage.requests,
                "throttled": usage.throttled,
            },
        )
        return self._return_failed(deliveries, outcomes)

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


class _Batch:
    """What the orders of one invocation share: combined reads, and whether to stop."""

    def __init__(self, consumer: Consumer, fetchers: Executor, ids: Sequence[int]) -> None:
        self._time_left = consumer.store.remaining
        self._alerts = consumer.alerts
        self._replicator = Replicator(
            # Once the batch is stopped, requests that still wait raise OutOfTime.
            replace(consumer.store, remaining=self._remaining),
            consumer.orders,
            consumer.policy,
            consumer.redacted_fields,
            consumer.clock,
            fetchers,
        )
        self._lock = threading.Lock()
        self._unavailable_in_a_row = 0
        self._stopped: Exception | None = None
        self._snapshots = self._read_together(ids)
        self._records = self._read_records(ids)

    def replicate(self, delivered: tuple[OrderMessage, int]) -> Exception | None:
        """Replicate the order of a message; returns the error for which to retry it, or None."""
        message, receive_count = delivered
        order_id = message.order_id
        try:
            if self._stopped:
                raise NotAttempted(f"not tried after: {self._stopped}")
            snapshot = self._find(order_id, receive_count)
            if snapshot is None:
                logger.warning(
                    "order skipped",
                    extra={"event": "order_skipped", "order_id": order_id, "reason": "not found"},
                )
            else:
                self._replicator.replicate(snapshot, self._record(order_id), message.source)
        except Exception as error:  # no error of one order may fail the batch
            return self._failed(order_id, error)
        self._store_answers()
        return None

    def _find(self, order_id: int, receive_count: int) -> Snapshot | None:
        """The order, or None when it is deleted. Raises NotFound until that is certain."""
        try:
            return self._snapshots.get(order_id) or self._replicator.read(order_id)
        except NotFound:
            # Earlier receives may have failed for other reasons, so a list has to confirm it.
            if receive_count < TRIES_TO_FIND:
                raise
            if self._replicator.store.orders_between(order_id, order_id):
                raise
            return None

    def _failed(self, order_id: int, error: Exception) -> Exception:
        logger.warning(
            "order returned to the queue",
            extra={
                "event": "order_returned",
                "order_id": order_id,
                "error": f"{type(error).__name__}: {error}",
            },
            exc_info=None if isinstance(error, EXPECTED) else error,
        )
        if isinstance(error, Unauthorized | OutOfTime):
            self._stop(error)
        elif isinstance(error, Unavailable):
            with self._lock:
                self._unavailable_in_a_row += 1
                is_down = self._unavailable_in_a_row >= DOWN_AFTER
            if is_down:
                self._stop(error)
        elif isinstance(error, StoreError):
            self._store_answers()
        return error

    def _stop(self, error: Exception) -> None:
        with self._lock:
            is_first = self._stopped is None
            self._stopped = self._stopped or error
        if is_first and isinstance(error, Unauthorized):
            logger.error(
                "store refused the access token",
                extra={"event": "access_token_refused", "error": str(error)},
            )
            try:
                self._alerts.publish(
                    "BigCommerce refuses the access token",
                    {
                        "error": error,
                        "next": "check that the API account exists and has the scope Orders: "
                        "modify, then deploy its new token with a higher secrets_version. "
                        "Messages stay in the queue and are retried.",
                    },
                    heading="unauthorized",
                )
            except AwsError as unsent:
                logger.error(
                    "alert not sent", extra={"event": "alert_not_sent", "error": str(unsent)}
                )

    def _remaining(self) -> float:
        return 0.0 if self._stopped else self._time_left()

    def _store_answers(self) -> None:
        with self._lock:
            self._unavailable_in_a_row = 0

    def _read_together(self, ids: Sequence[int]) -> dict[int, Snapshot]:
        """Read orders with neighbouring ids in one request; the others are read one by one."""
        snapshots: dict[int, Snapshot] = {}
        store = self._replicator.store
        # Without retries: the orders can still be read one by one, in the time that is left.
        once = replace(store, retry=store.retry.new(total=0))
        for group in neighbours(ids):
            if len(group) < 2 or self._stopped:
                continue
            try:
                found = once.orders_between(group[0], group[-1])
            except (Unauthorized, OutOfTime) as error:
                self._stop(error)
            except (StoreError, AwsError) as error:
                # One bad order can fail a page; its neighbours can still be read one by one.
                logger.warning(
                    "shared read failed", extra={"event": "shared_read_failed", "error": str(error)}
                )
            else:
                now = self._replicator.clock.time()
                snapshots |= {order["id"]: Snapshot(order, now) for order in found}
        return snapshots

    def _read_records(self, ids: Sequence[int]) -> dict[int, ReplicationRecord] | None:
        try:
            return self._replicator.orders.records(ids)
        except AwsError as error:
            logger.warning(
                "records not read", extra={"event": "records_not_read", "error": str(error)}
            )
            return None

    def _record(self, order_id: int) -> ReplicationRecord | None:
        if self._records is None:
            return self._replicator.orders.records([order_id]).get(order_id)
        return self._records.get(order_id)


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
