"""What the orders API shows: orders, their sub-resources and the statuses."""

from collections.abc import Callable

from werkzeug import Response

from sandbox.store.answers import collection, json_response, not_found
from sandbox.store.call import Call
from sandbox.store.dates import parse_date
from sandbox.store.listing import Query, include_query, order_query, page_query, within
from sandbox.store.shop import Shop
from sandbox.store.statuses import count_by_status, status_rows
from sandbox.store.taxes import taxes
from sandbox.store.templates import Fields

ABOUT_MESSAGES = ("min_id", "max_id", "customer_id", "min_date_created", "max_date_created")


def list_orders(shop: Shop, call: Call) -> Response:
    query = order_query(call.query)
    ids = shop.book.page(query, stale=call.stale)
    return collection([view(shop, call, n, query) for n in ids])


def count_orders(shop: Shop, call: Call) -> Response:
    """BigCommerce applies the filters of this route unreliably; here they have no effect."""
    order_query(call.query)
    return json_response(count_by_status(shop.book.counts(), shop.book.labels))


def get_order(shop: Shop, call: Call) -> Response:
    query = include_query(call.query)
    if not shop.shows(call.id):
        return not_found()
    return json_response(view(shop, call, call.id, query))


def view(shop: Shop, call: Call, order_id: int, query: Query) -> Fields:
    """The order with what the query includes."""
    call.check(order_id)
    order = shop.book.view(order_id, stale=call.stale)
    if "fees" in query.includes:
        order["fees"] = shop.book.sub_resource(order_id, "fees", stale=call.stale)
    if query.includes - {"fees"}:
        whole = embedded(shop, call, order_id, full="consignments.line_items" in query.includes)
        order["consignments"] = whole if query.as_object else [whole]
    return order


def embedded(shop: Shop, call: Call, order_id: int, *, full: bool) -> Fields:
    form = call.form(shop.book.root, order_id, full=full)
    missing = call.missing(order_id)
    return shop.consignments(order_id, form, stale=call.stale, missing=missing)


def get_consignments(shop: Shop, call: Call) -> Response:
    query = include_query(call.query)
    if not shop.shows(call.id):
        return not_found()
    call.check(call.id)
    full = "consignments.line_items" in query.includes
    return json_response(embedded(shop, call, call.id, full=full))


def list_sub_resource(shop: Shop, call: Call) -> Response:
    return _page(shop, call, page_query(call.query))


def list_fees(shop: Shop, call: Call) -> Response:
    """A bare list, or an object around it: the documentation shows both."""
    query = page_query(call.query)
    if shop.wraps_fees and shop.shows(call.id):
        return json_response({"fees": shop.book.sub_resource(call.id, "fees")})
    return _page(shop, call, query)


def list_messages(shop: Shop, call: Call) -> Response:
    query = page_query(call.query, *ABOUT_MESSAGES, "is_flagged", "status")
    return _page(shop, call, query, lambda message: _is_wanted(query, call.query, message))


def _is_wanted(query: Query, given: dict[str, str], message: Fields) -> bool:
    return (
        within(query, "id", message["id"])
        and within(query, "date_created", parse_date(message["date_created"]))
        and query.filters.get("customer_id", message["customer_id"]) == message["customer_id"]
        and given.get("status", message["status"]) == message["status"]
        and given.get("is_flagged", str(message["is_flagged"])).lower()
        == str(message["is_flagged"]).lower()
    )


def list_taxes(shop: Shop, call: Call) -> Response:
    query = page_query(call.query, "details")
    if not shop.shows(call.id):
        return not_found()
    call.check(call.id)
    details = call.query.get("details") == "true"
    return _cut(call, query, taxes(call.id, shop.book.lists(call.id), details=details))


def _page(
    shop: Shop, call: Call, query: Query, keep: Callable[[Fields], bool] = lambda _: True
) -> Response:
    if not shop.shows(call.id):
        return not_found()
    call.check(call.id)
    items = shop.book.sub_resource(call.id, call.name, stale=call.stale)
    return _cut(call, query, [item for item in items if keep(item)])


def _cut(call: Call, query: Query, items: list[Fields]) -> Response:
    items = items[: max(0, len(items) - call.missing(call.id))]
    return collection(items[query.offset : query.offset + query.limit])


def get_item(shop: Shop, call: Call) -> Response:
    """One line, shipping address or shipment."""
    page_query(call.query)
    if not shop.shows(call.id):
        return not_found()
    call.check(call.id)
    items = shop.book.sub_resource(call.id, call.name, stale=call.stale)
    found = [item for item in items if item.get("id") == call.item]
    return json_response(found[0]) if found else not_found()


def count_shipments(shop: Shop, call: Call) -> Response:
    if not shop.shows(call.id):
        return not_found()
    return json_response({"count": len(shop.book.sub_resource(call.id, "shipments"))})


def list_statuses(shop: Shop, call: Call) -> Response:
    return json_response(status_rows(shop.book.labels))


def get_status(shop: Shop, call: Call) -> Response:
    found = [row for row in status_rows(shop.book.labels) if row["id"] == call.id]
    return json_response(found[0]) if found else not_found()


def get_time(shop: Shop, call: Call) -> Response:
    return json_response({"time": int(shop.clock.time())})
