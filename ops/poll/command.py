"""Find orders now: a poll out of turn, and orders read and stored once more."""

import json
import uuid
from datetime import datetime, timedelta
from typing import Any

import click

from chalicelib.domain.jobs import Job
from chalicelib.domain.models import LARGEST_ID, OrderMessage
from chalicelib.edges.aws import calling
from ops.cli import Operator, command, fail, main
from ops.deployment import FOR_A_POLL, POLL, Deployment, client
from ops.remedies import run

ORDER_ID = click.IntRange(1, LARGEST_ID)


@command(main, "python -m ops --stage prod poll --sweep", changes=True)
@click.option("--sweep", is_flag=True, help="Look at all new orders, not only at recent changes.")
def poll(operator: Operator, sweep: bool) -> None:
    """Run a poll now, and wait for its end (15 minutes at most)."""
    deployment = operator.deployment
    operator.confirm("poll the store" + " from the start" if sweep else "poll the store")
    before = newest(deployment)
    error = invoke(deployment, operator.clock.now(), sweep)
    after = newest(deployment)
    job = after if after != before else None
    operator.answer({"job": job and job.to_item(), "error": error})
    operator.say(told(job, error))
    if error or job is None or job.outcome == "failed":
        fail()


@command(main, "python -m ops --stage prod replay 118 119", changes=True)
@click.argument("order_ids", type=ORDER_ID, nargs=-1, required=True, metavar="ORDER_ID...")
def replay(operator: Operator, order_ids: tuple[int, ...]) -> None:
    """Have orders read again and stored again, whatever their status.

    An order is moved only if it is new and never was moved. Readers of the table's stream see it
    once more.
    """
    operator.confirm(f"replay {len(order_ids)} orders")
    queue_orders(operator.deployment, order_ids)
    operator.answer({"queued": list(order_ids)})
    operator.say(
        f"Queued: {', '.join(map(str, order_ids))}. In a minute, "
        f"[bold]{run(operator.stage, f'explain {order_ids[0]}')}[/] tells the rest."
    )


def newest(deployment: Deployment) -> Job | None:
    """The last poll on record. Raises AwsError."""
    history = deployment.wiring.jobs.history(deployment.clock.now() - timedelta(days=7))
    return history[0] if history else None


def queue_orders(deployment: Deployment, order_ids: "tuple[int, ...] | list[int]") -> None:
    """Queue orders to be replayed. Raises AwsError."""
    queued_at = deployment.clock.now().isoformat()
    deployment.wiring.queue.send(
        OrderMessage(order_id=order_id, source="replay", queued_at=queued_at)
        for order_id in order_ids
    )


def invoke(deployment: Deployment, now: datetime, sweep: bool) -> str | None:
    """Call poll_orders; the error with which it failed, if it did. Raises AwsError."""
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
        answer = client("lambda", FOR_A_POLL).invoke(
            FunctionName=deployment.name(POLL), Payload=json.dumps(event).encode()
        )
    if "FunctionError" not in answer:
        return None
    told = json.loads(answer["Payload"].read())
    return f"{told.get('errorType')}: {told.get('errorMessage')}"


def told(job: Job | None, error: str | None) -> str:
    """A poll in a sentence."""
    if error:
        return f"[red]The poll failed:[/] {error}"
    if job is None:
        return "[yellow]No poll was run:[/] another one is running; its record shows how it goes."
    return (
        f"The poll ({job.mode}) has {job.outcome}: {job.listed} orders listed, {job.queued} queued,"
        f" {job.already_replicated} replicated before, {job.requests} requests to the store."
    )
