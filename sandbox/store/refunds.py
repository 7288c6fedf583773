"""Refunds: money that the merchant gives back."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

from sandbox.store.events import refund_data
from sandbox.store.money import cents, money, number
from sandbox.store.shoppers import Shoppers
from sandbox.store.statuses import Status
from sandbox.store.templates import Fields


class Refunds(Shoppers):
    """Orders are refunded."""

    _refunds = 0

    def refund(
        self,
        order_id: int,
        amount: str | Decimal | None = None,
        *,
        items: Mapping[int, int] | None = None,
        reason: str = "",
    ) -> int:
        """Refund `amount`, or `items` (quantities by the ids of lines), or all that is left.

        The order becomes Partially Refunded, or Refunded. Returns the refund's id. Raises
        ValueError for more than is left."""
        with self.working() as now:
            lines = self.book.sub_resource(order_id, "products")
            returned = dict(items or {}) if items or amount is not None else _unrefunded(lines)
            sum_ = self._sum(order_id, amount, items)
            shown = _items(order_id, lines, returned, sum_)
            refund_id = self._record_refund(_refund(order_id, sum_, shown, reason, now))
            self._mark(order_id, sum_, [_refunded(x, returned.get(x["id"], 0)) for x in lines])
            return refund_id

    def _sum(
        self, order_id: int, amount: str | Decimal | None, items: Mapping[int, int] | None
    ) -> Decimal:
        """What is refunded, in cents."""
        order = self.book.view(order_id)
        left = cents(order["total_inc_tax"]) - cents(order["refunded_amount"])
        if amount is not None:
            sum_ = cents(amount)
        else:
            lines = self.book.sub_resource(order_id, "products")
            sum_ = _price(lines, items) if items else left
        if not 0 < sum_ <= left:
            raise ValueError(f"{money(left)} is left to refund")
        return sum_

    def _mark(self, order_id: int, sum_: Decimal, lines: list[Fields]) -> None:
        """Show the refund in the order."""
        order = self.book.view(order_id)
        refunded = cents(order["refunded_amount"]) + sum_
        whole = refunded == cents(order["total_inc_tax"])
        self.change(
            order_id,
            status=Status.REFUNDED if whole else Status.PARTIALLY_REFUNDED,
            fields={
                "refunded_amount": money(refunded),
                "payment_status": "refunded" if whole else "partially refunded",
                "products": lines,
            },
        )

    def _record_refund(self, refund: Fields) -> int:
        self._refunds += 1
        refund["id"] = refund["payments"][0]["id"] = self._refunds
        refund["payments"][0]["transaction_id"] = str(self._refunds)
        order_id = refund["order_id"]
        self.book.recorded["refunds"][order_id].append(refund)
        data = refund_data(order_id, self._refunds)
        self.announce("store/order/refund/created", order_id, data)
        self.record_transaction(order_id)
        return self._refunds


def _unrefunded(lines: list[Fields]) -> dict[int, int]:
    """The quantities that have not been refunded, by the ids of lines."""
    return {line["id"]: line["quantity"] - line["quantity_refunded"] for line in lines}


def _price(lines: list[Fields], items: Mapping[int, int]) -> Decimal:
    """What the items cost, in cents; KeyError for a line that the order does not have."""
    prices = {line["id"]: cents(line["price_inc_tax"]) for line in lines}
    return sum((prices[line] * quantity for line, quantity in items.items()), Decimal(0))


def _items(
    order_id: int, lines: list[Fields], returned: Mapping[int, int], sum_: Decimal
) -> list[Fields]:
    """The items of a refund; without lines it is one of the order's amount."""
    rows: list[Fields] = [
        {
            "item_type": "PRODUCT",
            "item_id": line,
            "reason": "",
            "quantity": quantity,
            "requested_amount": number(money(_price(lines, {line: quantity}))),
            "adjustments": [],
        }
        for line, quantity in returned.items()
        if quantity
    ]
    amount = number(money(sum_))
    whole: Fields = {
        "item_type": "ORDER",
        "item_id": order_id,
        "reason": "",
        "requested_amount": amount,
    }
    return rows or [whole]


def _refund(order_id: int, sum_: Decimal, items: list[Fields], reason: str, now: int) -> Fields:
    amount = number(money(sum_))
    payment = {
        "id": 0,
        "provider_id": "custom",
        "amount": amount,
        "offline": True,
        "is_declined": False,
        "declined_message": "",
        "transaction_id": "",
    }
    return {
        "id": 0,
        "order_id": order_id,
        "user_id": 1,
        "created": datetime.fromtimestamp(now, UTC).isoformat(),
        "reason": reason,
        "total_amount": amount,
        "total_tax": 0,
        "uses_merchant_override_values": False,
        "items": items,
        "payments": [payment],
    }


def _refunded(line: Fields, quantity: int) -> Fields:
    refunded = line["quantity_refunded"] + quantity
    return {
        **line,
        "quantity_refunded": refunded,
        "refund_amount": money(cents(line["price_inc_tax"]) * refunded),
        "is_refunded": refunded >= line["quantity"],
    }
