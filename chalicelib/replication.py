"""Replicates one order: read it, decide, store it with all its parts, move it once.

The item is put before the order is moved. If the function is killed between the two, the item names
the pending move, and the redelivered message continues from there.
"""

import logging
from dataclasses import dataclass, replace
from datetime import datetime

from chalicelib.clock import Clock
from chalicelib.domain.embedded import embedded_digest, parts_digest
from chalicelib.domain.items import digest, redact
from chalicelib.domain.messages import Task
from chalicelib.domain.models import JsonObject, Order, UnreadableOrder
from chalicelib.domain.parts import CHANGED_BY_A_MOVE, shortfalls
from chalicelib.domain.records import ReplicationRecord
from chalicelib.domain.rules import (
    Content,
    DecideLater,
    Decision,
    Policy,
    archived,
    awaits_archiving,
    decide,
    has_move_left,
    is_elsewhere,
    is_outdated,
    moved,
    observe,
    shows_no_change,
    what_is_left,
    why_not_stored,
)
from chalicelib.edges.aws import AwsError
from chalicelib.edges.bigcommerce import BigCommerce, StoreError, TooLate
from chalicelib.edges.dynamodb import ConcurrentWrite, OrdersTable
from chalicelib.edges.pacing import OutOfTime
from chalicelib.reading import Reader
from chalicelib.switches import Switches

logger = logging.getLogger(__name__)

FRESH_FOR = 20.0
"""Seconds after which an order is read again before it is moved: a person may have changed it
during a long wait for the store's quota."""

MAX_READS = 3
"""Reads before a move, after which the move is left to the next delivery."""

MAX_WRITES = 3
"""Attempts to record that somebody else processed an order, against concurrent writes."""


class MovesPaused(DecideLater):
    """Moves were paused after it was decided to move the order."""


@dataclass(frozen=True)
class Replicator:
    """Replicates single orders, whose lists `reader` reads."""

    store: BigCommerce
    orders: OrdersTable
    policy: Policy
    switches: Switches
    clock: Clock
    reader: Reader

    def replicate(self, order: Order, record: ReplicationRecord | None, task: Task) -> None:
        """Store and move the order as the rules require; `record` was read before the order.

        Returns when nothing is left to do. Raises DecideLater when the task has to be done again,
        and whatever the edges raise; after any exception the same call can be repeated.
        """
        if reason := why_not_stored(order, record, self.policy, task):
            return _skip(order.id, reason)
        is_paused = self.switches.are_moves_paused()
        if record is not None:
            record = self._observe(order, record, task)
        order, content = self._content(order, record, task, is_paused=is_paused)
        decision = self._store(order, content, record, task, is_paused=is_paused)
        if decision.move_to is not None:
            self._move(order, decision.record, decision.move_to, task)
        elif left := what_is_left(order, decision.record, self.policy, task, is_paused=is_paused):
            raise left
        if awaits_archiving(order, task):
            raise DecideLater(f"order {order.id}: the store does not show yet that it is archived")
        return _log_success(task, decision)

    def archive(self, task: Task, record: ReplicationRecord) -> None:
        """Mark a stored order that the store does not return any more. Raises ConcurrentWrite."""
        order_id = task.order_id
        if not (record.is_archived or record.is_forgotten):
            after = archived(record, self.clock.now(), task.source)
            self.orders.update(order_id, after, record, {"is_deleted": True})
        _skip(order_id, "not found")

    def _observe(self, order: Order, record: ReplicationRecord, task: Task) -> ReplicationRecord:
        """The record, with what the order shows of its move, which is written before anything else.

        A record that was written meanwhile is read again, so that what was seen is not lost; the
        decision is then left to the next delivery.
        """
        if task.source == "backfill" and record.pending_move is not None:
            # Only the functions determine the outcome of a move: an alarm counts what they log.
            raise DecideLater(f"order {order.id}: its move is pending")
        found_by = task.found_by(order.date_modified)
        for attempt in range(MAX_WRITES):
            observed = observe(record, order, self.policy, self.clock.now(), found_by)
            try:
                if observed != record:
                    self.orders.update(order.id, observed, record)
            except ConcurrentWrite:
                record = self._record(order.id) or record
                continue
            if observed.move_unconfirmed and not record.move_unconfirmed:
                _log_unconfirmed(order)
            if attempt == 0 and not is_outdated(order, record):
                return observed
            break
        raise DecideLater(f"order {order.id}: the item was written since it was read")

    def _content(
        self, order: Order, record: ReplicationRecord | None, task: Task, *, is_paused: bool
    ) -> tuple[Order, Content | None]:
        """The order with its lists, and its content; None where the lists need not be read."""
        may_move = task.may_move and has_move_left(order, record, self.policy, is_paused=is_paused)
        if record and record.is_forgotten:
            return self.reader.with_lines(order) if may_move else order, None
        if record and not may_move and self._shows_no_change(order, record, task):
            return order, None
        whole = self.reader.whole(order)
        incomplete, redacted = shortfalls(whole), self.policy.redacted_fields
        parts = embedded_digest(order, redacted)[0] if incomplete else parts_digest(whole, redacted)
        return whole, Content(self._digest(whole.fields), parts, incomplete)

    def _shows_no_change(self, order: Order, record: ReplicationRecord, task: Task) -> bool:
        parts, is_trusted = embedded_digest(order, self.policy.redacted_fields)
        return shows_no_change(order, record, task, parts, is_trusted=is_trusted)

    def _digest(self, fields: JsonObject) -> str:
        return digest(redact(fields, self.policy.redacted_fields))

    def _store(
        self,
        order: Order,
        content: Content | None,
        record: ReplicationRecord | None,
        task: Task,
        *,
        is_paused: bool,
    ) -> Decision:
        """Decide and write; returns the decision with the record as written."""
        now = self.clock.now()
        decision = decide(order, content, record, self.policy, task, now, is_paused=is_paused)
        after = decision.record
        if record is None or (decision.put and content is not None):
            fields = redact(order.fields, self.policy.redacted_fields)
            expires_at = self.policy.expires_at(order.date_created)
            return replace(decision, record=self.orders.put(fields, after, record, expires_at))
        if after != record:
            self.orders.update(order.id, after, record)
        return decision

    def _move(self, order: Order, step: ReplicationRecord, target: int, task: Task) -> None:
        """Move the order, and record the outcome on its item, as far as it is known.

        An outcome that is unknown leaves the move pending: the next delivery finds it out.
        """
        requested_at = order.requested_at
        for _ in range(MAX_READS):
            try:
                if self.switches.are_moves_paused():
                    raise MovesPaused(f"order {order.id}: moves were paused meanwhile")
                answer = self.store.set_status(
                    order.id, target, requested_at.timestamp() + FRESH_FOR
                )
            except TooLate:
                step, requested_at = self._read_again(order, step, task)
            except (MovesPaused, StoreError, OutOfTime, AwsError) as error:
                if not (isinstance(error, StoreError) and error.effect_unknown):
                    self._forget_move(order.id, step)
                raise
            else:
                return self._record_move(order, answer, step, task)
        self._forget_move(order.id, step)
        raise DecideLater(f"order {order.id}: the store did not take the move in time")

    def _read_again(
        self, order: Order, step: ReplicationRecord, task: Task
    ) -> tuple[ReplicationRecord, datetime]:
        """The step with its move named anew, and when the order was requested unchanged.

        Raises DecideLater if the order has changed, and ConcurrentWrite if its item has.
        """
        try:
            again = self.store.order(order.id)
        except (StoreError, OutOfTime, AwsError, UnreadableOrder):
            self._forget_move(order.id, step)
            raise
        if again.state == order.state:
            renewed = replace(step, move_began_at=self.clock.now())
            self.orders.update(order.id, renewed, step)
            return renewed, again.requested_at
        if is_elsewhere(again, self.policy):
            self._record_elsewhere(again, step, task)
        else:
            self._forget_move(order.id, step)
        raise DecideLater(f"order {order.id}: changed while it was being replicated")

    def _record_elsewhere(self, order: Order, record: ReplicationRecord | None, task: Task) -> None:
        """Record that somebody else processed the order, against concurrent writes."""
        for _ in range(MAX_WRITES):
            if record is None or record.is_moved:
                return
            now = self.clock.now()
            try:
                after = record.record_move(None, order.status_id, now)
                after = after.changed(now, task.found_by(order.date_modified))
                return self.orders.update(order.id, after, record)
            except ConcurrentWrite:
                record = self._record(order.id)

    def _record_move(
        self, order: Order, answer: Order, step: ReplicationRecord, task: Task
    ) -> None:
        """Record the move, and what it changed of the order, which the answer shows."""
        changed = {n: answer.fields[n] for n in CHANGED_BY_A_MOVE if n in answer.fields}
        changed = redact(changed, self.policy.redacted_fields)
        after = self._digest({**order.fields, **changed})
        if step.is_forgotten:
            changed, after = {}, step.digest
        found_by = task.found_by(order.date_modified)
        record = moved(step, answer, after, self.clock.now(), found_by)
        self.orders.update(order.id, record, step, changed)

    def _record(self, order_id: int) -> ReplicationRecord | None:
        return self.orders.records([order_id]).get(order_id)

    def _forget_move(self, order_id: int, step: ReplicationRecord) -> None:
        """Record that nothing was sent; an error here is logged, and the caller's is raised."""
        try:
            self.orders.update(order_id, step.forget_move(), step)
        except (AwsError, ConcurrentWrite) as error:
            logger.warning(
                "move not recorded",
                extra={"event": "move_not_recorded", "order_id": order_id, "error": str(error)},
            )


def _log_unconfirmed(order: Order) -> None:
    logger.warning(
        "move unconfirmed",
        extra={"event": "move_unconfirmed", "order_id": order.id, "status_id": order.status_id},
    )


def _log_success(task: Task, decision: Decision) -> None:
    logger.info(
        "order replicated",
        extra={
            "event": "order_replicated",
            "order_id": task.order_id,
            "source": task.source,
            "stored": decision.put,
            "moved": decision.move_to is not None,
        },
    )


def _skip(order_id: int, reason: str) -> None:
    logger.info(
        "order skipped", extra={"event": "order_skipped", "order_id": order_id, "reason": reason}
    )
