"""The consumer: a batch of deliveries, each order on its own, failures handed back alone."""

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
"""Seconds that a message is put off: 30, doubled with every receive, an hour at the most."""

TRIES_TO_FIND = 5
"""Receives, 7 minutes after the first at the least, after which an order that is neither found
by itself nor in a list is gone for good."""

ORDERS_AT_A_TIME = 10
"""As many as a batch has messages."""

DOWN_AFTER = 3
"""Orders in a row that found the store unavailable, after which the batch is given back."""


class ForeignMessage(Exception):
    """The message is not one that a poll or a webhook queued."""


class NotAttempted(Exception):
    """The order was not tried: the store is down, its token dead, or the time over."""


EXPECTED = (DecideLater, ConcurrentWrite, NotAttempted)
"""What happens when all is well with an order; a traceback would only alarm."""

PERMANENT = (ForeignMessage, ItemTooLarge, UnstorableNumber)


@dataclass(frozen=True)
class Consumer:
    """Replicates the orders that a batch of messages names."""

    store: BigCommerce
    orders: OrdersTable
    queue: OrdersQueue
    alerts: Alerts
    policy: Policy
    redacted_fields: tuple[str, ...]
    clock: Clock
    max_in_flight: int

    def consume(self, deliveries: Sequence[Delivery]) -> list[str]:
        """The ids of the messages that go back to the queue; the others are done with."""
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
        """More than fit into the air, so that one asks the store while another waits for a table.

        With one request in the air, one order: then the same events give the same run.
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
                failed.append((delivery, delay(error, delivery.receive_count)))
        try:
            self.queue.postpone(failed)
        except AwsError as error:
            # They come back all the same, when the queue's own visibility timeout ends.
            logger.warning(
                "visibility timeout not changed",
                extra={"event": "visibility_not_changed", "error": str(error)},
            )
        return [delivery.message_id for delivery, _ in failed]


class _Batch:
    """What the orders of one invocation share: reads made for all, and the sign to stop."""

    def __init__(self, consumer: Consumer, fetchers: Executor, ids: Sequence[int]) -> None:
        self._time_left = consumer.store.remaining
        self._alerts = consumer.alerts
        self._replicator = Replicator(
            # Once the batch has stopped, whatever still waits for the store is out of time.
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
        """Replicate the order of a message received so often; why it goes back, or None."""
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
        except Exception as error:  # whatever is wrong with one order is no reason to drop it
            return self._failed(order_id, error)
        self._store_answers()
        return None

    def _find(self, order_id: int, receive_count: int) -> Snapshot | None:
        """The order, or None once it is gone for good. Raises NotFound before that is certain."""
        try:
            return self._snapshots.get(order_id) or self._replicator.look(order_id)
        except NotFound:
            # Earlier receives may have failed for other reasons: a second opinion is asked for.
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
                        "modify, then deploy its new token with a higher secrets_version; "
                        "messages are kept and tried again",
                    },
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
        """The orders that one call can read with a neighbour; the others are read alone."""
        snapshots: dict[int, Snapshot] = {}
        for group in neighbours(ids):
            if len(group) < 2 or self._stopped:
                continue
            try:
                found = self._replicator.store.orders_between(group[0], group[-1])
            except (Unauthorized, OutOfTime) as error:
                self._stop(error)
            except (StoreError, AwsError) as error:
                # One bad order can spoil a page; alone, each of its neighbours is readable.
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
    """The message that speaks for each order, and how often it was received.

    Messages for one order share its fate. A replay asks for more than the others, and speaks for
    them; else the first of those received most often does.
    """
    chosen: dict[int, tuple[OrderMessage, int]] = {}
    for delivery in deliveries:
        if delivery.message is None:
            continue
        said = (delivery.message, delivery.receive_count)
        order_id = delivery.message.order_id
        if order_id not in chosen or _weight(said) > _weight(chosen[order_id]):
            chosen[order_id] = said
    return chosen


def _weight(said: tuple[OrderMessage, int]) -> tuple[bool, int]:
    message, receive_count = said
    return message.source == "replay", receive_count


def delay(error: Exception, receive_count: int) -> float:
    """Seconds until a message is tried again; 20 receives outlast half a day of outage.

    What no wait can mend goes to the dead-letter queue, and to people, within minutes.
    """
    if isinstance(error, PERMANENT):
        return FIRST_DELAY
    return float(min(FIRST_DELAY * 2 ** (receive_count - 1), LONGEST_DELAY))


def neighbours(ids: Iterable[int]) -> list[list[int]]:
    """Ids, ascending, in groups that fit into one page of orders."""
    groups: list[list[int]] = []
    for order_id in sorted(ids):
        if groups and order_id - groups[-1][0] < PAGE_SIZE:
            groups[-1].append(order_id)
        else:
            groups.append([order_id])
    return groups
