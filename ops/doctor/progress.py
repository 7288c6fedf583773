"""Whether orders are found and replicated: polls, the queue, dead letters."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from chalicelib.domain.jobs import Job, last_success
from ops.deployment import REPLICATE, Deployment
from ops.doctor.finding import Finding, fault, note, ok
from ops.doctor.resources import rule
from ops.metrics import age_of_oldest
from ops.remedies import read_log, run
from ops.wording import ago, span

RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
LONGEST_WAIT = 3600
"""Seconds in the queue after which replication is down or does not keep up."""


def polls(deployment: Deployment) -> Iterator[Finding]:
    """The newest poll did not fail, and one has succeeded lately."""
    now, interval = deployment.clock.now(), polling_interval(rule(deployment))
    if interval is None:
        yield note("polls", "the schedule is no rate(...), so nothing can be said of their pace")
        return
    history = deployment.wiring.jobs.history(now - max(timedelta(days=7), 3 * interval))
    yield from poll_findings(deployment.stage, history, now, interval)


def polling_interval(schedule: dict[str, str]) -> timedelta | None:
    """Of a rule of EventBridge's; None when it is no rate."""
    found = RATE.fullmatch(schedule.get("ScheduleExpression", ""))
    return timedelta(**{f"{found[2]}s": int(found[1])}) if found else None


def poll_findings(
    stage: str, history: Sequence[Job], now: datetime, interval: timedelta
) -> Iterator[Finding]:
    """What the jobs of the last days say, the newest first."""
    poll = run(stage, "poll")
    succeeded = last_success(history)
    if history and history[0].outcome == "failed":
        when = ago(history[0].started_at, now)
        yield fault("polls", f"the newest, {when}, failed: {history[0].error}", poll)
    if succeeded is None:
        yield fault("polls", "none has succeeded in the days that are kept", poll)
        return
    since = ago(succeeded.started_at, now)
    if now - datetime.fromisoformat(succeeded.started_at) > 2 * interval:
        said = f"none has succeeded for two intervals: the last one began {since}"
        yield fault("polls", said, poll)
    elif history[0].outcome != "failed":
        yield ok("polls", f"the last one that succeeded began {since}")


def queue(deployment: Deployment) -> Iterator[Finding]:
    """Nothing has waited for long."""
    depth = deployment.depth(deployment.settings.orders_queue_url)
    waiting = f"{depth['visible']} waiting, {depth['in_flight']} in flight or put off"
    age = age_of_oldest(deployment)
    oldest = "" if age is None else f", the oldest for {span(age)}"
    if age is not None and age > LONGEST_WAIT:
        yield fault("queue", waiting + oldest, read_log(deployment.stage, REPLICATE))
    else:
        yield ok("queue", waiting + oldest)


def dead_letters(deployment: Deployment) -> Iterator[Finding]:
    """No order was given up."""
    count = sum(deployment.depth(deployment.dead_letter_queue_url).values())
    if count:
        said = f"{count} could not be replicated"
        yield fault("dead letters", said, run(deployment.stage, "dead-letters list"))
    else:
        yield ok("dead letters", "none")
