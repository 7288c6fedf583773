"""Shipments: what the merchant sends, and what is changed of it afterwards."""

from collections.abc import Mapping
from typing import Any

from sandbox.store.dates import rfc_2822
from sandbox.store.events import shipment_data
from sandbox.store.ledger import Ledger
from sandbox.store.statuses import Status
from sandbox.store.templates import SHIPMENT, Fields

CONTACT = (
    *("first_name", "last_name", "company", "street_1", "street_2", "city", "state", "zip"),
    *("country", "country_iso2", "phone", "email"),
)


class Fulfillment(Ledger):
    """Orders are shipped."""

    _shipments = 0

    def ship(
        self, order_id: int, items: Mapping[int, int] | None = None, *, tracking_number: str = ""
    ) -> list[int]:
        """Ship everything that is left, or `items`: quantities by the ids of lines.

        Makes a shipment for each address, and returns their ids. The order becomes Shipped, or
        Partially Shipped. Raises ValueError when a line has less to ship."""
        with self.working() as now:
            lines = self.book.sub_resource(order_id, "products")
            sent = _to_send(lines, items)
            lines = [_sent(line, sent.get(line["id"], 0)) for line in lines]
            shipments = self._record_shipments(order_id, lines, sent, now, tracking_number)
            whole = not _left(lines)
            self.change(
                order_id,
                status=Status.SHIPPED if whole else Status.PARTIALLY_SHIPPED,
                fields=self._shipped_fields(order_id, lines),
            )
            return shipments

    def _record_shipments(
        self, order_id: int, lines: list[Fields], sent: Mapping[int, int], now: int, number: str
    ) -> list[int]:
        """One shipment for each address."""
        groups: dict[int, list[Fields]] = {}
        for line in lines:
            if line["id"] in sent:
                item = {
                    "order_product_id": line["id"],
                    "product_id": line["product_id"],
                    "quantity": sent[line["id"]],
                }
                groups.setdefault(line["order_address_id"], []).append(item)
        own = {"tracking_number": number, "date_created": rfc_2822(now)}
        return [self._record(order_id, to, {**own, "items": items}) for to, items in groups.items()]

    def _record(self, order_id: int, address_id: int, own: Fields) -> int:
        self._shipments += 1
        order = self.book.view(order_id)
        shipment = {
            **SHIPMENT,
            **own,
            "id": self._shipments,
            "order_id": order_id,
            "customer_id": order["customer_id"],
            "order_address_id": address_id,
            "billing_address": _contact(order["billing_address"]),
            "shipping_address": _contact(self._address(order_id, address_id)),
        }
        self.book.recorded["shipments"][order_id].append(shipment)
        self._announce_shipment("created", order_id, self._shipments)
        return self._shipments

    def _address(self, order_id: int, address_id: int) -> Fields:
        addresses = self.book.sub_resource(order_id, "shipping_addresses")
        return next((to for to in addresses if to.get("id") == address_id), {})

    def _shipped_fields(self, order_id: int, lines: list[Fields]) -> Fields:
        addresses = [
            {
                **to,
                "items_shipped": sum(
                    line["quantity_shipped"]
                    for line in lines
                    if line["order_address_id"] == to.get("id")
                ),
            }
            for to in self.book.sub_resource(order_id, "shipping_addresses")
        ]
        shipped = sum(line["quantity_shipped"] for line in lines)
        return {"products": lines, "shipping_addresses": addresses, "items_shipped": shipped}

    def change_shipment(self, order_id: int, shipment_id: int, **fields: Any) -> None:
        """Change a shipment, its `tracking_number` for example.

        Neither the order nor its `date_modified` changes."""
        with self.working():
            self._shipment(order_id, shipment_id).update(fields)
            self._announce_shipment("updated", order_id, shipment_id)

    def delete_shipment(
        self, order_id: int, shipment_id: int, *, advances_date_modified: bool = False
    ) -> None:
        """Delete a shipment; its items are unshipped again, but the status stays.

        Whether that advances the order's `date_modified` is not documented."""
        with self.working() as now:
            shipment = self._shipment(order_id, shipment_id)
            self.book.recorded["shipments"][order_id].remove(shipment)
            back = {item["order_product_id"]: -item["quantity"] for item in shipment["items"]}
            lines = [
                _sent(line, back.get(line["id"], 0))
                for line in self.book.sub_resource(order_id, "products")
            ]
            fields = self._shipped_fields(order_id, lines)
            self.book.change(order_id, now if advances_date_modified else None, fields=fields)
            self._announce_shipment("deleted", order_id, shipment_id)

    def _shipment(self, order_id: int, shipment_id: int) -> Fields:
        shipments = self.book.recorded["shipments"][order_id]
        return next(each for each in shipments if each["id"] == shipment_id)

    def _announce_shipment(self, event: str, order_id: int, shipment_id: int) -> None:
        scope = f"store/shipment/{event}"
        self.announce(scope, order_id, shipment_data(order_id, shipment_id))


def _left(lines: list[Fields]) -> dict[int, int]:
    """What can still be shipped: quantities by the ids of lines."""
    return {
        line["id"]: line["quantity"] - line["quantity_shipped"]
        for line in lines
        if line["type"] == "physical"
        and not line["order_pickup_method_id"]
        and line["quantity"] > line["quantity_shipped"]
    }


def _to_send(lines: list[Fields], items: Mapping[int, int] | None) -> dict[int, int]:
    left = _left(lines)
    wanted = left if items is None else dict(items)
    if not wanted or any(not 0 < n <= left.get(line, 0) for line, n in wanted.items()):
        only = f"only these quantities are left to ship: {left}"
        raise ValueError(only if left else "nothing is left to ship")
    return wanted


def _sent(line: Fields, number: int) -> Fields:
    return {**line, "quantity_shipped": line["quantity_shipped"] + number}


def _contact(address: Mapping[str, Any]) -> Fields:
    return {name: address.get(name, "") for name in CONTACT}
