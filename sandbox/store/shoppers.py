"""What shoppers and apps do to a store's orders."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sandbox.store.events import cart_data, metafield_data, order_data, transaction_data
from sandbox.store.ledger import Ledger
from sandbox.store.mix import plans
from sandbox.store.orders import COUPON_TYPES, KINDS, Placed, draw
from sandbox.store.statuses import Status
from sandbox.store.templates import Fields

FIRST_ID = 100
FEW = {"physical": 1, "mixed": 1, "partial_pickup": 1}
"""Addresses of an order by its kind; the others have none."""


class Shoppers(Ledger):
    """Orders are placed and paid for."""

    _next_id = FIRST_ID
    _transactions = 0
    _metafields = 0

    def place_order(
        self,
        *,
        status: int = Status.AWAITING_FULFILLMENT,
        kind: str = "physical",
        lines: int | None = None,
        addresses: int | None = None,
        coupons: int | list[Fields] | None = None,
        coupon_kind: str = "total",
        fees: int | list[Fields] | None = None,
        via: str = "storefront",
        created: datetime | None = None,
        **fields: Any,
    ) -> int:
        """A shopper (`via="storefront"`) or an app (`via="api"`) orders; the order's id.

        Values that are None are drawn from the seed: 1 to 4 lines, one address if anything ships,
        a coupon or a fee for some orders. What the coupons reduce depends on `coupon_kind`; see
        COUPON_TYPES. `fields` replace fields of the order, `channel_id` for example; a list under
        the name of a sub-resource replaces that sub-resource. With `is_tax_inclusive_pricing` the
        base amounts of lines, shipping and fees include tax."""
        own = {"coupons": coupons, "fees": fees}
        fields |= {name: value for name, value in own.items() if isinstance(value, list)}
        with self.working() as now:
            order_id, self._next_id = self._next_id, self._next_id + 1
            rng = draw(self._seed, order_id, 3)
            few = 1 + int(rng.random() * 4)
            placed = Placed(
                id=order_id,
                status=Status(status),
                kind=_known(kind, KINDS),
                lines=_natural(lines, max(few, 2 if kind in ("mixed", "partial_pickup") else 1)),
                addresses=_natural(addresses, FEW.get(kind, 0)),
                coupons=_natural(coupons, 1 if rng.random() < 0.15 else 0),
                fees=_natural(fees, 1 if rng.random() < 0.1 else 0),
                via=_known(via, ("storefront", "api")),
                created=now if created is None else int(created.timestamp()),
                coupon_kind=_known(coupon_kind, tuple(COUPON_TYPES)),
                is_tax_inclusive=bool(fields.get("is_tax_inclusive_pricing")),
            )
            self.book.add(placed, fields)
            self._announce_new(order_id, via)
            return order_id

    def _announce_new(self, order_id: int, via: str) -> None:
        """Only storefront orders convert a cart; orders that an app creates have no cart."""
        self.announce("store/order/created", order_id, order_data(order_id))
        if via == "storefront" and self.callbacks.hooks:
            self.announce("store/cart/converted", order_id, cart_data(self.book.view(order_id)))

    def place_orders(
        self,
        count: int,
        *,
        via: str = "api",
        statuses: Sequence[int] | None = None,
        over: timedelta = timedelta(0),
    ) -> list[int]:
        """A realistic mix of orders, their ids; `over` spreads them over the time before now."""
        with self.working():
            rng = draw(self._seed, self._next_id, 4)
            end = self.clock.now()
            return [
                self.place_order(
                    via=via, created=end - over * ((count - 1 - n) / count), **vars(plan)
                )
                for n, plan in enumerate(plans(rng, count, statuses))
            ]

    def pay(self, order_id: int, *, status: int = Status.AWAITING_FULFILLMENT) -> None:
        """The payment arrives, which also sets the status."""
        with self.working():
            self.record_transaction(order_id)
            self.change(order_id, status=status, fields={"payment_status": "captured"})

    def record_transaction(self, order_id: int) -> None:
        """A transaction is recorded, which changes nothing of the order."""
        with self.working():
            self._transactions += 1
            data = transaction_data(order_id, self._transactions)
            self.announce("store/order/transaction/created", order_id, data)

    def record_metafield(self, order_id: int) -> None:
        """An app records a metafield, which changes nothing of the order."""
        with self.working():
            self._metafields += 1
            data = metafield_data(order_id, self._metafields)
            self.announce("store/order/metafield/created", order_id, data)

    @property
    def next_id(self) -> int:
        """The id of the next order."""
        return self._next_id

    def skip_ids(self, count: int) -> None:
        """Orders of other stores on the same database take the next `count` ids."""
        with self.working():
            self._next_id += count


def _known(name: str, names: Sequence[str]) -> str:
    if name not in names:
        raise ValueError(f"{name!r} is not one of {', '.join(names)}")
    return name


def _natural(number: int | list[Fields] | None, otherwise: int) -> int:
    if number is None:
        return otherwise
    if isinstance(number, list):
        return len(number)
    if number < 0:
        raise ValueError(f"{number} is negative")
    return number
