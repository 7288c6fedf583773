"""The orders of a store, what people do to them, and how they are read."""

from itertools import chain
from operator import itemgetter
from typing import Any

from sandbox.store import events
from sandbox.store.answers import parse, render
from sandbox.store.consignments import LineForm, consignments
from sandbox.store.edits import Edits
from sandbox.store.fulfillment import Fulfillment
from sandbox.store.ledger import StatusChange
from sandbox.store.refunds import Refunds
from sandbox.store.shoppers import FIRST_ID
from sandbox.store.subresources import NAMES
from sandbox.store.taxes import taxes
from sandbox.store.templates import Fields

__all__ = ["FIRST_ID", "Shop", "StatusChange"]


class Shop(Edits, Fulfillment, Refunds):
    """The orders of a store."""

    def order(self, order_id: int) -> dict[str, Any]:
        """The order as GET shows it, fractions as Decimal, with stubs for its sub-resources."""
        with self.working():
            return dict(parse(render(self.book.view(order_id))))

    def whole(self, order_id: int) -> dict[str, Any]:
        """The order with complete lists of products, shipping addresses and coupons."""
        with self.working():
            lists = {name: self.book.sub_resource(order_id, name) for name in NAMES}
            return dict(parse(render({**self.book.view(order_id), **lists})))

    def parts(self, order_id: int) -> dict[str, list[dict[str, Any]]]:
        """All complete lists of the order: products, shipping_addresses, coupons, fees, pickups,
        taxes, shipments, messages and refunds."""
        with self.working():
            lists = self.book.lists(order_id)
            recorded = {name: self.book.sub_resource(order_id, name) for name in self.book.recorded}
            pickups = self.consignments(order_id)["pickups"]
            owed = taxes(order_id, lists, details=False)
            return dict(parse(render({**lists, **recorded, "pickups": pickups, "taxes": owed})))

    def consignments(
        self, order_id: int, form: LineForm | None = None, *, stale: bool = False, missing: int = 0
    ) -> Fields:
        """The object form; without `form` with all lines in full, less the last `missing`."""
        lists = self.book.lists(order_id, stale=stale)
        lines = lists["products"]
        email = self.book.view(order_id, stale=stale)["billing_address"].get("email", "")
        return consignments(
            lines[: max(0, len(lines) - missing)],
            lists["shipping_addresses"],
            email,
            form or LineForm(self.book.root, limit=len(lines)),
        )

    def refunds(self) -> list[Fields]:
        """The refunds of all orders, by id."""
        found = self.book.recorded["refunds"].values()
        return sorted(chain.from_iterable(found), key=itemgetter("id"))

    def shows(self, order_id: int) -> bool:
        """Whether the API returns the order when it is asked for by its id."""
        if order_id not in self.book.records:
            return False
        return self._shows_archived or not self.book.version(order_id).archived

    def order_ids(self) -> list[int]:
        """All ids, ascending, including archived orders."""
        with self.working():
            return list(self.book)

    def callback_body(self, order_id: int, scope: str = "store/cart/converted") -> bytes:
        """The body of a callback about the order, or about its last shipment, refund, message or
        change of status; not sent."""
        with self.working():
            return self.callbacks.body(scope, self._event_data(scope, order_id))

    def _event_data(self, scope: str, order_id: int) -> Fields:
        order = self.book.view(order_id)
        if scope.startswith("store/cart/"):
            return events.cart_data(order)
        if scope == "store/order/statusUpdated":
            mine = [change for change in self.status_changes if change.order_id == order_id]
            before, after = (mine[-1].before, mine[-1].after) if mine else (0, order["status_id"])
            return events.status_data(order_id, before, after)
        for prefix, name, data in (
            ("store/shipment/", "shipments", events.shipment_data),
            ("store/order/refund/", "refunds", events.refund_data),
            ("store/order/message/", "messages", events.message_data),
        ):
            if scope.startswith(prefix):
                found = self.book.sub_resource(order_id, name)
                return data(order_id, found[-1]["id"] if found else 1)
        if scope.startswith("store/order/transaction/"):
            return events.transaction_data(order_id, 1)
        if scope.startswith("store/order/metafield/"):
            return events.metafield_data(order_id, 1)
        return events.order_data(order_id)
