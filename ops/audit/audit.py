"""Compares every order of the store with the table; orders in flight are not faults.

The first pass lists the store and notes the orders that differ. The second pass, after the queue
has had time to empty, reads only those orders. Memory holds a count for each day and status, and
the ids from the first pass.
"""

from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Literal, TypeAlias

from chalicelib.consumer import neighbours
from chalicelib.domain.jobs import OVERLAP
from chalicelib.domain.models import JsonObject, Order, OrderStatus, ReplicationRecord
from chalicelib.domain.rules import Policy, is_new
from ops.deployment import Deployment
from ops.store import orders_created, pages, parse_order

Finding: TypeAlias = Literal[
    "replicated",
    "not new",
    "forgotten",
    "missing",
    "outdated",
    "unmoved",
    "in flight",
    "unreadable",
]
LATE: tuple[Finding, ...] = ("missing", "outdated", "unmoved")
FAULTS: tuple[Finding, ...] = (*LATE, "unreadable")

QUEUE_CHECK_INTERVAL = 5.0
"""Seconds between two reads of the queue's depth while it empties."""

LONGEST_INTERVAL = timedelta(hours=25)
"""The longest possible polling interval, with a margin. An order that has not changed for longer
is not waiting for a poll."""

MAX_REPORTED_IDS = 1000
"""Ids of each finding that a report names; the counts include all."""

Day: TypeAlias = str


def judge(order: Order, stored: ReplicationRecord | None, policy: Policy) -> Finding:
    """The finding for an order and its record; `order` has its lines where they decide.

    An order that is no longer new need not be in the table, nor in its newest version: later
    changes in the store are not replicated.
    """
    if stored and stored.is_forgotten:
        return "forgotten"
    if not is_new(order, policy):
        return "replicated" if stored else "not new"
    if stored is None:
        return "missing"
    if stored.version < order.version:
        return "outdated"
    if policy.move_status and not stored.is_moved:
        return "unmoved"
    return "replicated"


@dataclass
class Report:
    """The result: counts by day of creation and status, and the ids of the faults."""

    since: datetime
    until: datetime
    counts: dict[tuple[Day, int], Counter[str]] = field(
        default_factory=lambda: defaultdict(Counter)
    )
    ids: dict[str, "array[int]"] = field(default_factory=lambda: defaultdict(lambda: array("q")))
    messages: int = 0
    unpolled: int = 0
    queued: int = 0

    def add(self, order: Order, finding: Finding) -> None:
        self.counts[_day(order), order.status_id][finding] += 1
        if finding in FAULTS or finding == "in flight":
            self.ids[finding].append(order.id)

    @property
    def totals(self) -> Counter[str]:
        return sum(self.counts.values(), Counter())

    @property
    def missing_at_least(self) -> int:
        """A lower bound for the orders that are neither in the table nor in the queue.

        SQS cannot be searched, but each message contains one order at most.
        """
        totals = self.totals
        return totals["missing"] + max(0, totals["in flight"] - self.unpolled - self.messages)

    def facts(self) -> dict[str, Any]:
        return {
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "orders": self.totals.total(),
            "totals": dict(self.totals),
            "missing_at_least": self.missing_at_least,
            "messages_in_queue": self.messages,
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


@dataclass(frozen=True)
class Audit:
    """One audit of a stage; `progress` receives the number of orders read and the day reached."""

    deployment: Deployment
    since: datetime
    until: datetime
    progress: Callable[[int, datetime], None]

    def run(self, wait: float) -> Report:
        """Make both passes, with up to `wait` seconds between them for the queue to empty.

        Raises StoreError, AwsError and OutOfTime.
        """
        report = Report(self.since, self.until)
        suspects = array("q", self._first_pass(report))
        if suspects:
            report.messages = self._messages_after(wait)
            unpolled_since = self._unpolled_since()
            for order, finding in self._second_pass(suspects):
                is_unpolled = order.date_modified >= unpolled_since
                if finding in LATE and (is_unpolled or report.messages):
                    finding = "in flight"
                    report.unpolled += is_unpolled
                report.add(order, finding)
        return report

    def _first_pass(self, report: Report) -> Iterator[int]:
        """Count the orders that match; yield the ids of the others."""
        read = 0
        store = self.deployment.wiring.store
        for page in pages(orders_created(store, self.since, self.until)):
            read += len(page)
            for fields, order, finding in self._judged(page):
                if order is None:
                    report.counts["", -1]["unreadable"] += 1
                    report.ids["unreadable"].append(fields["id"])
                elif finding in FAULTS:
                    yield order.id
                else:
                    report.add(order, finding)
                if order:
                    self.progress(read, order.date_created)

    def _second_pass(self, suspects: Iterable[int]) -> Iterator[tuple[Order, Finding]]:
        rest = iter(suspects)
        while chunk := list(islice(rest, 100)):
            for group in neighbours(chunk):
                requested = set(group)
                found = self.deployment.wiring.store.orders_between(group[0], group[-1])
                page = [fields for fields in found if fields["id"] in requested]
                for _, order, finding in self._judged(page):
                    if order:
                        yield order, finding

    def _judged(self, page: list[JsonObject]) -> Iterator[tuple[JsonObject, Order | None, Finding]]:
        orders = {fields["id"]: parse_order(fields) for fields in page}
        records = self.deployment.wiring.orders.records(list(orders))
        policy = self.deployment.settings.policy()
        for fields in page:
            order = orders[fields["id"]]
            if order is None:
                yield fields, None, "unreadable"
                continue
            stored = records.get(order.id)
            yield fields, order, judge(self._with_lines(order, stored, policy), stored, policy)

    def _with_lines(self, order: Order, stored: ReplicationRecord | None, policy: Policy) -> Order:
        """The order, with its lines where they decide whether it is new."""
        is_decided = order.status_id != OrderStatus.COMPLETED or order.is_digital
        if stored or is_decided or not is_new(order, policy):
            return order
        lines = self.deployment.wiring.store.sub_resource(order.id, "products")
        return Order.parse({**order.fields, "products": lines})

    def _messages_after(self, wait: float) -> int:
        """Wait until the queue is empty, for `wait` seconds at most; the messages left in it."""
        clock = self.deployment.clock
        until = clock.time() + wait
        while True:
            messages = sum(self.deployment.depth(self._queue_url).values())
            if not messages or clock.time() >= until:
                return messages
            clock.sleep(QUEUE_CHECK_INTERVAL)

    def _unpolled_since(self) -> datetime:
        """The next poll will find the orders changed since then."""
        now = self.deployment.clock.now()
        history = self.deployment.wiring.jobs.history(now - LONGEST_INTERVAL)
        began = [datetime.fromisoformat(j.began_at) for j in history if j.outcome == "succeeded"]
        return max([now - LONGEST_INTERVAL, *(moment - OVERLAP for moment in began)])

    @property
    def _queue_url(self) -> str:
        return self.deployment.settings.orders_queue_url


def _day(order: Order) -> Day:
    return order.date_created.astimezone(UTC).date().isoformat()
