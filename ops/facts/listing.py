"""Facts about lists of orders: paging and sorting."""

from collections.abc import Iterator
from http import HTTPStatus
from itertools import pairwise

from chalicelib.domain.models import number
from chalicelib.domain.parts import SILENT_LIMIT
from chalicelib.edges.bigcommerce import PAGE_SIZE
from ops.facts.evidence import Evidence, few
from ops.facts.fact import Case, Topic
from ops.facts.source import Answer

LISTS = Topic("Lists of orders")


@LISTS.fact(
    "empty-list-is-204",
    "A list of orders without members is answered 204 without a body.",
    "the end of every listing; an empty list with 200 is accepted as well",
    unit="list",
    relied_on=False,
)
def empty_list(store: Evidence) -> Iterator[Case]:
    answer = store.orders_where(min_id=store.unused_id, limit=PAGE_SIZE)
    yield answer.status == HTTPStatus.NO_CONTENT and not answer.body


@LISTS.fact(
    "list-is-bare",
    "A list of orders is an array, without an envelope.",
    "reading every list of orders",
    unit="list",
)
def list_is_bare(store: Evidence) -> Iterator[Case]:
    for answer in store.pages:
        if answer.status == HTTPStatus.OK:
            yield isinstance(answer.content, list)


@LISTS.fact(
    "list-limit-250",
    "`limit=250` is honoured, and not cut to the default.",
    "the number of requests of every sweep",
    unit="list",
)
def list_limit(store: Evidence) -> Iterator[Case]:
    total = number(store.get("v2/orders/count").object.get("count"))
    rows = store.orders_where(min_id=1, limit=PAGE_SIZE).members
    # Not every order that is counted has to be listed.
    if total > SILENT_LIMIT and len(rows) >= SILENT_LIMIT:
        yield SILENT_LIMIT < len(rows) <= PAGE_SIZE


@LISTS.fact(
    "list-default-limit-50",
    "A list of orders has 50 members without `limit`.",
    "recognizing a list that was cut to the default",
    unit="list",
    relied_on=False,
)
def list_default_limit(store: Evidence) -> Iterator[Case]:
    if len(store.orders_where(min_id=1, limit=PAGE_SIZE).members) > SILENT_LIMIT:
        yield len(store.get("v2/orders", {"min_id": 1}).members) == SILENT_LIMIT


@LISTS.fact(
    "short-page-is-last",
    "No order comes after a page with fewer members than `limit`.",
    "the end of every listing",
    unit="page",
)
def short_page(store: Evidence) -> Iterator[Case]:
    page = store.page
    # The service does not take a page of 50 for the last.
    if page and len(page) not in (SILENT_LIMIT, PAGE_SIZE):
        after = {"min_id": page[-1]["id"] + 1, "max_id": store.newest_id}
        yield not store.orders_where(limit=PAGE_SIZE, **after).members


@LISTS.fact(
    "sort-ascending",
    "`sort=id:asc` sorts by ascending id, each id once.",
    "paging by id, because page numbers skip orders that are moved meanwhile",
    unit="pair",
)
def sort_ascending(store: Evidence) -> Iterator[Case]:
    ids = [order.get("id", 0) for order in store.page]
    yield from (one < other for one, other in pairwise(ids))


@LISTS.fact(
    "sort-descending",
    "`sort=id:desc` sorts by descending id.",
    "reading the newest orders in `rehearse`, `embedded-reads` and here",
    unit="pair",
)
def sort_descending(store: Evidence) -> Iterator[Case]:
    ids = [order["id"] for order in store.newest]
    yield from (one > other for one, other in pairwise(ids))


@LISTS.fact(
    "min-id-inclusive",
    "`min_id` is inclusive, and leaves out smaller ids.",
    "continuing a listing at the id after the last",
    unit="listing",
)
def min_id(store: Evidence) -> Iterator[Case]:
    for order in store.probes:
        rows = store.orders_where(min_id=order["id"], limit=1).members
        yield [row.get("id") for row in rows] == [order["id"]]


@LISTS.fact(
    "max-id-inclusive",
    "`max_id` is inclusive, and leaves out larger ids.",
    "reading several queued orders in one request",
    unit="listing",
)
def max_id(store: Evidence) -> Iterator[Case]:
    for order in store.probes:
        query = {"max_id": order["id"], "sort": "id:desc", "limit": 1}
        rows = store.get("v2/orders", query).members
        yield [row.get("id") for row in rows] == [order["id"]]


@LISTS.fact(
    "missing-order-is-archived",
    "An order that is missing between others is 404 or has `is_deleted` when asked for by its id.",
    "marking archived orders",
)
def missing_order(store: Evidence) -> Iterator[Case]:
    listed = {order["id"] for order in store.page}
    if listed:
        gaps = (n for n in range(min(listed), max(listed)) if n not in listed)
        for order_id in few(gaps, 5):
            answer = store.get(f"v2/orders/{order_id}")
            yield _is_gone(answer)


@LISTS.fact(
    "archived-not-listed",
    "A list has no archived orders.",
    "noticing an archived order; one in a list is recognized by `is_deleted`",
    relied_on=False,
)
def archived_not_listed(store: Evidence) -> Iterator[Case]:
    yield from (order.get("is_deleted") is not True for order in store.rows)


def _is_gone(answer: Answer) -> bool:
    is_missing = answer.status == HTTPStatus.NOT_FOUND
    return is_missing or answer.object.get("is_deleted") is True
