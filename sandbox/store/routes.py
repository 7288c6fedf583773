"""The routes of the API, and the deed behind each."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from sandbox.store import hooks
from sandbox.store.listing import BadField, include_query, order_query, page_query
from sandbox.store.rendering import (
    NOT_FOUND,
    Answer,
    Request,
    gateway_error,
    listed,
    ok,
    parse,
    render,
)
from sandbox.store.statuses import Status, count_by_status

if TYPE_CHECKING:
    from sandbox.store.store import Store


@dataclass(frozen=True)
class Call:
    """A request on its way to the deed: `path` without the store's prefix, `id` of the path."""

    request: Request
    version: str
    path: str
    route: str
    id: int = 0
    stale: bool = False

    @property
    def query(self) -> dict[str, str]:
        text = urlsplit(self.request.target).query
        return dict(parse_qsl(text, keep_blank_values=True))


Deed = Callable[["Store", Call], Answer]


def list_orders(store: "Store", call: Call) -> Answer:
    query = order_query(call.query)
    ids = store.book.page(query, stale=call.stale)
    return listed([_shown(store, call, n, query.consignments) for n in ids])


def count_orders(store: "Store", call: Call) -> Answer:
    """The filters of this route are unreliable live; here they are read and have no effect."""
    order_query(call.query)
    return ok(count_by_status(store.book.counts()))


def get_order(store: "Store", call: Call) -> Answer:
    query = include_query(call.query)
    if not store.shows(call.id):
        return NOT_FOUND
    return ok(_shown(store, call, call.id, query.consignments))


def _shown(store: "Store", call: Call, order_id: int, consignments: bool) -> dict[str, Any]:
    order = store.book.view(order_id, stale=call.stale)
    if consignments:
        order["consignments"] = store.book.consignments(order_id)
    return order


def put_order(store: "Store", call: Call) -> Answer:
    """Takes the status and nothing else: this is all that the simulated store lets apps change."""
    if not store.shows(call.id) or store.book.version(call.id).archived:
        return NOT_FOUND
    status = _status_in(call.request.body, store.book.view(call.id))
    store.move(call.id, status, by="api")
    return ok(store.book.view(call.id))


def _status_in(body: bytes, order: Mapping[str, Any]) -> Status:
    try:
        fields = parse(body)
    except ValueError as exc:
        raise BadField("The request body is not valid JSON.") from exc
    if not isinstance(fields, dict) or not fields:
        raise BadField("The required field 'status_id' was not supplied.")
    for name in fields.keys() - {"status_id"}:
        if name not in order or name in ("status", "custom_status"):
            raise BadField.unsupported(name)
        raise BadField(
            f"The field '{name}' cannot be written to. "
            "Please remove it from your request before trying again."
        )
    number = fields["status_id"]
    if type(number) is not int or number not in set(Status):
        raise BadField.invalid("status_id", "No such status.")
    return Status(number)


def list_sub_resource(store: "Store", call: Call) -> Answer:
    query = page_query(call.query)
    if not store.shows(call.id):
        return NOT_FOUND
    items = store.book.sub_resource(call.id, call.path.rsplit("/", 1)[1])
    return listed(items[query.offset : query.offset + query.limit])


def get_consignments(store: "Store", call: Call) -> Answer:
    if not store.shows(call.id):
        return NOT_FOUND
    return ok(store.book.consignments(call.id))


def get_time(store: "Store", call: Call) -> Answer:
    return ok({"time": int(store.clock.time())})


def hooks_deed(deed: Callable[..., hooks.Outcome]) -> Deed:
    """A deed on webhooks, in the envelope of v3 or bare as in v2."""

    def answered(store: "Store", call: Call) -> Answer:
        try:
            fields = json.loads(call.request.body or b"{}")
            outcome = deed(store.callbacks, call.id, {**call.query}, fields)
        except hooks.Refused as exc:
            return gateway_error(exc.status, str(exc), exc.errors)
        except ValueError:
            return gateway_error(400, "The request body is not valid JSON.")
        if call.version == "v2":
            return listed(outcome.data) if outcome.data == [] else ok(outcome.data)
        return Answer(200, render({"data": outcome.data, "meta": outcome.meta}))

    return answered


@dataclass(frozen=True)
class Route:
    pattern: re.Pattern[str]
    name: str
    deeds: Mapping[str, Deed]
    versions: tuple[str, ...] = field(default=("v2",))


ROUTES = (
    Route(re.compile("/time"), "/time", {"GET": get_time}),
    Route(re.compile("/orders/count"), "/orders/count", {"GET": count_orders}),
    Route(re.compile("/orders"), "/orders", {"GET": list_orders}),
    Route(re.compile(r"/orders/(\d+)"), "/orders/{id}", {"GET": get_order, "PUT": put_order}),
    Route(
        re.compile(r"/orders/(\d+)/(products|shipping_addresses|coupons)"),
        "/orders/{id}/{}",
        {"GET": list_sub_resource},
    ),
    Route(
        re.compile(r"/orders/(\d+)/consignments"),
        "/orders/{id}/consignments",
        {"GET": get_consignments},
    ),
    Route(
        re.compile("/hooks"),
        "/hooks",
        {"GET": hooks_deed(hooks.list_hooks), "POST": hooks_deed(hooks.create_hook)},
        ("v2", "v3"),
    ),
    Route(re.compile("/hooks/admin"), "/hooks/admin", {"GET": hooks_deed(hooks.admin)}, ("v3",)),
    Route(
        re.compile(r"/hooks/(\d+)"),
        "/hooks/{id}",
        {
            "GET": hooks_deed(hooks.get_hook),
            "PUT": hooks_deed(hooks.change_hook),
            "DELETE": hooks_deed(hooks.delete_hook),
        },
        ("v2", "v3"),
    ),
)


def route_of(request: Request, version: str, path: str) -> tuple[Call, Mapping[str, Deed]]:
    for route in ROUTES:
        match = route.pattern.fullmatch(path)
        if match and version in route.versions:
            number = int(match[1]) if match.groups() else 0
            name = route.name.format(*match.groups()[1:], id="{id}")
            return Call(request, version, path, f"{request.method} {name}", number), route.deeds
    return Call(request, version, path, f"{request.method} other"), {}
