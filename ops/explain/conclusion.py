"""Why an order is in the table, or is not: a conclusion from facts, pure."""

from dataclasses import dataclass

from chalicelib.domain.jobs import OVERLAP, last_success
from chalicelib.domain.models import Order, OrderStatus, ReplicationRecord
from chalicelib.domain.rules import Policy, why_not_new
from ops.explain.facts import Facts, moment, moment_of, poll_that_saw, status_name


@dataclass(frozen=True)
class Conclusion:
    """`verdict` in a word for programs; `because` in a sentence; `next` is what to do, if anything.

    A verdict is a promise: programs may hang on it.
    """

    verdict: str
    because: str
    next: str | None = None


def conclude(facts: Facts) -> Conclusion:
    """Why the order is where it is, and what to do."""
    if facts.record is None:
        return _not_stored(facts)
    if facts.record.is_forgotten:
        return _forgotten(facts, facts.record)
    if facts.record.is_moved:
        return _moved(facts, facts.record)
    return _not_moved(facts, facts.record)


def _forgotten(facts: Facts, record: ReplicationRecord) -> Conclusion:
    because = (
        f"It was forgotten at {moment(record.forgotten_at)}, at a person's request: nothing is "
        "left of it but its id, and it is not stored again."
    )
    return Conclusion("forgotten", because, _drop(facts))


def _moved(facts: Facts, record: ReplicationRecord) -> Conclusion:
    move = f"from {status_name(record.moved_from)} to {status_name(record.moved_to)}"
    if record.move_unconfirmed:
        because = (
            f"{_stored(record)} It counts as moved {move}, though nobody could tell whether that "
            f"happened: somebody changed it meanwhile.{_now(facts)} It is not moved again."
        )
        look = "look at the order in the store, and set its status by hand if it is wrong"
        return Conclusion("move_unconfirmed", because, look)
    because = f"{_stored(record)} It was moved {move} at {moment(record.moved_at)}.{_now(facts)}"
    return Conclusion("moved", because, _drop(facts))


def _not_moved(facts: Facts, record: ReplicationRecord) -> Conclusion:
    if record.pending_move is not None:
        because = (
            f"{_stored(record)} A move to {status_name(record.pending_move)} was begun, and nobody "
            f"has seen its end yet.{_now(facts)}"
        )
        return Conclusion("move_begun", because, _again(facts))
    if not facts.policy.move_status:
        because = f"{_stored(record)} Nothing is moved in this stage (MOVE_STATUS=false)."
        return Conclusion("stored", because, _newer(facts, record))
    if facts.order is None:
        because = f"{_stored(record)} It was not moved, and {_no_store(facts)}."
        return Conclusion("stored_and_not_in_the_store", because, _mend(facts))
    reason = _why_not_new(facts.order, facts.policy)
    if reason is not None:
        because = f"{_stored(record)} It was not moved: it is not new, since {reason}."
        return Conclusion("stored_and_not_new", because, _drop(facts))
    because = f"{_stored(record)} It is new, and is not moved yet."
    return Conclusion("stored_and_not_moved", because, _again(facts))


def _not_stored(facts: Facts) -> Conclusion:
    order = facts.order
    reason = order and _why_not_new(order, facts.policy)
    if order and reason:
        because = f"It is not stored: it is not new, since {reason}."
        return Conclusion("not_new", because, _drop(facts) or _make_new(facts, order))
    if facts.order is None and facts.store_error is None:
        because = "It is neither in the store nor in the table: the store never had it, or has not"
        because += " kept it."
        return Conclusion("nowhere", because, _drop(facts) or "is the id right?")
    if facts.dead_letters:
        because = "It is not stored: replication gave it up, and it is a dead letter."
        return Conclusion("dead_letter", because, _again(facts))
    if order is None:
        because = f"It is not stored, and {_no_store(facts)}: whether it is new, nobody can tell."
        return Conclusion("store_unknown", because, _mend(facts))
    return _new_and_not_stored(facts, order)


def _new_and_not_stored(facts: Facts, order: Order) -> Conclusion:
    if _may_only_be_digital(order):
        because = (
            "It is completed and may be digital. Only its lines tell whether it is new, and they "
            "could not be read."
        )
        return Conclusion("may_be_digital", because, _again(facts))
    saw = poll_that_saw(order, facts.polls, facts.policy)
    if saw is None:
        return _not_polled(facts, order)
    because = (
        f"It is new, is not stored, and was there for the poll of {moment(saw.started_at)} to find."
    )
    if facts.queued:
        because += f" {_count(facts.queued)} in the queue, and it may be one of them."
        return Conclusion("waiting", because, _again(facts))
    because += " But the queue is empty."
    return Conclusion("missed", because, _again(facts))


def _not_polled(facts: Facts, order: Order) -> Conclusion:
    last = last_success(facts.polls)
    poll, changed = facts.command("poll"), f"it changed last at {moment(order.date_modified)}"
    perhaps = ""
    if facts.queued:
        perhaps = f" {_count(facts.queued)} in the queue; its webhook may have put it there."
    if last is None:
        failed = next((f" The last one: {job.error}." for job in facts.polls if job.error), "")
        because = f"It is new and not stored: no poll has succeeded lately.{failed}{perhaps}"
        return Conclusion("never_polled", because, poll)
    began = moment(last.began_at)
    if order.date_modified < moment_of(last.began_at) - OVERLAP:
        because = f"It is new and not stored: {changed}, and no poll since has looked that far back"
        because += f" (the last began at {began}).{perhaps}"
        return Conclusion("before_the_polls", because, f"{poll} --sweep")
    because = f"It is new and not stored yet: {changed}, after the last poll began ({began})."
    return Conclusion("not_polled_yet", because + perhaps, f"wait for the next poll, or: {poll}")


def _why_not_new(order: Order, policy: Policy) -> str | None:
    """The service's reason, in words for people."""
    if why_not_new(order, policy) is None:
        return None
    if order.is_deleted:
        return "it is archived in the store"
    if order.date_created < policy.replicate_since:
        since = moment(policy.replicate_since)
        return f"it was created at {moment(order.date_created)}, before REPLICATE_SINCE ({since})"
    if order.status_id not in policy.new_statuses:
        return f"{status_name(order.status_id)} is none of the new statuses: {_new(policy)}"
    return "it is completed and not digital, as every order is that was shipped"


def _make_new(facts: Facts, order: Order) -> str | None:
    replay = f"to have it stored as it is, and not moved: {facts.command(f'replay {order.id}')}"
    if order.is_deleted:
        return replay
    if order.date_created < facts.policy.replicate_since:
        return f"an earlier replicate_since, deployed, makes all orders since then new; {replay}"
    if order.status_id not in facts.policy.new_statuses:
        return f"nothing: polls find it once it has one of those statuses; {replay}"
    return replay


def _again(facts: Facts) -> str:
    """How to have the order tried once more."""
    if facts.dead_letters:
        redrive = facts.command(f"dead-letters redrive {facts.order_id}")
        return f"the log of replicate-orders says why it failed; once that is mended: {redrive}"
    if facts.queued:
        return f"wait some minutes, and ask again: {facts.command(f'explain {facts.order_id}')}"
    return facts.command(f"replay {facts.order_id}")


def _newer(facts: Facts, record: ReplicationRecord) -> str | None:
    if facts.dead_letters:
        return _again(facts)
    order = facts.order
    if order and order.version > record.version and why_not_new(order, facts.policy) is None:
        return "it has changed since, and is still new: the next poll has it stored again"
    return None


def _drop(facts: Facts) -> str | None:
    if not facts.dead_letters:
        return None
    drop = facts.command(f"dead-letters drop {facts.order_id}")
    return f"its dead letter is of no use any more: {drop}"


def _mend(facts: Facts) -> str | None:
    if facts.store_error is None:
        return _drop(facts)
    return f"once the store can be asked: {facts.command(f'explain {facts.order_id}')}"


def _stored(record: ReplicationRecord) -> str:
    return f"It was stored at {moment(record.replicated_at)}, first found by {record.source}."


def _now(facts: Facts) -> str:
    """Where the order is now, when that is not where it was moved."""
    order, record = facts.order, facts.record
    if order is None:
        return "" if facts.store_error else " The store has no such order any more."
    if order.is_deleted:
        return " It is archived in the store by now."
    if record and order.status_id == record.moved_to:
        return ""
    return f" In the store it is {status_name(order.status_id)} now."


def _no_store(facts: Facts) -> str:
    if facts.store_error is None:
        return "the store has no such order any more"
    return f"the store cannot be asked ({facts.store_error})"


def _may_only_be_digital(order: Order) -> bool:
    lines_known = isinstance(order.fields.get("products"), list)
    return order.status_id == OrderStatus.COMPLETED and not lines_known


def _new(policy: Policy) -> str:
    return ", ".join(status_name(status) for status in policy.new_statuses)


def _count(messages: int) -> str:
    return "1 message is" if messages == 1 else f"{messages} messages are"
