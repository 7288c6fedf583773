"""Runs a poll now."""

import json
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import click
from botocore.config import Config
from rich.markup import escape

from chalicelib.domain.jobs import Job
from chalicelib.edges.aws import AwsError, calling
from chalicelib.edges.bigcommerce import Unauthorized
from chalicelib.edges.dynamodb_jobs import LEASE
from ops.cli import Operator, command, fail, main
from ops.deployment import POLL, POLL_CLIENT, Deployment, client
from ops.remedies import for_alarm, run
from ops.tables import JobsItem
from ops.wording import count

WAIT = 5.0
"""Seconds between two reads of the lease."""


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


def run_poll(operator: Operator, *, sweep: bool, config: Config = POLL_CLIENT) -> Result:
    """Run a poll and wait for it. Raises AwsError."""
    deployment = operator.deployment
    before = _started(deployment)
    try:
        error = invoke(deployment, operator.clock.now(), sweep, config)
    except AwsError as timeout:
        if timeout.reason != "ReadTimeoutError":
            raise
        operator.print("The poll takes longer than a minute; waiting until it ends.")
        wait(deployment)
        made = _made_since(deployment, before)
        return Result(made, _failure(made))
    return Result(_made_since(deployment, before), error)


def print_result(operator: Operator, result: Result) -> None:
    for line in described(operator.stage, result):
        operator.print(line)


def described(stage: str, result: Result) -> list[str]:
    """What a poll did, with rich's markup."""
    lines = [summary(stage, job) for job in result.jobs]
    if result.error:
        lines.append(f"[red]The poll failed:[/] {escape(result.error)}")
    elif not result.jobs:
        lines.append(
            "[yellow]No poll was run:[/] another poll is running. "
            f"To see its progress: {run(stage, 'status')}"
        )
    return lines


def wait(deployment: Deployment) -> None:
    """Wait until the poll that holds the lease releases it, or the lease expires. Raises AwsError.

    A poll holds the lease from its beginning to its end. One that was killed keeps it.
    """
    lease, clock = JobsItem(deployment, LEASE), deployment.clock
    first = held = lease.read()
    while first and held and held["held_by"] == first["held_by"]:
        if held["held_until"] <= clock.time():
            return
        clock.sleep(WAIT)
        held = lease.read()


def invoke(
    deployment: Deployment, now: datetime, sweep: bool, config: Config = POLL_CLIENT
) -> str | None:
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
        answer = client("lambda", config=config).invoke(
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


def remedy(stage: str, job: Job) -> str:
    """What to do about a poll that failed; the next one tries it again anyway."""
    if (job.error or "").startswith(Unauthorized.__name__):
        return for_alarm(stage, "unauthorized")
    return run(stage, "doctor")


def _made_since(deployment: Deployment, before: set[datetime]) -> tuple[Job, ...]:
    made = [job for job in _jobs(deployment) if job.started_at not in before]
    return tuple(reversed(made))


def _failure(jobs: tuple[Job, ...]) -> str | None:
    """The error of jobs whose function has not answered, as they are recorded."""
    for job in jobs:
        if job.outcome == "failed":
            return job.error or "no reason recorded"
        if job.outcome == "running":
            return "the function ended before the poll did; its log has the reason"
    return None


def _jobs(deployment: Deployment) -> list[Job]:
    """The recorded polls of the last 7 days, newest first. Raises AwsError."""
    return deployment.wiring.jobs.history(deployment.clock.now() - timedelta(days=7))


def _started(deployment: Deployment) -> set[datetime]:
    return {job.started_at for job in _jobs(deployment)}
