"""Facts about the lists of an order."""

from collections.abc import Iterator
from http import HTTPStatus

from chalicelib.domain.models import JsonObject
from chalicelib.domain.parts import SILENT_LIMIT
from ops.facts.evidence import FEW, Evidence, few
from ops.facts.fact import Case, Topic
from ops.facts.kinds import is_integer

LISTS = Topic("Lists of an order")

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


def _members(store: Evidence) -> Iterator[tuple[int, JsonObject]]:
    """The lines and addresses of all orders, and the coupons of a few, with the order's id."""
    for number_read, order_id in enumerate(store.orders):
        for name in NAMES if number_read < FEW else NAMES[:2]:
            yield from ((order_id, member) for member in store.part(order_id, name))
