"""Explains why an order is in the table or not, from all that is known about it."""

from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import click

from chalicelib.domain.jobs import HISTORY_MARGIN, last_success
from chalicelib.domain.models import JsonObject, Order, OrderStatus, UnreadableOrder
from chalicelib.domain.rules import why_not_in_scope, why_not_moved
from chalicelib.edges.aws import AwsError
from chalicelib.edges.bigcommerce import BigCommerce, NotFound, StoreError
from chalicelib.edges.pacing import SHUTDOWN_MARGIN, OutOfTime
from ops.cli import ORDER_ID, Operator, command, main
from ops.dead_letters.message import DeadLetter
from ops.dead_letters.redrive import dead_letter_queues, messages_in
from ops.deployment import QUEUES, Deployment
from ops.destinations.backlog import unpublished
from ops.destinations.destination import all_destinations
from ops.explain import render
from ops.explain.conclusion import Conclusion, conclude
from ops.explain.facts import Facts, moment, status_name
from ops.pause.pause import Pause
from ops.remedies import describe_error
from ops.tables import webhooks_of
from ops.undelivered import queue as undelivered
from ops.undelivered.message import Undelivered

STORE_TIMEOUT = 45.0 + SHUTDOWN_MARGIN
"""Seconds for all requests to the store; a window of its quota takes 30."""

SHORT_TIMEOUT = 5.0 + SHUTDOWN_MARGIN
"""Seconds for a page, which shows what else is known while the store is down."""

WEBHOOK_FIELDS = ("scope", "received_at", "created_at", "message_id")
"""The fields of a recorded webhook in JSON."""

OMITTED = ("digest", "parts_digest", "encoding")


@dataclass(frozen=True)
class Explanation:
    """The facts about an order, the records behind them, and the conclusion."""

    facts: Facts
    webhooks: list[JsonObject]
    dead_letters: list[DeadLetter]
    queues: dict[str, dict[str, int]]
    undelivered: list[Undelivered]
    unpublished: int

    @property
    def conclusion(self) -> Conclusion:
        return conclude(self.facts)

    def to_json(self) -> dict[str, Any]:
        """Ids, statuses and times only, without personal data."""
        facts, record = self.facts, self.facts.record
        attributes = record.to_map() if record else {}
        return {
            "order_id": facts.order_id,
            "store": _store_facts(facts),
            "record": {n: value for n, value in attributes.items() if n not in OMITTED} or None,
            "is_current": facts.is_current,
            "failing": facts.failing and facts.failing.to_item(),
            "pause": facts.pause and facts.pause.facts(),
            "webhooks": [
                {name: hook.get(name) for name in WEBHOOK_FIELDS} for hook in self.webhooks
            ],
            "dead_letters": [message.facts() for message in self.dead_letters],
            "queues": self.queues,
            "undelivered": [message.facts() for message in self.undelivered],
            "unpublished_batches": self.unpublished,
            "last_poll": facts.polls[0].to_item() if facts.polls else None,
            "last_poll_that_succeeded": (last := last_success(facts.polls)) and last.to_item(),
            "conclusion": asdict(self.conclusion),
        }

    def rows(self, now: datetime) -> dict[str, str]:
        """The lines of the output by their labels."""
        facts = self.facts
        times = [moment(hook["received_at"]) for hook in self.webhooks]
        rows = {
            "Store": render.store_line(facts),
            "Table": render.table_line(facts.record),
            "Version": render.version_line(facts),
            "Failing": render.failing_line(facts, now),
            "Webhooks": f"{len(times)}, the last {times[0]}" if times else "none",
            "Queues": render.queues_line(self.queues),
            "Dead-letter queues": render.dead_letters_line(self.dead_letters),
            "Events": render.events_line(facts.record, self.unpublished),
            "Undelivered events": render.undelivered_line(self.undelivered, now),
            "Polls": render.polls_line(facts, now),
        }
        return rows | ({"Pause": facts.pause.described(now)} if facts.pause else {})


@command(main, "explain 118")
@click.argument("order_id", type=ORDER_ID)
def explain(operator: Operator, order_id: int) -> None:
    """Explain why an order is in the table or not, and what to do.

    Reads the store, the tables and the queues, also those of undelivered events. SQS cannot be
    searched: only the number of messages in the queues is known.
    """
    explanation = gather(operator.deployment, order_id)
    operator.print_json(explanation.to_json())
    rows = explanation.rows(operator.clock.now())
    for line in render.rendered(rows, explanation.facts, explanation.conclusion):
        operator.print(line)


def gather(deployment: Deployment, order_id: int, *, is_patient: bool = True) -> Explanation:
    """Read all facts about the order. Raises AwsError, but not when the store is unavailable.

    Without patience, a request to the store that failed is not repeated.
    """
    settings, wiring = deployment.settings, deployment.wiring
    order, error = from_store(deployment, order_id, is_patient=is_patient)
    queues = {queue: deployment.depth(deployment.queue_url(queue)) for queue in QUEUES}
    messages = dead_letters_of(deployment, order_id)
    not_taken = undelivered_of(deployment, order_id)
    webhooks = webhooks_of(deployment, order_id)
    since = deployment.clock.now() - timedelta(hours=settings.sweep_hours) - HISTORY_MARGIN
    facts = Facts(
        stage=deployment.stage,
        order_id=order_id,
        policy=settings.policy(),
        order=order,
        store_error=error,
        record=wiring.orders.records([order_id]).get(order_id),
        failing=wiring.jobs.failing([order_id]).get(order_id),
        pause=Pause.read(deployment),
        dead_letters=len(messages),
        undelivered=tuple(dict.fromkeys(message.destination for message in not_taken)),
        queued=sum(sum(depth.values()) for depth in queues.values()),
        polls=tuple(wiring.jobs.history(since)),
        called_at=datetime.fromisoformat(webhooks[0]["received_at"]) if webhooks else None,
    )
    return Explanation(
        facts=facts,
        webhooks=webhooks,
        dead_letters=messages,
        queues=queues,
        undelivered=not_taken,
        unpublished=unpublished(deployment),
    )


def dead_letters_of(deployment: Deployment, order_id: int) -> list[DeadLetter]:
    """The order's messages in the dead-letter queues; an empty queue is not received from."""
    queues = [
        queue
        for queue in dead_letter_queues(deployment)
        if any(deployment.depth(queue.url).values())
    ]
    return [message for message in messages_in(queues) if message.order_id == order_id]


def undelivered_of(deployment: Deployment, order_id: int) -> list[Undelivered]:
    """The order's events that destinations did not take."""
    messages = undelivered.messages_in(undelivered.queues_of(all_destinations(deployment)))
    return [message for message in messages if message.order_id == order_id]


def from_store(
    deployment: Deployment, order_id: int, *, is_patient: bool = True
) -> tuple[Order | None, str | None]:
    """The order in the store; or None, with the error if the store could not be read."""
    try:
        store = deployment.store_within(STORE_TIMEOUT if is_patient else SHORT_TIMEOUT)
        if not is_patient:
            store = replace(store, retry=store.retry.new(total=0))
        return _with_lines(store, store.order(order_id)), None
    except NotFound:
        return None, None
    except (AwsError, OutOfTime, StoreError, UnreadableOrder) as error:
        return None, describe_error(deployment.stage, error)


def _with_lines(store: BigCommerce, order: Order) -> Order:
    """A completed order with its lines, which decide whether it is digital, if they can be read."""
    if order.status_id != OrderStatus.COMPLETED or not order.may_be_digital:
        return order
    try:
        lines = store.part(order.id, "products")
    except (OutOfTime, StoreError):
        return order
    return order.with_fields({**order.fields, "products": lines})


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
        "why_not_in_scope": why_not_in_scope(order, facts.policy),
        "why_not_moved": why_not_moved(order, facts.policy),
    }
