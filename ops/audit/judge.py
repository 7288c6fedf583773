"""The finding for one order: a comparison of the store's order with its record, pure."""

from typing import Literal, TypeAlias

from chalicelib.domain.models import Order
from chalicelib.domain.records import ReplicationRecord
from chalicelib.domain.rules import (
    Policy,
    has_move_left,
    is_outdated,
    is_up_to_date,
    why_expired,
    why_not_in_scope,
)

Finding: TypeAlias = Literal[
    "replicated",
    "out of scope",
    "expired",
    "forgotten",
    "missing",
    "stale",
    "unmoved",
    "archived",
    "incomplete",
    "in flight",
    "unreadable",
]

FAULTS: tuple[Finding, ...] = ("missing", "stale", "unmoved", "archived")
"""What replication should have prevented."""

LATE: tuple[Finding, ...] = (*FAULTS, "incomplete")
"""What another replication of the order corrects, as far as it can be corrected."""


def judge(
    order: Order, record: ReplicationRecord | None, policy: Policy, *, is_paused: bool
) -> Finding:
    """The finding for an order of the store and its record.

    An order in scope must be stored. An order that is stored must be current, whatever its scope,
    unless it is older than the retention.
    """
    if why_expired(order, policy):
        return "forgotten" if record and record.is_forgotten else "expired"
    if record is None:
        return "missing" if why_not_in_scope(order, policy) is None else "out of scope"
    if not record.is_forgotten and not is_outdated(order, record):
        if order.is_deleted and not record.is_archived:
            return "archived"
        if not is_up_to_date(order, record):
            return "stale"
    return _of_current(order, record, policy, is_paused)


def judge_missing(record: ReplicationRecord | None) -> Finding:
    """The finding for an order that the store does not return any more."""
    if record is None:
        return "out of scope"
    if record.is_forgotten:
        return "forgotten"
    return "replicated" if record.is_archived else "archived"


def _of_current(
    order: Order, record: ReplicationRecord, policy: Policy, is_paused: bool
) -> Finding:
    if record.incomplete and not record.believed:
        return "incomplete"
    if record.pending_move is not None or has_move_left(order, record, policy, is_paused=is_paused):
        return "unmoved"
    if record.is_forgotten:
        return "forgotten"
    return "incomplete" if record.incomplete else "replicated"
