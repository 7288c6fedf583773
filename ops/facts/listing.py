"""Facts about lists of orders, and about one order asked for by its id."""

from collections.abc import Iterator
from datetime import timedelta
from http import HTTPStatus
from itertools import pairwise

from chalicelib.domain.models import JsonObject, OrderStatus, is_order_id, number
from chalicelib.domain.parts import SILENT_LIMIT
from chalicelib.edges.bigcommerce import PAGE_SIZE, api_time
from ops.facts.evidence import Evidence, date_of, few
from ops.facts.fact import Case, Topic
from ops.facts.source import Answer

LISTS = Topic("Lists of orders")
ORDER = Topic("One order")

PROBES = 3
"""Orders on which each bound is tried."""


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


def _page(store: Evidence) -> list[JsonObject]:
    """The newest orders once more, as a listing of the service asks for them."""
    oldest = min((order["id"] for order in store.newest), default=0)
    if not oldest:
        return []
    return store.orders_where(min_id=oldest, max_id=store.newest_id, limit=PAGE_SIZE).members


@LISTS.fact(
    "short-page-is-last",
    "No order comes after a page with fewer members than `limit`.",
    "the end of every listing",
    unit="page",
)
def short_page(store: Evidence) -> Iterator[Case]:
    page = _page(store)
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
    ids = [order.get("id", 0) for order in _page(store)]
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
    for order in _probes(store):
        rows = store.orders_where(min_id=order["id"], limit=1).members
        yield [row.get("id") for row in rows] == [order["id"]]


@LISTS.fact(
    "max-id-inclusive",
    "`max_id` is inclusive, and leaves out larger ids.",
    "reading several queued orders in one request",
    unit="listing",
)
def max_id(store: Evidence) -> Iterator[Case]:
    for order in _probes(store):
        query = {"max_id": order["id"], "sort": "id:desc", "limit": 1}
        rows = store.get("v2/orders", query).members
        yield [row.get("id") for row in rows] == [order["id"]]


@LISTS.fact(
    "filter-by-status",
    "`status_id` selects the orders in that status.",
    "listing the statuses of new orders in a sweep",
)
def filter_by_status(store: Evidence) -> Iterator[Case]:
    for query, page in zip(store.queries, store.pages, strict=True):
        if "status_id" in query:
            yield from (order.get("status_id") == query["status_id"] for order in page.members)


@LISTS.fact(
    "min-date-modified-inclusive",
    "`min_date_modified` takes ISO 8601 in UTC, and includes its own second.",
    "finding every change since the last poll",
)
def min_date_modified(store: Evidence) -> Iterator[Case]:
    for order in _probes(store):
        yield _is_listed(store, order, "min_date_modified", "date_modified", 0)


@LISTS.fact(
    "min-date-modified-excludes",
    "`min_date_modified` leaves out what changed a second before.",
    "reading the changes only, and not all orders with every poll",
)
def min_date_modified_excludes(store: Evidence) -> Iterator[Case]:
    for order in _probes(store):
        yield not _is_listed(store, order, "min_date_modified", "date_modified", 1)


@LISTS.fact(
    "min-date-created-inclusive",
    "`min_date_created` includes its own second.",
    "the bound of sweeps",
    setting="REPLICATE_SINCE",
)
def min_date_created(store: Evidence) -> Iterator[Case]:
    for order in _probes(store):
        yield _is_listed(store, order, "min_date_created", "date_created", 0)


@LISTS.fact(
    "min-date-created-excludes",
    "`min_date_created` leaves out what was created a second before.",
    "a sweep that does not list all orders",
    setting="REPLICATE_SINCE",
    relied_on=False,
)
def min_date_created_excludes(store: Evidence) -> Iterator[Case]:
    for order in _probes(store):
        yield not _is_listed(store, order, "min_date_created", "date_created", 1)


@LISTS.fact(
    "max-date-created-inclusive",
    "`max_date_created` includes its own second, and leaves out what was created after it.",
    "the range of the commands `audit` and `backfill`",
)
def max_date_created(store: Evidence) -> Iterator[Case]:
    for order in _probes(store):
        yield _is_listed(store, order, "max_date_created", "date_created", 0)
        yield not _is_listed(store, order, "max_date_created", "date_created", -1)


@LISTS.fact(
    "unknown-query-is-400",
    "A query parameter that orders do not have is answered 400, and not ignored.",
    "noticing a filter that BigCommerce no longer supports",
    unit="request",
    relied_on=False,
)
def unknown_query(store: Evidence) -> Iterator[Case]:
    answer = store.get("v2/orders", {"no_such_parameter": 1, "limit": 1})
    yield answer.status == HTTPStatus.BAD_REQUEST


@LISTS.fact(
    "incomplete-listed",
    "Orders in Incomplete (0) are listed like others.",
    "knowing that a listing has orders that are no purchases; the service skips them",
    unit="list",
    relied_on=False,
)
def incomplete_listed(store: Evidence) -> Iterator[Case]:
    if _counts(store).get(OrderStatus.INCOMPLETE):
        rows = store.orders_where(status_id=int(OrderStatus.INCOMPLETE), limit=1).members
        yield [row.get("status_id") for row in rows] == [OrderStatus.INCOMPLETE]


@LISTS.fact(
    "archived-not-listed",
    "A list has no archived orders.",
    "noticing an archived order; one in a list is recognized by `is_deleted`",
    relied_on=False,
)
def archived_not_listed(store: Evidence) -> Iterator[Case]:
    yield from (order.get("is_deleted") is not True for order in store.rows)


@LISTS.fact(
    "missing-order-is-archived",
    "An order that is missing between others is 404 or has `is_deleted` when asked for by its id.",
    "marking archived orders",
)
def missing_order(store: Evidence) -> Iterator[Case]:
    listed = {order["id"] for order in _page(store)}
    if listed:
        gaps = (n for n in range(min(listed), max(listed)) if n not in listed)
        for order_id in few(gaps, 5):
            answer = store.get(f"v2/orders/{order_id}")
            yield _is_gone(answer)


def _is_gone(answer: Answer) -> bool:
    is_missing = answer.status == HTTPStatus.NOT_FOUND
    return is_missing or answer.object.get("is_deleted") is True


@LISTS.fact(
    "counts-by-status",
    "`/v2/orders/count` has the number of orders of each status id.",
    "the counts that a poll records, and the check of the access token",
    unit="status",
)
def counts_by_status(store: Evidence) -> Iterator[Case]:
    statuses = store.get("v2/orders/count").object.get("statuses")
    if not isinstance(statuses, list):
        yield False
        return
    for status in statuses:
        yield [name for name in ("id", "count") if type(status.get(name)) is not int]


@LISTS.fact(
    "counts-include-incomplete",
    "The counts include Incomplete orders (0).",
    "comparing counts with the table",
    unit="answer",
    relied_on=False,
)
def counts_include_incomplete(store: Evidence) -> Iterator[Case]:
    counts = _counts(store)
    if counts:
        yield OrderStatus.INCOMPLETE in counts


@LISTS.fact(
    "status-ids",
    "The statuses are those with the ids 0 to 14, and their system labels are the known ones.",
    "every rule about new orders and moves",
    unit="status",
    setting="NEW_STATUS_IDS",
)
def status_ids(store: Evidence) -> Iterator[Case]:
    known = {status.value: status.name.replace("_", " ").lower() for status in OrderStatus}
    for row in store.get("v2/order_statuses").members:
        yield known.get(row.get("id", -1)) == str(row.get("system_label")).lower()


@ORDER.fact(
    "order-in-list-is-whole",
    "An order in a list is the same as alone.",
    "storing orders that come from a list",
)
def order_in_list(store: Evidence) -> Iterator[Case]:
    for order in _probes(store):
        alone = store.get(f"v2/orders/{order['id']}").object
        if alone.get("date_modified") == order.get("date_modified"):
            names = (alone.keys() | order.keys()) - {"id"}
            yield [name for name in names if alone.get(name) != order.get(name)]


@ORDER.fact(
    "unknown-order-is-404",
    "An order that does not exist is answered 404.",
    "deciding that an order does not exist, which is final",
    unit="request",
)
def unknown_order(store: Evidence) -> Iterator[Case]:
    yield store.get(f"v2/orders/{store.unused_id}").status == HTTPStatus.NOT_FOUND


@ORDER.fact(
    "order-has-its-id",
    "The response about an order is an object with the id that was asked for.",
    "refusing to store one order under the id of another",
)
def order_has_its_id(store: Evidence) -> Iterator[Case]:
    for order in _probes(store):
        answer = store.get(f"v2/orders/{order['id']}")
        if answer.status == HTTPStatus.OK:
            yield answer.object.get("id") == order["id"]


def _probes(store: Evidence) -> list[JsonObject]:
    """A few orders that have not changed for the longest time."""
    return few(store.settled, PROBES)


def _is_listed(store: Evidence, order: JsonObject, bound: str, name: str, seconds: int) -> bool:
    """Whether an order is listed under a bound so many seconds after its own date."""
    moment = date_of(order, name)
    if moment is None:
        raise ValueError("a date is missing")
    only = {"min_id": order["id"], "max_id": order["id"]}
    bounds = {bound: api_time(moment + timedelta(seconds=seconds))}
    rows = store.orders_where(**only, **bounds).members
    return [row.get("id") for row in rows] == [order["id"]]


def _counts(store: Evidence) -> dict[int, int]:
    statuses = store.get("v2/orders/count").object.get("statuses") or []
    return {row["id"]: row["count"] for row in statuses if is_order_id(row.get("id") or 1)}
