"""Runs a poll now."""

import json
import uuid
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


@command(main, "poll --sweep", changes=True)
@click.option("--sweep", is_flag=True, help="List all new orders, not only recent changes.")
def poll(operator: Operator, sweep: bool) -> None:
    """Run a poll now, and wait until it ends (15 minutes at most)."""
    deployment = operator.deployment
    operator.confirm("run a sweep of the store" if sweep else "poll the store")
    before = newest_job(deployment)
    error = invoke(deployment, operator.clock.now(), sweep)
    after = newest_job(deployment)
    job = after if after != before else None
    operator.print_json({"job": job and job.to_item(), "error": error})
    operator.print(summary(operator.stage, job, error))
    if error or job is None or job.outcome == "failed":
        fail()


def newest_job(deployment: Deployment) -> Job | None:
    """The last recorded poll of the last 7 days. Raises AwsError."""
    history = deployment.wiring.jobs.history(deployment.clock.now() - timedelta(days=7))
    return history[0] if history else None


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


def summary(stage: str, job: Job | None, error: str | None) -> str:
    if error:
        return f"[red]The poll failed:[/] {escape(error)}"
    if job is None:
        return (
            "[yellow]No poll was run:[/] another poll is running. "
            f"To see its progress: {run(stage, 'status')}"
        )
    counts = (
        f"{count(job.listed, 'order')} listed, {job.queued} queued, "
        f"{job.already_replicated} already replicated, "
        f"{count(job.requests, 'request')} to the store"
    )
    return f"Poll ({job.mode}) {job.outcome}: {counts}.\n{meaning(stage, job)}"


def meaning(stage: str, job: Job) -> str:
    """What a job's result means, and what happens next."""
    if job.outcome == "failed":
        return f"[red]{escape(job.error or 'no reason recorded')}[/] The next poll starts again."
    if job.outcome == "stopped":
        return "It ran out of time. The next poll continues where it stopped."
    if job.queued:
        orders = "The queued order is" if job.queued == 1 else "The queued orders are"
        return f"{orders} replicated next; to see the progress: {run(stage, 'status')}"
    if job.listed:
        return "Every new order that was listed is already replicated."
    changed = "" if job.mode == "sweep" else " that has changed since the last poll"
    return f"The store has no new order{changed}."
