"""The result of an audit: counts by day of creation and status, and the ids of the faults."""

from array import array
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeAlias

from chalicelib.domain.models import Order
from ops.audit.judge import FAULTS, LATE, Finding

MAX_REPORTED_IDS = 1000
"""Ids of each finding that a report names; the counts include all."""

Day: TypeAlias = str
Place: TypeAlias = tuple[Day, int]
"""An order's day of creation and its status: where a report counts it."""

UNKNOWN: Place = ("", -1)


@dataclass
class Report:
    """What an audit found. `new` are the ids of late orders that are still to be moved."""

    since: datetime
    until: datetime
    retention_days: int = 0
    counts: dict[Place, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    ids: dict[str, "array[int]"] = field(default_factory=lambda: defaultdict(lambda: array("q")))
    new: set[int] = field(default_factory=set)
    messages: int = 0
    unpolled: int = 0
    queued: int = 0

    def add(self, order_id: int, place: Place, finding: Finding) -> None:
        self.counts[place][finding] += 1
        if finding in LATE or finding in ("in flight", "unreadable"):
            self.ids[finding].append(order_id)

    @property
    def totals(self) -> Counter[str]:
        return sum(self.counts.values(), Counter())

    @property
    def faults_at_least(self) -> int:
        """A lower bound for the orders that are wrong in the table and in no queue.

        SQS cannot be searched, but each message contains one order at most.
        """
        totals = self.totals
        late = max(0, totals["in flight"] - self.unpolled - self.messages)
        return sum(totals[name] for name in FAULTS) + late

    @property
    def is_bad(self) -> bool:
        """Whether an order is at fault, or could not be read."""
        return bool(self.faults_at_least or self.totals["unreadable"])

    def facts(self) -> dict[str, Any]:
        return {
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "orders": self.totals.total(),
            "totals": dict(self.totals),
            "faults_at_least": self.faults_at_least,
            "messages_in_queues": self.messages,
            "waiting_for_a_poll": self.unpolled,
            "queued": self.queued,
            "ids": {
                name: list(ids[:MAX_REPORTED_IDS]) for name, ids in sorted(self.ids.items()) if ids
            },
            "by_day_and_status": [
                {"day": day, "status_id": status, **counts}
                for (day, status), counts in sorted(self.counts.items())
            ],
        }


def place_of(order: Order) -> Place:
    return day_of(order.date_created), order.status_id


def day_of(created: datetime) -> Day:
    return created.astimezone(UTC).date().isoformat()
