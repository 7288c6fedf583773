"""Reads a store's orders, the newest first, and judges each by the service's rules."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib.clock import Clock
from chalicelib.domain.models import JsonObject, Order, UnreadableOrder, store_date
from chalicelib.domain.records import ReplicationRecord
from chalicelib.domain.rules import Policy
from chalicelib.edges.bigcommerce import BigCommerce, NotFound, Rejected, Unavailable
from ops.rehearse.forecast import Forecast
from ops.rehearse.interrupt import uninterrupted
from ops.rehearse.judge import depends_on_lines, judge, with_known_lines, with_read_lines
from ops.rehearse.newest import Newest
from ops.store import UnservedOrder, read_order

Records = Callable[[list[int]], Mapping[int, ReplicationRecord]]
"""The records of the orders that a stage has stored, by id."""


def no_records(_: list[int]) -> Mapping[int, ReplicationRecord]:
    """Those of a store without a stage."""
    return {}


@dataclass
class Rehearsal:
    """One rehearsal; what it has found so far is in `forecast`, also when it is interrupted.

    `progress` receives the number of orders read, and may raise KeyboardInterrupt to end it.
    """

    store: BigCommerce
    policy: Policy
    clock: Clock
    forecast: Forecast
    newest: Newest
    records: Records = no_records
    progress: Callable[[int], Any] = field(default=lambda _: None)

    def run(self) -> None:
        """Read and judge page by page. Raises StoreError, OutOfTime and AwsError."""
        for page in self.newest.pages():
            if page.unserved is not None:
                self._judge_unserved(page.unserved)
            self._judge(page.orders)
            self.progress(self.forecast.listed)

    def _judge(self, page: Iterable[JsonObject]) -> None:
        now = self.clock.now()
        orders = {fields["id"]: fields for fields in page}
        records = self.records(list(orders))
        for order_id, fields in orders.items():
            try:
                order = Order.parse(fields, read_at=now, requested_at=now)
            except UnreadableOrder:
                self._note_unreadable(order_id, fields)
            else:
                self._judge_order(order, records.get(order_id))
                self.progress(self.forecast.listed)

    def _judge_order(self, order: Order, record: ReplicationRecord | None) -> None:
        known = with_known_lines(order)
        if depends_on_lines(known, record, self.policy):
            known = self._with_lines(known)
        is_swept = self.forecast.fill.is_swept(order)
        verdict = judge(known, record, self.policy, order.read_at, is_swept=is_swept)
        with uninterrupted():
            self.forecast.add(order, known, record, verdict)

    def _with_lines(self, order: Order) -> Order:
        """The order with its lines; as it is where the store does not serve them."""
        try:
            return with_read_lines(order, self.store.part(order.id, "products"))
        except (Rejected, Unavailable):
            # A store that is down serves no request, and this one raises.
            self.store.counts()
            return order

    def _judge_unserved(self, order_id: int) -> None:
        """Judge an order that no list can contain, if it can be read by itself."""
        try:
            order = read_order(self.store, order_id)
        except (UnservedOrder, NotFound):
            with uninterrupted():
                self.forecast.add_unreadable(order_id, is_served=False)
            return
        self._judge_order(order, self.records([order_id]).get(order_id))

    def _note_unreadable(self, order_id: int, fields: JsonObject) -> None:
        """Count an order that cannot be parsed; the store leaves it out if it is too old."""
        try:
            is_old = store_date(fields.get("date_created")) < self.policy.replicate_since
        except ValueError:
            is_old = False
        with uninterrupted():
            if is_old:
                self.forecast.add_old(order_id)
            else:
                self.forecast.add_unreadable(order_id, is_served=True)
