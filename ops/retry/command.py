"""Replicates failing orders now instead of after their delay."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click
from rich.markup import escape

from chalicelib.domain.failing import FailingOrder
from chalicelib.domain.messages import OrderMessage
from ops.cli import ORDER_ID, Operator, command, fail, main
from ops.dead_letters import redrive as dead_letters
from ops.dead_letters.queue import Tally
from ops.deployment import Deployment
from ops.remedies import run
from ops.wording import count, listed


@dataclass(frozen=True)
class Retried:
    """The orders that were queued, those whose message was redriven, and those that were not."""

    queued: tuple[int, ...] = ()
    redriven: tuple[int, ...] = ()
    refused: tuple[int, ...] = ()

    def facts(self) -> dict[str, Any]:
        return {
            "queued": list(self.queued),
            "redriven": list(self.redriven),
            "refused": list(self.refused),
        }


@command(main, "retry --cause Unavailable", changes=True)
@click.argument("order_ids", type=ORDER_ID, nargs=-1, metavar="[ORDER_ID]...")
@click.option("--all", "everything", is_flag=True, help="Every failing order.")
@click.option("--cause", metavar="CLASS", help="Every failing order whose last error is a CLASS.")
def retry(
    operator: Operator, order_ids: tuple[int, ...], everything: bool, cause: str | None
) -> None:
    """Replicate orders now: failing ones, or any orders by their ids.

    Each order is read again, stored, and moved if it is new and was never moved. For an order in a
    dead-letter queue the message there is redriven in place of a second one: the dead-letter queue
    is left empty, and an order that was replayed is still not moved.
    """
    if sum((bool(order_ids), everything, cause is not None)) != 1:
        raise click.UsageError("name orders, or use --all, or use --cause")
    failing = list(operator.deployment.wiring.jobs.all_failing())
    ids = _selected(tuple(dict.fromkeys(order_ids)), cause, failing)
    if not ids:
        operator.print_json(Retried().facts())
        return operator.print(nothing_to_retry(cause, failing))
    operator.authorize(f"retry {count(len(ids), 'order')} ({listed(ids)})", ids)
    done = retry_orders(operator.deployment, ids)
    operator.print_json(done.facts())
    operator.print(summary(operator.stage, done))
    return fail() if done.refused else None


def retry_orders(deployment: Deployment, ids: Sequence[int]) -> Retried:
    """Redrive the orders' messages, and queue the orders that have none. Raises AwsError."""
    tally = _redrive(deployment, set(ids))
    redriven = {message.order_id for message in (*tally.done, *tally.in_both)}
    refused = {message.order_id for message in tally.refused} - redriven
    rest = [order_id for order_id in ids if order_id not in redriven | refused]
    now = deployment.clock.now()
    deployment.wiring.queue.send(
        OrderMessage(order_id=order_id, source="retry", queued_at=now) for order_id in rest
    )
    return Retried(
        tuple(rest), tuple(n for n in ids if n in redriven), tuple(n for n in ids if n in refused)
    )


def nothing_to_retry(cause: str | None, failing: Sequence[FailingOrder]) -> str:
    if cause is None or not failing:
        return "No order is failing; nothing was queued."
    causes = Counter(order.error_class for order in failing)
    found = ", ".join(f"{name} ({number})" for name, number in causes.most_common())
    return f"No order is failing with the cause {escape(cause)}. The causes are: {found}."


def summary(stage: str, done: Retried) -> str:
    lines = []
    if done.queued:
        lines.append(f"{count(len(done.queued), 'order')} queued: {listed(done.queued)}.")
    if done.redriven:
        lines.append(
            f"{count(len(done.redriven), 'order')} redriven from a dead-letter queue: "
            f"{listed(done.redriven)}."
        )
    if done.refused:
        lines.append(
            f"[red]SQS rejected the message of[/] {listed(done.refused)}. "
            "It is still in the dead-letter queue."
        )
    example = (*done.queued, *done.redriven, *done.refused)[0]
    lines.append(f"To see the result in a minute: [bold]{run(stage, f'explain {example}')}[/]")
    return "\n".join(lines)


def _selected(
    order_ids: tuple[int, ...], cause: str | None, failing: Sequence[FailingOrder]
) -> list[int]:
    if order_ids:
        return list(order_ids)
    return sorted(order.order_id for order in failing if cause in (None, order.error_class))


def _redrive(deployment: Deployment, ids: set[int]) -> Tally:
    tally = Tally()
    queues = dead_letters.dead_letter_queues(deployment)
    if any(any(deployment.depth(queue.url).values()) for queue in queues):
        messages = dead_letters.messages_in(queues)
        selected = [message for message in messages if message.order_id in ids]
        dead_letters.redrive(queues, selected, tally, lambda number: None)
    return tally
