"""The rules of replication, pure: what is new, what the store shows, what happens next.

order, as read ── observe ──► what the store shows of our move
               ── why_not_new ──► let it go, or
               ── next_step ──► what the item's replication record becomes
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chalicelib.domain.models import SUB_RESOURCES, Order, OrderStatus, ReplicationRecord, Source

MOVE_MAY_TAKE = timedelta(seconds=180)
"""The time-out of replicate_orders: a move begun longer ago has ended, well or badly."""


class DecideLater(Exception):
    """What the store shows does not yet allow a decision; the same message, later, will."""


@dataclass(frozen=True)
class Policy:
    """The merchant's choices about what is new, what is asked for, and where it moves."""

    new_statuses: tuple[int, ...]
    physical_status: int
    digital_status: int
    replicate_since: datetime
    move_status: bool = True
    skip_coupons_without_discount: bool = False

    @property
    def scope(self) -> str:
        """Which orders are new, in a line."""
        statuses = ",".join(str(status) for status in self.new_statuses)
        return f"{statuses} since {self.replicate_since.isoformat()}"


def why_not_new(order: Order, policy: Policy) -> str | None:
    """The reason why an order is not to be replicated; None for a new one.

    A shipped order also ends in Completed, so there only digital orders are new. Before an
    order's lines are known, an order that may be digital counts as one.
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
    """The sub-resources that may have members: the order itself says which can have none."""
    without = set()
    if order.shipping_address_count == 0:
        without.add("shipping_addresses")
    if policy.skip_coupons_without_discount and order.has_no_discount:
        without.add("coupons")
    return [name for name in SUB_RESOURCES if name not in without]


def next_status(order: Order, policy: Policy) -> int:
    return policy.digital_status if order.is_digital else policy.physical_status


def is_replicated(order: Order, stored: ReplicationRecord | None, policy: Policy) -> bool:
    """Whether a poll may pass over the order: forgotten, moved once, or without news."""
    if stored is None:
        return False
    if stored.is_forgotten or stored.is_moved:
        return True
    return not policy.move_status and stored.version >= order.version


def is_missing(
    order: Order, stored: ReplicationRecord | None, policy: Policy, due: datetime
) -> bool:
    """Whether an order that was new and unchanged since before `due` is in no item.

    A completed order that only its lines can show to be digital is not counted: a poll does not
    read them.
    """
    if stored is not None or order.date_modified >= due or not is_new(order, policy):
        return False
    return order.status_id != OrderStatus.COMPLETED or order.is_digital


def observe(
    stored: ReplicationRecord, order: Order, policy: Policy, now: datetime
) -> ReplicationRecord:
    """The record of a stored order, with what the store shows of its move.

    A store that shows the target status has moved the order, whoever did it. When a move was
    begun and the order has changed since, nobody can tell a move that a person took back from
    one that never happened: the order counts as moved, for a second move could overrule them.

    Raises DecideLater when the store answered with an older version than the one stored, or
    when another delivery may be moving the order at this moment.
    """
    if stored.is_moved:
        return stored
    if order.version < stored.version:
        raise DecideLater(f"order {order.id}: the store answered with an outdated version")
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


def next_step(
    order: Order,
    digest: str,
    stored: ReplicationRecord | None,
    policy: Policy,
    source: Source,
    now: datetime,
) -> ReplicationRecord:
    """What the record of a complete order becomes, with the move about to be made in it.

    Another version, digest or time than the stored one means that the order is to be put; an older
    version never is. A replay puts what is stored already once more.
    """
    if stored is None:
        written = ReplicationRecord(source, order.version, digest, now.isoformat())
    elif order.version >= stored.version and (
        source == "replay" or (order.version, digest) != (stored.version, stored.digest)
    ):
        written = replace(
            stored,
            version=order.version,
            digest=digest,
            replicated_at=now.isoformat(),
            encoding=None,
        )
    else:
        written = stored
    if written.is_moved or not policy.move_status:
        return written
    return replace(
        written,
        moved_from=order.status_id,
        moved_to=next_status(order, policy),
        move_began_at=now.isoformat(),
    )


def is_put(step: ReplicationRecord, stored: ReplicationRecord | None) -> bool:
    """Whether the step writes the order itself, not only its record."""
    return stored is None or _written(step) != _written(stored)


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
    """The record after a move that is known to have had no effect."""
    return replace(record, moved_from=None, moved_to=None, move_began_at=None)


def doubt_move(record: ReplicationRecord) -> ReplicationRecord:
    """The record after a move that has ended, nobody knows how: the next delivery looks."""
    return replace(record, move_began_at=None)


def tombstone(stored: ReplicationRecord | None, now: datetime) -> ReplicationRecord:
    """What is left of a forgotten order: enough to know it again, and how it was moved."""
    kept = stored or ReplicationRecord("poll", 0, "", now.isoformat())
    return replace(kept, digest="", encoding=None, forgotten_at=now.isoformat())


def _written(record: ReplicationRecord) -> tuple[int, str, str]:
    return record.version, record.digest, record.replicated_at


def _may_be_in_flight(stored: ReplicationRecord, now: datetime) -> bool:
    if stored.move_began_at is None:
        return False
    return now - datetime.fromisoformat(stored.move_began_at) < MOVE_MAY_TAKE
