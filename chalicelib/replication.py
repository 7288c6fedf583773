"""Replicates one order: read it, decide, store it with all its parts, move it once.

The item is put before the order is moved. If the function is killed between the two, the item names
the pending move, and the redelivered message continues from there.
"""

import logging
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial

from chalicelib.clock import Clock
from chalicelib.domain.items import digest, redact
from chalicelib.domain.models import (
    SUB_RESOURCES,
    JsonObject,
    Order,
    ReplicationRecord,
    Source,
    UnreadableOrder,
)
from chalicelib.domain.rules import (
    DecideLater,
    Decision,
    Policy,
    decide,
    doubt_move,
    forget_move,
    lists_to_request,
    observe,
    record_move,
    why_not_new,
)
from chalicelib.edges.aws import AwsError
from chalicelib.edges.bigcommerce import BigCommerce, StoreError, TooLate
from chalicelib.edges.dynamodb import ConcurrentWrite, OrdersTable
from chalicelib.edges.pacing import OutOfTime

logger = logging.getLogger(__name__)

FRESH_FOR = 20.0
"""Seconds after which an order is read again before it is moved: a person may have changed it
during a long wait for the store's quota."""

ADDRESSES = "shipping_address_count"

MAX_READS = 3
"""Reads before a move, after which the move is left to the next delivery."""


@dataclass(frozen=True)
class Snapshot:
    """An order as the store returned it, and when it was read (epoch seconds)."""

    fields: JsonObject
    read_at: float


@dataclass(frozen=True)
class Replicator:
    """Replicates single orders; `fetchers` request the sub-resources concurrently."""

    store: BigCommerce
    orders: OrdersTable
    policy: Policy
    redacted_fields: tuple[str, ...]
    clock: Clock
    fetchers: Executor

    def read(self, order_id: int) -> Snapshot:
        """Read one order from the store. Raises StoreError and OutOfTime."""
        return Snapshot(self.store.order(order_id), self.clock.time())

    def replicate(
        self, snapshot: Snapshot, stored: ReplicationRecord | None, source: Source
    ) -> None:
        """Store and move the order as the rules require, given its item's record.

        A replay and a backfill also store an order that is not new, and do not move it. After any
        exception the same call can be repeated.
        """
        order = Order.parse(snapshot.fields)
        if stored and stored.is_forgotten:
            return _skip(order, "forgotten")
        stores_any = source in ("replay", "backfill")
        record = self._observe(order, stored, source)
        reason = why_not_new(order, self.policy)
        if reason is None or stores_any:
            order = self._complete(order)
            # The lines can only show that an order is not new; otherwise a replay could move one.
            reason = reason or why_not_new(order, self.policy)
        if reason is not None and not stores_any:
            return _skip(order, reason)
        if stores_any:
            _refuse_outdated(order, record)
        may_move = reason is None and source != "backfill"
        decision = self._store(order, record, source, may_move=may_move)
        if decision.move_to is not None:
            self._move(order, decision.record, decision.move_to, snapshot.read_at)
        return _log_success(order, source, decision, copied=not may_move)

    def _observe(
        self, order: Order, stored: ReplicationRecord | None, source: Source
    ) -> ReplicationRecord | None:
        if stored is None:
            return None
        if source == "backfill":
            # Only the functions determine the outcome of a move: an alarm counts what they log.
            if stored.pending_move is not None:
                raise DecideLater(f"order {order.id}: its move is pending")
            return stored
        observed = observe(stored, order, self.policy, self.clock.now())
        if observed != stored:
            self.orders.record_move(order.id, observed, stored)
        if observed.move_unconfirmed and not stored.move_unconfirmed:
            logger.warning(
                "move unconfirmed",
                extra={
                    "event": "move_unconfirmed",
                    "order_id": order.id,
                    "status_id": order.status_id,
                },
            )
        return observed

    def _complete(self, order: Order) -> Order:
        """The order with its sub-resources; those it cannot have are not requested."""
        names = lists_to_request(order, self.policy)
        lists = self.fetchers.map(lambda name: self.store.sub_resource(order.id, name), names)
        parts: JsonObject = {name: [] for name in SUB_RESOURCES}
        parts |= dict(zip(names, lists, strict=True))
        for name, count in (("products", "items_total"), ("shipping_addresses", ADDRESSES)):
            if order.fields.get(count) and not parts[name]:
                raise DecideLater(
                    f"order {order.id}: the store returned no {name}, but the order has some"
                )
        return order.with_parts(parts)

    def _store(
        self, order: Order, record: ReplicationRecord | None, source: Source, *, may_move: bool
    ) -> Decision:
        """Decide and write; returns the decision with the record as written."""
        fields = redact(order.fields, self.redacted_fields)
        decision = decide(
            order,
            digest(fields),
            record,
            self.policy,
            source,
            self.clock.now(),
            may_move=may_move,
        )
        if decision.put or record is None:
            return replace(decision, record=self.orders.put(fields, decision.record, record))
        if decision.record != record:
            self.orders.record_move(order.id, decision.record, record)
        return decision

    def _move(self, order: Order, step: ReplicationRecord, target: int, read_at: float) -> None:
        """Move the order, and record the outcome on its item, as far as it is known."""
        try:
            self._set_status(order, target, read_at)
        except (StoreError, OutOfTime, DecideLater, AwsError, UnreadableOrder) as error:
            doubtful = isinstance(error, StoreError) and error.effect_unknown
            self._record_end(order.id, doubt_move(step) if doubtful else forget_move(step), step)
            raise
        moved = record_move(step, step.moved_from, target, self.clock.now())
        self.orders.record_move(order.id, moved, step)

    def _set_status(self, order: Order, target: int, read_at: float) -> None:
        """Set the status, if the order is unchanged; it is read again after `FRESH_FOR` seconds."""
        for _ in range(MAX_READS):
            try:
                self.store.set_status(order.id, target, partial(self._fresh_for, read_at))
                return
            except TooLate:
                read_at = self._read_again(order)
        raise DecideLater(f"order {order.id}: the store did not take the move in time")

    def _fresh_for(self, read_at: float) -> float:
        return read_at + FRESH_FOR - self.clock.time()

    def _read_again(self, order: Order) -> float:
        """When the order was read unchanged (epoch seconds). Raises DecideLater if it changed."""
        snapshot = self.read(order.id)
        again = Order.parse(snapshot.fields)
        if (again.version, again.status_id) != (order.version, order.status_id):
            raise DecideLater(f"order {order.id}: changed while it was being replicated")
        return snapshot.read_at

    def _record_end(self, order_id: int, ended: ReplicationRecord, step: ReplicationRecord) -> None:
        """Record how a move ended; an error here is logged, and the move's own error is raised."""
        try:
            self.orders.record_move(order_id, ended, step)
        except (AwsError, ConcurrentWrite) as error:
            logger.warning(
                "move not recorded",
                extra={"event": "move_not_recorded", "order_id": order_id, "error": str(error)},
            )


def _refuse_outdated(order: Order, stored: ReplicationRecord | None) -> None:
    if stored and order.version < stored.version:
        raise DecideLater(
            f"order {order.id}: the store returned an older version than the stored one"
        )


def _log_success(order: Order, source: Source, decision: Decision, *, copied: bool) -> None:
    if copied:
        logger.info(
            "order copied", extra={"event": "order_copied", "order_id": order.id, "source": source}
        )
        return
    logger.info(
        "order replicated",
        extra={
            "event": "order_replicated",
            "order_id": order.id,
            "source": source,
            "moved": decision.move_to is not None,
        },
    )


def _skip(order: Order, reason: str) -> None:
    logger.info(
        "order skipped", extra={"event": "order_skipped", "order_id": order.id, "reason": reason}
    )
