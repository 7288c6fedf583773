"""What has happened, step by step: to one order, or at a stage in a time; pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from chalicelib.domain.jobs import Job
from chalicelib.domain.models import JsonObject
from chalicelib.domain.records import ReplicationRecord
from ops.console.journal import Line
from ops.explain.command import OMITTED, Explanation
from ops.explain.facts import Facts, moment, poll_that_listed, status_name
from ops.history.actions import Action
from ops.wording import count, duration

LEVELS = {"ERROR": "bad", "WARNING": "wait"}
SHOWN = ("mode", "outcome", "status", "reason", "error", "event_id", "status_id", "fields")
"""The fields of a log line that are shown as they are. Log lines contain no personal data."""

COUNTS = ("listed", "queued", "missing", "stale", "requests", "throttled")
"""The fields of a log line that are numbers of orders or requests."""


@dataclass(frozen=True)
class Step:
    """What happened, or (after now) will happen, and which source knows it."""

    at: datetime
    what: str
    source: str
    detail: str = ""
    kind: str = "quiet"
    order_ids: tuple[int, ...] = ()


def journey(
    explanation: Explanation,
    lines: Iterable[Line],
    actions: Iterable[Action],
    others: Iterable[Step] = (),
) -> list[Step]:
    """Every step of an order, oldest first; `others` are of sources that only a sandbox has."""
    return in_order(
        *_in_the_store(explanation.facts),
        *(_callback(webhook) for webhook in explanation.webhooks),
        *(_stored(explanation.facts.record) if explanation.facts.record else ()),
        *_failing(explanation),
        *map(_logged, lines),
        *map(_changed, actions),
        *others,
    )


def timeline(
    lines: Iterable[Line], polls: Iterable[Job], actions: Iterable[Action], others: Iterable[Step]
) -> list[Step]:
    """What has happened at a stage, oldest first."""
    return in_order(*map(_logged, lines), *map(_polled, polls), *map(_changed, actions), *others)


def in_order(*steps: Step) -> list[Step]:
    """Those of one millisecond stay as they are, as logs know no less."""
    return sorted(steps, key=lambda step: int(step.at.timestamp() * 1000))


def _polled(job: Job) -> Step:
    what = "Sweep" if job.mode == "sweep" else "Poll of changes"
    detail = f"{job.outcome}, {job.listed} listed, {job.queued} queued"
    kind = "bad" if job.outcome == "failed" else "quiet"
    return Step(
        job.started_at, what, "polls", detail + (f"; {job.error}" if job.error else ""), kind
    )


def _in_the_store(facts: Facts) -> Iterator[Step]:
    order = facts.order
    if order is None:
        return
    yield Step(order.date_created, "Placed", "store")
    if order.date_modified > order.date_created:
        state = f"{status_name(order.status_id)}{', archived' if order.is_deleted else ''}"
        yield Step(order.date_modified, "Last change in the store", "store", state)
    if poll := poll_that_listed(order, facts.polls, facts.policy):
        kind = "sweep" if poll.mode == "sweep" else "poll of changes"
        yield Step(poll.started_at, f"Listed by a {kind}", "polls")


def _callback(webhook: JsonObject) -> Step:
    at = datetime.fromisoformat(webhook["received_at"])
    return Step(at, "Callback received, and queued", "webhooks", str(webhook.get("scope", "")))


def _stored(record: ReplicationRecord) -> Iterator[Step]:
    yield Step(record.replicated_at, "Stored first", "table", found_by(record.source), kind="good")
    if record.sequence is not None and not record.is_forgotten:
        at = datetime.fromtimestamp(record.sequence / 1000, UTC)
        yield Step(at, "Last change of the item", "table", found_by(record.found_by))
    if record.move_began_at:
        to = status_name(record.pending_move)
        yield Step(record.move_began_at, "Move begun", "table", f"to {to}", kind="wait")
    if record.moved_at:
        by_us = f"from {status_name(record.moved_from)} to {status_name(record.moved_to)}"
        if record.moved_from is None:
            step = Step(record.moved_at, "Found moved by somebody else", "table")
        elif record.move_unconfirmed:
            step = Step(record.moved_at, "Counts as moved, unconfirmed", "table", by_us, "bad")
        else:
            step = Step(record.moved_at, "Moved", "table", by_us, "good")
        yield step
    if record.archived_at:
        yield Step(record.archived_at, "Found archived", "table")
    if record.forgotten_at:
        yield Step(record.forgotten_at, "Forgotten", "table", "its content was removed")
    if record.read_at and not record.is_forgotten:
        yield Step(record.read_at, "Last read from the store", "table")


def _failing(explanation: Explanation) -> Iterator[Step]:
    if failing := explanation.facts.failing:
        why = f"{failing.error_class}: {failing.error}" if failing.error else failing.error_class
        received = f"tried {count(failing.receives, 'time')}; the last error: {why}"
        yield Step(failing.since, "Failing since", "jobs", received, "bad")
        if failing.dead_at is None:
            yield Step(failing.next_try_at, "Next try", "jobs", f"waits after {why}", "wait")
        else:
            yield Step(failing.dead_at, "Tried for the last time", "jobs", why, "bad")
    for message in explanation.dead_letters:
        detail = f"of {message.queue}, received {count(message.receive_count, 'time')}"
        yield Step(message.sent_at, "Message now in a dead-letter queue sent", "SQS", detail, "bad")
    for event in explanation.undelivered:
        detail = f"{event.type} to {event.destination}: {event.error or event.cause}"
        yield Step(event.sent_at, "Event not delivered", "events", detail, "bad")


def _logged(line: Line) -> Step:
    fields = line.fields
    what = str(fields.get("message", line.event)).capitalize()
    if line.event == "order_replicated":
        done = [name for name in ("stored", "moved") if fields.get(name)]
        what = f"Read, {' and '.join(done) or 'unchanged'}"
    details = [str(fields[name]) for name in SHOWN if fields.get(name) is not None]
    details += [f"{name}: {fields[name]}" for name in COUNTS if name in fields]
    if source := fields.get("source"):
        details.append(found_by(str(source)))
    if receives := fields.get("receives"):
        details.append(f"tried {count(int(receives), 'time')}")
    for name, sentence in (("waiting_seconds", "waiting for"), ("failing_seconds", "failing for")):
        if seconds := fields.get(name):
            details.append(f"{sentence} {duration(float(seconds))}")
    kind = "good" if fields.get("moved") else LEVELS.get(str(fields.get("level")), "quiet")
    order_id = fields.get("order_id")
    about = (order_id,) if isinstance(order_id, int) else ()
    return Step(line.at, what, f"log of {line.function}", ", ".join(details), kind, about)


def _changed(action: Action) -> Step:
    why = f"; reason: {action.reason}" if action.reason else ""
    by = (action.by or "unknown").rpartition("/")[2]
    what, detail = f"Operator: {action.what}", f"{action.command}, by {by}{why}"
    return Step(action.at, what, "history", detail, order_ids=action.order_ids)


FOUND_BY = {
    "poll": "found by a poll of changes",
    "sweep": "found by a sweep",
    "fill": "found by the first sweep, which lists every order",
    "webhook": "found by a webhook",
    "retry": "queued by an operator's retry",
    "replay": "queued by an operator's replay",
    "backfill": "queued by a backfill",
}


def found_by(source: str | None) -> str:
    """How an order was found, in words."""
    return FOUND_BY.get(source or "", f"from {source}" if source else "")


LABELS = {
    "source": "found first by",
    "found_by": "last change found by",
    "version": "version (the order's date_modified)",
    "sequence": "sequence (of the item's changes)",
}
"""Attributes of the record that their names do not explain."""


def readable(record: ReplicationRecord) -> dict[str, str]:
    """The attributes of a record as text: statuses with their names, times in UTC."""
    texts = {}
    attributes = {n: value for n, value in record.to_map().items() if n not in OMITTED}
    for name, value in attributes.items():
        label = LABELS.get(name, name.replace("_", " "))
        if name in ("moved_from", "moved_to"):
            texts[label] = status_name(value)
        elif name.endswith("_at"):
            texts[label] = moment(value)
        elif name in ("version", "sequence"):
            seconds = value / 1000 if name == "sequence" else value
            texts[label] = f"{value} ({moment(datetime.fromtimestamp(seconds, UTC))})"
        else:
            texts[label] = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return texts
