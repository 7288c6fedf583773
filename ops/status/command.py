"""Shows a stage's state: polls, queues, orders and webhooks of the last day."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from chalicelib.domain.jobs import Job
from ops.cli import Operator, command, main
from ops.deployment import Deployment
from ops.metrics import Hour, age_of_oldest, by_hour
from ops.remedies import LOCAL
from ops.tables import count_webhooks
from ops.wording import ago, count, duration, queue_depth

POLLS = 5
BAR_WIDTH = 30

DAY = timedelta(hours=24)


@dataclass(frozen=True)
class Status:
    """A stage's state at one moment."""

    now: datetime
    polls: list[Job]
    queue: dict[str, int]
    oldest: int | None
    dead_letters: int
    replicated: list[Hour]
    webhooks: dict[str, int]

    @classmethod
    def of(cls, deployment: Deployment) -> "Status":
        """Read the state from AWS. Raises AwsError."""
        now = deployment.clock.now()
        return cls(
            now=now,
            polls=deployment.wiring.jobs.history(now - timedelta(days=7))[:POLLS],
            queue=deployment.depth(deployment.settings.orders_queue_url),
            oldest=age_of_oldest(deployment),
            dead_letters=sum(deployment.depth(deployment.dead_letter_queue_url).values()),
            replicated=by_hour(deployment, "OrdersReplicated"),
            webhooks={
                "accepted": accepted_webhooks(deployment, now),
                "refused": _total(deployment, "WebhooksRefused"),
            },
        )

    def facts(self) -> dict[str, Any]:
        """For JSON; durations in seconds."""
        return {
            "at": self.now.isoformat(),
            "polls": [job.to_item() for job in self.polls],
            "queue": {**self.queue, "oldest_seconds": self.oldest},
            "dead_letters": self.dead_letters,
            "replicated_by_hour": {h.start.isoformat(): h.total for h in self.replicated},
            "webhooks_in_24_hours": self.webhooks,
        }


@command(main, "status --watch")
@click.option("--watch", is_flag=True, help="Refresh until Ctrl-C.")
@click.option("--every", default=5.0, show_default=True, help="Seconds between two refreshes.")
def status(operator: Operator, watch: bool, every: float) -> None:
    """Show the last polls, the queues, and the orders and webhooks of the last day."""
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
    queue = queue_depth(current.queue)
    if current.oldest is not None:
        queue += f"; the oldest message is {duration(current.oldest)} old"
    dead = count(current.dead_letters, "message")
    lines = [
        f"[bold]{stage}[/] at {current.now:%Y-%m-%d %H:%M:%S} UTC",
        f"Queue               {queue}",
        f"Dead-letter queue   {f'[red]{dead}[/]' if current.dead_letters else 'empty'}",
        f"Webhooks            {_webhooks(stage, current.webhooks)}",
    ]
    return Group(*lines, _polls(current), _hours(current))


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
