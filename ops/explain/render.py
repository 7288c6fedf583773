"""The output of explain: one line for each source of facts, and the conclusion."""

from collections.abc import Mapping
from datetime import UTC, datetime

from rich.markup import escape

from chalicelib.domain.events import HISTORY
from chalicelib.domain.jobs import last_success
from chalicelib.domain.records import ReplicationRecord
from ops.dead_letters.message import DeadLetter
from ops.explain.conclusion import Conclusion
from ops.explain.facts import Facts, moment, status_name
from ops.undelivered.message import Undelivered
from ops.wording import ago, count, duration, queue_depth


def store_line(facts: Facts) -> str:
    order = facts.order
    if order is None:
        return facts.store_error or "order does not exist"
    archived = ", archived" if order.is_deleted else ""
    return (
        f"{status_name(order.status_id)}{archived}, created {moment(order.date_created)}, "
        f"changed {moment(order.date_modified)}"
    )


def table_line(record: ReplicationRecord | None) -> str:
    if record is None:
        return "not stored"
    if record.is_forgotten:
        return f"forgotten {moment(record.forgotten_at)}"
    archived = f"; archived {moment(record.archived_at)}" if record.is_archived else ""
    return (
        f"stored {moment(record.replicated_at)}, source {record.source}{archived}; {_move(record)}"
    )


def _move(record: ReplicationRecord) -> str:
    if record.moved_to is None:
        return "not moved"
    if record.is_moved and record.moved_from is None:
        return f"moved by somebody else to {record.moved_to}"
    state = f"moved {moment(record.moved_at)}" if record.is_moved else "move not completed"
    unconfirmed = ", unconfirmed" if record.move_unconfirmed else ""
    return f"{state}{unconfirmed}: {record.moved_from} to {record.moved_to}"


def version_line(facts: Facts) -> str:
    """Whether the item is current and whole."""
    record = facts.record
    if record is None or record.is_forgotten:
        return "nothing stored"
    line = f"{_currency(facts)}; last read {moment(record.read_at)}"
    if record.sequence is not None:
        line += f", sequence {record.sequence}"
    if record.incomplete:
        believed = " (believed)" if record.believed else ""
        line += f"; incomplete: {', '.join(record.incomplete)}{believed}"
    return line


def _currency(facts: Facts) -> str:
    if facts.differs is None:
        return "unknown whether current"
    if facts.differs:
        return "not current"
    return "current" if facts.is_current else "as in the store, not confirmed by another read yet"


def failing_line(facts: Facts, now: datetime) -> str:
    failing = facts.failing
    if failing is None:
        return "no"
    line = (
        f"since {moment(failing.since)}, {count(failing.receives, 'receive')}, "
        f"{failing.error_class}: {failing.error}"
    )
    if failing.dead_at:
        return f"{line}; received for the last time {ago(failing.dead_at, now)}"
    left = (failing.next_try_at - now).total_seconds()
    return f"{line}; next try {f'in {duration(left)}' if left > 0 else 'overdue'}"


def dead_letters_line(messages: list[DeadLetter]) -> str:
    return (
        "; ".join(
            f"{message.queue}, queued {moment(message.queued_at)}, "
            f"{count(message.receive_count, 'receive')}"
            for message in messages
        )
        or "no message of this order"
    )


def events_line(record: ReplicationRecord | None, unpublished: int) -> str:
    """What the item's changes mean to the destinations; publishing itself leaves no record."""
    batches = f"{count(unpublished, 'batch', 'batches')} of changes not published (of all orders)"
    if record is None or record.sequence is None:
        return f"none; {batches}"
    changed = datetime.fromtimestamp(record.sequence / 1000, UTC)
    line = f"the last one is of the change at {moment(changed)}; {batches}"
    if record.found_by in HISTORY:
        return f"{line}; an order that was copied first by a {record.found_by} has none for that"
    return line


def undelivered_line(messages: list[Undelivered], now: datetime) -> str:
    return (
        "; ".join(
            f"{message.destination}, {message.type}, {message.error or message.cause}, "
            f"{ago(message.sent_at, now)}"
            for message in messages
        )
        or "none of this order"
    )


def queues_line(queues: Mapping[str, Mapping[str, int]]) -> str:
    lines = [f"{name}: {queue_depth(depth)}" for name, depth in queues.items()]
    return f"{'; '.join(lines)} (of all orders)"


def polls_line(facts: Facts, now: datetime) -> str:
    if not facts.polls:
        return "none lately"
    newest, last = facts.polls[0], last_success(facts.polls)
    line = f"last {ago(newest.started_at, now)} ({newest.mode}): {newest.outcome}"
    if newest.error:
        line += f", {newest.error}"
    if last is None:
        return f"{line}; none succeeded lately"
    return line if last is newest else f"{line}; last success {ago(last.started_at, now)}"


def rendered(rows: Mapping[str, str], facts: Facts, conclusion: Conclusion) -> list[str]:
    """The facts, one per line, and the conclusion."""
    return [
        f"[bold]Order {facts.order_id}[/] in {facts.stage}",
        *(f"{name:20}{escape(text)}" for name, text in rows.items()),
        "",
        escape(conclusion.because),
        f"[bold]Next:[/] {escape(conclusion.next or 'no action needed')}",
    ]
