"""The orders whose messages went back to their queue lately, by the log: what is tried again."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from ops.console.journal import RETURNED, Line, lines_between
from ops.deployment import CONSUMERS, Deployment

LATELY = timedelta(minutes=15)
"""How far back the log is read."""

MOST = 200
"""The newest of them, which are read from the table."""


@dataclass(frozen=True)
class Returned:
    """The last time that an order was returned, the reason, and when it is tried again."""

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


def returned_lately(deployment: Deployment) -> dict[int, Returned]:
    """The orders that were returned and not read since, by their ids, the newest last."""
    now = deployment.clock.now()
    journal = lines_between(deployment, now - LATELY, now, RETURNED, CONSUMERS.values())
    last = {line.fields["order_id"]: Returned.of(line) for line in journal.lines}
    newest = sorted(last.values(), key=lambda order: order.at)[-MOST:]
    records = deployment.wiring.orders.records([order.order_id for order in newest])
    return {
        order.order_id: order
        for order in newest
        if (record := records.get(order.order_id)) is None
        or record.read_at is None
        or record.read_at < order.at
    }
