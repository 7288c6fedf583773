"""The messages of the dead-letter queues by order, and the orders by the cause of their failure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from chalicelib.domain.failing import FailingOrder
from ops.dead_letters.message import DeadLetter
from ops.deployment import Deployment
from ops.wording import count, duration

UNKNOWN = "unknown"
INVALID = "invalid message"


@dataclass(frozen=True)
class Failed:
    """An order's messages, and what is known about its failure; or one invalid message."""

    messages: tuple[DeadLetter, ...]
    failing: FailingOrder | None

    @property
    def order_id(self) -> int | None:
        return self.messages[0].order_id

    @property
    def cause(self) -> str:
        """The class of the last error."""
        if self.order_id is None:
            return INVALID
        return self.failing.error_class if self.failing else UNKNOWN

    def facts(self, now: datetime) -> dict[str, Any]:
        return {
            "order_id": self.order_id,
            "cause": self.cause,
            "error": self.failing and self.failing.error,
            "failing_since": self.failing and self.failing.since.isoformat(),
            "messages": [{**each.facts(), "age_seconds": each.age(now)} for each in self.messages],
        }


def failed_orders(
    messages: Iterable[DeadLetter], failing: Mapping[int, FailingOrder]
) -> list[Failed]:
    """The orders of the messages by cause, and of each cause the one queued first at the head."""
    by_order: dict[int | str, list[DeadLetter]] = {}
    for message in messages:
        by_order.setdefault(message.order_id or message.message_id, []).append(message)
    orders = [
        Failed(tuple(group), failing.get(group[0].order_id or 0)) for group in by_order.values()
    ]
    return sorted(orders, key=lambda order: (order.cause, order.messages[0].queued_at))


def failed_messages(deployment: Deployment, messages: Sequence[DeadLetter]) -> list[Failed]:
    """The messages as `failed_orders` sorts them, with the causes in the Jobs table.

    Raises AwsError.
    """
    failing = deployment.wiring.jobs.all_failing() if messages else ()
    return failed_orders(messages, {order.order_id: order for order in failing})


def rendered(orders: list[Failed], now: datetime) -> RenderableType:
    """A row for each message, and a line for each cause."""
    return Group(_table(orders, now), "", *_causes(orders))


def _table(orders: list[Failed], now: datetime) -> Table:
    table = Table(box=None, padding=(0, 1))
    names = [message.name for order in orders for message in order.messages]
    # A message id must not be wrapped; the other columns may be.
    table.add_column("order", min_width=max(map(len, names)))
    for name in ("cause", "queue", "source", "queued (UTC)", "age", "received"):
        table.add_column(name, justify="right" if name == "received" else "left")
    for order in orders:
        for number, message in enumerate(order.messages):
            table.add_row(
                "" if number else message.name,
                "" if number else order.cause,
                message.queue,
                message.message.source if message.message else "",
                f"{message.queued_at.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
                duration(message.age(now)),
                str(message.receive_count),
            )
    return table


def _causes(orders: list[Failed]) -> list[str]:
    by_cause: dict[str, list[Failed]] = {}
    for order in orders:
        by_cause.setdefault(order.cause, []).append(order)
    return [_cause(cause, group) for cause, group in by_cause.items()]


def _cause(cause: str, orders: list[Failed]) -> str:
    if cause == INVALID:
        return f"{INVALID}: {len(orders)}"
    line = f"{cause}: {count(len(orders), 'order')}"
    example = orders[0].failing
    return line if example is None else f"{line}; {example.order_id}: {escape(example.error)}"
