"""Explains why an order is in the table or not, from all that is known about it."""

from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

import click
from rich.markup import escape

from chalicelib.domain.jobs import HISTORY_MARGIN, last_success
from chalicelib.domain.models import (
    JsonObject,
    Order,
    OrderStatus,
    ReplicationRecord,
    UnreadableOrder,
)
from chalicelib.domain.rules import why_not_new
from chalicelib.edges.aws import AwsError
from chalicelib.edges.bigcommerce import BigCommerce, NotFound, StoreError
from chalicelib.edges.pacing import SHUTDOWN_MARGIN, OutOfTime
from ops.cli import ORDER_ID, Operator, command, main
from ops.dead_letters.message import DeadLetter
from ops.dead_letters.queue import DeadLetterQueue
from ops.deployment import Deployment
from ops.explain.conclusion import Conclusion, conclude
from ops.explain.facts import Facts, moment, status_name
from ops.remedies import describe_error
from ops.tables import webhooks_of
from ops.wording import ago, count, queue_depth

STORE_TIMEOUT = 45.0 + SHUTDOWN_MARGIN
"""Seconds for all requests to the store; a window of its quota takes 30."""

WEBHOOK_FIELDS = ("scope", "received_at", "created_at", "message_id")
"""The fields of a recorded webhook in JSON."""

OMITTED = ("digest", "encoding")


@dataclass(frozen=True)
class Explanation:
    """The facts about an order, the records behind them, and the conclusion."""

    facts: Facts
    webhooks: list[JsonObject]
    dead_letters: list[DeadLetter]
    queue: dict[str, int]

    @property
    def conclusion(self) -> Conclusion:
        return conclude(self.facts)

    def to_json(self) -> dict[str, Any]:
        """Ids, statuses and times only, without personal data."""
        facts, record = self.facts, self.facts.record
        attributes = record.to_item() if record else {}
        return {
            "order_id": facts.order_id,
            "store": _store_facts(facts),
            "record": {n: value for n, value in attributes.items() if n not in OMITTED} or None,
            "webhooks": [
                {name: hook.get(name) for name in WEBHOOK_FIELDS} for hook in self.webhooks
            ],
            "dead_letters": [message.facts() for message in self.dead_letters],
            "queue": self.queue,
            "last_poll": facts.polls[0].to_item() if facts.polls else None,
            "last_poll_that_succeeded": (last := last_success(facts.polls)) and last.to_item(),
            "conclusion": asdict(self.conclusion),
        }


@command(main, "explain 118")
@click.argument("order_id", type=ORDER_ID)
def explain(operator: Operator, order_id: int) -> None:
    """Explain why an order is in the table or not, and what to do.

    Reads the store, the tables and the queues. SQS cannot be searched: only the number of messages
    in the orders queue is known.
    """
    explanation = gather(operator.deployment, order_id)
    operator.print_json(explanation.to_json())
    for line in render(operator, explanation):
        operator.print(line)


def gather(deployment: Deployment, order_id: int) -> Explanation:
    """Read all facts about the order. Raises AwsError, but not when the store is unavailable."""
    settings, wiring = deployment.settings, deployment.wiring
    policy = settings.policy()
    order, error = from_store(deployment, order_id)
    queue = deployment.depth(settings.orders_queue_url)
    dead_letter_queue = DeadLetterQueue.of(deployment)
    is_empty = not any(deployment.depth(dead_letter_queue.url).values())
    messages = [] if is_empty else dead_letter_queue.messages()
    messages = [message for message in messages if message.order_id == order_id]
    since = deployment.clock.now() - timedelta(hours=settings.sweep_hours) - HISTORY_MARGIN
    facts = Facts(
        stage=deployment.stage,
        order_id=order_id,
        policy=policy,
        order=order,
        store_error=error,
        record=wiring.orders.records([order_id]).get(order_id),
        dead_letters=len(messages),
        queued=sum(queue.values()),
        polls=tuple(wiring.jobs.history(since)),
    )
    return Explanation(facts, webhooks_of(deployment, order_id), messages, queue)


def from_store(deployment: Deployment, order_id: int) -> tuple[Order | None, str | None]:
    """The order in the store; or None, with the error if the store could not be read."""
    try:
        store = deployment.store_within(STORE_TIMEOUT)
        return _with_lines(store, Order.parse(store.order(order_id))), None
    except NotFound:
        return None, None
    except (AwsError, OutOfTime, StoreError, UnreadableOrder) as error:
        return None, describe_error(deployment.stage, error)


def _with_lines(store: BigCommerce, order: Order) -> Order:
    """A completed order with its lines, which decide whether it is digital, if they can be read."""
    if order.status_id != OrderStatus.COMPLETED or not order.may_be_digital:
        return order
    try:
        lines = store.sub_resource(order.id, "products")
    except (OutOfTime, StoreError):
        return order
    return Order.parse({**order.fields, "products": lines})


def render(operator: Operator, explanation: Explanation) -> list[str]:
    """The facts, one per line, and the conclusion."""
    facts, conclusion = explanation.facts, explanation.conclusion
    return [
        f"[bold]Order {facts.order_id}[/] in {facts.stage}",
        f"Store               {escape(_store_line(facts))}",
        f"Table               {_table_line(facts.record)}",
        f"Webhooks            {_webhooks_line(explanation)}",
        f"Queue               {queue_depth(explanation.queue)} (of all orders)",
        f"Dead-letter queue   {_dead_letters_line(explanation.dead_letters)}",
        f"Polls               {escape(_polls_line(operator, facts))}",
        "",
        escape(conclusion.because),
        f"[bold]Next:[/] {escape(conclusion.next or 'no action needed')}",
    ]


def _store_facts(facts: Facts) -> dict[str, Any]:
    order = facts.order
    if order is None:
        return {"found": None if facts.store_error else False, "error": facts.store_error}
    return {
        "found": True,
        "status_id": order.status_id,
        "status": status_name(order.status_id),
        "created": order.date_created.isoformat(),
        "modified": order.date_modified.isoformat(),
        "is_deleted": order.is_deleted,
        "why_not_new": why_not_new(order, facts.policy),
    }


def _store_line(facts: Facts) -> str:
    order = facts.order
    if order is None:
        return facts.store_error or "order does not exist"
    archived = ", archived" if order.is_deleted else ""
    return (
        f"{status_name(order.status_id)}{archived}, created {moment(order.date_created)}, "
        f"changed {moment(order.date_modified)}"
    )


def _table_line(record: ReplicationRecord | None) -> str:
    if record is None:
        return "not stored"
    if record.is_forgotten:
        return f"forgotten {moment(record.forgotten_at)}"
    stored = f"stored {moment(record.replicated_at)}, source {record.source}"
    if record.moved_to is None:
        return f"{stored}; not moved"
    state = f"moved {moment(record.moved_at)}" if record.is_moved else "move not completed"
    unconfirmed = ", unconfirmed" if record.move_unconfirmed else ""
    return f"{stored}; {state}{unconfirmed}: {record.moved_from} to {record.moved_to}"


def _webhooks_line(explanation: Explanation) -> str:
    times = [moment(hook["received_at"]) for hook in explanation.webhooks]
    return f"{len(times)}, the last {times[0]}" if times else "none"


def _dead_letters_line(messages: list[DeadLetter]) -> str:
    return (
        "; ".join(
            f"queued {moment(message.queued_at)}, {count(message.receive_count, 'receive')}"
            for message in messages
        )
        or "no message of this order"
    )


def _polls_line(operator: Operator, facts: Facts) -> str:
    if not facts.polls:
        return "none lately"
    newest, last = facts.polls[0], last_success(facts.polls)
    now = operator.clock.now()
    line = f"last {ago(newest.started_at, now)} ({newest.mode}): {newest.outcome}"
    if newest.error:
        line += f", {newest.error}"
    if last is None:
        return f"{line}; none succeeded lately"
    return line if last is newest else f"{line}; last success {ago(last.started_at, now)}"
