"""How the stage is getting on: polls, queues, orders and webhooks of the last day."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table

from chalicelib.domain.jobs import Job
from ops.cli import Operator, command, main
from ops.deployment import Deployment
from ops.metrics import Hour, age_of_oldest, by_hour
from ops.wording import ago, span, waiting

POLLS = 5
BAR = 30
"""Characters of the longest bar."""


@dataclass(frozen=True)
class Status:
    """A stage at one moment."""

    now: datetime
    polls: list[Job]
    queue: dict[str, int]
    oldest: int | None
    dead_letters: int
    replicated: list[Hour]
    webhooks: dict[str, int]

    @classmethod
    def of(cls, deployment: Deployment) -> "Status":
        """Ask AWS. Raises AwsError."""
        now = deployment.clock.now()
        return cls(
            now=now,
            polls=deployment.wiring.jobs.history(now - timedelta(days=7))[:POLLS],
            queue=deployment.depth(deployment.settings.orders_queue_url),
            oldest=age_of_oldest(deployment),
            dead_letters=sum(deployment.depth(deployment.dead_letter_queue_url).values()),
            replicated=by_hour(deployment, "OrdersReplicated"),
            webhooks={
                name: sum(hour.total for hour in by_hour(deployment, metric))
                for name, metric in (
                    ("accepted", "WebhooksAccepted"),
                    ("refused", "WebhooksRefused"),
                )
            },
        )

    def facts(self) -> dict[str, Any]:
        """For programs; spans in seconds."""
        return {
            "at": self.now.isoformat(),
            "polls": [job.to_item() for job in self.polls],
            "queue": {**self.queue, "oldest_seconds": self.oldest},
            "dead_letters": self.dead_letters,
            "replicated_by_hour": {h.start.isoformat(): h.total for h in self.replicated},
            "webhooks_in_24_hours": self.webhooks,
        }


@command(main, "python -m ops --stage prod status --watch")
@click.option("--watch", is_flag=True, help="Look again until Ctrl-C.")
@click.option("--every", default=5.0, show_default=True, help="Seconds between two looks.")
def status(operator: Operator, watch: bool, every: float) -> None:
    """Show the last polls, the queues, and what was replicated in the last day."""
    if not watch or operator.as_json:
        seen = Status.of(operator.deployment)
        operator.answer(seen.facts())
        operator.say(page(operator.stage, seen))
        return
    try:
        with Live(console=operator.console, auto_refresh=False) as live:
            while True:
                live.update(page(operator.stage, Status.of(operator.deployment)), refresh=True)
                operator.clock.sleep(every)
    except KeyboardInterrupt:
        operator.say("Stopped.")


def page(stage: str, seen: Status) -> RenderableType:
    """Everything on one screen."""
    age = "" if seen.oldest is None else f", the oldest for {span(seen.oldest)}"
    letters = f"[red]{seen.dead_letters}[/]" if seen.dead_letters else "none"
    lines = [
        f"[bold]{stage}[/] at {seen.now:%Y-%m-%d %H:%M:%S} UTC",
        f"Queue          {waiting(seen.queue)}{age}",
        f"Dead letters   {letters}",
        "Webhooks       {accepted} accepted, {refused} refused in 24 hours".format(**seen.webhooks),
    ]
    return Group(*lines, _polls(seen), _hours(seen))


def _polls(seen: Status) -> RenderableType:
    if not seen.polls:
        return "Polls          none in 7 days"
    table = Table(title="Last polls", title_justify="left", box=None, padding=(0, 2))
    for name in ("began", "mode", "outcome", "listed", "queued", "replicated before", "requests"):
        table.add_column(name, justify="left" if name in ("began", "mode", "outcome") else "right")
    for job in seen.polls:
        counts = (job.listed, job.queued, job.already_replicated, job.requests)
        outcome = f"[red]failed[/] {job.error}" if job.outcome == "failed" else job.outcome
        table.add_row(ago(job.started_at, seen.now), job.mode, outcome, *map(str, counts))
    return table


def _hours(seen: Status) -> RenderableType:
    if not seen.replicated:
        return "No order was replicated in the last 24 hours."
    most = max(hour.total for hour in seen.replicated)
    table = Table(title="Orders replicated", title_justify="left", box=None, padding=(0, 2))
    for hour in seen.replicated:
        bar = "█" * max(1, round(BAR * hour.total / most))
        table.add_row(f"{hour.start:%d %b %H}:00", str(hour.total), bar)
    table.columns[1].justify = "right"
    return table
