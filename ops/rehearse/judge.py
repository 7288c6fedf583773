"""Judges one order by the service's own rules: what would be done with it, and why."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, TypeAlias

from chalicelib.domain.embedded import doubt_about, with_embedded_lists
from chalicelib.domain.items import ItemTooLarge, UnstorableNumber, encode, redact
from chalicelib.domain.messages import Task
from chalicelib.domain.models import (
    JsonObject,
    Order,
    OrderStatus,
    is_pickup,
    number,
    total_quantity,
)
from chalicelib.domain.parts import with_parts
from chalicelib.domain.records import ReplicationRecord
from chalicelib.domain.rules import (
    Content,
    DecideLater,
    Decision,
    Policy,
    decide,
    is_elsewhere,
    observe,
    why_not_moved,
    why_not_stored,
)

Outcome: TypeAlias = Literal["moved", "stored", "left alone", "in flight", "failed"]
"""Moved orders are stored as well. One that is in flight is being replicated at present; a failed
one is retried for half a day, and then in a dead-letter queue."""

Concern: TypeAlias = Literal[
    "unpaid",
    "collected",
    "partly collected",
    "digital",
    "completed with goods",
    "fewer lines than stated",
    "too large",
    "unstorable number",
    "unreadable",
]
"""Why a person should look at an order before the service is deployed."""

GOODS, COLLECTED, DIGITAL = "goods to ship", "collected by the buyer", "digital"
"""Why a new order is moved to the status that it is moved to."""

NOT_SWEPT = "no sweep lists it: it has not changed within SWEEP_DAYS"


@dataclass(frozen=True)
class Verdict:
    """What would be done with an order. `move_to` is a status id, `reason` why it is that one, or
    why the order is not moved."""

    outcome: Outcome
    reason: str
    move_to: int | None = None
    concerns: tuple[Concern, ...] = ()


def with_known_lines(order: Order) -> Order:
    """The order with the lines that came with it, if the service would trust them."""
    return order if doubt_about(order) else with_embedded_lists(order)


def with_read_lines(order: Order, lines: list[JsonObject]) -> Order:
    """The order with lines that were requested."""
    return with_parts(order, {"products": lines})


def depends_on_lines(order: Order, record: ReplicationRecord | None, policy: Policy) -> bool:
    """Whether an order without its lines could be moved, and where to."""
    if order.lines is not None or (record and record.is_moved):
        return False
    # A completed order is new if it is digital, and only its lines show that for certain.
    return why_not_moved(replace(order, order_is_digital=True, fields={}), policy) is None


def would_move(order: Order, record: ReplicationRecord | None, policy: Policy) -> bool:
    """Whether an order is moved under a policy."""
    is_moved = bool(record and record.is_moved) or is_elsewhere(order, policy)
    return not is_moved and why_not_moved(order, policy) is None


def judge(
    order: Order,
    record: ReplicationRecord | None,
    policy: Policy,
    now: datetime,
    *,
    is_swept: bool = True,
) -> Verdict:
    """The verdict on an order that a sweep finds, or with `is_swept` False does not find.

    `record` is that of its item; None where there is none.
    """
    task = Task(order.id, "sweep", queued_at=now)
    if reason := why_not_stored(order, record, policy, task):
        return Verdict("left alone", reason)
    if record is None and not is_swept:
        return Verdict("left alone", NOT_SWEPT)
    try:
        observed = record and observe(record, order, policy, now)
        decision = decide(order, Content("", ""), observed, policy, task, now)
    except DecideLater:
        return Verdict("in flight", "it is being replicated")
    if failure := _failure(order, decision, policy):
        return Verdict("failed", failure, concerns=(failure,))
    concerns = tuple(_concerns(order, record, decision, policy))
    if decision.move_to is None:
        return Verdict("stored", _why_not_moved(order, observed, policy), concerns=concerns)
    if not is_swept:
        return Verdict("stored", NOT_SWEPT)
    return Verdict("moved", _kind(order), decision.move_to, concerns)


def _failure(
    order: Order, decision: Decision, policy: Policy
) -> Literal["too large", "unstorable number"] | None:
    """Why an item cannot hold the order, as far as its lists are known."""
    try:
        encode(redact(order.fields, policy.redacted_fields), decision.record)
    except ItemTooLarge:
        return "too large"
    except UnstorableNumber:
        return "unstorable number"
    return None


def _why_not_moved(order: Order, record: ReplicationRecord | None, policy: Policy) -> str:
    if record and record.is_moved:
        return "moved before" if record.is_moved_by_us else "processed by somebody else"
    return why_not_moved(order, policy) or "processed by somebody else"


def _concerns(
    order: Order, record: ReplicationRecord | None, decision: Decision, policy: Policy
) -> list[Concern]:
    found: list[Concern] = []
    lines = order.lines or []
    if lines and total_quantity(lines) < number(order.fields.get("items_total")):
        found.append("fewer lines than stated")
    if decision.move_to is None:
        is_new = order.status_id in policy.new_statuses and not (record and record.is_moved)
        if is_new and order.status_id == OrderStatus.COMPLETED and not order.is_deleted:
            found.append("completed with goods")
        return found
    if order.status_id == OrderStatus.AWAITING_PAYMENT:
        found.append("unpaid")
    if order.is_digital:
        found.append("digital")
    elif any(map(is_pickup, lines)):
        found.append("collected" if order.is_collected else "partly collected")
    return found


def _kind(order: Order) -> str:
    if order.is_digital:
        return DIGITAL
    return COLLECTED if order.is_collected else GOODS
