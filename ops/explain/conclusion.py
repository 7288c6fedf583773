"""Why an order is in the table or not: a conclusion from the facts, pure."""

from dataclasses import dataclass, replace

from chalicelib.domain.jobs import OVERLAP, last_success
from chalicelib.domain.models import Order
from chalicelib.domain.records import ReplicationRecord
from chalicelib.domain.rules import why_expired, why_not_in_scope, why_not_moved
from ops.explain import reasons
from ops.explain import sentences as say
from ops.explain.facts import Facts, moment, poll_that_listed, status_name
from ops.wording import listed_names


@dataclass(frozen=True)
class Conclusion:
    """`verdict` is stable, for programs; `because` is a sentence; `next` is the action, if any."""

    verdict: str
    because: str
    next: str | None = None


def conclude(facts: Facts) -> Conclusion:
    """What holds about the order, and then about its events."""
    concluded = _conclude(facts)
    if concluded.next or not facts.undelivered:
        return concluded
    because = (
        f"{concluded.because} {listed_names(facts.undelivered)} did not receive every event of it."
    )
    redrive = facts.command(f"events redrive {facts.order_id}")
    redrive = f"correct the receiver or its destination, then: {redrive}"
    return replace(concluded, because=because, next=redrive)


def _conclude(facts: Facts) -> Conclusion:
    record = facts.record
    if record is None:
        return _not_stored(facts)
    if record.is_forgotten:
        return _forgotten(facts, record)
    if facts.order and why_expired(facts.order, facts.policy):
        return _expired(facts, facts.order, record)
    if record.pending_move is not None:
        return _move_begun(facts, record)
    if facts.differs:
        return _stale(facts, record)
    return _moved(facts, record) if record.is_moved else _not_moved(facts, record)


def _forgotten(facts: Facts, record: ReplicationRecord) -> Conclusion:
    because = (
        f"The order was forgotten at {moment(record.forgotten_at)} on request. Only its id is "
        "kept, and it is not stored again."
    )
    if facts.has_move_left:
        because += " It is new, and is still moved."
        return Conclusion("forgotten_and_not_moved", because, _retry(facts))
    return Conclusion("forgotten", because, _drop(facts))


def _expired(facts: Facts, order: Order, record: ReplicationRecord) -> Conclusion:
    because = (
        f"{say.stored(record)} It is neither kept current nor moved any more: "
        f"{reasons.why_not_in_scope(order, facts.policy)}. DynamoDB removes the item, usually "
        "within two days."
    )
    stays = f"if the item stays in the table: {facts.command('expire')}"
    return Conclusion("expired", because, _drop(facts) or stays)


def _move_begun(facts: Facts, record: ReplicationRecord) -> Conclusion:
    because = (
        f"{say.stored(record)} A move to {status_name(record.pending_move)} has begun, and its "
        f"outcome is not known yet.{say.now(facts)}{say.failure(facts)}"
    )
    return Conclusion("move_begun", because, _retry(facts))


def _moved(facts: Facts, record: ReplicationRecord) -> Conclusion:
    if record.move_unconfirmed:
        because = (
            f"{say.stored(record)} It counts as moved {say.move(record)}, but the move is "
            f"unconfirmed: the order was changed in the store at the same time.{say.now(facts)} It "
            "is not moved again."
        )
        check = "check the order in the store, and correct its status there if necessary"
        return Conclusion("move_unconfirmed", because, check)
    if record.moved_from is None:
        because = (
            f"{say.stored(record)} Somebody else moved it, to {status_name(record.moved_to)}; the "
            f"service found that at {moment(record.moved_at)}.{say.now(facts)}"
        )
        return Conclusion("moved_elsewhere", because + say.parts(record), _drop(facts))
    because = f"{say.stored(record)} It was moved {say.move(record)} at {moment(record.moved_at)}."
    return Conclusion("moved", because + say.now(facts) + say.parts(record), _drop(facts))


def _not_moved(facts: Facts, record: ReplicationRecord) -> Conclusion:
    order = facts.order
    stored = f"{say.stored(record)}{say.parts(record)}"
    if not facts.policy.move_status:
        because = f"{stored} This stage does not move orders (MOVE_STATUS=false)."
        return Conclusion("stored", because, _drop(facts))
    if order is None:
        because = f"{stored} It was not moved, and {say.unreadable(facts)}."
        return Conclusion("stored_and_not_in_the_store", because, _retry_store(facts))
    if why_not_moved(order, facts.policy) == "not paid":
        because = f"{stored} It is moved when it is paid (MOVE_UNPAID=false)."
        return Conclusion("waiting_for_payment", because, _drop(facts))
    reason = reasons.why_not_new(order, facts.policy)
    if reason is not None:
        because = f"{stored} It was not moved, because it is not new: {reason}."
        return Conclusion("stored_and_not_new", because, _drop(facts))
    if facts.pause:
        because = f"{stored} It is new, and moves are paused: {facts.pause.reason}."
        return Conclusion("paused", because, facts.command("resume"))
    if record.incomplete and not record.believed:
        because = f"{stored} It is moved when it is complete, or 15 minutes after its last change."
        return Conclusion("incomplete", because, _retry(facts))
    because = f"{stored} It is new and not moved yet.{say.failure(facts)}"
    return Conclusion("stored_and_not_moved", because, _retry(facts))


def _stale(facts: Facts, record: ReplicationRecord) -> Conclusion:
    """The item is not the order of the store: the same path as that of an order not stored."""
    stored = say.stored(record)
    if facts.order is None:
        because = f"{stored} It no longer exists in the store, and is not marked as archived."
        return Conclusion("stale", because + say.failure(facts), _retry(facts))
    because = (
        f"{stored} The item is another version: the order changed at "
        f"{moment(facts.order.date_modified)}, and was last read at {moment(record.read_at)}."
    )
    if facts.failing or facts.dead_letters:
        return Conclusion("stale", because + say.failure(facts), _retry(facts))
    found = _found(facts, facts.order)
    return Conclusion("stale", f"{because} {found.because}", found.next)


def _not_stored(facts: Facts) -> Conclusion:
    order = facts.order
    if order and why_not_in_scope(order, facts.policy):
        reason = reasons.why_not_in_scope(order, facts.policy)
        because = f"The order is not stored: {reason}."
        return Conclusion("out_of_scope", because, _drop(facts) or _include(facts, order))
    if order is None and facts.store_error is None:
        because = "The order is neither in the store nor in the table."
        return Conclusion("nowhere", because, _drop(facts) or "check the order id")
    if facts.dead_letters:
        because = (
            f"The order is not stored: its message is in a dead-letter queue.{say.failed(facts)}"
        )
        return Conclusion("dead_letter", because, _retry(facts))
    if facts.failing:
        return Conclusion("failing", f"The order is not stored.{say.failure(facts)}", _retry(facts))
    if order is None:
        because = (
            f"The order is not stored. Whether it should be is unknown: {say.unreadable(facts)}."
        )
        return Conclusion("store_unknown", because, _retry_store(facts))
    if order.is_deleted:
        because = "The order is not stored, and is archived: polls do not find archived orders."
        return Conclusion("archived", because, _replay(facts))
    found = _found(facts, order)
    return Conclusion(found.verdict, f"The order is not stored. {found.because}", found.next)


def _found(facts: Facts, order: Order) -> Conclusion:
    """What has found the order's last change, and where its message may be."""
    if poll := poll_that_listed(order, facts.polls, facts.policy):
        because = f"The poll of {moment(poll.started_at)} listed it."
    elif facts.called_at and facts.called_at >= order.date_modified:
        because = f"A webhook received at {moment(facts.called_at)} queued it."
    else:
        return _not_polled(facts, order)
    if facts.queued:
        because += f" Its message may be in the queues, which contain {say.messages(facts)}."
        return Conclusion("waiting", because, _retry(facts))
    return Conclusion("missed", f"{because} The queues are empty.", _retry(facts))


def _not_polled(facts: Facts, order: Order) -> Conclusion:
    last = last_success(facts.polls)
    poll, changed = facts.command("poll"), f"It last changed at {moment(order.date_modified)}"
    webhook = ""
    if facts.queued:
        webhook = f" A webhook may have queued it: the queues contain {say.messages(facts)}."
    if last is None:
        because = "No poll has succeeded lately."
        if error := next((job.error for job in facts.polls if job.error), None):
            because += f" The last one failed: {error}."
        return Conclusion("never_polled", because + webhook, poll)
    began = moment(last.began_at)
    if order.date_modified < last.began_at - OVERLAP:
        because = (
            f"{changed}, and no later poll has listed changes of that time (the last one began at "
            f"{began}).{webhook}"
        )
        return Conclusion("before_the_polls", because, f"{poll} --sweep")
    because = f"{changed}, after the last poll began ({began})."
    return Conclusion("not_polled_yet", because + webhook, f"wait for the next poll, or: {poll}")


def _include(facts: Facts, order: Order) -> str:
    replay = f"to store it without moving it: {_replay(facts)}"
    policy = facts.policy
    if why_expired(order, policy):
        return "no action needed: to replicate older orders, increase orders_retention_days"
    if order.date_created < policy.replicate_since:
        return f"to replicate all orders since an earlier date, change replicate_since; {replay}"
    if policy.channels and order.channel_id not in policy.channels:
        return f"to replicate this channel, add it to channel_ids; {replay}"
    return f"no action needed: polls find the order once it has another status; {replay}"


def _retry(facts: Facts) -> str:
    """How to have the order processed again."""
    retry = facts.command(f"retry {facts.order_id}")
    if facts.dead_letters or facts.failing:
        return f"fix the error in the log, then: {retry}"
    if facts.queued:
        return f"wait some minutes, then: {facts.command(f'explain {facts.order_id}')}"
    return retry


def _replay(facts: Facts) -> str:
    return facts.command(f"replay {facts.order_id}")


def _drop(facts: Facts) -> str | None:
    if not facts.dead_letters:
        return None
    drop = facts.command(f"dead-letters drop {facts.order_id}")
    return f"its message in the dead-letter queue is obsolete: {drop}"


def _retry_store(facts: Facts) -> str | None:
    if facts.store_error is None:
        return _drop(facts)
    return f"when the store is available: {facts.command(f'explain {facts.order_id}')}"
