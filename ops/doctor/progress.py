"""Checks the polls, the queues and their dead-letter queues."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from chalicelib.domain.jobs import Job
from ops.deployment import CHANGES, CONSUMERS, ORDERS, Deployment
from ops.doctor.finding import Finding, fault, note, ok
from ops.doctor.resources import rule
from ops.metrics import age_of_oldest
from ops.remedies import read_log, run
from ops.wording import ago, count, duration, queue_depth

RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
SLACK = timedelta(minutes=20)
"""After two intervals, as of the alarm polls-missing: a poll takes up to 15 minutes."""

MAX_AGE = {ORDERS: 3600, CHANGES: 6 * 3600}
"""Seconds in a queue after which replication is down or too slow; a bulk edit takes hours."""


def polls(deployment: Deployment) -> Iterator[Finding]:
    """The last poll did not fail, and one has ended well recently."""
    now, interval = deployment.clock.now(), polling_interval(rule(deployment))
    if interval is None:
        yield note("polls", "not checked: the schedule is not a rate(...) expression")
        return
    history = deployment.wiring.jobs.history(now - max(timedelta(days=7), 3 * interval))
    yield from poll_findings(deployment.stage, history, now, interval)


def polling_interval(schedule: dict[str, str]) -> timedelta | None:
    """The rate of an EventBridge rule; None for another kind of schedule."""
    found = RATE.fullmatch(schedule.get("ScheduleExpression", ""))
    return timedelta(**{f"{found[2]}s": int(found[1])}) if found else None


def poll_findings(
    stage: str, history: Sequence[Job], now: datetime, interval: timedelta
) -> Iterator[Finding]:
    """The findings for the recorded jobs, newest first.

    A poll that stopped at its time limit counts as a success: it has a large backlog, and the next
    one continues.
    """
    poll = run(stage, "poll")
    ended = next((job for job in history if job.outcome in ("succeeded", "stopped")), None)
    # A running poll has not shown yet whether the store can be read again.
    last = next((job for job in history if job.outcome != "running"), None)
    failed = last if last and last.outcome == "failed" else None
    if failed:
        when = ago(failed.started_at, now)
        yield fault("polls", f"the last poll, {when}, failed: {failed.error}", poll)
    if ended is None:
        yield fault("polls", "no poll has succeeded in the last days", poll)
        return
    since = ago(ended.started_at, now)
    if now - ended.started_at > 2 * interval + SLACK:
        found = f"no poll has succeeded for two intervals; the last successful one began {since}"
        yield fault("polls", found, poll)
    elif ended.outcome == "stopped" and not failed:
        yield ok("polls", f"the last poll began {since}, and stopped: {ended.error}")
    elif not failed:
        yield ok("polls", f"the last successful poll began {since}")


def messages(deployment: Deployment, queue: str) -> Iterator[Finding]:
    """No message is older than an hour, no change older than six."""
    depth = deployment.depth(deployment.queue_url(queue))
    yield message_finding(deployment.stage, queue, depth, age_of_oldest(deployment, queue))


def message_finding(stage: str, queue: str, depth: dict[str, int], age: int | None) -> Finding:
    """`age` is that of the oldest message, in seconds."""
    name, found = f"messages {queue}", queue_depth(depth)
    if age is not None:
        found += f"; the oldest message is {duration(age)} old"
    if age is not None and age > MAX_AGE[queue]:
        return fault(name, found, read_log(stage, CONSUMERS[queue]))
    return ok(name, found)


def dead_letters(deployment: Deployment, queue: str) -> Iterator[Finding]:
    """The dead-letter queue is empty."""
    number = sum(deployment.depth(deployment.dead_letter_queue_url(queue)).values())
    yield dead_letter_finding(deployment.stage, queue, number)


def dead_letter_finding(stage: str, queue: str, number: int) -> Finding:
    name = f"dead-letter queue {queue}"
    if number:
        return fault(name, count(number, "message"), run(stage, "dead-letters list"))
    return ok(name, "empty")
