"""Why an order is here, or is not: all that is known of it, and what follows from that."""

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
from ops.cli import Operator, command, explained, main
from ops.dead_letters.message import Letter
from ops.dead_letters.queue import DeadLetters
from ops.deployment import Deployment
from ops.explain.conclusion import Conclusion, conclude
from ops.explain.facts import Facts, moment, status_name
from ops.poll.command import ORDER_ID
from ops.tables import webhooks_of
from ops.wording import ago, waiting

PATIENCE = 45.0 + SHUTDOWN_MARGIN
"""Seconds that the store has to answer; a window of its quota takes 30."""

KEPT = ("scope", "received_at", "created_at", "message_id")
"""What of a webhook's record is told."""

NOT_TOLD = ("digest", "encoding")


@dataclass(frozen=True)
class Explanation:
    """The facts, the records that they were read from, and what follows."""

    facts: Facts
    webhooks: list[JsonObject]
    letters: list[Letter]
    queue: dict[str, int]

    @property
    def conclusion(self) -> Conclusion:
        return conclude(self.facts)

    def answer(self) -> dict[str, Any]:
        """For programs: ids, statuses and times, and nothing else of the order."""
        facts, record = self.facts, self.facts.record
        told = record.to_item() if record else {}
        return {
            "order_id": facts.order_id,
            "store": _store_facts(facts),
            "record": {n: value for n, value in told.items() if n not in NOT_TOLD} or None,
            "webhooks": [{name: hook.get(name) for name in KEPT} for hook in self.webhooks],
            "dead_letters": [letter.facts() for letter in self.letters],
            "queue": self.queue,
            "last_poll": facts.polls[0].to_item() if facts.polls else None,
            "last_poll_that_succeeded": (last := last_success(facts.polls)) and last.to_item(),
            "conclusion": asdict(self.conclusion),
        }


@command(main, "python -m ops --stage prod explain 118")
@click.argument("order_id", type=ORDER_ID)
def explain(operator: Operator, order_id: int) -> None:
    """Say why an order is in the table or is not, and what to do.

    Asks the store, the tables and the queues. SQS cannot be searched: of the queue, only the
    number of its messages is known.
    """
    seen = gather(operator.deployment, order_id)
    operator.answer(seen.answer())
    for line in page(operator, seen):
        operator.say(line)


def gather(deployment: Deployment, order_id: int) -> Explanation:
    """Ask everything that knows of the order. Raises AwsError, but not for a silent store."""
    settings, wiring = deployment.settings, deployment.wiring
    policy = settings.policy()
    order, error = from_store(deployment, order_id)
    queue = deployment.depth(settings.orders_queue_url)
    dead = DeadLetters.of(deployment)
    letters = dead.look() if any(deployment.depth(dead.url).values()) else []
    letters = [letter for letter in letters if letter.order_id == order_id]
    since = deployment.clock.now() - timedelta(hours=settings.sweep_hours) - HISTORY_MARGIN
    facts = Facts(
        stage=deployment.stage,
        order_id=order_id,
        policy=policy,
        order=order,
        store_error=error,
        record=wiring.orders.records([order_id]).get(order_id),
        dead_letters=len(letters),
        queued=sum(queue.values()),
        polls=tuple(wiring.jobs.history(since)),
    )
    return Explanation(facts, webhooks_of(deployment, order_id), letters, queue)


def from_store(deployment: Deployment, order_id: int) -> tuple[Order | None, str | None]:
    """The order as the store has it; or None, with the reason when the store cannot be asked."""
    try:
        store = deployment.store_within(PATIENCE)
        return _with_lines(store, Order.parse(store.order(order_id))), None
    except NotFound:
        return None, None
    except (AwsError, OutOfTime, StoreError, UnreadableOrder) as error:
        return None, explained(error)


def _with_lines(store: BigCommerce, order: Order) -> Order:
    """A completed order with its lines, which alone tell whether it is digital, if they come."""
    if order.status_id != OrderStatus.COMPLETED or not order.may_be_digital:
        return order
    try:
        lines = store.sub_resource(order.id, "products")
    except (OutOfTime, StoreError):
        return order
    return Order.parse({**order.fields, "products": lines})


def page(operator: Operator, seen: Explanation) -> list[str]:
    """The facts, a line each, and the conclusion."""
    facts, conclusion = seen.facts, seen.conclusion
    return [
        f"[bold]Order {facts.order_id}[/] in {facts.stage}",
        f"Store          {escape(_store_line(facts))}",
        f"Table          {_table_line(facts.record)}",
        f"Webhooks       {_webhooks_line(seen)}",
        f"Queue          {_queue_line(seen.queue)}",
        f"Dead letters   {_letters_line(seen.letters)}",
        f"Polls          {escape(_polls_line(operator, facts))}",
        "",
        escape(conclusion.because),
        f"[bold]Next:[/] {escape(conclusion.next or 'nothing is to be done')}",
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
        return facts.store_error or "has no such order"
    archived = ", archived" if order.is_deleted else ""
    return (
        f"{status_name(order.status_id)}{archived}, created {moment(order.date_created)}, "
        f"changed {moment(order.date_modified)}"
    )


def _table_line(record: ReplicationRecord | None) -> str:
    if record is None:
        return "nothing"
    if record.is_forgotten:
        return f"forgotten {moment(record.forgotten_at)}"
    stored = f"stored {moment(record.replicated_at)}, first found by {record.source}"
    if record.moved_to is None:
        return f"{stored}; not moved"
    how = f"moved {moment(record.moved_at)}" if record.is_moved else "move not seen to end"
    doubt = ", unconfirmed" if record.move_unconfirmed else ""
    return f"{stored}; {how}{doubt}: {record.moved_from} to {record.moved_to}"


def _webhooks_line(seen: Explanation) -> str:
    times = [moment(hook["received_at"]) for hook in seen.webhooks]
    return f"{len(times)}, the last {times[0]}" if times else "none"


def _queue_line(queue: dict[str, int]) -> str:
    return f"{waiting(queue)} (of any orders: SQS cannot be searched)"


def _letters_line(letters: list[Letter]) -> str:
    if not letters:
        return "not among them"
    return "; ".join(
        f"queued {moment(letter.queued_at)}, received {letter.receive_count} times"
        for letter in letters
    )


def _polls_line(operator: Operator, facts: Facts) -> str:
    if not facts.polls:
        return "none lately"
    newest, last = facts.polls[0], last_success(facts.polls)
    now = operator.clock.now()
    told = f"the last {ago(newest.started_at, now)} ({newest.mode}): {newest.outcome}"
    if newest.error:
        told += f", {newest.error}"
    if last is None:
        return f"{told}; none succeeded lately"
    return told if last is newest else f"{told}; the last to succeed {ago(last.started_at, now)}"
