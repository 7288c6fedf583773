"""The orders of a store, what shoppers and the merchant do to them, and the events they cause."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sandbox.store.answers import parse, render
from sandbox.store.book import OrderBook
from sandbox.store.callbacks import Callbacks
from sandbox.store.clock import Clock
from sandbox.store.mix import plans
from sandbox.store.orders import KINDS, Placed, draw
from sandbox.store.statuses import Status
from sandbox.store.subresources import NAMES

FIRST_ID = 100


@dataclass(frozen=True)
class StatusChange:
    """An order's move from one status to another; `at` in epoch seconds."""

    order_id: int
    before: int
    after: int
    by: Literal["api", "merchant"]
    at: float


class Shop:
    """The orders of a store. `lock` guards every operation."""

    def __init__(
        self,
        *,
        clock: Clock,
        store_hash: str,
        seed: int,
        callbacks: Callbacks,
        shows_archived: bool = False,
    ) -> None:
        self.clock, self.store_hash = clock, store_hash
        self.lock = threading.RLock()
        self.book = OrderBook(seed, store_hash)
        self.callbacks = callbacks
        self.status_changes: list[StatusChange] = []
        self.repeated_puts: list[StatusChange] = []
        """PUTs of the status that the order already had."""
        self._seed, self._shows_archived = seed, shows_archived
        self._next_id = FIRST_ID

    def place_order(
        self,
        *,
        status: int = Status.AWAITING_FULFILLMENT,
        kind: str = "physical",
        lines: int | None = None,
        addresses: int | None = None,
        coupons: int | None = None,
        via: str = "storefront",
        created: datetime | None = None,
        **fields: Any,
    ) -> int:
        """A shopper (`via="storefront"`) or an app (`via="api"`) orders; the order's id.

        Values that are None are drawn from the seed: 1 to 4 lines, one address if anything ships,
        a coupon for some orders. `fields` replace fields of the order; a list under the name of a
        sub-resource replaces that sub-resource."""
        with self.lock:
            order_id, self._next_id = self._next_id, self._next_id + 1
            rng = draw(self._seed, order_id, 3)
            few = 1 + int(rng.random() * 4)
            placed = Placed(
                id=order_id,
                status=Status(status),
                kind=_known(kind, KINDS),
                lines=_natural(lines, max(few, 2 if kind == "mixed" else 1)),
                addresses=_natural(addresses, 1 if kind in ("physical", "mixed") else 0),
                coupons=_natural(coupons, 1 if rng.random() < 0.15 else 0),
                via=_known(via, ("storefront", "api")),
                created=int(self.clock.time() if created is None else created.timestamp()),
            )
            self.book.add(placed, fields)
            self._announce_new(order_id, via)
            return order_id

    def place_orders(
        self,
        count: int,
        *,
        via: str = "api",
        statuses: Sequence[int] | None = None,
        over: timedelta = timedelta(0),
    ) -> list[int]:
        """A realistic mix of orders, their ids; `over` spreads them over the time before now."""
        with self.lock:
            rng = draw(self._seed, self._next_id, 4)
            end = self.clock.now()
            return [
                self.place_order(
                    via=via, created=end - over * ((count - 1 - n) / count), **vars(plan)
                )
                for n, plan in enumerate(plans(rng, count, statuses))
            ]

    def set_status(self, order_id: int, status: int) -> None:
        """The merchant sets the status in the control panel."""
        self.move(order_id, status, by="merchant")

    def edit(self, order_id: int, **fields: Any) -> None:
        """The merchant edits the order; the new version is at least a second newer."""
        if "status_id" in fields:
            raise ValueError("edit does not change the status; use set_status")
        with self.lock:
            self.book.edit(order_id, fields, int(self.clock.time()))
            self._announce("store/order/updated", order_id)

    def archive(self, order_id: int) -> None:
        with self.lock:
            self.book.archive(order_id, int(self.clock.time()))
            self._announce("store/order/archived", order_id)

    def skip_ids(self, count: int) -> None:
        """Orders of other stores on the same database take the next `count` ids."""
        with self.lock:
            self._next_id += count

    def move(self, order_id: int, status: int, *, by: Literal["api", "merchant"]) -> None:
        """Set the status; setting the status it already has changes only the version."""
        with self.lock:
            before, at = self.book.version(order_id).status, self.clock.time()
            change = StatusChange(order_id, int(before), int(Status(status)), by, at)
            self.book.move(order_id, Status(status), int(at))
            self._announce("store/order/updated", order_id)
            if change.before == change.after:
                if by == "api":
                    self.repeated_puts.append(change)
                return
            self.status_changes.append(change)
            self._announce("store/order/statusUpdated", order_id, change)

    def order(self, order_id: int) -> dict[str, Any]:
        """The order as GET shows it, fractions as Decimal, with stubs for its sub-resources."""
        with self.lock:
            return dict(parse(render(self.book.view(order_id))))

    def whole(self, order_id: int) -> dict[str, Any]:
        """The order with complete lists of products, shipping addresses and coupons."""
        with self.lock:
            lists = {name: self.book.sub_resource(order_id, name) for name in NAMES}
            return dict(parse(render({**self.book.view(order_id), **lists})))

    def shows(self, order_id: int) -> bool:
        """Whether the API returns the order when it is asked for by its id."""
        if order_id not in self.book.records:
            return False
        return self._shows_archived or not self.book.version(order_id).archived

    def order_ids(self) -> list[int]:
        """All ids, ascending, including archived orders."""
        with self.lock:
            return list(self.book)

    def callback_body(self, order_id: int, scope: str = "store/cart/converted") -> bytes:
        """The body of a callback about the order, not sent."""
        with self.lock:
            changes = [change for change in self.status_changes if change.order_id == order_id]
            return self.callbacks.body(scope, self._event_data(scope, order_id, *changes[-1:]))

    def _announce_new(self, order_id: int, via: str) -> None:
        """Only storefront orders convert a cart; orders that an app creates have no cart."""
        self._announce("store/order/created", order_id)
        if via == "storefront":
            self._announce("store/cart/converted", order_id)

    def _announce(self, scope: str, order_id: int, change: StatusChange | None = None) -> None:
        if self.callbacks.has_subscriber(scope):
            data = self._event_data(scope, order_id, change)
            self.callbacks.announce(scope, order_id, data)

    def _event_data(
        self, scope: str, order_id: int, change: StatusChange | None = None
    ) -> dict[str, Any]:
        order = self.book.view(order_id)
        if scope.startswith("store/cart/"):
            cart = order["cart_id"] or f"00000000-0000-4000-9000-{order_id:012d}"
            return {"type": "cart", "id": cart, "orderId": order_id}
        data: dict[str, Any] = {"type": "order", "id": order_id}
        if scope == "store/order/statusUpdated":
            before, after = (change.before, change.after) if change else (0, order["status_id"])
            data["status"] = {"previous_status_id": before, "new_status_id": after}
        return data


def _known(name: str, names: Sequence[str]) -> str:
    if name not in names:
        raise ValueError(f"{name!r} is not one of {', '.join(names)}")
    return name


def _natural(number: int | None, otherwise: int) -> int:
    if number is None:
        return otherwise
    if number < 0:
        raise ValueError(f"{number} is negative")
    return number
