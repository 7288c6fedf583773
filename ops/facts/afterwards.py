"""Facts about what happens to an order later: shipments and refunds."""

from collections.abc import Iterator
from http import HTTPStatus

from chalicelib.domain.models import number, objects, total_quantity
from ops.facts.evidence import Evidence, date_of, few
from ops.facts.fact import Case, Topic
from ops.facts.kinds import is_integer, parsed_date

AFTERWARDS = Topic("Shipments and refunds")


@AFTERWARDS.fact(
    "shipped-items-have-shipments",
    "An order with `items_shipped` has shipments with at least that quantity.",
    "noticing that shipments are missing",
)
def shipments(store: Evidence) -> Iterator[Case]:
    for order_id in store.shipped:
        found = store.part(order_id, "shipments")
        items = [item for shipment in found for item in objects(shipment.get("items"))]
        yield total_quantity(items) >= number(store.orders[order_id].get("items_shipped"))


@AFTERWARDS.fact(
    "no-shipments-before-items-are-shipped",
    "An order with `items_shipped` 0 has no shipments.",
    "not requesting the shipments of other orders",
)
def no_shipments(store: Evidence) -> Iterator[Case]:
    others = (n for n, o in store.orders.items() if number(o.get("items_shipped")) == 0)
    for order_id in few(others):
        yield not store.part(order_id, "shipments")


@AFTERWARDS.fact(
    "shipment-advances-date-modified",
    "`date_modified` is not before the order's last shipment.",
    "finding shipments by the orders that have changed",
    unit="shipment",
    setting="SWEEP_DAYS",
)
def shipment_advances(store: Evidence) -> Iterator[Case]:
    for order_id in store.shipped:
        modified = date_of(store.orders[order_id], "date_modified")
        for shipment in store.part(order_id, "shipments"):
            shipped = date_of(shipment, "date_created")
            if shipped and modified:
                yield shipped <= modified


@AFTERWARDS.fact(
    "refunds-of-many-orders",
    "The refunds of many orders come in one request, only of these orders, as `data`.",
    "reading refunds with a request for several orders",
    unit="refund",
)
def refunds_of_many(store: Evidence) -> Iterator[Case]:
    if not store.orders:
        return
    answer = store.refund_answer
    if answer.status not in (HTTPStatus.OK, HTTPStatus.NO_CONTENT):
        yield False
    yield from (refund.get("order_id") in store.orders for refund in answer.members)


@AFTERWARDS.fact(
    "refunds-are-paged",
    "The refunds of many orders state how many there are.",
    "the simulator; the service reads pages until one is short",
    unit="answer",
    relied_on=False,
)
def refunds_are_paged(store: Evidence) -> Iterator[Case]:
    meta = store.refund_answer.object.get("meta") if store.orders else None
    if isinstance(meta, dict):
        yield is_integer((meta.get("pagination") or {}).get("total"))


@AFTERWARDS.fact(
    "refunded-amount-has-refunds",
    "An order with a `refunded_amount` has refunds.",
    "noticing that refunds are missing",
)
def refunds(store: Evidence) -> Iterator[Case]:
    if store.refund_answer.status < HTTPStatus.BAD_REQUEST:
        for order_id, order in store.orders.items():
            if number(order.get("refunded_amount")) > 0:
                yield bool(store.refunds.get(order_id))


@AFTERWARDS.fact(
    "no-refunds-without-refunded-amount",
    "An order with `refunded_amount` 0 has no refunds.",
    "not requesting the refunds of other orders",
)
def no_refunds(store: Evidence) -> Iterator[Case]:
    if store.refund_answer.status == HTTPStatus.OK:
        for order_id, order in store.orders.items():
            if number(order.get("refunded_amount")) == 0:
                yield not store.refunds.get(order_id)


@AFTERWARDS.fact(
    "refund-advances-date-modified",
    "`date_modified` is not before the order's last refund.",
    "finding refunds by the orders that have changed",
    unit="refund",
    setting="SWEEP_DAYS",
)
def refund_advances(store: Evidence) -> Iterator[Case]:
    for order_id, found in store.refunds.items():
        modified = date_of(store.orders.get(order_id, {}), "date_modified")
        for refund in found:
            created = parsed_date(refund.get("created"))
            if created and modified:
                yield created <= modified
