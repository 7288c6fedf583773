"""Refunds: money that the merchant gives back."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

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
            order, lines = self.book.view(order_id), self.book.sub_resource(order_id, "products")
            before, total = cents(order["refunded_amount"]), cents(order["total_inc_tax"])
            wanted = dict(items or {})
            if amount is None and not items:
                wanted = {x["id"]: x["quantity"] - x["quantity_refunded"] for x in lines}
                sum_ = total - before
            else:
                sum_ = cents(amount) if amount is not None else _price(lines, wanted)
            if not 0 < sum_ <= total - before:
                raise ValueError(f"{money(total - before)} is left to refund")
            self._refunds += 1
            refund = _refund(self._refunds, order_id, sum_, _items(order_id, lines, wanted), reason)
            refund["created"] = datetime.fromtimestamp(now, UTC).isoformat()
            self.book.recorded["refunds"][order_id].append(refund)
            self.announce(
                "store/order/refund/created", order_id, refund_data(order_id, self._refunds)
            )
            self.record_transaction(order_id)
            whole = before + sum_ == total
            self.change(
                order_id,
                status=Status.REFUNDED if whole else Status.PARTIALLY_REFUNDED,
                fields={
                    "refunded_amount": money(before + sum_),
                    "payment_status": "refunded" if whole else "partially refunded",
                    "products": [_refunded(line, wanted.get(line["id"], 0)) for line in lines],
                },
            )
            return self._refunds


def _price(lines: list[Fields], items: Mapping[int, int]) -> Decimal:
    """What the items cost, in cents; KeyError for a line that the order does not have."""
    prices = {line["id"]: cents(line["price_inc_tax"]) for line in lines}
    return sum((prices[line] * quantity for line, quantity in items.items()), Decimal(0))


def _items(order_id: int, lines: list[Fields], items: Mapping[int, int]) -> list[Fields]:
    """The items of a refund; without lines it is one of the order's amount."""
    rows = [("PRODUCT", line, quantity) for line, quantity in items.items() if quantity]
    return [
        {
            "item_type": kind,
            "item_id": item,
            "reason": "",
            "quantity": quantity,
            "requested_amount": number(money(_price(lines, {item: quantity}))),
            "adjustments": [],
        }
        for kind, item, quantity in rows
    ]


def _refund(refund_id: int, order_id: int, sum_: Decimal, items: Any, reason: str) -> Fields:
    amount = number(money(sum_))
    whole = {"item_type": "ORDER", "item_id": order_id, "reason": "", "requested_amount": amount}
    return {
        "id": refund_id,
        "order_id": order_id,
        "user_id": 1,
        "created": "",
        "reason": reason,
        "total_amount": amount,
        "total_tax": 0,
        "uses_merchant_override_values": False,
        "items": items or [whole],
        "payments": [
            {
                "id": refund_id,
                "provider_id": "custom",
                "amount": amount,
                "offline": True,
                "is_declined": False,
                "declined_message": "",
                "transaction_id": str(refund_id),
            }
        ],
    }


def _refunded(line: Fields, number_: int) -> Fields:
    refunded = line["quantity_refunded"] + number_
    return {
        **line,
        "quantity_refunded": refunded,
        "refund_amount": money(cents(line["price_inc_tax"]) * refunded),
        "is_refunded": refunded >= line["quantity"],
    }
