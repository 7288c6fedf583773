"""The rules of replication: which orders are stored, which are moved, and when nothing is left.

A consumer reads the record, then the order, and then:

    needs_no_read ───► whether it was read after the message was sent, and nothing is left
    why_not_stored ──► the reason to skip an order that is not stored
    observe ─────────► the record, with what the order's status shows about its move
    shows_no_change ─► whether the lists need not be read again
    decide ──────────► the record to store, whether to put the order, where to move it
    what_is_left ────► why its message has to be delivered again
    awaits_archiving ► whether a callback said more than the store shows

A poll asks `is_settled` for each order of a page.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chalicelib.domain.messages import Task
from chalicelib.domain.models import Order, OrderStatus
from chalicelib.domain.records import STORE_IS_RIGHT_AFTER, ReplicationRecord

MOVE_MAY_TAKE = timedelta(seconds=180)
"""The timeout of the consumers: a move started longer ago has ended."""

MOVE_IN_FLIGHT_DELAY = 60.0
UNKNOWN_MOVE_DELAY = MOVE_MAY_TAKE.total_seconds() + 20
NOT_CURRENT_DELAY = 3.0
"""Seconds until a message is delivered again, at least: while a move may be in flight, after one
whose outcome is unknown, and for an order that was read within two seconds of its last change."""

READ_AFTER_MESSAGE = timedelta(seconds=5)
"""An order read this long after a message was sent was read after the change that caused it: an
allowance for clocks that differ."""

BELIEVED_AFTER = timedelta(minutes=15)
"""After this time without a change of the order, and as long after it was first read so, a list
that is shorter than the order states is believed. One read is not enough, however old the order is:
a store in trouble may send a short list once, and an order is moved by its lines."""

OUTLIVES_ITS_SCOPE = timedelta(hours=1)
"""How much longer than its retention an item stays, at least: if DynamoDB's clock were ahead of the
store's, an order could lose its item, and with it the record of its move, while it is in scope."""

FORGET = "forget"
"""What found the change of a forgotten order: the operator's command, which sends no message."""

TRIES_TO_SEE_ARCHIVED = 4
"""Receives (at least 3 minutes) after which an order that a callback said to be archived, and that
the store still shows, is taken to have been restored. No list shows an archived order, so a poll
would not find it."""

ELSEWHERE = frozenset(
    {
        OrderStatus.SHIPPED,
        OrderStatus.PARTIALLY_SHIPPED,
        OrderStatus.AWAITING_PICKUP,
        OrderStatus.AWAITING_SHIPMENT,
        OrderStatus.COMPLETED,
    }
)
"""Statuses in which an order has been processed by somebody else, unless this service moved it."""


class DecideLater(Exception):
    """No decision is possible yet; the message is retried.

    `seconds` is the delay after its first receive, if it is given; it doubles with every receive.
    """

    def __init__(self, reason: str, seconds: float | None = None) -> None:
        super().__init__(reason)
        self.seconds = seconds


class Incomplete(DecideLater):
    """The order is stored, but a list has fewer members than the order states."""


@dataclass(frozen=True)
class Policy:
    """The settings for which orders are stored and moved, and where they are moved.

    With `retention_days` 0, orders are kept for ever.
    """

    new_statuses: tuple[int, ...]
    ignored_statuses: tuple[int, ...]
    replicate_since: datetime
    physical_status: int
    pickup_status: int
    digital_status: int
    channels: tuple[int, ...] = ()
    move_status: bool = True
    move_unpaid: bool = True
    embedded_reads: bool = False
    redacted_fields: tuple[str, ...] = ()
    retention_days: int = 0

    @property
    def scope(self) -> str:
        """Identifies which orders are stored and which are new under this policy."""
        settings = [
            f"new {_joined(self.new_statuses)}",
            f"ignored {_joined(self.ignored_statuses)}",
            f"channels {_joined(self.channels) or 'all'}",
            f"since {self.replicate_since.isoformat()}",
        ]
        if self.retention_days:
            settings.append(f"retention {self.retention_days}")
        return " ".join(settings)

    @property
    def targets(self) -> frozenset[int]:
        return frozenset({self.physical_status, self.pickup_status, self.digital_status})

    def since(self, now: datetime) -> datetime:
        """The date of creation from which orders are in scope."""
        if not self.retention_days:
            return self.replicate_since
        return max(self.replicate_since, now - timedelta(days=self.retention_days))

    def has_expired(self, date_created: datetime, now: datetime) -> bool:
        """Whether an order is older than the retention."""
        age = now - date_created
        return bool(self.retention_days) and age > timedelta(days=self.retention_days)

    def expires_at(self, date_created: datetime) -> int | None:
        """When DynamoDB may delete an order's item, in epoch seconds; None for never."""
        if not self.retention_days:
            return None
        kept = timedelta(days=self.retention_days) + OUTLIVES_ITS_SCOPE
        return int(date_created.timestamp() + kept.total_seconds())


@dataclass(frozen=True)
class Content:
    """The content of an order as it is to be stored.

    `parts_digest` is what the next shared read is compared with; `incomplete` names the lists with
    fewer members than the order states.
    """

    digest: str
    parts_digest: str
    incomplete: tuple[str, ...] = ()


@dataclass(frozen=True)
class Decision:
    """The record to store, whether to put the order as well, and the status to move it to."""

    record: ReplicationRecord
    put: bool
    move_to: int | None = None


def why_not_stored(
    order: Order, record: ReplicationRecord | None, policy: Policy, task: Task
) -> str | None:
    """Why an order is skipped; None for one that is stored, or to be stored.

    What is stored is kept current, whatever its status becomes. A replay stores any order, and a
    backfill those created before REPLICATE_SINCE as well. No source stores, and nothing keeps
    current, an order that is older than the retention, also while its item is still there.
    """
    if reason := why_expired(order, policy):
        return reason
    if record is not None or task.stores_any:
        return None
    if task.source == "backfill":
        policy = replace(policy, replicate_since=order.date_created)
    return why_not_in_scope(order, policy)


def why_expired(order: Order, policy: Policy) -> str | None:
    """Why an order is not replicated any more: its age when it was read, by the store's clock."""
    if not policy.has_expired(order.date_created, order.read_at):
        return None
    return f"older than the retention of {policy.retention_days} days"


def why_not_in_scope(order: Order, policy: Policy) -> str | None:
    """Why an order is neither stored for the first time nor moved; None for one in scope."""
    if reason := why_expired(order, policy):
        return reason
    if order.date_created < policy.replicate_since:
        return "created before REPLICATE_SINCE"
    if policy.channels and order.channel_id not in policy.channels:
        return f"channel {order.channel_id} is not replicated"
    if order.status_id in policy.ignored_statuses:
        return f"status {order.status_id} is ignored"
    return None


def why_not_moved(order: Order, policy: Policy) -> str | None:
    """Why an order that was never moved stays as it is; None for a new order."""
    if reason := why_not_in_scope(order, policy):
        return reason
    if order.is_deleted:
        return "archived"
    if order.status_id not in policy.new_statuses:
        return f"status {order.status_id} is not new"
    if order.status_id == OrderStatus.COMPLETED and not order.may_be_digital:
        return "completed, and not digital"
    if order.status_id == OrderStatus.AWAITING_PAYMENT and not policy.move_unpaid:
        return "not paid"
    return None if policy.move_status else "MOVE_STATUS is false"


def next_status(order: Order, policy: Policy) -> int:
    """Where a new order whose lines are read is moved."""
    if order.is_digital:
        return policy.digital_status
    return policy.pickup_status if order.is_collected else policy.physical_status


def has_move_left(
    order: Order, record: ReplicationRecord | None, policy: Policy, *, is_paused: bool
) -> bool:
    """Whether the order is new and has yet to be moved."""
    is_moved = record is not None and record.is_moved
    return not is_moved and not is_paused and why_not_moved(order, policy) is None


def is_settled(
    order: Order,
    record: ReplicationRecord | None,
    policy: Policy,
    *,
    is_paused: bool = False,
    is_sweep: bool = False,
) -> bool:
    """Whether an order of a page needs no further request.

    It is current, whole, and no move is pending or left. An item newer than the page is accepted.
    A poll of changes also accepts an incomplete order, and one that was read within a minute of its
    last change, when the store may have shown an earlier edit of the same second: sweeps read both
    again. Nothing is left to do for an order that is older than the retention.
    """
    if record is None or why_expired(order, policy):
        return why_not_in_scope(order, policy) is not None
    if record.pending_move is not None or has_move_left(order, record, policy, is_paused=is_paused):
        return False
    if record.is_forgotten:
        return True
    if is_sweep and record.incomplete:
        return False
    if is_sweep and is_same(order, record):
        return record.is_confirmed
    return is_outdated(order, record) or is_up_to_date(order, record)


def is_same(order: Order, record: ReplicationRecord) -> bool:
    """Whether the item has the order's version and status, and is archived if the order is."""
    return (record.version, record.status_id, record.is_archived) == order.state


def needs_no_read(task: Task, record: ReplicationRecord | None, policy: Policy) -> bool:
    """Whether the order was read after the task's messages were sent, and nothing is left to do."""
    if record is None or record.read_at is None or task.must_read:
        return False
    if record.read_at < task.queued_at + READ_AFTER_MESSAGE:
        return False
    may_be_new = not record.is_moved and record.status_id in policy.new_statuses
    is_open = record.pending_move is not None or bool(record.incomplete) or may_be_new
    return not is_open and (record.is_current or record.is_moved_by_us)


def is_elsewhere(order: Order, policy: Policy) -> bool:
    """Whether an order that was never moved has been processed by somebody else.

    A completed digital order has not: BigCommerce completes it as soon as it is paid.
    """
    if order.status_id == OrderStatus.COMPLETED:
        return not order.may_be_digital or OrderStatus.COMPLETED in policy.targets
    return order.status_id in (ELSEWHERE | policy.targets) - set(policy.new_statuses)


def is_up_to_date(order: Order, record: ReplicationRecord) -> bool:
    """Whether the item is the order as it is now, without an edit that its read has missed."""
    return is_same(order, record) and record.is_current


def is_outdated(order: Order, record: ReplicationRecord) -> bool:
    """Whether the store's answer is older than the item, and not yet to be believed."""
    age = order.read_at.timestamp() - record.version
    return order.version < record.version and age < STORE_IS_RIGHT_AFTER.total_seconds()


def observe(
    record: ReplicationRecord,
    order: Order,
    policy: Policy,
    now: datetime,
    found_by: str | None = None,
) -> ReplicationRecord:
    """The record of a stored order, updated by what the store shows of its move.

    `found_by` is what found the order, for the record of a change.

    An order that somebody else processed counts as moved for good, even when the answer is older
    than the item. If a move is pending and the order has changed since, a move that a person
    reverted cannot be distinguished from one that never happened. The order then counts as moved: a
    second move could overrule that person.

    Raises DecideLater when the answer is older than the item, or when another delivery may be
    moving the order now.
    """
    outdated = is_outdated(order, record)
    if not record.is_moved:
        if order.status_id == record.pending_move and not outdated:
            moved_by_us = record.record_move(record.moved_from, order.status_id, now)
            return moved_by_us.changed(now, found_by)
        if is_elsewhere(order, policy):
            return record.record_move(None, order.status_id, now).changed(now, found_by)
    if outdated:
        raise DecideLater(f"order {order.id}: the store returned an older version than the item's")
    if record.pending_move is None:
        return record
    if _may_be_in_flight(record, order.requested_at):
        raise DecideLater(
            f"order {order.id}: another delivery may be moving it", MOVE_IN_FLIGHT_DELAY
        )
    if order.version > record.version or order.status_id != record.moved_from:
        # Another status at the same version is a change of the same second.
        return record.doubt_move(now).changed(now, found_by)
    return record.forget_move()


def shows_no_change(
    order: Order,
    record: ReplicationRecord,
    task: Task,
    parts_digest: str,
    *,
    is_trusted: bool,
) -> bool:
    """Whether the lists need not be read again: an order as stored, by its embedded form.

    `parts_digest` is that of the embedded form, which proves nothing unless it `is_trusted`. If it
    is not, an order of the same version counts as unchanged where the item is current, or for a
    sweep confirmed: its version can hide an edit of the same second that the store showed late.
    """
    if task.must_read or not is_same(order, record):
        return False
    if record.incomplete and (task.is_sweep or not record.believed):
        return False
    if is_trusted:
        return parts_digest == record.parts_digest
    return record.is_confirmed if task.is_sweep else record.is_current


def decide(
    order: Order,
    content: Content | None,
    record: ReplicationRecord | None,
    policy: Policy,
    task: Task,
    now: datetime,
    *,
    is_paused: bool = False,
) -> Decision:
    """What to do with an order; `content` is None when its lists are unchanged and were not read.

    Raises DecideLater when the item was read from the store later than this order.
    """
    if record is not None and content is not None and _is_later(record, order):
        raise DecideLater(f"order {order.id}: the item was read later")
    stored = _stored(order, content, record, task, now)
    waits = bool(stored.incomplete) and not stored.believed
    # Without its lines, a completed digital order looks like one that somebody has processed.
    is_known = not waits or order.status_id != OrderStatus.COMPLETED
    if not stored.is_moved and is_known and is_elsewhere(order, policy):
        stored = stored.record_move(None, order.status_id, now)
    put = _differs(stored, record)
    if put:
        stored = stored.changed(now, task.found_by(order.date_modified))
    may_move = task.may_move and not waits
    if not (may_move and has_move_left(order, stored, policy, is_paused=is_paused)):
        return Decision(stored, put)
    target = next_status(order, policy)
    if stored.is_forgotten:
        # The version by which the next read tells whether the order has changed since.
        stored = replace(stored, version=order.version)
    return Decision(stored.begin_move(order.status_id, target, now), put, move_to=target)


def what_is_left(
    order: Order, record: ReplicationRecord, policy: Policy, task: Task, *, is_paused: bool
) -> DecideLater | None:
    """Why the task's messages have to be delivered again, after an order that was not moved."""
    name = f"order {order.id}"
    if record.pending_move is not None:
        return DecideLater(f"{name}: the outcome of its move is unknown", MOVE_IN_FLIGHT_DELAY)
    if not record.is_current and not record.is_forgotten:
        return DecideLater(f"{name}: changed within the last two seconds", NOT_CURRENT_DELAY)
    if record.incomplete and not record.believed:
        # Nothing waits for the lists of an old order: the next read is the one that believes them.
        is_urgent = _is_recent(order) or has_move_left(order, record, policy, is_paused=is_paused)
        seconds = None if is_urgent else BELIEVED_AFTER.total_seconds()
        few = ", ".join(record.incomplete)
        return Incomplete(f"{name}: the store returned too few {few}", seconds)
    if task.may_move and has_move_left(order, record, policy, is_paused=is_paused):
        return DecideLater(f"{name}: not moved yet")
    return None


def awaits_archiving(order: Order, task: Task) -> bool:
    """Whether a callback said that the order is archived, and the store does not show it yet."""
    is_recent = task.receive_count < TRIES_TO_SEE_ARCHIVED
    return task.is_archival and is_recent and not order.is_deleted


def moved(
    record: ReplicationRecord,
    answer: Order,
    digest: str,
    now: datetime,
    found_by: str | None = None,
) -> ReplicationRecord:
    """The record after a move, given the order that the store returned for it.

    `read_at` stays: an edit just before the move was not read.
    """
    done = record.record_move(record.moved_from, answer.status_id, now)
    current = replace(done, status_id=answer.status_id, version=answer.version, digest=digest)
    return current.changed(now, found_by)


def archived(
    record: ReplicationRecord, now: datetime, found_by: str | None = None
) -> ReplicationRecord:
    """The record of an order that the store does not return any more."""
    return replace(record, archived_at=record.archived_at or now).changed(now, found_by)


def tombstone(record: ReplicationRecord | None, now: datetime) -> ReplicationRecord:
    """The record that remains of a forgotten order: that it is forgotten, and its move."""
    kept = record or ReplicationRecord("poll", 0, "", now)
    emptied = replace(kept, digest="", parts_digest=None, encoding=None, incomplete=None)
    emptied = replace(emptied, incomplete_at=None, believed=None)
    return replace(emptied, forgotten_at=now).changed(now, FORGET)


def _stored(
    order: Order,
    content: Content | None,
    record: ReplicationRecord | None,
    task: Task,
    now: datetime,
) -> ReplicationRecord:
    """The record of the order as it will be in the table."""
    if record and record.is_forgotten:
        return record
    if record and content is None:
        return replace(record, read_at=max(order.read_at, record.read_at or order.read_at))
    if content is None:
        raise ValueError(f"order {order.id} is not stored, and its lists were not read")
    found_by = task.found_by(order.date_modified)
    kept = record or ReplicationRecord(found_by, order.version, content.digest, now)
    incomplete_at = _incomplete_at(order, content, record)
    return replace(
        kept,
        version=order.version,
        digest=content.digest,
        parts_digest=content.parts_digest,
        read_at=order.read_at,
        status_id=order.status_id,
        incomplete=content.incomplete or None,
        incomplete_at=incomplete_at,
        believed=_is_believed(order, content, record, incomplete_at) or None,
        archived_at=(kept.archived_at or now) if order.is_deleted else None,
    )


def _incomplete_at(
    order: Order, content: Content, record: ReplicationRecord | None
) -> datetime | None:
    """When the order was first read as it is, with lists that are as short; None if none is."""
    if not content.incomplete:
        return None
    is_same = record is not None and (record.digest, record.incomplete) == (
        content.digest,
        content.incomplete,
    )
    return (record.incomplete_at if record and is_same else None) or order.read_at


def _is_believed(
    order: Order,
    content: Content,
    record: ReplicationRecord | None,
    incomplete_at: datetime | None,
) -> bool:
    """Whether an incomplete order counts as whole: for as long as it does not change."""
    if incomplete_at is None:
        return False
    if record and record.believed and record.parts_digest == content.parts_digest:
        return True
    return not _is_recent(order) and order.read_at - incomplete_at >= BELIEVED_AFTER


def _is_recent(order: Order) -> bool:
    return order.read_at - order.date_modified < BELIEVED_AFTER


def _is_later(record: ReplicationRecord, order: Order) -> bool:
    is_same_version = record.version == order.version
    return is_same_version and record.read_at is not None and record.read_at > order.read_at


def _differs(stored: ReplicationRecord, record: ReplicationRecord | None) -> bool:
    """Whether the item's order, its move or what is known to be missing has changed."""
    return record is None or _state(stored) != _state(record)


def _state(record: ReplicationRecord) -> tuple[object, ...]:
    return (
        record.version,
        record.digest,
        record.status_id,
        record.is_archived,
        record.is_moved,
        record.incomplete,
        record.incomplete_at,
        record.believed,
    )


def _may_be_in_flight(record: ReplicationRecord, requested_at: datetime) -> bool:
    began = record.move_began_at
    return began is not None and requested_at - began < MOVE_MAY_TAKE


def _joined(values: Iterable[int]) -> str:
    return ",".join(str(int(value)) for value in values)
