"""Why an order is in the table or not: a conclusion from the facts, pure."""

from dataclasses import dataclass

from chalicelib.domain.jobs import OVERLAP, last_success
from chalicelib.domain.models import Order, OrderStatus, ReplicationRecord
from chalicelib.domain.rules import Policy, why_not_new
from ops.explain.facts import Facts, moment, moment_of, poll_that_listed, status_name
from ops.wording import count


@dataclass(frozen=True)
class Conclusion:
    """`verdict` is stable, for programs; `because` is a sentence; `next` is the action, if any."""

    verdict: str
    because: str
    next: str | None = None


def conclude(facts: Facts) -> Conclusion:
    if facts.record is None:
        return _not_stored(facts)
    if facts.record.is_forgotten:
        return _forgotten(facts, facts.record)
    if facts.record.is_moved:
        return _moved(facts, facts.record)
    return _not_moved(facts, facts.record)


def _forgotten(facts: Facts, record: ReplicationRecord) -> Conclusion:
    because = (
        f"The order was forgotten at {moment(record.forgotten_at)} on request. Only its id is "
        "kept, and it is not stored again."
    )
    return Conclusion("forgotten", because, _drop(facts))


def _moved(facts: Facts, record: ReplicationRecord) -> Conclusion:
    move = f"from {status_name(record.moved_from)} to {status_name(record.moved_to)}"
    if record.move_unconfirmed:
        because = (
            f"{_stored(record)} It counts as moved {move}, but the move is unconfirmed: the order "
            f"was changed in the store at the same time.{_now(facts)} It is not moved again."
        )
        check = "check the order in the store, and correct its status there if necessary"
        return Conclusion("move_unconfirmed", because, check)
    because = f"{_stored(record)} It was moved {move} at {moment(record.moved_at)}.{_now(facts)}"
    return Conclusion("moved", because, _drop(facts))


def _not_moved(facts: Facts, record: ReplicationRecord) -> Conclusion:
    if record.pending_move is not None:
        because = (
            f"{_stored(record)} A move to {status_name(record.pending_move)} has begun, and its "
            f"outcome is not known yet.{_now(facts)}"
        )
        return Conclusion("move_begun", because, _retry(facts))
    if not facts.policy.move_status:
        because = f"{_stored(record)} This stage does not move orders (MOVE_STATUS=false)."
        return Conclusion("stored", because, _newer_version(facts, record))
    if facts.order is None:
        because = f"{_stored(record)} It was not moved, and {_unreadable(facts)}."
        return Conclusion("stored_and_not_in_the_store", because, _retry_store(facts))
    reason = _reason_not_new(facts.order, facts.policy)
    if reason is not None:
        because = f"{_stored(record)} It was not moved, because it is not new: {reason}."
        return Conclusion("stored_and_not_new", because, _drop(facts))
    because = f"{_stored(record)} It is new and not moved yet."
    return Conclusion("stored_and_not_moved", because, _retry(facts))


def _not_stored(facts: Facts) -> Conclusion:
    order = facts.order
    reason = order and _reason_not_new(order, facts.policy)
    if order and reason:
        because = f"The order is not stored, because it is not new: {reason}."
        return Conclusion("not_new", because, _drop(facts) or _make_new(facts, order))
    if facts.order is None and facts.store_error is None:
        because = "The order is neither in the store nor in the table."
        return Conclusion("nowhere", because, _drop(facts) or "check the order id")
    if facts.dead_letters:
        because = "The order is not stored: its message is in the dead-letter queue."
        return Conclusion("dead_letter", because, _retry(facts))
    if order is None:
        because = f"The order is not stored. Whether it is new is unknown: {_unreadable(facts)}."
        return Conclusion("store_unknown", because, _retry_store(facts))
    return _new_and_not_stored(facts, order)


def _new_and_not_stored(facts: Facts, order: Order) -> Conclusion:
    if _may_be_digital(order):
        because = (
            "The order is completed and may be digital. Its lines decide whether it is new, and "
            "they could not be read."
        )
        return Conclusion("may_be_digital", because, _retry(facts))
    poll = poll_that_listed(order, facts.polls, facts.policy)
    if poll is None:
        return _not_polled(facts, order)
    because = f"The order is new and not stored. The poll of {moment(poll.started_at)} listed it."
    if facts.queued:
        because += f" Its message may be in the queue, which contains {_messages(facts)}."
        return Conclusion("waiting", because, _retry(facts))
    because += " The queue is empty."
    return Conclusion("missed", because, _retry(facts))


def _not_polled(facts: Facts, order: Order) -> Conclusion:
    last = last_success(facts.polls)
    poll, changed = facts.command("poll"), f"It last changed at {moment(order.date_modified)}"
    webhook = ""
    if facts.queued:
        webhook = f" A webhook may have queued it: the queue contains {_messages(facts)}."
    if last is None:
        because = "The order is new and not stored. No poll has succeeded lately."
        if error := next((job.error for job in facts.polls if job.error), None):
            because += f" The last one failed: {error}."
        because += webhook
        return Conclusion("never_polled", because, poll)
    began = moment(last.began_at)
    if order.date_modified < moment_of(last.began_at) - OVERLAP:
        because = (
            f"The order is new and not stored. {changed}, and no later poll has listed changes of "
            f"that time (the last one began at {began}).{webhook}"
        )
        return Conclusion("before_the_polls", because, f"{poll} --sweep")
    because = (
        f"The order is new and not stored yet. {changed}, after the last poll began ({began})."
    )
    return Conclusion("not_polled_yet", because + webhook, f"wait for the next poll, or: {poll}")


def _reason_not_new(order: Order, policy: Policy) -> str | None:
    """The service's reason, in words for people."""
    if why_not_new(order, policy) is None:
        return None
    if order.is_deleted:
        return "it is archived in the store"
    if order.date_created < policy.replicate_since:
        since = moment(policy.replicate_since)
        return f"it was created at {moment(order.date_created)}, before REPLICATE_SINCE ({since})"
    if order.status_id not in policy.new_statuses:
        return f"its status {status_name(order.status_id)} is not one of {_new_statuses(policy)}"
    return "it is completed and not digital, like every shipped order"


def _make_new(facts: Facts, order: Order) -> str | None:
    replay = f"to store it without moving it: {facts.command(f'replay {order.id}')}"
    if order.is_deleted:
        return replay
    if order.date_created < facts.policy.replicate_since:
        return f"to replicate all orders since an earlier date, change replicate_since; {replay}"
    if order.status_id not in facts.policy.new_statuses:
        return f"no action needed: polls find the order once it has one of these statuses; {replay}"
    return replay


def _retry(facts: Facts) -> str:
    """How to have the order processed again."""
    if facts.dead_letters:
        redrive = facts.command(f"dead-letters redrive {facts.order_id}")
        return f"fix the error in the log of replicate-orders, then: {redrive}"
    if facts.queued:
        return f"wait some minutes, then: {facts.command(f'explain {facts.order_id}')}"
    return facts.command(f"replay {facts.order_id}")


def _newer_version(facts: Facts, record: ReplicationRecord) -> str | None:
    if facts.dead_letters:
        return _retry(facts)
    order = facts.order
    if order and order.version > record.version and why_not_new(order, facts.policy) is None:
        return (
            "no action needed: the order has changed and is still new, so the next poll queues it"
        )
    return None


def _drop(facts: Facts) -> str | None:
    if not facts.dead_letters:
        return None
    drop = facts.command(f"dead-letters drop {facts.order_id}")
    return f"its message in the dead-letter queue is obsolete: {drop}"


def _retry_store(facts: Facts) -> str | None:
    if facts.store_error is None:
        return _drop(facts)
    return f"when the store is available: {facts.command(f'explain {facts.order_id}')}"


def _stored(record: ReplicationRecord) -> str:
    return f"The order was stored at {moment(record.replicated_at)} (source: {record.source})."


def _now(facts: Facts) -> str:
    """The order's present status in the store, if it is not the one it was moved to."""
    order, record = facts.order, facts.record
    if order is None:
        return "" if facts.store_error else " It no longer exists in the store."
    if order.is_deleted:
        return " It is archived in the store now."
    if record and order.status_id == record.moved_to:
        return ""
    return f" Its status in the store is {status_name(order.status_id)} now."


def _unreadable(facts: Facts) -> str:
    if facts.store_error is None:
        return "it no longer exists in the store"
    return f"the store could not be read ({facts.store_error})"


def _may_be_digital(order: Order) -> bool:
    has_lines = isinstance(order.fields.get("products"), list)
    return order.status_id == OrderStatus.COMPLETED and not has_lines


def _new_statuses(policy: Policy) -> str:
    return ", ".join(status_name(status) for status in policy.new_statuses)


def _messages(facts: Facts) -> str:
    return count(facts.queued, "message")
