"""What the merchant edits of an order: fields, lines, addresses, coupons, fees; and messages."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sandbox.store.dates import rfc_2822
from sandbox.store.events import message_data, order_data
from sandbox.store.ledger import Ledger
from sandbox.store.money import cents, money
from sandbox.store.orders import TAX_PERCENT
from sandbox.store.subresources import coupon, discount, fee, prices
from sandbox.store.templates import LINE, MESSAGE, Fields
from sandbox.store.totals import totals


class Edits(Ledger):
    """Orders are edited. Each edit advances `date_modified`, except in the second of the last."""

    def set_status(self, order_id: int, status: int) -> None:
        """Set the status in the control panel."""
        self.change(order_id, status=status)

    def rename_status(self, status: int, label: str) -> None:
        """Rename a status, which changes no order."""
        with self.working():
            self.book.labels[status] = label

    def edit(self, order_id: int, **fields: Any) -> None:
        """Change fields of the order."""
        if "status_id" in fields:
            raise ValueError("edit does not change the status; use set_status")
        self.change(order_id, fields=fields)

    def archive(self, order_id: int) -> None:
        """Archive the order, as DELETE does."""
        with self.working() as now:
            self.book.change(order_id, now, archived=True)
            self.announce("store/order/archived", order_id, order_data(order_id))

    def add_line(
        self,
        order_id: int,
        *,
        type: str = "physical",
        price: str = "10.00",
        quantity: int = 1,
        **fields: Any,
    ) -> int:
        """Add a line, whose `price` is without tax and for one piece; returns its id."""
        with self.working():
            lines = self.book.sub_resource(order_id, "products")
            addresses = self.book.sub_resource(order_id, "shipping_addresses")
            ships = type == "physical" and not fields.get("order_pickup_method_id")
            line = {
                **LINE,
                "id": max((line["id"] for line in lines), default=order_id * 10_000 - 1) + 1,
                "order_id": order_id,
                "order_address_id": addresses[0]["id"] if ships and addresses else 0,
                "name": "Added by hand",
                "type": type,
            }
            given = {**fields, "price_ex_tax": price, "quantity": quantity}
            added = _priced(line, given, self._is_tax_inclusive(order_id))
            self._replace(order_id, products=[*lines, added])
            return int(added["id"])

    def change_line(self, order_id: int, line_id: int, **fields: Any) -> None:
        """Change a line. `quantity` and `price_ex_tax` change its amounts and the totals."""
        with self.working():
            lines = self.book.sub_resource(order_id, "products")
            _index(lines, line_id)
            inclusive = self._is_tax_inclusive(order_id)
            changed = [
                _priced(line, fields, inclusive) if line["id"] == line_id else line
                for line in lines
            ]
            self._replace(order_id, products=changed)

    def remove_line(self, order_id: int, line_id: int) -> None:
        with self.working():
            lines = list(self.book.sub_resource(order_id, "products"))
            del lines[_index(lines, line_id)]
            self._replace(order_id, products=lines)

    def change_address(self, order_id: int, address_id: int | None = None, **fields: Any) -> None:
        """Change a shipping address; without its id the first."""
        with self.working():
            addresses = list(self.book.sub_resource(order_id, "shipping_addresses"))
            index = 0 if address_id is None else _index(addresses, address_id)
            addresses[index] = {**addresses[index], **fields}
            self._replace(order_id, shipping_addresses=addresses)

    def add_coupon(self, order_id: int, code: str, amount: str = "5.0000") -> None:
        """Add a coupon, which the first line shows among its discounts."""
        with self.working():
            coupons = self.book.sub_resource(order_id, "coupons")
            lines = list(self.book.sub_resource(order_id, "products"))
            if lines:
                shown = [*lines[0]["applied_discounts"], discount(code, money(cents(amount)))]
                lines[0] = {**lines[0], "applied_discounts": shown}
            added = coupon(order_id, len(coupons), code, amount)
            self._replace(order_id, coupons=[*coupons, added], products=lines)

    def add_fee(self, order_id: int, name: str, amount: str = "2.50") -> None:
        """Add a fee; `amount` is without tax."""
        with self.working():
            fees = self.book.sub_resource(order_id, "fees")
            ex_tax = cents(amount)
            inclusive = self._is_tax_inclusive(order_id)
            added = fee(order_id, len(fees), name, ex_tax, _tax(ex_tax), is_tax_inclusive=inclusive)
            self._replace(order_id, fees=[*fees, added])

    def describe(self, order_id: int, lines: list[Fields], addresses: list[Fields]) -> None:
        """Give a new order the lines and addresses with which an app created it.

        They belong to its first version; no event is announced."""
        with self.working():
            parts = self.book.lists(order_id)
            given = {"products": lines, "shipping_addresses": addresses}
            own = {
                name: [_priced(old, new) for old, new in zip(parts[name], items, strict=True)]
                for name, items in given.items()
            }
            fields = {**totals({**parts, **own}), **own}
            self.book.change(order_id, None, fields=fields)

    def _is_tax_inclusive(self, order_id: int) -> bool:
        return bool(self.book.view(order_id)["is_tax_inclusive_pricing"])

    def _replace(self, order_id: int, **lists: list[Fields]) -> None:
        """Replace sub-resources, and compute the totals anew."""
        parts = {**self.book.lists(order_id), **lists}
        self.change(order_id, fields={**totals(parts), **lists})

    def add_message(self, order_id: int, text: str, *, subject: str = "") -> int:
        """Write to the customer, which changes nothing of the order; returns the message's id."""
        with self.working() as now:
            messages = self.book.recorded["messages"][order_id]
            message = {
                **MESSAGE,
                "id": order_id * 10_000 + len(messages),
                "order_id": order_id,
                "customer_id": self.book.view(order_id)["customer_id"],
                "subject": subject,
                "message": text,
                "date_created": rfc_2822(now),
            }
            messages.append(message)
            data = message_data(order_id, message["id"])
            self.announce("store/order/message/created", order_id, data)
            return int(message["id"])


def _index(items: list[Fields], item_id: int) -> int:
    """The position of the item with this id; KeyError without one."""
    for index, item in enumerate(items):
        if item["id"] == item_id:
            return index
    raise KeyError(item_id)


def _priced(line: Fields, fields: Mapping[str, Any], is_tax_inclusive: bool = False) -> Fields:
    """The line with changed fields; amounts follow from its price and quantity."""
    changed = {**line, **fields}
    if not fields.keys() & {"price_ex_tax", "quantity"}:
        return changed
    price = cents(changed.get("price_ex_tax"))
    tax = Decimal(0) if changed["type"] == "giftcertificate" else _tax(price)
    amounts = prices(price, tax, changed["quantity"], is_tax_inclusive=is_tax_inclusive)
    return {**changed, **amounts}


def _tax(ex_tax: Decimal) -> Decimal:
    return Decimal(round(ex_tax * TAX_PERCENT / 100))
