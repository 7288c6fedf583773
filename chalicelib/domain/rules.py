"""The rules of replication: which orders are new, whether a move took place, what to do next.

order, as read ── observe ──► the record, with the outcome of a pending move
               ── why_not_new ──► the reason to skip the order, or None
               ── decide ──► the record to store, whether to put the order, where to move it
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chalicelib.domain.models import SUB_RESOURCES, Order, OrderStatus, ReplicationRecord, Source

MOVE_MAY_TAKE = timedelta(seconds=180)
"""The timeout of replicate_orders: a move started longer ago has ended."""


class DecideLater(Exception):
    """No decision is possible yet; the message is retried later."""


@dataclass(frozen=True)
class Policy:
    """The settings for which orders are new, what is read of them, and where they are moved."""

    new_statuses: tuple[int, ...]
    physical_status: int
    digital_status: int
    replicate_since: datetime
    move_status: bool = True
    skip_coupons_without_discount: bool = False

    @property
    def scope(self) -> str:
        """Identifies which orders are new under this policy."""
        statuses = ",".join(str(status) for status in self.new_statuses)
        return f"{statuses} since {self.replicate_since.isoformat()}"


@dataclass(frozen=True)
class Decision:
    """The record to store, whether to put the order as well, and the status to move it to."""

    record: ReplicationRecord
    put: bool
    move_to: int | None = None


def why_not_new(order: Order, policy: Policy) -> str | None:
    """Why an order is not replicated; None for a new order.

    A shipped order also ends in Completed, so in that status only digital orders are new. Before
    its lines are read, an order that may be digital is treated as digital.
    """
    if order.is_deleted:
        return "deleted"
    if order.date_created < policy.replicate_since:
        return "created before REPLICATE_SINCE"
    if order.status_id not in policy.new_statuses:
        return f"status {order.status_id} is not new"
    if order.status_id == OrderStatus.COMPLETED and not order.may_be_digital:
        return "completed, and not digital"
    return None


def is_new(order: Order, policy: Policy) -> bool:
    return why_not_new(order, policy) is None


def lists_to_request(order: Order, policy: Policy) -> list[str]:
    """The sub-resources to request, without those that the order states to be empty."""
    without = set()
    if order.shipping_address_count == 0:
        without.add("shipping_addresses")
    if policy.skip_coupons_without_discount and order.has_no_discount:
        without.add("coupons")
    return [name for name in SUB_RESOURCES if name not in without]


def next_status(order: Order, policy: Policy) -> int:
    return policy.digital_status if order.is_digital else policy.physical_status


def is_replicated(order: Order, stored: ReplicationRecord | None, policy: Policy) -> bool:
    """Whether a poll need not queue the order: forgotten, already moved, or unchanged."""
    if stored is None:
        return False
    if stored.is_forgotten or stored.is_moved:
        return True
    return not policy.move_status and stored.version >= order.version


def is_missing(
    order: Order, stored: ReplicationRecord | None, policy: Policy, due: datetime
) -> bool:
    """Whether a new order, unchanged since before `due`, is not in the table.

    A completed order whose lines would have to be read is not counted, since a poll does not read
    them.
    """
    if stored is not None or order.date_modified >= due or not is_new(order, policy):
        return False
    return order.status_id != OrderStatus.COMPLETED or order.is_digital


def observe(
    stored: ReplicationRecord, order: Order, policy: Policy, now: datetime
) -> ReplicationRecord:
    """The record of a stored order, updated by what the store shows of its move.

    An order in a target status counts as moved, whoever moved it. If a move is pending and the
    order has changed since, a move that a person reverted cannot be distinguished from one that
    never happened. The order then counts as moved: a second move could overrule that person.

    Raises DecideLater when the store returned an older version than the stored one, or when another
    delivery may be moving the order now.
    """
    if stored.is_moved:
        return stored
    if order.version < stored.version:
        raise DecideLater(
            f"order {order.id}: the store returned an older version than the stored one"
        )
    targets = {stored.moved_to}
    if policy.move_status:
        targets |= {policy.physical_status, policy.digital_status}
    if order.status_id in targets:
        return record_move(stored, stored.moved_from, order.status_id, now)
    if stored.pending_move is None:
        return stored
    if _may_be_in_flight(stored, now):
        raise DecideLater(f"order {order.id}: another delivery may be moving it")
    if order.version > stored.version:
        moved = record_move(stored, stored.moved_from, stored.moved_to, now)
        return replace(moved, move_unconfirmed=True)
    return forget_move(stored)


def decide(
    order: Order,
    digest: str,
    stored: ReplicationRecord | None,
    policy: Policy,
    source: Source,
    now: datetime,
    *,
    may_move: bool,
) -> Decision:
    """What to do with an order whose sub-resources are read.

    An older version than the stored one is never put. A replay puts an unchanged order again.
    """
    if stored is None:
        put, record = True, ReplicationRecord(source, order.version, digest, now.isoformat())
    else:
        is_changed = (order.version, digest) != (stored.version, stored.digest)
        put = order.version >= stored.version and (source == "replay" or is_changed)
        record = stored
        if put:
            record = replace(
                stored,
                version=order.version,
                digest=digest,
                replicated_at=now.isoformat(),
                encoding=None,
            )
    if record.is_moved or not (may_move and policy.move_status):
        return Decision(record, put)
    target = next_status(order, policy)
    return Decision(begin_move(record, order.status_id, target, now), put, move_to=target)


def begin_move(
    record: ReplicationRecord, before: int, after: int, now: datetime
) -> ReplicationRecord:
    """The record that names a move before it is made."""
    return replace(record, moved_from=before, moved_to=after, move_began_at=now.isoformat())


def record_move(
    record: ReplicationRecord, before: int | None, after: int | None, now: datetime
) -> ReplicationRecord:
    return replace(
        record,
        moved_at=now.isoformat(),
        moved_from=before,
        moved_to=after,
        move_began_at=None,
    )


def forget_move(record: ReplicationRecord) -> ReplicationRecord:
    """The record after a move that had no effect."""
    return replace(record, moved_from=None, moved_to=None, move_began_at=None)


def doubt_move(record: ReplicationRecord) -> ReplicationRecord:
    """The record after a move with unknown outcome, which the next delivery finds out."""
    return replace(record, move_began_at=None)


def tombstone(stored: ReplicationRecord | None, now: datetime) -> ReplicationRecord:
    """The record that remains of a forgotten order: that it is forgotten, and its move."""
    kept = stored or ReplicationRecord("poll", 0, "", now.isoformat())
    return replace(kept, digest="", encoding=None, forgotten_at=now.isoformat())


def _may_be_in_flight(stored: ReplicationRecord, now: datetime) -> bool:
    if stored.move_began_at is None:
        return False
    return now - datetime.fromisoformat(stored.move_began_at) < MOVE_MAY_TAKE
