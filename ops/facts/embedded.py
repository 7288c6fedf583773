"""Facts about the lists that come embedded in an order."""

from collections.abc import Iterator
from http import HTTPStatus

from chalicelib.domain.embedded import doubt_about
from chalicelib.domain.models import JsonObject, Order, UnreadableOrder, objects
from chalicelib.domain.parts import SILENT_LIMIT, may_have_coupons, with_parts
from chalicelib.edges.bigcommerce import EMBEDDED
from ops.facts.evidence import Evidence, embedded_lines, few, groups
from ops.facts.fact import Case, Topic
from ops.facts.kinds import is_json_number
from ops.facts.source import Query

EMBEDDED_LISTS = Topic("Embedded lists")

SETTING = "EMBEDDED_READS"
FULL = ("type", "quantity", "base_total", "product_options", "applied_discounts")
COSTS = (
    *("base_cost", "cost_ex_tax", "cost_inc_tax", "cost_tax", "base_handling_cost"),
    *("handling_cost_ex_tax", "handling_cost_inc_tax", "handling_cost_tax"),
)
KINDS = ("pickups", "shipping", "downloads")


def _is_object_form(order: JsonObject) -> bool:
    consignments = order.get("consignments")
    return isinstance(consignments, dict) and all(
        isinstance(consignments.get(kind), list) for kind in KINDS
    )


@EMBEDDED_LISTS.fact(
    "embedded-in-a-list",
    "A list of orders has the consignments of each as an object of pickups, shipping, downloads.",
    "reading several orders with their lists in one request",
    setting=SETTING,
)
def embedded_in_a_list(store: Evidence) -> Iterator[Case]:
    for page in store.embedded_pages:
        if page.status != HTTPStatus.NO_CONTENT:
            yield page.status == HTTPStatus.OK
        yield from map(_is_object_form, page.members)


@EMBEDDED_LISTS.fact(
    "embedded-in-an-order",
    "One order has its consignments in the same form.",
    "reading an order with its lists in one request",
    setting=SETTING,
)
def embedded_in_an_order(store: Evidence) -> Iterator[Case]:
    for order_id in few(store.embedded, 3):
        answer = store.get(f"v2/orders/{order_id}", EMBEDDED)
        if answer.status != HTTPStatus.NOT_FOUND:
            yield answer.status == HTTPStatus.OK and _is_object_form(answer.object)


@EMBEDDED_LISTS.fact(
    "embedded-fees",
    "An order that is asked for with `include=fees` has a list of fees.",
    "fees without a request of their own",
    setting=SETTING,
)
def embedded_fees(store: Evidence) -> Iterator[Case]:
    yield from (isinstance(order.get("fees"), list) for order in store.embedded.values())


@EMBEDDED_LISTS.fact(
    "legacy-form-is-a-list",
    "Without `consignment_structure` the consignments are a list.",
    "asking for the object form explicitly",
    setting=SETTING,
    relied_on=False,
)
def legacy_form(store: Evidence) -> Iterator[Case]:
    query: Query = {"sort": "id:desc", "limit": 1, "include": EMBEDDED["include"]}
    for order in store.get("v2/orders", query).members:
        yield isinstance(order.get("consignments"), list)


@EMBEDDED_LISTS.fact(
    "embedded-lines-are-full",
    "An embedded line has every field that a decision depends on.",
    "moves that are decided by embedded lines; shorter lines are requested",
    unit="line",
    setting=SETTING,
    relied_on=False,
)
def lines_are_full(store: Evidence) -> Iterator[Case]:
    for order in store.embedded.values():
        for line in embedded_lines(order):
            yield [name for name in FULL if name not in line]


@EMBEDDED_LISTS.fact(
    "embedded-lines-are-the-same",
    "An embedded line is the same as in the list of lines.",
    "storing embedded lines",
    unit="line",
    setting=SETTING,
)
def lines_are_the_same(store: Evidence) -> Iterator[Case]:
    for order in _undoubted(store):
        listed = {line.get("id"): line for line in store.lines(order["id"])}
        for line in embedded_lines(order):
            other = listed.get(line.get("id"))
            if other is not None:
                names = line.keys() | other.keys()
                yield [name for name in names if line.get(name) != other.get(name)]


@EMBEDDED_LISTS.fact(
    "missing-lines-are-noticed",
    "Embedded lists that pass the service's checks have every line.",
    "storing embedded lines",
    setting=SETTING,
)
def missing_lines(store: Evidence) -> Iterator[Case]:
    for order in _undoubted(store):
        ids = sorted(str(line.get("id")) for line in embedded_lines(order))
        yield ids == sorted(str(line.get("id")) for line in store.lines(order["id"]))


@EMBEDDED_LISTS.fact(
    "cut-lines-have-a-warning",
    "A consignment with fewer embedded lines than it has says so in `__warning__`.",
    "noticing it; a consignment of 50 lines is never used without a request",
    unit="cut consignment",
    setting=SETTING,
    relied_on=False,
)
def cut_lines(store: Evidence) -> Iterator[Case]:
    for order_id in store.large:
        order = store.embedded.get(order_id, {})
        if _is_object_form(order) and len(embedded_lines(order)) < len(store.lines(order_id)):
            cut = [each for _, each in groups(order) if len(each["line_items"]) >= SILENT_LIMIT]
            yield any("__warning__" in group for group in cut)


@EMBEDDED_LISTS.fact(
    "embedded-addresses-are-the-same",
    "A shipping consignment has the fields of the shipping address, with the same values.",
    "storing embedded addresses",
    unit="address",
    setting=SETTING,
)
def addresses_are_the_same(store: Evidence) -> Iterator[Case]:
    for order in _undoubted(store):
        parts = [
            _addresses(order, order["consignments"]["shipping"]),
            _addresses(order, store.part(order["id"], "shipping_addresses")),
        ]
        for one, other in zip(*parts, strict=False):
            names = (one.keys() | other.keys()) - {"id"}
            yield [name for name in names if one.get(name) != other.get(name)]


def _addresses(order: JsonObject, addresses: list[JsonObject]) -> list[JsonObject]:
    """The addresses as the service stores them."""
    whole = with_parts(Order.parse(order), {"shipping_addresses": addresses})
    return objects(whole.fields["shipping_addresses"])


@EMBEDDED_LISTS.fact(
    "consignment-has-the-address-id",
    "The id of a shipping consignment is that of the shipping address.",
    "storing embedded addresses, and finding the address of a line",
    setting=SETTING,
)
def consignment_ids(store: Evidence) -> Iterator[Case]:
    for order in _undoubted(store):
        ids = {each.get("id") for each in order["consignments"]["shipping"]}
        addresses = store.part(order["id"], "shipping_addresses")
        if ids or addresses:
            yield ids == {address.get("id") for address in addresses}


@EMBEDDED_LISTS.fact(
    "consignment-costs-are-numbers",
    "The costs of a shipping consignment are numbers, which are text in the address.",
    "the form of amounts in the table; both are accepted",
    unit="consignment",
    setting=SETTING,
    relied_on=False,
)
def consignment_costs(store: Evidence) -> Iterator[Case]:
    for order in store.embedded.values():
        for kind, group in groups(order):
            if kind == "shipping":
                present = [name for name in COSTS if name in group]
                yield [name for name in present if not is_json_number(group[name])]


@EMBEDDED_LISTS.fact(
    "embedded-fees-are-the-same",
    "Embedded fees are the same as in the list of fees.",
    "storing embedded fees",
    setting=SETTING,
)
def fees_are_the_same(store: Evidence) -> Iterator[Case]:
    with_fees = [order for order in _undoubted(store) if order.get("fees")]
    without = [order for order in _undoubted(store) if not order.get("fees")]
    for order in few(with_fees) + few(without, 3):
        listed = {fee.get("id"): fee for fee in store.part(order["id"], "fees")}
        yield listed == {fee.get("id"): fee for fee in objects(order.get("fees"))}


@EMBEDDED_LISTS.fact(
    "pickups-are-embedded",
    "An order with a line that is collected has the place in `pickups`.",
    "storing where an order is collected",
    setting="PICKUP_STATUS_ID",
)
def pickups(store: Evidence) -> Iterator[Case]:
    for order_id in store.collected:
        order = store.embedded.get(order_id, {})
        if _is_object_form(order):
            found = [each for kind, each in groups(order) if kind == "pickups"]
            yield bool(found) and all("location" in pickup for pickup in found)


@EMBEDDED_LISTS.fact(
    "pickups-by-their-own-route",
    "`/v2/orders/ID/consignments` is the object form, with the pickups.",
    "pickups of orders that are read list by list",
    setting="PICKUP_STATUS_ID",
)
def pickups_route(store: Evidence) -> Iterator[Case]:
    for order_id in store.collected or few(store.orders, 1):
        answer = store.get(f"v2/orders/{order_id}/consignments")
        if answer.status != HTTPStatus.NOT_FOUND:
            has_pickups = bool(objects(answer.object.get("pickups")))
            yield has_pickups or order_id not in store.collected


@EMBEDDED_LISTS.fact(
    "digital-lines-have-a-recipient",
    "Digital lines and gift certificates are in a consignment with `recipient_email`.",
    "storing to whom they are sent",
    setting=SETTING,
)
def recipients(store: Evidence) -> Iterator[Case]:
    sent = {"digital": "downloads", "giftcertificate": "gift_certificates"}
    for order in _undoubted(store):
        types = {str(line.get("type")) for line in store.lines(order["id"])}
        for kind in (sent[name] for name in sorted(types & sent.keys())):
            found = [each for name, each in groups(order) if name == kind]
            yield bool(found) and all("recipient_email" in group for group in found)


@EMBEDDED_LISTS.fact(
    "one-download",
    "An order has one consignment of downloads at most.",
    "the simulator",
    setting=SETTING,
    relied_on=False,
)
def one_download(store: Evidence) -> Iterator[Case]:
    for order in store.embedded.values():
        found = [kind for kind, _ in groups(order) if kind == "downloads"]
        if found:
            yield len(found) == 1


@EMBEDDED_LISTS.fact(
    "coupons-show-in-the-order",
    "An order without a discount, a code or a reduced shipping cost has no coupons.",
    "not requesting the coupons of orders that show none",
    setting=SETTING,
)
def coupons_show(store: Evidence) -> Iterator[Case]:
    for order in few(_without_signs(store), 20):
        yield not store.part(order["id"], "coupons")


def _without_signs(store: Evidence) -> Iterator[JsonObject]:
    for order in _undoubted(store):
        consignments = order["consignments"]
        parts = {
            "products": store.lines(order["id"]),
            "shipping_addresses": consignments["shipping"],
        }
        if not may_have_coupons(with_parts(Order.parse(order), parts)):
            yield order


def _undoubted(store: Evidence) -> list[JsonObject]:
    """The orders whose embedded lists the service would use."""
    return [order for order in store.embedded.values() if _is_used(order)]


def _is_used(order: JsonObject) -> bool:
    try:
        return doubt_about(Order.parse(order)) is None
    except UnreadableOrder:
        return False
