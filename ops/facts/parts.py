"""Facts about the lists of an order: lines, addresses, coupons, fees, shipments and refunds."""

from collections.abc import Iterator
from http import HTTPStatus

from chalicelib.domain.models import JsonObject, number, objects, total_quantity
from chalicelib.domain.parts import SILENT_LIMIT
from ops.facts.evidence import FEW, Evidence, date_of, few
from ops.facts.fact import Case, Topic
from ops.facts.kinds import is_integer, is_number, parsed_date

LISTS = Topic("Lists of an order")
LINES = Topic("Lines and coupons")
AFTERWARDS = Topic("Shipments and refunds")

TYPES = ("physical", "digital", "giftcertificate")
NAMES = ("products", "shipping_addresses", "coupons")


@LISTS.fact(
    "list-of-an-order-limit-250",
    "`limit=250` is honoured for the lines of an order.",
    "the number of requests of a large order",
)
def limit(store: Evidence) -> Iterator[Case]:
    for order_id in few(store.large):
        if len(store.lines(order_id)) > SILENT_LIMIT:
            yield len(store.part_page(order_id, "products").members) > SILENT_LIMIT


@LISTS.fact(
    "list-of-an-order-default-limit-50",
    "The lines of an order are cut to 50 without `limit`.",
    "recognizing a list that was cut to the default",
    relied_on=False,
)
def default_limit(store: Evidence) -> Iterator[Case]:
    for order_id in few(store.large, 3):
        if len(store.lines(order_id)) > SILENT_LIMIT:
            rows = store.get(f"v2/orders/{order_id}/products").members
            yield len(rows) == SILENT_LIMIT


@LISTS.fact(
    "page-past-the-end-is-204",
    "A page after the last of a list is 204 without a body.",
    "the end of a list that has exactly a page of members",
    unit="list",
    relied_on=False,
)
def page_past_the_end(store: Evidence) -> Iterator[Case]:
    for order_id in few(store.orders, 3):
        answer = store.part_page(order_id, "products", 4)
        yield answer.status == HTTPStatus.NO_CONTENT and not answer.body


@LISTS.fact(
    "empty-list-of-an-order-is-204",
    "A list of an order without members is 204 without a body.",
    "orders without coupons; an empty list with 200 is accepted as well",
    unit="list",
    relied_on=False,
)
def empty_list(store: Evidence) -> Iterator[Case]:
    for order_id in few(store.orders):
        answer = store.part_page(order_id, "coupons")
        if not answer.members:
            yield answer.status == HTTPStatus.NO_CONTENT and not answer.body


@LISTS.fact(
    "members-have-an-id",
    "Every member of a list of an order has an id.",
    "the order of the members in an item; a list without ids is refused",
    unit="member",
)
def members_have_an_id(store: Evidence) -> Iterator[Case]:
    yield from ("id" in member for _, member in _members(store))


@LISTS.fact(
    "members-name-their-order",
    "The `order_id` of a member is the order that was asked for.",
    "refusing the list of another order",
    unit="member",
)
def members_name_their_order(store: Evidence) -> Iterator[Case]:
    for order_id, member in _members(store):
        if "order_id" in member:
            yield member["order_id"] == order_id


@LISTS.fact(
    "fees-are-bare",
    "The fees of an order are an array; BigCommerce also documents an object with it.",
    "the simulator; both are accepted",
    unit="list",
    relied_on=False,
)
def fees_are_bare(store: Evidence) -> Iterator[Case]:
    charged = [n for n, order in store.embedded.items() if order.get("fees")]
    for order_id in few(charged):
        answer = store.part_page(order_id, "fees")
        if answer.status == HTTPStatus.OK:
            yield isinstance(answer.content, list)


@LISTS.fact(
    "addresses-are-counted",
    "An order has as many shipping addresses as `shipping_address_count` states.",
    "not requesting an empty list, and noticing a short one",
)
def addresses_are_counted(store: Evidence) -> Iterator[Case]:
    for order_id, order in store.orders.items():
        stated = order.get("shipping_address_count")
        if is_integer(stated):
            yield len(store.part(order_id, "shipping_addresses")) == stated


@LINES.fact(
    "quantities-are-counted",
    "`items_total` is the sum of the quantities of the lines.",
    "noticing that lines are missing",
    setting="EMBEDDED_READS",
)
def quantities_are_counted(store: Evidence) -> Iterator[Case]:
    for order_id, order in store.orders.items():
        lines = store.lines(order_id)
        quantities = [order.get("items_total"), *(line.get("quantity") for line in lines)]
        if all(map(is_number, quantities)):
            yield total_quantity(lines) == number(order["items_total"])


@LINES.fact(
    "line-quantity",
    "The quantity of a line is a number.",
    "noticing that lines are missing",
    unit="line",
)
def line_quantity(store: Evidence) -> Iterator[Case]:
    yield from (is_number(line.get("quantity")) for line in _lines(store))


@LINES.fact(
    "line-types",
    "A line is physical, digital or a gift certificate.",
    "the status to which an order is moved",
    unit="line",
    setting="DIGITAL_STATUS_ID",
)
def line_types(store: Evidence) -> Iterator[Case]:
    yield from (line.get("type") in TYPES for line in _lines(store))


@LINES.fact(
    "line-pickup-method",
    "A line has `order_pickup_method_id`, which is 0 or the id of a pickup.",
    "the status of an order that the buyer collects",
    unit="line",
    setting="PICKUP_STATUS_ID",
)
def line_pickup_method(store: Evidence) -> Iterator[Case]:
    yield from (is_integer(line.get("order_pickup_method_id")) for line in _lines(store))


@LINES.fact(
    "line-discounts-are-a-list",
    "`applied_discounts` of a line is a list.",
    "deciding whether an order can have coupons",
    unit="line",
    setting="EMBEDDED_READS",
)
def line_discounts(store: Evidence) -> Iterator[Case]:
    yield from (isinstance(line.get("applied_discounts"), list) for line in _lines(store))


@LINES.fact(
    "shipped-lines-have-an-address",
    "A physical line that is not collected has the id of a shipping address, if there is one.",
    "the examples of events, which find the address of a line by it",
    unit="line",
    relied_on=False,
)
def shipped_lines(store: Evidence) -> Iterator[Case]:
    for order_id in store.orders:
        ids = {each.get("id") for each in store.part(order_id, "shipping_addresses")}
        for line in store.lines(order_id) if ids else ():
            is_shipped = line.get("type") == "physical"
            if is_shipped and line.get("order_pickup_method_id") == 0:
                yield line.get("order_address_id") in ids


@LINES.fact(
    "discount-has-a-coupon",
    "An order with a `coupon_discount` has coupons.",
    "noticing that coupons are missing",
)
def discount_has_a_coupon(store: Evidence) -> Iterator[Case]:
    for order_id in few(store.orders, FEW * 10):
        if number(store.orders[order_id].get("coupon_discount")) > 0:
            yield bool(store.part(order_id, "coupons"))


@LINES.fact(
    "codes-are-of-coupons",
    "The code of a coupon in a line's discounts is that of one of the order's coupons.",
    "noticing that coupons are missing",
)
def codes(store: Evidence) -> Iterator[Case]:
    for order_id in store.orders:
        used = {
            str(discount["code"])
            for line in store.lines(order_id)
            for discount in objects(line.get("applied_discounts"))
            if discount.get("id") == "coupon" and discount.get("code")
        }
        known = {str(each.get("code")) for each in store.part(order_id, "coupons")} if used else ()
        if known:
            yield used <= set(known)


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


def _lines(store: Evidence) -> Iterator[JsonObject]:
    for order_id in store.orders:
        yield from store.lines(order_id)


def _members(store: Evidence) -> Iterator[tuple[int, JsonObject]]:
    """The lines and addresses of all orders, and the coupons of a few, with the order's id."""
    for number_read, order_id in enumerate(store.orders):
        for name in NAMES if number_read < FEW else NAMES[:2]:
            yield from ((order_id, member) for member in store.part(order_id, name))
