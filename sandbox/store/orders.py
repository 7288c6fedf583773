"""Generated orders: the same seed and id always make the same order.

An order is stored as what was decided when it was placed (`Placed`); everything else is drawn from
(seed, id) on each read, so that 50,000 orders need little memory."""

from dataclasses import dataclass
from random import Random
from typing import Any, NamedTuple

from sandbox.store.dates import rfc_2822
from sandbox.store.people import address
from sandbox.store.statuses import LABELS, Status

Fields = dict[str, Any]

KINDS = ("physical", "digital", "mixed", "gift_certificate")
TAX_PERCENT = 8
SHIPPING_CENTS = 995
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
    via: str
    created: int


class Line(NamedTuple):
    """One line of an order; money in cents, per piece."""

    product: int
    price: int
    tax: int
    quantity: int
    type: str


def money(cents: int) -> str:
    """Four decimals, as everywhere in orders v2."""
    return f"{cents / 100:.4f}"


def draw(seed: int, order_id: int, purpose: int = 0) -> Random:
    """An independent random source for each order and purpose."""
    return Random((seed * 1_000_000_007 + order_id) * 8 + purpose)  # noqa: S311  (data, no secret)


def line_type(kind: str, index: int) -> str:
    if kind == "mixed":
        return "digital" if index % 2 else "physical"
    return "giftcertificate" if kind == "gift_certificate" else kind


def basket(seed: int, placed: Placed) -> list[Line]:
    """The lines of an order, from which both its totals and its products are computed."""
    pick = draw(seed, placed.id).random
    lines = []
    for index in range(placed.lines):
        product = 70 + int(pick() * 400)
        type_ = line_type(placed.kind, index)
        price = 2500 * (1 + int(pick() * 4)) if type_ == "giftcertificate" else product * 17 + 95
        tax = 0 if type_ == "giftcertificate" else round(price * TAX_PERCENT / 100)
        lines.append(Line(product, price, tax, 1 + int(pick() ** 3 * 4), type_))
    return lines


TEMPLATE: Fields = {
    "id": 0,
    "customer_id": 0,
    "date_created": "",
    "date_modified": "",
    "date_shipped": "",
    "status_id": 0,
    "status": "",
    "subtotal_ex_tax": "0.0000",
    "subtotal_inc_tax": "0.0000",
    "subtotal_tax": "0.0000",
    "base_shipping_cost": "0.0000",
    "shipping_cost_ex_tax": "0.0000",
    "shipping_cost_inc_tax": "0.0000",
    "shipping_cost_tax": "0.0000",
    "shipping_cost_tax_class_id": 2,
    "base_handling_cost": "0.0000",
    "handling_cost_ex_tax": "0.0000",
    "handling_cost_inc_tax": "0.0000",
    "handling_cost_tax": "0.0000",
    "handling_cost_tax_class_id": 2,
    "base_wrapping_cost": "0.0000",
    "wrapping_cost_ex_tax": "0.0000",
    "wrapping_cost_inc_tax": "0.0000",
    "wrapping_cost_tax": "0.0000",
    "wrapping_cost_tax_class_id": 3,
    "total_ex_tax": "0.0000",
    "total_inc_tax": "0.0000",
    "total_tax": "0.0000",
    "items_total": 0,
    "items_shipped": 0,
    "payment_method": "",
    "payment_provider_id": None,
    "payment_status": "",
    "refunded_amount": "0.0000",
    "order_is_digital": False,
    "store_credit_amount": "0.0000",
    "gift_certificate_amount": "0.0000",
    "ip_address": "",
    "ip_address_v6": "",
    "geoip_country": "",
    "geoip_country_iso2": "",
    "currency_id": 1,
    "currency_code": "USD",
    "currency_exchange_rate": "1.0000000000",
    "default_currency_id": 1,
    "default_currency_code": "USD",
    "staff_notes": "",
    "customer_message": "",
    "discount_amount": "0.0000",
    "coupon_discount": "0.0000",
    "shipping_address_count": 0,
    "is_deleted": False,
    "ebay_order_id": "0",
    "cart_id": None,
    "billing_address": {},
    "is_email_opt_in": False,
    "credit_card_type": None,
    "order_source": "www",
    "channel_id": 1,
    "external_source": "",
    "consignments": {},
    "products": {},
    "shipping_addresses": {},
    "coupons": {},
    "external_id": None,
    "external_merchant_id": None,
    "tax_provider_id": "BasicTaxProvider",
    "customer_locale": "en",
    "external_order_id": "",
    "store_default_currency_code": "USD",
    "store_default_to_transactional_exchange_rate": "1.0000000000",
    "custom_status": "",
    "loyalty": {"tier": None, "score": 0.25},
    "fulfillment_hint": None,
}
"""The fields of a live order, and two undocumented ones at the end."""


def order_fields(seed: int, placed: Placed) -> Fields:
    """The order as it was placed, without stubs of sub-resources."""
    rng = draw(seed, placed.id, 1)
    return {
        **TEMPLATE,
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
    lines = basket(seed, placed)
    ex_tax = sum(line.price * line.quantity for line in lines)
    tax = sum(line.tax * line.quantity for line in lines)
    shipping = SHIPPING_CENTS * placed.addresses
    shipping_tax = round(shipping * TAX_PERCENT / 100)
    discount = min(500 * placed.coupons, ex_tax)
    total = ex_tax + shipping - discount
    return {
        "subtotal_ex_tax": money(ex_tax),
        "subtotal_inc_tax": money(ex_tax + tax),
        "subtotal_tax": money(tax),
        "base_shipping_cost": money(shipping),
        "shipping_cost_ex_tax": money(shipping),
        "shipping_cost_inc_tax": money(shipping + shipping_tax),
        "shipping_cost_tax": money(shipping_tax),
        "total_ex_tax": money(total),
        "total_inc_tax": money(total + tax + shipping_tax),
        "total_tax": money(tax + shipping_tax),
        "coupon_discount": money(discount),
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
