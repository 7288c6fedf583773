"""Generated orders: the same seed and id always make the same order.

An order is stored as what was decided when it was placed (`Placed`); everything else is drawn from
(seed, id) on each read, so that 50,000 orders need little memory."""

from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from sandbox.store.dates import rfc_2822
from sandbox.store.people import address
from sandbox.store.statuses import LABELS, Status
from sandbox.store.templates import ORDER, Fields
from sandbox.store.totals import Sums

KINDS = ("physical", "digital", "mixed", "gift_certificate", "pickup", "partial_pickup")
"""`mixed` alternates physical and digital lines, `partial_pickup` collected and shipped ones."""
TAX_PERCENT = 8
SHIPPING_CENTS = 995
SHIPPING_TAX_CENTS = 80
FEE_CENTS = 250
FEE_TAX_CENTS = 20
COUPON_CENTS = 500
COUPON_TYPES = {"total": 2, "free_shipping": 4, "line": 5}
"""BigCommerce's types of coupons by their kinds: per_total_discount, free_shipping, promotion.

A coupon of the kind `total` reduces the total. `free_shipping` reduces only the shipping cost, to
zero. `line` reduces nothing, and only the discounts of the first line name it."""
UNPAID = {Status.INCOMPLETE, Status.PENDING, Status.AWAITING_PAYMENT, Status.DECLINED}
PAYMENT_METHODS = ("Credit Card", "PayPal", "Cash on Delivery", "Bank Deposit", "Apple Pay")
REMARKS = (
    "",
    "",
    None,
    "The bell is broken, knock",
    "Gift: für Zoë ❤",
    "c/o 2nd floor / left door",
)


@dataclass(frozen=True, slots=True)
class Placed:
    """All that is decided when an order is placed; `created` in epoch seconds."""

    id: int
    status: int
    kind: str
    lines: int
    addresses: int
    coupons: int
    fees: int
    via: str
    created: int
    coupon_kind: str = "total"
    is_tax_inclusive: bool = False


class Line(NamedTuple):
    """One line of an order; money in cents, per piece."""

    product: int
    price: int
    tax: int
    quantity: int
    type: str
    is_collected: bool


class Shipping(NamedTuple):
    """The cost of one shipping address; money in cents. `base` is before coupons."""

    base: int
    ex_tax: int
    tax: int


def shipping(placed: Placed) -> Shipping:
    """What each address costs; prices with tax have it in the base cost, too."""
    base = SHIPPING_CENTS + (SHIPPING_TAX_CENTS if placed.is_tax_inclusive else 0)
    if placed.coupons and placed.coupon_kind == "free_shipping":
        return Shipping(base, 0, 0)
    return Shipping(base, SHIPPING_CENTS, SHIPPING_TAX_CENTS)


def coupon_cents(placed: Placed) -> int:
    """What each coupon takes off the total."""
    return COUPON_CENTS if placed.coupon_kind == "total" else 0


def draw(seed: int, order_id: int, purpose: int = 0) -> Random:
    """An independent random source for each order and purpose."""
    return Random((seed * 1_000_000_007 + order_id) * 8 + purpose)  # noqa: S311  (data, no secret)


def line_type(kind: str, index: int) -> str:
    if kind == "mixed":
        return "digital" if index % 2 else "physical"
    if kind == "digital":
        return "digital"
    return "giftcertificate" if kind == "gift_certificate" else "physical"


def is_collected(kind: str, index: int) -> bool:
    """Whether the buyer collects the line instead of having it shipped."""
    return kind == "pickup" or (kind == "partial_pickup" and index % 2 == 0)


def basket(seed: int, placed: Placed) -> list[Line]:
    """The lines of an order, from which both its totals and its products are computed."""
    pick = draw(seed, placed.id).random
    lines = []
    for index in range(placed.lines):
        product = 70 + int(pick() * 400)
        type_ = line_type(placed.kind, index)
        price = 2500 * (1 + int(pick() * 4)) if type_ == "giftcertificate" else product * 17 + 95
        tax = 0 if type_ == "giftcertificate" else round(price * TAX_PERCENT / 100)
        quantity = 1 + int(pick() ** 3 * 4)
        lines.append(Line(product, price, tax, quantity, type_, is_collected(placed.kind, index)))
    return lines


def order_fields(seed: int, placed: Placed) -> Fields:
    """The order as it was placed, without stubs of sub-resources."""
    rng = draw(seed, placed.id, 1)
    return {
        **ORDER,
        "id": placed.id,
        "date_created": rfc_2822(placed.created),
        "date_modified": rfc_2822(placed.created),
        **status_fields(placed.status),
        **_totals(seed, placed),
        **_payment(rng, placed),
        **_customer(rng),
        **_origin(rng, placed),
    }


def status_fields(status: int) -> Fields:
    return {"status_id": int(status), "status": LABELS[status], "custom_status": LABELS[status]}


def _totals(seed: int, placed: Placed) -> Fields:
    lines, cost = basket(seed, placed), shipping(placed)
    ex_tax = sum(line.price * line.quantity for line in lines)
    sums = Sums(
        lines=ex_tax,
        lines_tax=sum(line.tax * line.quantity for line in lines),
        base_shipping=cost.base * placed.addresses,
        shipping=cost.ex_tax * placed.addresses,
        shipping_tax=cost.tax * placed.addresses,
        fees=FEE_CENTS * placed.fees,
        fees_tax=FEE_TAX_CENTS * placed.fees,
        discount=coupon_cents(placed) * placed.coupons,
    )
    return {
        **sums.fields(),
        "items_total": sum(line.quantity for line in lines),
        "order_is_digital": placed.kind == "digital",
        "shipping_address_count": placed.addresses,
    }


def _payment(rng: Random, placed: Placed) -> Fields:
    method = PAYMENT_METHODS[int(rng.random() * len(PAYMENT_METHODS))]
    card = method == "Credit Card"
    return {
        "payment_method": method,
        "payment_status": "" if placed.status in UNPAID else "captured",
        "payment_provider_id": f"ch_{rng.getrandbits(64):016x}" if card else None,
        "credit_card_type": "visa" if card else None,
    }


def _customer(rng: Random) -> Fields:
    """One in three is a guest; IP addresses are of networks reserved for documentation."""
    number = int(rng.random() * 900)
    billing = address(number)
    return {
        "customer_id": 0 if number % 3 == 0 else 1000 + number,
        "ip_address": f"192.0.2.{number % 254 + 1}",
        "ip_address_v6": f"2001:db8::{number:x}" if number % 5 == 0 else "",
        "geoip_country": billing["country"],
        "geoip_country_iso2": billing["country_iso2"],
        "billing_address": {**billing, "form_fields": []},
        "is_email_opt_in": number % 4 == 0,
    }


def _origin(rng: Random, placed: Placed) -> Fields:
    storefront = placed.via == "storefront"
    remark = int(rng.random() * len(REMARKS))
    return {
        "cart_id": _uuid(rng) if storefront else None,
        "order_source": "www" if storefront else "external",
        "customer_message": REMARKS[remark],
        "staff_notes": REMARKS[-remark],
        "external_source": "" if storefront else None,
        "fulfillment_hint": f"aisle {remark}/B" if remark else None,
    }


def _uuid(rng: Random) -> str:
    text = f"{rng.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-9{text[17:20]}-{text[20:]}"
