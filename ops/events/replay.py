"""Publishes the events of orders again, from their items."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from chalicelib.domain.events import Event, replayed_events
from ops.deployment import Deployment
from ops.tables import created_on, stored_facts

PER_CALL = 50
"""Orders whose events are put together, in calls of ten entries."""

TIMEOUT = 60.0
"""Seconds for the calls of so many orders."""


@dataclass
class Replayed:
    """What was published: the events, and the orders without any."""

    events: int = 0
    orders: list[int] = field(default_factory=list)
    not_stored: list[int] = field(default_factory=list)
    not_numbered: list[int] = field(default_factory=list)
    """Orders of version 1.0, which the first sweep of a later version has not read yet."""

    def facts(self) -> dict[str, Any]:
        return {
            "events": self.events,
            "orders": self.orders,
            "not_stored": self.not_stored,
            "not_numbered": self.not_numbered,
        }


def created_between(deployment: Deployment, since: datetime, until: datetime) -> list[int]:
    """The stored orders of these days in UTC, by the index by_day. Raises AwsError."""
    first, last = (moment.astimezone(UTC).date() for moment in (since, until))
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    return [order_id for day in days for order_id in created_on(deployment, day)]


def changed_since(deployment: Deployment, since: datetime) -> list[int]:
    """The orders whose item has changed since a moment. Scans the Orders table. Raises AwsError."""
    first = int(since.timestamp() * 1000)
    return sorted(
        int(item["id"])
        for item, record in stored_facts(deployment)
        if (record.sequence or 0) >= first
    )


def replay(
    deployment: Deployment, order_ids: Iterable[int], only_for: str | None
) -> Iterator[Replayed]:
    """Publish the events of these orders; yields what was published so far.

    Raises AwsError: what was yielded before has been published.
    """
    done = Replayed()
    for some in _batches(list(order_ids)):
        publisher = deployment.wiring.publisher_until(deployment.clock.time() + TIMEOUT)
        events: list[Event] = []
        for order_id in some:
            found = deployment.wiring.orders.read(order_id)
            if found is None:
                done.not_stored.append(order_id)
            elif found[1].sequence is None:
                done.not_numbered.append(order_id)
            else:
                events += replayed_events(order_id, *found)
                done.orders.append(order_id)
        publisher.replay(events, only_for)
        done.events += len(events)
        yield done


def _batches(order_ids: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(order_ids), PER_CALL):
        yield order_ids[start : start + PER_CALL]
