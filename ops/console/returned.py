"""The orders whose messages were returned to their queue lately, by the log: what is retried."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from ops.console.journal import RETURNED, Line, lines_between
from ops.deployment import CONSUMERS, Deployment

LATELY = timedelta(minutes=15)
"""How far back the log is read."""

DONE = ("order_replicated", "order_read_already", "order_skipped")
"""Log events after which an order is not retried."""

MOST = 200
"""The newest of them, which are read from the table."""


@dataclass(frozen=True)
class Returned:
    """The last time that an order was returned, the reason, and when it is retried."""

    order_id: int
    at: datetime
    error: str
    again_at: datetime

    @classmethod
    def of(cls, line: Line) -> "Returned":
        order_id, waits = line.fields["order_id"], line.fields.get("waiting_seconds", 0)
        error = str(line.fields.get("error", ""))
        return cls(order_id, line.at, error, line.at + timedelta(seconds=float(waits)))

    @property
    def cause(self) -> str:
        """The error without the order's id, so that those of other orders are the same."""
        return self.error.replace(str(self.order_id), "…") or "without an error text"


def returned_in(lines: Iterable[Line]) -> dict[int, Returned]:
    """The orders whose last try by these lines was returned, by their ids, the newest last."""
    last: dict[int, Returned] = {}
    for line in lines:
        if line.event == "order_returned" or line.event in DONE:
            last.pop(line.fields["order_id"], None)
        if line.event == "order_returned":
            last[line.fields["order_id"]] = Returned.of(line)
    return last


def returned_lately(deployment: Deployment) -> dict[int, Returned]:
    """The orders that were returned and not read since, by their ids, the newest last."""
    now = deployment.clock.now()
    journal = lines_between(deployment, now - LATELY, now, RETURNED, CONSUMERS.values())
    newest = list(returned_in(journal.lines).values())[-MOST:]
    records = deployment.wiring.orders.records([order.order_id for order in newest])
    return {
        order.order_id: order
        for order in newest
        if (record := records.get(order.order_id)) is None
        or record.read_at is None
        or record.read_at < order.at
    }
