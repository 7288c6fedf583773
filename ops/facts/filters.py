"""Facts about the filters of lists, the statuses, and the counts by status."""

from collections.abc import Iterator
from datetime import timedelta
from http import HTTPStatus

from chalicelib.domain.models import JsonObject, OrderStatus
from chalicelib.edges.bigcommerce import api_time
from ops.facts.evidence import Evidence, date_of
from ops.facts.fact import Case, Topic

FILTERS = Topic("Filters and counts")


@FILTERS.fact(
    "filter-by-status",
    "`status_id` selects the orders in that status.",
    "listing the statuses of new orders in a sweep",
)
def filter_by_status(store: Evidence) -> Iterator[Case]:
    for query, page in store.sample:
        if "status_id" in query:
            yield from (order.get("status_id") == query["status_id"] for order in page.members)


@FILTERS.fact(
    "min-date-modified-inclusive",
    "`min_date_modified` takes ISO 8601 in UTC, and includes its own second.",
    "finding every change since the last poll",
)
def min_date_modified(store: Evidence) -> Iterator[Case]:
    for order in store.probes:
        yield _is_listed(store, order, "min_date_modified", "date_modified", 0)


@FILTERS.fact(
    "min-date-modified-excludes",
    "`min_date_modified` leaves out what changed a second before.",
    "reading the changes only, and not all orders with every poll",
)
def min_date_modified_excludes(store: Evidence) -> Iterator[Case]:
    for order in store.probes:
        yield not _is_listed(store, order, "min_date_modified", "date_modified", 1)


@FILTERS.fact(
    "min-date-created-inclusive",
    "`min_date_created` includes its own second.",
    "the bound of sweeps",
    setting="REPLICATE_SINCE",
)
def min_date_created(store: Evidence) -> Iterator[Case]:
    for order in store.probes:
        yield _is_listed(store, order, "min_date_created", "date_created", 0)


@FILTERS.fact(
    "min-date-created-excludes",
    "`min_date_created` leaves out what was created a second before.",
    "a sweep that does not list all orders",
    setting="REPLICATE_SINCE",
    relied_on=False,
)
def min_date_created_excludes(store: Evidence) -> Iterator[Case]:
    for order in store.probes:
        yield not _is_listed(store, order, "min_date_created", "date_created", 1)


@FILTERS.fact(
    "max-date-created-inclusive",
    "`max_date_created` includes its own second, and leaves out what was created after it.",
    "the range of the commands `audit` and `backfill`",
)
def max_date_created(store: Evidence) -> Iterator[Case]:
    for order in store.probes:
        yield _is_listed(store, order, "max_date_created", "date_created", 0)
        yield not _is_listed(store, order, "max_date_created", "date_created", -1)


@FILTERS.fact(
    "unknown-query-is-400",
    "A query parameter that orders do not have is answered 400, and not ignored.",
    "noticing a filter that BigCommerce no longer supports",
    unit="request",
    relied_on=False,
)
def unknown_query(store: Evidence) -> Iterator[Case]:
    answer = store.get("v2/orders", {"no_such_parameter": 1, "limit": 1})
    yield answer.status == HTTPStatus.BAD_REQUEST


@FILTERS.fact(
    "incomplete-listed",
    "Orders in Incomplete (0) are listed like others.",
    "knowing that a listing has orders that are no purchases; the service skips them",
    unit="list",
    relied_on=False,
)
def incomplete_listed(store: Evidence) -> Iterator[Case]:
    if store.counts.get(OrderStatus.INCOMPLETE):
        rows = store.orders_where(status_id=int(OrderStatus.INCOMPLETE), limit=1).members
        yield [row.get("status_id") for row in rows] == [OrderStatus.INCOMPLETE]


@FILTERS.fact(
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


@FILTERS.fact(
    "counts-include-incomplete",
    "The counts include Incomplete orders (0).",
    "comparing counts with the table",
    unit="answer",
    relied_on=False,
)
def counts_include_incomplete(store: Evidence) -> Iterator[Case]:
    counts = store.counts
    if counts:
        yield OrderStatus.INCOMPLETE in counts


@FILTERS.fact(
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


def _is_listed(store: Evidence, order: JsonObject, bound: str, name: str, seconds: int) -> bool:
    """Whether an order is listed under a bound so many seconds after its own date."""
    moment = date_of(order, name)
    if moment is None:
        raise ValueError("a date is missing")
    only = {"min_id": order["id"], "max_id": order["id"]}
    bounds = {bound: api_time(moment + timedelta(seconds=seconds))}
    rows = store.orders_where(**only, **bounds).members
    return [row.get("id") for row in rows] == [order["id"]]
