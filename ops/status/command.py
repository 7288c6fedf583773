"""Shows a stage's state: polls, queues, failing orders, orders and webhooks of the last day."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from chalicelib.domain.failing import FailingOrder
from chalicelib.domain.jobs import Job
from chalicelib.domain.models import JsonObject
from chalicelib.domain.order_fields import FieldChange
from chalicelib.edges.dynamodb_jobs import EMBEDDED_OFF
from ops.cli import Operator, command, main
from ops.deployment import QUEUES, Deployment
from ops.destinations.backlog import Backlog
from ops.fields.changes import summary
from ops.metrics import Hour, age_of_oldest, by_hour
from ops.pause.pause import Pause
from ops.remedies import LOCAL, run
from ops.tables import JobsItem, count_webhooks
from ops.wording import ago, count, duration, queue_depth

POLLS = 5
BAR_WIDTH = 30

DAY = timedelta(hours=24)


@dataclass(frozen=True)
class Queue:
    """A queue's depth, the age of its oldest message in seconds, and its dead-letter queue's."""

    depth: dict[str, int]
    oldest: int | None
    dead_letters: int

    @classmethod
    def of(cls, deployment: Deployment, queue: str) -> "Queue":
        return cls(
            deployment.depth(deployment.queue_url(queue)),
            age_of_oldest(deployment, queue),
            sum(deployment.depth(deployment.dead_letter_queue_url(queue)).values()),
        )

    def facts(self) -> dict[str, Any]:
        return {**self.depth, "oldest_seconds": self.oldest, "dead_letters": self.dead_letters}


@dataclass(frozen=True)
class Status:
    """A stage's state at one moment. `failing` has the oldest failing order first.

    `history` are the polls of the last week, newest first. `embedded_off` is the item that stops
    the stage from using embedded lists, `field_changes` are the changes of the orders' fields that
    nobody has accepted.
    """

    now: datetime
    history: list[Job]
    queues: dict[str, Queue]
    backlog: Backlog
    failing: list[FailingOrder]
    pause: Pause | None
    embedded_off: JsonObject | None
    field_changes: tuple[FieldChange, ...]
    replicated: list[Hour]
    webhooks: dict[str, int]

    @classmethod
    def of(cls, deployment: Deployment) -> "Status":
        """Read the state from AWS, its parts at the same time. Raises AwsError."""
        now, jobs = deployment.clock.now(), deployment.wiring.jobs
        with ThreadPoolExecutor() as pool:
            queues = {queue: pool.submit(Queue.of, deployment, queue) for queue in QUEUES}
            history = pool.submit(jobs.history, now - timedelta(days=7))
            backlog = pool.submit(Backlog.of, deployment)
            failing = pool.submit(sorted, jobs.all_failing(), key=attrgetter("since"))
            pause = pool.submit(Pause.read, deployment)
            fields = pool.submit(jobs.order_fields)
            embedded_off = pool.submit(JobsItem(deployment, EMBEDDED_OFF).read)
            replicated = pool.submit(by_hour, deployment, "OrdersReplicated")
            accepted = pool.submit(accepted_webhooks, deployment, now)
            refused = pool.submit(_total, deployment, "WebhooksRefused")
            return cls(
                now=now,
                history=history.result(),
                queues={queue: read.result() for queue, read in queues.items()},
                backlog=backlog.result(),
                failing=failing.result(),
                pause=pause.result(),
                embedded_off=embedded_off.result(),
                field_changes=known.changes if (known := fields.result()) else (),
                replicated=replicated.result(),
                webhooks={"accepted": accepted.result(), "refused": refused.result()},
            )

    @property
    def polls(self) -> list[Job]:
        """The last ones."""
        return self.history[:POLLS]

    def facts(self) -> dict[str, Any]:
        """For JSON; durations in seconds."""
        return {
            "at": self.now.isoformat(),
            "polls": [job.to_item() for job in self.polls],
            "queues": {name: queue.facts() for name, queue in self.queues.items()},
            "events": self.backlog.facts(),
            "failing": {
                "count": len(self.failing),
                "oldest": self.failing[0].to_item() if self.failing else None,
            },
            "pause": self.pause and self.pause.facts(),
            "embedded_off": self.embedded_off
            and {name: self.embedded_off.get(name) for name in ("order_id", "since", "fields")},
            "field_changes": [change.to_item() for change in self.field_changes],
            "replicated_by_hour": {h.start.isoformat(): h.total for h in self.replicated},
            "webhooks_in_24_hours": self.webhooks,
        }


@command(main, "status --watch")
@click.option("--watch", is_flag=True, help="Refresh until Ctrl-C.")
@click.option("--every", default=5.0, show_default=True, help="Seconds between two refreshes.")
def status(operator: Operator, watch: bool, every: float) -> None:
    """Show the last polls, the queues, failing orders, and the orders of the last day."""
    if not watch or operator.as_json:
        current = Status.of(operator.deployment)
        operator.print_json(current.facts())
        operator.print(screen(operator.stage, current))
        return
    try:
        with Live(console=operator.console, auto_refresh=False) as live:
            while True:
                live.update(screen(operator.stage, Status.of(operator.deployment)), refresh=True)
                operator.clock.sleep(every)
    except KeyboardInterrupt:
        operator.print("Stopped.")


def accepted_webhooks(deployment: Deployment, now: datetime) -> int:
    """The callbacks accepted in the last day.

    The metric counts log lines of Lambda. In the sandbox a callback may also be accepted by
    `chalice local`, in a process whose log is not read, so there the recorded callbacks count.
    """
    if deployment.stage == LOCAL:
        return count_webhooks(deployment, now - DAY)
    return _total(deployment, "WebhooksAccepted")


def screen(stage: str, current: Status) -> RenderableType:
    lines = [f"[bold]{stage}[/] at {current.now:%Y-%m-%d %H:%M:%S} UTC"]
    if current.pause:
        paused = escape(current.pause.described(current.now))
        lines.append(f"Pause               [yellow]{paused}[/] (to end it: {run(stage, 'resume')})")
    if current.embedded_off:
        again = run(stage, "embedded-reads")
        lines.append(f"Embedded lists      [yellow]not used[/]: an order differed (next: {again})")
    if current.field_changes:
        changed = f"[yellow]{escape(summary(current.field_changes))}[/]"
        lines.append(f"Order fields        {changed} (next: {run(stage, 'fields')})")
    for name, queue in current.queues.items():
        lines.append(f"{f'Queue {name}':20}{_queue(queue)}")
    lines += [
        f"Events              {_events(current.backlog)}",
        f"Failing orders      {_failing(current)}",
        f"Webhooks            {_webhooks(stage, current.webhooks)}",
    ]
    return Group(*lines, _polls(current), _hours(current))


def _queue(queue: Queue) -> str:
    line = queue_depth(queue.depth)
    if queue.oldest is not None and any(queue.depth.values()):
        line += f"; the oldest message is {duration(queue.oldest)} old"
    if queue.dead_letters:
        line += f"; [red]{count(queue.dead_letters, 'message')} in the dead-letter queue[/]"
    return line


def _events(backlog: Backlog) -> str:
    found = []
    if backlog.unpublished:
        batches = count(backlog.unpublished, "batch", "batches")
        found.append(f"[red]{batches} of changes not published[/]")
    if backlog.undelivered:
        names = ", ".join(f"{name} {number}" for name, number in backlog.undelivered.items())
        found.append(f"[red]not delivered: {escape(names)}[/]")
    return "; ".join(found) or "none undelivered; those that are retried are not counted"


def _failing(current: Status) -> str:
    if not current.failing:
        return "none"
    oldest = current.failing[0]
    return (
        f"[red]{count(len(current.failing), 'order')}[/]; the oldest, {oldest.order_id}, began to "
        f"fail {ago(oldest.since, current.now)} ({escape(oldest.error_class)})"
    )


def _webhooks(stage: str, webhooks: dict[str, int]) -> str:
    refused = f"{webhooks['refused']} rejected in 24 hours"
    if stage == LOCAL:
        refused += " (rejected by chalice local: not counted)"
    return f"{webhooks['accepted']} accepted, {refused}"


def _total(deployment: Deployment, metric: str) -> int:
    return sum(hour.total for hour in by_hour(deployment, metric))


def _polls(current: Status) -> RenderableType:
    if not current.polls:
        return "Polls               none in 7 days"
    table = Table(title="Last polls", title_justify="left", box=None, padding=(0, 2))
    for name in ("began", "mode", "outcome", "listed", "queued", "already replicated", "requests"):
        table.add_column(name, justify="left" if name in ("began", "mode", "outcome") else "right")
    for job in current.polls:
        counts = (job.listed, job.queued, job.already_replicated, job.requests)
        error = f"[red]failed[/] {escape(job.error or '')}"
        outcome = error if job.outcome == "failed" else job.outcome
        table.add_row(ago(job.started_at, current.now), job.mode, outcome, *map(str, counts))
    return table


def _hours(current: Status) -> RenderableType:
    if not current.replicated:
        return "No order was replicated in the last 24 hours."
    most = max(hour.total for hour in current.replicated)
    table = Table(title="Orders replicated", title_justify="left", box=None, padding=(0, 2))
    for hour in current.replicated:
        bar = "█" * max(1, round(BAR_WIDTH * hour.total / most))
        table.add_row(f"{hour.start:%d %b %H}:00", str(hour.total), bar)
    table.columns[1].justify = "right"
    return table
