"""Facts about the lines of an order, and its coupons."""

from collections.abc import Iterator

from chalicelib.domain.models import JsonObject, number, objects, total_quantity
from ops.facts.evidence import FEW, Evidence, few
from ops.facts.fact import Case, Topic
from ops.facts.kinds import is_integer, is_number

LINES = Topic("Lines and coupons")

TYPES = ("physical", "digital", "giftcertificate")


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


def _lines(store: Evidence) -> Iterator[JsonObject]:
    for order_id in store.orders:
        yield from store.lines(order_id)
