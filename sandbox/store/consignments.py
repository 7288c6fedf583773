"""An order's consignments: how its lines reach the buyer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.store.money import number
from sandbox.store.people import shop_location
from sandbox.store.templates import Fields

LINES_PER_CONSIGNMENT = 50
WARNING = (
    "Not all line items of this consignment are returned with this response, only {count} are "
    "included. Please use the `/v2/orders/{{order_id}}/products` endpoint to fetch all line items."
)
NUMBERS = (
    *("base_cost", "cost_ex_tax", "cost_inc_tax", "cost_tax", "base_handling_cost"),
    *("handling_cost_ex_tax", "handling_cost_inc_tax", "handling_cost_tax"),
)
"""Fields of a shipping address that are text there, and numbers in a consignment."""


@dataclass(frozen=True)
class LineForm:
    """How consignments show their lines: in full, or as stubs; `limit` of them each.

    `warns` whether a consignment has a warning that lines are missing; `without` a field that is
    left out of each full line."""

    root: str
    full: bool = True
    limit: int = LINES_PER_CONSIGNMENT
    warns: bool = True
    without: str | None = None

    def show(self, lines: Sequence[Fields]) -> Fields:
        """The field `line_items`, and the warning."""
        shown = lines[: self.limit]
        items = [self._whole(line) if self.full else self._stub(line) for line in shown]
        if len(shown) == len(lines) or not self.warns:
            return {"line_items": items}
        message = WARNING.format(count=len(shown))
        return {"line_items": items, "__warning__": {"message": message}}

    def _whole(self, line: Fields) -> Fields:
        if self.without is None:
            return line
        return {name: value for name, value in line.items() if name != self.without}

    def _stub(self, line: Fields) -> Fields:
        resource = f"/orders/{line.get('order_id')}/products/{line.get('id')}"
        return {"url": self.root + resource, "resource": resource}


def consignments(
    lines: Sequence[Fields], addresses: Sequence[Fields], email: Any, form: LineForm
) -> Fields:
    """The object form; `email` receives downloads and gift certificates.

    A physical line with neither a pickup nor an address is in no consignment."""
    collected = [line for line in lines if line.get("order_pickup_method_id")]
    digital, gifts = (
        [line for line in lines if line.get("type") == kind]
        for kind in ("digital", "giftcertificate")
    )
    return {
        "pickups": _pickups(collected, form),
        "shipping": [_shipping(to, lines, form) for to in addresses],
        "downloads": [_sent(digital, email, form)] if digital else [],
        "email": {"gift_certificates": [_sent(gifts, email, form)] if gifts else []},
    }


def _pickups(lines: Sequence[Fields], form: LineForm) -> list[Fields]:
    ids = dict.fromkeys(line["order_pickup_method_id"] for line in lines)
    return [
        _pickup(n, [line for line in lines if line["order_pickup_method_id"] == n], form)
        for n in ids
    ]


def _pickup(pickup_id: int, lines: Sequence[Fields], form: LineForm) -> Fields:
    shop = pickup_id // 10_000 % 5 + 1
    return {
        "id": pickup_id,
        "pickup_method_id": shop,
        "pickup_method_display_name": "Pick Up",
        "collection_instructions": "Bring your ID / the e-mail",
        "collection_time_description": "9am - 6pm",
        "location": shop_location(shop),
        **form.show(lines),
    }


def _shipping(to: Fields, lines: Sequence[Fields], form: LineForm) -> Fields:
    sent = [
        line
        for line in lines
        if line.get("type") == "physical" and line.get("order_address_id") == to.get("id")
    ]
    resource = f"/orders/{to.get('order_id')}/consignments/shipping/{to.get('id')}/shipping_quotes"
    address = {name: value for name, value in to.items() if name != "order_id"}
    return {
        **address,
        **{name: number(to[name]) for name in NUMBERS if name in to},
        "shipping_quotes": {"url": form.root + resource, "resource": resource},
        **form.show(sent),
    }


def _sent(lines: Sequence[Fields], email: Any, form: LineForm) -> Fields:
    return {"recipient_email": email, **form.show(lines)}
