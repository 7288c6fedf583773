"""The totals of an order, from its lines, addresses, coupons and fees."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sandbox.store.money import money, total
from sandbox.store.templates import Fields


@dataclass(frozen=True)
class Sums:
    """What an order costs, in cents; the amounts without tax and the tax on each.

    `base_shipping` is before coupons, and with tax if the store's prices are."""

    lines: int | Decimal
    lines_tax: int | Decimal
    base_shipping: int | Decimal
    shipping: int | Decimal
    shipping_tax: int | Decimal
    fees: int | Decimal
    fees_tax: int | Decimal
    discount: int | Decimal

    def fields(self) -> Fields:
        """The totals as fields of the order. The discount reduces no tax."""
        tax = self.lines_tax + self.shipping_tax + self.fees_tax
        ex_tax = self.lines + self.shipping + self.fees - self.discount
        return {
            "subtotal_ex_tax": money(self.lines),
            "subtotal_inc_tax": money(self.lines + self.lines_tax),
            "subtotal_tax": money(self.lines_tax),
            "base_shipping_cost": money(self.base_shipping),
            "shipping_cost_ex_tax": money(self.shipping),
            "shipping_cost_inc_tax": money(self.shipping + self.shipping_tax),
            "shipping_cost_tax": money(self.shipping_tax),
            "total_ex_tax": money(ex_tax),
            "total_inc_tax": money(ex_tax + tax),
            "total_tax": money(tax),
            "coupon_discount": money(self.discount),
        }


def totals(parts: Mapping[str, Sequence[Fields]]) -> Fields:
    """The fields of an order that its lists determine."""
    lines, addresses = parts["products"], parts["shipping_addresses"]
    sums = Sums(
        lines=total(lines, "total_ex_tax"),
        lines_tax=total(lines, "total_tax"),
        base_shipping=total(addresses, "base_cost"),
        shipping=total(addresses, "cost_ex_tax"),
        shipping_tax=total(addresses, "cost_tax"),
        fees=total(parts["fees"], "cost_ex_tax"),
        fees_tax=total(parts["fees"], "cost_tax"),
        discount=total(parts["coupons"], "discount"),
    )
    return {
        **sums.fields(),
        "items_total": quantity(lines),
        "order_is_digital": all(line.get("type") == "digital" for line in lines),
        "shipping_address_count": len(addresses),
    }


def quantity(lines: Sequence[Fields]) -> int:
    """The sum of the quantities, as far as they are numbers."""
    return sum(n for line in lines if isinstance(n := line.get("quantity"), int))
