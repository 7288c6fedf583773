"""Runs a poll now."""

import json
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import click
from rich.markup import escape

from chalicelib.domain.jobs import Job
from chalicelib.edges.aws import calling
from ops.cli import Operator, command, fail, main
from ops.deployment import POLL, POLL_CLIENT, Deployment, client
from ops.remedies import run
from ops.wording import count


@dataclass(frozen=True)
class Result:
    """The jobs of a poll, oldest first, and the function's error."""

    jobs: tuple[Job, ...]
    error: str | None

    @property
    def is_done(self) -> bool:
        return bool(self.jobs) and not self.error

    def facts(self) -> dict[str, Any]:
        return {"jobs": [job.to_item() for job in self.jobs], "error": self.error}


@command(main, "poll --sweep", changes=True)
@click.option("--sweep", is_flag=True, help="Run a sweep as well, also if none is due.")
def poll(operator: Operator, sweep: bool) -> None:
    """Run a poll now, and wait until it ends (15 minutes at most).

    A poll lists what has changed in the store since the last poll. A sweep lists all new orders and
    the changes of the last days, and compares them with the table; one is due every day.
    """
    operator.authorize("run a sweep of the store" if sweep else "poll the store")
    result = run_poll(operator, sweep=sweep)
    operator.print_json(result.facts())
    print_result(operator, result)
    if not result.is_done:
        fail()


def run_poll(operator: Operator, *, sweep: bool) -> Result:
    """Run a poll and wait for it. Raises AwsError."""
    deployment = operator.deployment
    before = _started(deployment)
    error = invoke(deployment, operator.clock.now(), sweep)
    made = [job for job in _jobs(deployment) if job.started_at not in before]
    return Result(tuple(reversed(made)), error)


def print_result(operator: Operator, result: Result) -> None:
    for job in result.jobs:
        operator.print(summary(operator.stage, job))
    if result.error:
        operator.print(f"[red]The poll failed:[/] {escape(result.error)}")
    elif not result.jobs:
        operator.print(
            "[yellow]No poll was run:[/] another poll is running. "
            f"To see its progress: {run(operator.stage, 'status')}"
        )


def invoke(deployment: Deployment, now: datetime, sweep: bool) -> str | None:
    """Invoke poll_orders. Returns the function's error, if any. Raises AwsError."""
    event: dict[str, Any] = {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "order-replication.ops",
        "account": "",
        "time": now.isoformat(),
        "region": "",
        "resources": [],
        "detail": {"sweep": sweep},
    }
    with calling(f"Invoke {deployment.name(POLL)}"):
        answer = client("lambda", config=POLL_CLIENT).invoke(
            FunctionName=deployment.name(POLL), Payload=json.dumps(event).encode()
        )
    if "FunctionError" not in answer:
        return None
    payload = json.loads(answer["Payload"].read())
    return f"{payload.get('errorType')}: {payload.get('errorMessage')}"


def summary(stage: str, job: Job) -> str:
    """A job's counts, what they mean, and what happens next."""
    counts = (
        f"{count(job.listed, 'order')} listed, {job.queued} queued, "
        f"{job.already_replicated} already replicated, "
        f"{count(job.requests, 'request')} to the store"
    )
    name = "Sweep" if job.mode == "sweep" else "Poll of changes"
    lines = [f"{name} {job.outcome}: {counts}.", *meaning(stage, job)]
    return "\n".join(f"  {line}" if number else line for number, line in enumerate(lines))


def meaning(stage: str, job: Job) -> list[str]:
    if job.outcome == "failed":
        reason = escape(job.error or "no reason recorded")
        return [f"[red]{reason}[/]. The next poll continues where this one stopped."]
    if job.outcome == "stopped":
        reason = escape(job.error or "it ran out of time")
        return [f"Stopped: {reason}. The next poll continues where this one stopped."]
    lines = []
    if job.queued:
        orders = "The queued order is" if job.queued == 1 else "The queued orders are"
        lines.append(f"{orders} replicated next; to see the progress: {run(stage, 'status')}")
    elif job.listed > job.already_replicated:
        lines.append("The orders that are not replicated were queued before.")
    elif job.listed:
        lines.append("Every order that was listed is already replicated.")
    else:
        lines.append("The store has no order that was to be listed.")
    if job.unserved:
        ids = ", ".join(map(str, job.unserved))
        lines.append(f"[yellow]The store could not list[/] {ids}; queued by id.")
    return lines


def _jobs(deployment: Deployment) -> list[Job]:
    """The recorded polls of the last 7 days, newest first. Raises AwsError."""
    return deployment.wiring.jobs.history(deployment.clock.now() - timedelta(days=7))


def _started(deployment: Deployment) -> set[datetime]:
    return {job.started_at for job in _jobs(deployment)}
