"""One change of the simulated store's behaviour for each fact, under which it does not hold.

A change stands between the checks and the simulator: it rewrites queries or responses.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from ops.facts.source import Answer, Query, Source
from ops.facts.trial import Trial

Fields = dict[str, Any]
Get = Callable[[str, Query], Answer]
Flip = Callable[[Get, str, Query], Answer]
"""Answers a request; the first argument asks the unchanged simulator."""

FUTURE = "Fri, 01 Jan 2100 00:00:00 +0000"
ORDERS, HOOKS, REFUNDS = "v2/orders", "v3/hooks", "v3/orders/payment_actions/refunds"


@dataclass(frozen=True)
class Flipped:
    """A source whose answers are changed by a flip."""

    source: Source
    flip: Flip
    wrong_token: int = 401

    def get(self, path: str, query: Query, *, token: str | None = None) -> Answer:
        if token is not None:
            answer = self.source.get(path, query, token=token)
            return replace(answer, status=self.wrong_token)
        return self.flip(self.source.get, path, query)

    def at_once(self, path: str, queries: Sequence[Query]) -> list[Answer]:
        return [self.get(path, query) for query in queries]


def unchanged(get: Get, path: str, query: Query) -> Answer:
    return get(path, query)


# What a flip is made of


def content_of(answer: Answer) -> Any:
    return json.loads(answer.body) if answer.body else None


def with_content(answer: Answer, content: Any, status: int = 200) -> Answer:
    headers = {**answer.headers, "Content-Type": "application/json"}
    return Answer(answer.name, status, headers, json.dumps(content).encode())


def empty(answer: Answer) -> Answer:
    return replace(answer, status=204, body=b"")


def answers(where: Callable[[str, Query], bool], edit: Callable[[Answer], Answer]) -> Flip:
    """Edits the responses to some requests."""

    def flip(get: Get, path: str, query: Query) -> Answer:
        answer = get(path, query)
        return edit(answer) if where(path, query) else answer

    return flip


def contents(where: Callable[[str, Query], bool], edit: Callable[[Any], Any]) -> Flip:
    """Edits the JSON of some responses; those that have none stay as they are."""

    def edited(answer: Answer) -> Answer:
        content = content_of(answer)
        if content is None or answer.status != 200:
            return answer
        return with_content(answer, edit(content))

    return answers(where, edited)


def queries(where: Callable[[str, Query], bool], **changes: Callable[[Any], Any]) -> Flip:
    """Changes parameters of some requests; a parameter that becomes None is ignored."""

    def flip(get: Get, path: str, query: Query) -> Answer:
        if not where(path, query):
            return get(path, query)
        changed = {n: changes[n](v) if n in changes else v for n, v in query.items()}
        return get(path, {n: v for n, v in changed.items() if v is not None})

    return flip


def ignored(_: Any) -> None:
    """The value of a parameter that the store ignores."""


def later(seconds: int) -> Callable[[str], str]:
    return lambda text: (datetime.fromisoformat(text) + timedelta(seconds=seconds)).isoformat()


def path_is(path: str, *names: str, **fixed: Any) -> Callable[[str, Query], bool]:
    """Requests of a path whose query has these names and values."""

    def where(asked: str, query: Query) -> bool:
        has_values = all(query.get(name) == value for name, value in fixed.items())
        return asked == path and has_values and all(name in query for name in names)

    return where


def list_named(name: str) -> Callable[[str, Query], bool]:
    return lambda path, _: path.startswith(f"{ORDERS}/") and path.endswith(f"/{name}")


def is_one_order(path: str) -> bool:
    return path.startswith(f"{ORDERS}/") and path.rsplit("/", 1)[1].isdigit()


def is_order_request(path: str, query: Query) -> bool:
    return path == ORDERS or is_one_order(path)


def is_plain(path: str, query: Query) -> bool:
    return is_order_request(path, query) and "include" not in query


def is_embedded(path: str, query: Query) -> bool:
    return is_order_request(path, query) and "consignment_structure" in query


def each(edit: Callable[[Fields], Fields]) -> Callable[[Any], Any]:
    """Edits an object, or every object of a list, bare or under `data`."""

    def edited(content: Any) -> Any:
        if isinstance(content, list):
            return [edit(member) for member in content]
        if isinstance(content.get("data"), list):
            return {**content, "data": [edit(member) for member in content["data"]]}
        return edit(content)

    return edited


def orders(edit: Callable[[Fields], Fields]) -> Flip:
    """Edits every order without embedded lists, alone and in lists."""
    return contents(is_plain, each(edit))


def field_of_orders(name: str, value: Any) -> Flip:
    return orders(lambda order: {**order, name: value})


def embedded(edit: Callable[[Fields], Fields]) -> Flip:
    return contents(is_embedded, each(edit))


def consignments(kind: str, edit: Callable[[Fields], Fields]) -> Flip:
    """Edits every embedded consignment of a kind."""

    def edited(order: Fields) -> Fields:
        groups = [edit(group) for group in order["consignments"][kind]]
        return {**order, "consignments": {**order["consignments"], kind: groups}}

    return embedded(edited)


def embedded_lines(edit: Callable[[Fields], Fields]) -> Flip:
    return embedded(lambda order: with_lines(order, lambda lines: [edit(line) for line in lines]))


def with_lines(order: Fields, edit: Callable[[list[Fields]], list[Fields]]) -> Fields:
    def edited(groups: list[Fields]) -> list[Fields]:
        return [{**group, "line_items": edit(group["line_items"])} for group in groups]

    form = order["consignments"]
    kinds = {kind: edited(form[kind]) for kind in ("pickups", "shipping", "downloads")}
    gifts = edited(form["email"]["gift_certificates"])
    changed = {**form, **kinds, "email": {"gift_certificates": gifts}}
    return {**order, "consignments": changed}


def both(*flips: Flip) -> Flip:
    """One change after the other."""

    def flip(get: Get, path: str, query: Query) -> Answer:
        for change in flips:
            get = _through(change, get)
        return get(path, query)

    return flip


def _through(change: Flip, get: Get) -> Get:
    return lambda path, query: change(get, path, query)


def lines(edit: Callable[[Fields], Fields]) -> Flip:
    """Edits every line, in the list of lines and embedded."""
    return both(contents(list_named("products"), each(edit)), embedded_lines(edit))


def members(name: str, edit: Callable[[Fields], Fields]) -> Flip:
    return contents(list_named(name), each(edit))


def where_empty(name: str, member: Fields) -> Flip:
    """Gives a member to the lists of this name that are empty."""

    def edited(answer: Answer) -> Answer:
        is_first = answer.status == 204
        return with_content(answer, [member]) if is_first else answer

    return answers(lambda path, query: list_named(name)(path, query) and "page" in query, edited)


def headers(where: Callable[[str, Query], bool], **changes: str | None) -> Flip:
    """Sets headers of successful responses; None leaves one out."""
    named = {name.replace("_", "-"): value for name, value in changes.items()}

    def edited(answer: Answer) -> Answer:
        if answer.status >= 400:
            return answer
        kept = {name: value for name, value in answer.headers.items() if name not in named}
        return replace(answer, headers={**kept, **{n: v for n, v in named.items() if v}})

    return answers(where, edited)


def anything(path: str, query: Query) -> bool:
    return True


def without(fields: Mapping[str, Any], *names: str) -> Fields:
    return {name: value for name, value in fields.items() if name not in names}


def only_if(condition: Callable[[Fields], bool], **changes: Any) -> Callable[[Fields], Fields]:
    return lambda fields: {**fields, **changes} if condition(fields) else fields


def is_page(path: str, query: Query) -> bool:
    """Whether a page is requested as a listing of the service does."""
    return path == ORDERS and query.get("limit") == 250 and "max_id" in query


def text(answer: Answer) -> Answer:
    changed = {**answer.headers, "Content-Type": "text/html"}
    return replace(answer, headers=changed, body=b"<html>")


def refunds(edit: Callable[[list[Fields]], list[Fields]]) -> Flip:
    return contents(path_is(REFUNDS), lambda content: {**content, "data": edit(content["data"])})


def without_pagination(content: Fields) -> Fields:
    return {**content, "meta": without(content["meta"], "pagination")}


def hooks(**changes: Any) -> Flip:
    return contents(path_is(HOOKS), each(lambda hook: {**hook, **changes}))


def account(**changes: Any) -> Flip:
    return contents(
        path_is(f"{HOOKS}/admin"),
        lambda content: {**content, "data": {**content["data"], **changes}},
    )


def without_one_line(order: Fields) -> Fields:
    """An embedded form without a line, under an `items_total` that does not count it."""
    shipping = order["consignments"]["shipping"]
    if not shipping or not 2 <= len(shipping[0]["line_items"]) < 10:
        return order
    first, *rest = shipping[0]["line_items"]
    group = {**shipping[0], "line_items": rest}
    form = {**order["consignments"], "shipping": [group, *shipping[1:]]}
    total = order["items_total"] - first["quantity"]
    return {**order, "consignments": form, "items_total": total}


def two_downloads(form: Fields) -> Fields:
    more = [{**group, "line_items": []} for group in form["downloads"]]
    return {**form, "downloads": [*form["downloads"], *more]}


def iso(text: str) -> str:
    return parsedate_to_datetime(text).isoformat()


def as_text(group: Fields) -> Fields:
    return {**group, "base_cost": f"{group['base_cost']:.4f}"}


def trial(edit: Callable[[Fields], Fields], *names: str) -> Callable[[Trial], Trial]:
    """Edits the content of some answers about the order that was created."""

    def edited(found: Trial) -> Trial:
        changes = {}
        for name in names:
            answer = getattr(found, name)
            changes[name] = with_content(answer, each(edit)(content_of(answer)))
        return replace(found, **changes)

    return edited


def trial_status(name: str, status: int) -> Callable[[Trial], Trial]:
    return lambda found: replace(found, **{name: replace(getattr(found, name), status=status)})


def without_new_date(found: Trial) -> Trial:
    assert found.created
    date = found.created.object["date_modified"]
    return trial(lambda order: {**order, "date_modified": date}, "put", "read")(found)


def without_new_shipment_date(found: Trial) -> Trial:
    assert found.put
    date = found.put.object["date_modified"]
    return trial(lambda order: {**order, "date_modified": date}, "shipped")(found)


def without_shipments(found: Trial) -> Trial:
    assert found.shipments
    return replace(found, shipments=empty(found.shipments))


def still_there(found: Trial) -> Trial:
    return replace(found, read_archived=found.read)


def still_listed(found: Trial) -> Trial:
    return replace(found, listed_archived=found.listed)


SHIPMENT = {"id": 1, "items": []}
COUPON = {"id": 1, "code": "OTHER"}
SAMPLE = path_is(ORDERS, "status_id", sort="id:desc")
UNUSED = "1000"
"""The beginning of the ids that no order has, in a store whose ids have three digits."""


def is_unused(path: str, query: Query) -> bool:
    return is_one_order(path) and path.rsplit("/", 1)[1].startswith(UNUSED)


def flips(archived: int, newest: int) -> dict[str, Flip]:
    """A change for each fact that is read, by the fact's name. The ids are those of orders."""

    def is_newest(order: Fields) -> bool:
        return bool(order["id"] == newest)

    return {
        "empty-list-is-204": answers(
            path_is(ORDERS, "min_id", limit=250),
            lambda answer: with_content(answer, []) if answer.status == 204 else answer,
        ),
        "list-is-bare": contents(path_is(ORDERS), lambda content: {"data": content}),
        "list-limit-250": contents(path_is(ORDERS, limit=250), lambda rows: rows[:50]),
        "list-default-limit-50": _without_default(path_is(ORDERS, "min_id")),
        "short-page-is-last": contents(is_page, lambda rows: rows[:-3] if rows[3:] else rows),
        "sort-ascending": contents(is_page, lambda rows: [rows[1], rows[0], *rows[2:]]),
        "sort-descending": contents(
            path_is(ORDERS, sort="id:desc"), lambda rows: [*rows[1:], *rows[:1]]
        ),
        "min-id-inclusive": queries(path_is(ORDERS, limit=1), min_id=lambda n: n + 1),
        "max-id-inclusive": queries(path_is(ORDERS, limit=1), max_id=lambda n: n - 1),
        "filter-by-status": queries(SAMPLE, status_id=ignored),
        "min-date-modified-inclusive": queries(path_is(ORDERS), min_date_modified=later(1)),
        "min-date-modified-excludes": queries(path_is(ORDERS), min_date_modified=ignored),
        "min-date-created-inclusive": queries(path_is(ORDERS), min_date_created=later(1)),
        "min-date-created-excludes": queries(path_is(ORDERS), min_date_created=ignored),
        "max-date-created-inclusive": queries(path_is(ORDERS), max_date_created=later(-1)),
        "unknown-query-is-400": queries(path_is(ORDERS), no_such_parameter=ignored),
        "incomplete-listed": answers(path_is(ORDERS, status_id=0), empty),
        "archived-not-listed": field_of_orders("is_deleted", True),
        "missing-order-is-archived": lambda get, path, query: (
            get(f"{ORDERS}/{newest}", query) if path == f"{ORDERS}/{archived}" else get(path, query)
        ),
        "counts-by-status": contents(
            path_is(f"{ORDERS}/count"),
            lambda content: {
                **content,
                "statuses": [{**row, "count": str(row["count"])} for row in content["statuses"]],
            },
        ),
        "counts-include-incomplete": contents(
            path_is(f"{ORDERS}/count"),
            lambda content: {
                **content,
                "statuses": [row for row in content["statuses"] if row["id"]],
            },
        ),
        "status-ids": contents(
            path_is("v2/order_statuses"),
            each(only_if(lambda row: row["id"] == 9, system_label="Packed")),
        ),
        "order-in-list-is-whole": contents(
            lambda path, query: is_one_order(path) and not query,
            lambda order: {**order, "staff_notes": "another"},
        ),
        "unknown-order-is-404": answers(is_unused, lambda answer: replace(answer, status=400)),
        "order-has-its-id": contents(
            lambda path, query: is_one_order(path) and not query,
            lambda order: {**order, "id": order["id"] + 1},
        ),
        "order-id": orders(lambda order: {**order, "id": str(order["id"])}),
        "status-id": orders(only_if(lambda order: order["status_id"] == 11, status_id=99)),
        "dates-can-be-parsed": field_of_orders("date_created", ""),
        "dates-are-rfc-2822": orders(
            lambda order: {**order, "date_created": iso(order["date_created"])}
        ),
        "modified-not-before-created": orders(only_if(is_newest, date_created=FUTURE)),
        "modified-not-in-the-future": orders(only_if(is_newest, date_modified=FUTURE)),
        "money-is-text": field_of_orders("total_inc_tax", 12.5),
        "channel-id": field_of_orders("channel_id", None),
        "is-deleted": field_of_orders("is_deleted", 0),
        "order-is-digital": field_of_orders("order_is_digital", 0),
        "shipping-address-count": field_of_orders("shipping_address_count", "1"),
        "items-total": field_of_orders("items_total", None),
        "items-shipped": orders(
            only_if(lambda order: not order["items_shipped"], items_shipped=None)
        ),
        "refunded-amount": orders(
            only_if(lambda order: not float(order["refunded_amount"]), refunded_amount=None)
        ),
        "discounts-of-an-order": field_of_orders("discount_amount", None),
        "lists-are-links": field_of_orders("coupons", []),
        "consignments-are-a-link": field_of_orders("consignments", {"shipping": []}),
        "embedded-in-a-list": contents(
            lambda path, query: is_embedded(path, query) and path == ORDERS,
            each(lambda order: {**order, "consignments": [order["consignments"]]}),
        ),
        "embedded-in-an-order": contents(
            lambda path, query: is_embedded(path, query) and path != ORDERS,
            lambda order: {**order, "consignments": [order["consignments"]]},
        ),
        "embedded-fees": embedded(lambda order: {**order, "fees": {"resource": "/fees"}}),
        "legacy-form-is-a-list": contents(
            lambda path, query: "include" in query and "consignment_structure" not in query,
            each(lambda order: {**order, "consignments": order["consignments"][0]}),
        ),
        "embedded-lines-are-full": embedded_lines(lambda line: without(line, "product_options")),
        "embedded-lines-are-the-same": embedded_lines(lambda line: {**line, "name": "another"}),
        "missing-lines-are-noticed": embedded(without_one_line),
        "cut-lines-have-a-warning": consignments(
            "shipping", lambda group: without(group, "__warning__")
        ),
        "embedded-addresses-are-the-same": consignments(
            "shipping", lambda group: {**group, "city": "another"}
        ),
        "consignment-has-the-address-id": consignments(
            "shipping", lambda group: {**group, "id": group["id"] + 1}
        ),
        "consignment-costs-are-numbers": consignments("shipping", as_text),
        "embedded-fees-are-the-same": embedded(
            lambda order: {**order, "fees": [{**fee, "name": "another"} for fee in order["fees"]]}
        ),
        "pickups-are-embedded": consignments("pickups", lambda group: without(group, "location")),
        "pickups-by-their-own-route": contents(list_named("consignments"), lambda form: [form]),
        "digital-lines-have-a-recipient": consignments(
            "downloads", lambda group: without(group, "recipient_email")
        ),
        "one-download": embedded(
            lambda order: {**order, "consignments": two_downloads(order["consignments"])}
        ),
        "coupons-show-in-the-order": where_empty("coupons", COUPON),
        "list-of-an-order-limit-250": queries(list_named("products"), limit=lambda n: 50),
        "list-of-an-order-default-limit-50": _without_default(list_named("products")),
        "page-past-the-end-is-204": answers(
            lambda path, query: list_named("products")(path, query) and query.get("page") == 4,
            lambda answer: with_content(answer, []),
        ),
        "empty-list-of-an-order-is-204": answers(
            list_named("coupons"),
            lambda answer: with_content(answer, []) if answer.status == 204 else answer,
        ),
        "members-have-an-id": members("coupons", lambda coupon: without(coupon, "id")),
        "members-name-their-order": members("coupons", lambda coupon: {**coupon, "order_id": 1}),
        "fees-are-bare": contents(list_named("fees"), lambda fees: {"fees": fees}),
        "addresses-are-counted": contents(
            list_named("shipping_addresses"), lambda rows: rows * 2 if len(rows) == 1 else rows
        ),
        "quantities-are-counted": orders(
            lambda order: {**order, "items_total": order["items_total"] + 1}
        ),
        "line-quantity": lines(only_if(lambda line: line["quantity"] == 2, quantity=None)),
        "line-types": lines(only_if(lambda line: line["type"] == "physical", type="bundle")),
        "line-pickup-method": lines(
            only_if(lambda line: not line["order_pickup_method_id"], order_pickup_method_id=None)
        ),
        "line-discounts-are-a-list": lines(
            only_if(lambda line: not line["applied_discounts"], applied_discounts=None)
        ),
        "shipped-lines-have-an-address": lines(
            only_if(lambda line: line["type"] == "physical", order_address_id=1)
        ),
        "discount-has-a-coupon": answers(list_named("coupons"), empty),
        "codes-are-of-coupons": members("coupons", lambda coupon: {**coupon, "code": "OTHER"}),
        "shipped-items-have-shipments": answers(list_named("shipments"), empty),
        "no-shipments-before-items-are-shipped": where_empty("shipments", SHIPMENT),
        "shipment-advances-date-modified": members(
            "shipments", lambda shipment: {**shipment, "date_created": FUTURE}
        ),
        "refunds-of-many-orders": refunds(lambda rows: [*rows, {**rows[0], "order_id": 1}]),
        "refunds-are-paged": contents(path_is(REFUNDS), without_pagination),
        "refunded-amount-has-refunds": refunds(lambda rows: []),
        "no-refunds-without-refunded-amount": refunds(
            lambda rows: [*rows, {**rows[0], "order_id": newest, "created": "2000-01-01"}]
        ),
        "refund-advances-date-modified": refunds(
            lambda rows: [{**row, "created": "2100-01-01"} for row in rows]
        ),
        "hooks-are-data": contents(path_is(HOOKS), lambda content: content["data"]),
        "hooks-are-paged": contents(path_is(HOOKS), without_pagination),
        "hook-has-its-fields": hooks(is_active=1),
        "hook-shows-its-headers": hooks(headers=[]),
        "hook-alone-is-data": contents(
            lambda path, query: path.startswith(f"{HOOKS}/") and path[-1].isdigit(),
            lambda content: content["data"],
        ),
        "account-shows-its-alerts": account(emails={}),
        "hook-has-a-state": account(hooks_list=[{"status": "paused"}]),
        "quota-headers": headers(
            lambda path, _: path.startswith("v2/"), X_Rate_Limit_Requests_Quota=None
        ),
        "quota-headers-of-v3": headers(path_is(HOOKS), X_Rate_Limit_Requests_Quota=None),
        "quota-headers-of-errors": answers(
            is_unused,
            lambda answer: replace(
                answer, headers=without(answer.headers, "X-Rate-Limit-Requests-Left")
            ),
        ),
        "window-of-30-s": headers(anything, X_Rate_Limit_Time_Window_Ms="120000"),
        "reset-within-the-window": headers(anything, X_Rate_Limit_Time_Reset_Ms="120000"),
        "left-is-of-the-quota": headers(anything, X_Rate_Limit_Requests_Quota="1"),
        "requests-are-counted": headers(anything, X_Rate_Limit_Requests_Left="100"),
        "requests-at-once": answers(
            path_is(ORDERS, "page", limit=1), lambda answer: replace(answer, status=429)
        ),
        "success-is-json": headers(
            lambda path, _: path.startswith("v2/"), Content_Type="text/html"
        ),
        "responses-are-dated": headers(anything, Date=None),
        "404-is-json": answers(is_unused, text),
        "errors-of-v2-are-an-array": answers(
            path_is(ORDERS, "no_such_parameter"), lambda answer: with_content(answer, {}, 400)
        ),
        "errors-of-v3-are-an-object": answers(
            path_is(f"{HOOKS}/999999999"), lambda answer: with_content(answer, [], 404)
        ),
    }


def _without_default(where: Callable[[str, Query], bool]) -> Flip:
    """Sends more than 50 members to a request without `limit`."""

    def flip(get: Get, path: str, query: Query) -> Answer:
        if where(path, query) and "limit" not in query:
            return get(path, {**query, "limit": 250})
        return get(path, query)

    return flip


WRITING: dict[str, Callable[[Trial], Trial]] = {
    "order-of-an-app-is-pending": trial(lambda order: {**order, "status_id": 11}, "created"),
    "unknown-field-is-400": trial_status("unknown_field", 200),
    "move-returns-the-order": trial(lambda order: {**order, "status_id": 1}, "put", "read"),
    "move-changes-nothing-else": trial(lambda o: {**o, "staff_notes": "another"}, "put", "read"),
    "move-advances-date-modified": without_new_date,
    "move-is-read-at-once": trial(lambda order: {**order, "staff_notes": "another"}, "read"),
    "move-is-listed-at-once": trial(lambda order: {**order, "status_id": 1}, "listed"),
    "new-shipment-advances-date-modified": without_new_shipment_date,
    "new-shipment-shows-in-items-shipped": trial(lambda o: {**o, "items_shipped": 0}, "shipped"),
    "new-shipment-is-listed-at-once": without_shipments,
    "order-is-archived": still_there,
    "deleted-order-is-not-listed": still_listed,
    "scope-shows-without-a-change": trial_status("order_0", 403),
}
"""A change for each fact about writing, by the fact's name."""
