"""Facts about the lists that come embedded in an order, and their lines."""

from collections.abc import Iterator
from http import HTTPStatus

from chalicelib.domain.models import objects
from chalicelib.domain.parts import SILENT_LIMIT
from chalicelib.edges.bigcommerce import EMBEDDED
from ops.facts.evidence import Evidence, few
from ops.facts.fact import Case, Topic
from ops.facts.forms import embedded_lines, groups, is_object_form
from ops.facts.source import Query

EMBEDDED_LISTS = Topic("Embedded lists")

SETTING = "EMBEDDED_READS"
FULL = ("type", "quantity", "base_total", "product_options", "applied_discounts")


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
        yield from map(is_object_form, page.members)


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
            yield answer.status == HTTPStatus.OK and is_object_form(answer.object)


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
    for order in store.used:
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
    for order in store.used:
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
        if is_object_form(order) and len(embedded_lines(order)) < len(store.lines(order_id)):
            cut = [each for _, each in groups(order) if len(each["line_items"]) >= SILENT_LIMIT]
            yield any("__warning__" in group for group in cut)


@EMBEDDED_LISTS.fact(
    "embedded-fees-are-the-same",
    "Embedded fees are the same as in the list of fees.",
    "storing embedded fees",
    setting=SETTING,
)
def fees_are_the_same(store: Evidence) -> Iterator[Case]:
    with_fees = [order for order in store.used if order.get("fees")]
    without = [order for order in store.used if not order.get("fees")]
    for order in few(with_fees) + few(without, 3):
        listed = {fee.get("id"): fee for fee in store.part(order["id"], "fees")}
        yield listed == {fee.get("id"): fee for fee in objects(order.get("fees"))}
