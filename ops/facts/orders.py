"""Facts about the fields of an order."""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta

from chalicelib.domain.models import JsonObject, OrderStatus, is_order_id
from ops.facts.evidence import Evidence, date_of
from ops.facts.fact import Case, Topic
from ops.facts.kinds import is_integer, is_money, is_number, is_stub, parsed_date

FIELDS = Topic("Fields of an order")

MONEY = (
    *("subtotal_ex_tax", "subtotal_inc_tax", "total_ex_tax", "total_inc_tax", "total_tax"),
    *("base_shipping_cost", "shipping_cost_ex_tax", "shipping_cost_inc_tax"),
)
DATES = ("date_created", "date_modified")
STUBS = ("products", "shipping_addresses", "coupons")

AHEAD = timedelta(seconds=60)
"""How far a date may be ahead of the response's own; a poll overlaps the last one by minutes."""

RFC_2822_UTC = re.compile(r"[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} \+0000")


@FIELDS.fact(
    "order-id",
    "The id of an order is an integer of at least 1.",
    "the key of the table, and paging",
)
def order_id(store: Evidence) -> Iterator[Case]:
    yield from (is_order_id(order.get("id")) for order in store.rows)


@FIELDS.fact(
    "status-id",
    "`status_id` is one of the known statuses.",
    "every rule about new orders and moves",
)
def status_id(store: Evidence) -> Iterator[Case]:
    known = {int(status) for status in OrderStatus}
    for order in store.rows:
        value = order.get("status_id")
        yield is_integer(value) and value in known


@FIELDS.fact(
    "dates-can-be-parsed",
    "`date_created` and `date_modified` are dates.",
    "the version of an order, by which an older one never overwrites a newer one",
)
def dates(store: Evidence) -> Iterator[Case]:
    for order in store.rows:
        yield [name for name in DATES if date_of(order, name) is None]


@FIELDS.fact(
    "dates-are-rfc-2822",
    "Dates are RFC 2822 in UTC, with whole seconds.",
    "the simulator; ISO 8601 and other time zones are accepted as well",
    relied_on=False,
)
def dates_rfc_2822(store: Evidence) -> Iterator[Case]:
    for order in store.rows:
        dated = [name for name in DATES if date_of(order, name)]
        yield [name for name in dated if not RFC_2822_UTC.fullmatch(order[name])]


@FIELDS.fact(
    "modified-not-before-created",
    "`date_modified` is not before `date_created`.",
    "a listing by changes that has every new order",
)
def modified_after_created(store: Evidence) -> Iterator[Case]:
    for order in store.rows:
        created, modified = (date_of(order, name) for name in DATES)
        if created and modified:
            yield modified >= created


@FIELDS.fact(
    "modified-not-in-the-future",
    "`date_modified` is not after the date of the response.",
    "the next poll, which asks for the changes since the last one",
)
def modified_not_ahead(store: Evidence) -> Iterator[Case]:
    for page in store.pages:
        sent = parsed_date(page.headers.get("Date"))
        moments = [date_of(order, "date_modified") for order in page.members]
        yield from (moment <= sent + AHEAD for moment in moments if moment and sent)


@FIELDS.fact(
    "money-is-text",
    "Amounts are text with four decimals.",
    "the form of amounts in the table; numbers are accepted as well",
    relied_on=False,
)
def money(store: Evidence) -> Iterator[Case]:
    for order in store.rows:
        yield [name for name in MONEY if name in order and not is_money(order[name])]


@FIELDS.fact(
    "channel-id",
    "`channel_id` is an integer of at least 1.",
    "selecting orders by channel",
    setting="CHANNEL_IDS",
)
def channel_id(store: Evidence) -> Iterator[Case]:
    yield from (is_order_id(order.get("channel_id")) for order in store.rows)


@FIELDS.fact(
    "is-deleted",
    "`is_deleted` is true or false.",
    "marking archived orders",
)
def is_deleted(store: Evidence) -> Iterator[Case]:
    yield from _typed(store, "is_deleted", lambda value: isinstance(value, bool))


@FIELDS.fact(
    "order-is-digital",
    "`order_is_digital` is true or false.",
    "recognizing digital orders before their lines are read",
    setting="DIGITAL_STATUS_ID",
)
def order_is_digital(store: Evidence) -> Iterator[Case]:
    yield from _typed(store, "order_is_digital", lambda value: isinstance(value, bool))


@FIELDS.fact(
    "shipping-address-count",
    "`shipping_address_count` is an integer.",
    "not requesting an empty list of addresses; an order with another value is unreadable",
)
def shipping_address_count(store: Evidence) -> Iterator[Case]:
    yield from _typed(store, "shipping_address_count", is_integer)


@FIELDS.fact(
    "items-total",
    "`items_total` is a number.",
    "noticing that lines are missing",
)
def items_total(store: Evidence) -> Iterator[Case]:
    yield from _typed(store, "items_total", is_number)


@FIELDS.fact(
    "items-shipped",
    "`items_shipped` is a number.",
    "deciding whether an order has shipments to request",
)
def items_shipped(store: Evidence) -> Iterator[Case]:
    yield from _typed(store, "items_shipped", is_number)


@FIELDS.fact(
    "refunded-amount",
    "`refunded_amount` is an amount, as text or number.",
    "deciding whether an order has refunds to request",
)
def refunded_amount(store: Evidence) -> Iterator[Case]:
    yield from _typed(store, "refunded_amount", is_number)


@FIELDS.fact(
    "discounts-of-an-order",
    "`coupon_discount` and `discount_amount` are amounts.",
    "deciding whether an order can have coupons",
    setting="EMBEDDED_READS",
)
def discounts(store: Evidence) -> Iterator[Case]:
    for order in store.rows:
        names = ("coupon_discount", "discount_amount")
        yield [name for name in names if not is_number(order.get(name))]


@FIELDS.fact(
    "lists-are-links",
    "Lines, addresses and coupons are links until they are asked for.",
    "knowing which lists of an order have been read",
)
def lists_are_links(store: Evidence) -> Iterator[Case]:
    for order in store.rows:
        yield [name for name in STUBS if not is_stub(order.get(name))]


@FIELDS.fact(
    "consignments-are-a-link",
    "`consignments` is a link until it is asked for.",
    "knowing whether an order came with its embedded lists",
)
def consignments_are_a_link(store: Evidence) -> Iterator[Case]:
    yield from (is_stub(order.get("consignments")) for order in store.rows)


def _typed(store: Evidence, name: str, is_valid: Callable[[object], bool]) -> Iterator[Case]:
    yield from (is_valid(order.get(name)) for order in _having(store.rows, name))


def _having(orders: Iterable[JsonObject], name: str) -> list[JsonObject]:
    """A field that is missing counts as invalid only if other orders have it."""
    found = list(orders)
    return found if any(name in order for order in found) else []
