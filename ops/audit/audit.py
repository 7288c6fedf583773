"""Compares every order of the store with the table; orders in flight are not faults.

The first pass lists the store, and then the table for orders that no list of the store contains. It
notes the orders that differ. The second pass, after the queues have had time to empty, reads only
those orders. Memory holds the ids of the orders, and a count for each day and status.
"""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from chalicelib.domain.jobs import OVERLAP
from chalicelib.domain.models import JsonObject, Order, store_date
from chalicelib.domain.records import ReplicationRecord
from chalicelib.domain.rules import Policy, has_move_left
from chalicelib.edges.bigcommerce import BigCommerce, NotFound
from chalicelib.listing import Listing
from ops.audit.judge import LATE, Finding, judge, judge_missing
from ops.audit.report import UNKNOWN, Place, Report, day_of, place_of
from ops.deployment import QUEUES, Deployment
from ops.pause.pause import Pause
from ops.store import (
    UnservedOrder,
    chunks,
    created,
    read_order,
    read_orders,
)
from ops.tables import stored_facts

QUEUE_CHECK_INTERVAL = 5.0
"""Seconds between two reads of the queues' depth while they empty."""

LONGEST_INTERVAL = timedelta(hours=25)
"""The longest possible polling interval, with a margin. An order that has not changed for longer
is not waiting for a poll."""

ORDERS_AT_A_TIME = 100
"""Orders of the second pass whose records are read in one call."""


@dataclass(frozen=True)
class Audit:
    """One audit of a stage; `progress` receives the number of orders read and the day reached."""

    deployment: Deployment
    since: datetime
    until: datetime
    progress: Callable[[int, datetime], None]

    def run(self, wait: float) -> Report:
        """Make both passes, with up to `wait` seconds between them for the queues to empty.

        Raises StoreError when the store is down, AwsError and OutOfTime.
        """
        policy = self.deployment.settings.policy()
        report = Report(self.since, self.until, policy.retention_days)
        comparison = _Comparison(
            self.deployment, report, policy, Pause.read(self.deployment) is not None
        )
        suspects = comparison.first_pass(self.since, self.until, self.progress)
        if suspects:
            report.messages = self._messages_after(wait)
            comparison.second_pass(suspects, self._unpolled_since())
        return report

    def _messages_after(self, wait: float) -> int:
        """Wait until the queues are empty, for `wait` seconds at most; the messages left."""
        deployment = self.deployment
        until = deployment.clock.time() + wait
        while True:
            urls = map(deployment.queue_url, QUEUES)
            messages = sum(sum(deployment.depth(url).values()) for url in urls)
            if not messages or deployment.clock.time() >= until:
                return messages
            deployment.clock.sleep(QUEUE_CHECK_INTERVAL)

    def _unpolled_since(self) -> datetime:
        """The next poll will find the orders changed since then."""
        now = self.deployment.clock.now()
        history = self.deployment.wiring.jobs.history(now - LONGEST_INTERVAL)
        began = [j.began_at for j in history if j.outcome == "succeeded"]
        return max([now - LONGEST_INTERVAL, *(moment - OVERLAP for moment in began)])


@dataclass(frozen=True)
class _Comparison:
    """Both passes; `suspects` are the orders of the second, by id."""

    deployment: Deployment
    report: Report
    policy: Policy
    is_paused: bool
    suspects: dict[int, Place] = field(default_factory=dict)

    def first_pass(
        self, since: datetime, until: datetime, progress: Callable[[int, datetime], None]
    ) -> dict[int, Place]:
        """Count the orders that match; returns the others."""
        listed = array("q")
        listing = Listing(self._store, created(since, until))
        for page, _ in listing.pages(1):
            listed.extend(fields["id"] for fields in page)
            self.suspects.update(dict.fromkeys(listing.unserved, UNKNOWN))
            listing.unserved.clear()
            for order in self._compare(page):
                progress(len(listed), order.date_created)
        self._note_unlisted(listed, since, until)
        return self.suspects

    def _compare(self, page: list[JsonObject]) -> Iterator[Order]:
        """Count the orders of a page that match, and note the others; yields the readable ones."""
        now = self.deployment.clock.now()
        orders = {fields["id"]: Order.parse_or_none(fields, read_at=now) for fields in page}
        records = self.deployment.wiring.orders.records(list(orders))
        for order_id, order in orders.items():
            if order is None:
                self.report.add(order_id, UNKNOWN, "unreadable")
                continue
            finding = self._judge(order, records.get(order_id))
            if finding in LATE:
                self.suspects[order_id] = place_of(order)
            else:
                self.report.add(order_id, place_of(order), finding)
            yield order

    def _note_unlisted(self, listed: "array[int]", since: datetime, until: datetime) -> None:
        """Orders that are archived in the store are in no list: each must be read by itself."""
        now = self.deployment.clock.now()
        for item, record in stored_facts(self.deployment):
            order_id = int(item["id"])
            if record.is_archived or record.is_forgotten or _contains(listed, order_id):
                continue
            date_created = store_date(item["date_created"])
            if since <= date_created <= until and not self.policy.has_expired(date_created, now):
                self.suspects.setdefault(order_id, (day_of(date_created), int(item["status_id"])))

    def second_pass(self, suspects: dict[int, Place], unpolled_since: datetime) -> None:
        for ids in chunks(list(suspects), ORDERS_AT_A_TIME):
            records = self.deployment.wiring.orders.records(ids)
            orders = read_orders(self._store, ids)
            for order_id in ids:
                record = records.get(order_id)
                self._conclude(order_id, orders.get(order_id), record, unpolled_since)

    def _conclude(
        self,
        order_id: int,
        order: Order | None,
        record: ReplicationRecord | None,
        unpolled_since: datetime,
    ) -> None:
        """The second finding for a suspect, which is final."""
        place = self.suspects[order_id]
        try:
            order = order or read_order(self._store, order_id)
            place, finding = place_of(order), self._judge(order, record)
        except NotFound:
            finding = judge_missing(record)
        except UnservedOrder:
            finding = "unreadable"
        if finding in LATE:
            is_unpolled = order is not None and order.date_modified >= unpolled_since
            if order and has_move_left(order, record, self.policy, is_paused=self.is_paused):
                self.report.new.add(order_id)
            if is_unpolled or self.report.messages:
                finding = "in flight"
                self.report.unpolled += is_unpolled
        self.report.add(order_id, place, finding)

    def _judge(self, order: Order, record: ReplicationRecord | None) -> Finding:
        return judge(order, record, self.policy, is_paused=self.is_paused)

    @property
    def _store(self) -> BigCommerce:
        return self.deployment.store_beside_orders()


def _contains(ascending: "array[int]", number: int) -> bool:
    index = bisect_left(ascending, number)
    return index < len(ascending) and ascending[index] == number
