"""The routes of the API, and the handler of each."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from werkzeug import Request, Response
from werkzeug.exceptions import NotFound
from werkzeug.routing import Map, Rule

from sandbox.store import hooks
from sandbox.store.answers import (
    collection,
    gateway_error,
    json_response,
    not_allowed,
    not_found,
    parse,
)
from sandbox.store.listing import BadField, include_query, order_query, page_query
from sandbox.store.shop import Shop
from sandbox.store.statuses import Status, count_by_status


@dataclass(frozen=True)
class Call:
    """A request to the API: `path` without the store's prefix, and what its route captures."""

    request: Request
    path: str
    version: str = "v2"
    id: int = 0
    name: str = ""
    stale: bool = False

    @property
    def query(self) -> dict[str, str]:
        return self.request.args.to_dict()


Handler = Callable[[Shop, Call], Response]


def list_orders(shop: Shop, call: Call) -> Response:
    query = order_query(call.query)
    ids = shop.book.page(query, stale=call.stale)
    return collection([_view(shop, call, n, query.consignments) for n in ids])


def count_orders(shop: Shop, call: Call) -> Response:
    """BigCommerce applies the filters of this route unreliably; here they have no effect."""
    order_query(call.query)
    return json_response(count_by_status(shop.book.counts()))


def get_order(shop: Shop, call: Call) -> Response:
    query = include_query(call.query)
    if not shop.shows(call.id):
        return not_found()
    return json_response(_view(shop, call, call.id, query.consignments))


def _view(shop: Shop, call: Call, order_id: int, consignments: bool) -> dict[str, Any]:
    order = shop.book.view(order_id, stale=call.stale)
    if consignments:
        order["consignments"] = shop.book.consignments(order_id)
    return order


def put_order(shop: Shop, call: Call) -> Response:
    """Accepts `status_id` only: the simulated store lets apps change nothing else."""
    if not shop.shows(call.id) or shop.book.version(call.id).archived:
        return not_found()
    status = _status_in(call.request.get_data(), shop.book.view(call.id))
    shop.move(call.id, status, by="api")
    return json_response(shop.book.view(call.id))


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


def list_sub_resource(shop: Shop, call: Call) -> Response:
    query = page_query(call.query)
    if not shop.shows(call.id):
        return not_found()
    items = shop.book.sub_resource(call.id, call.name)
    return collection(items[query.offset : query.offset + query.limit])


def get_consignments(shop: Shop, call: Call) -> Response:
    if not shop.shows(call.id):
        return not_found()
    return json_response(shop.book.consignments(call.id))


def get_time(shop: Shop, call: Call) -> Response:
    return json_response({"time": int(shop.clock.time())})


def on_hooks(change: Callable[..., hooks.Result]) -> Handler:
    """The handler for a function on webhooks: in the envelope of v3, or bare as in v2."""

    def handler(shop: Shop, call: Call) -> Response:
        try:
            fields = json.loads(call.request.get_data() or b"{}")
            result = change(shop.callbacks, call.id, call.query, fields)
        except hooks.Refused as exc:
            return gateway_error(exc.status, str(exc), exc.errors)
        except ValueError:
            return gateway_error(400, "The request body is not valid JSON.")
        if call.version == "v2":
            return collection([]) if result.data == [] else json_response(result.data)
        return json_response({"data": result.data, "meta": result.meta})

    return handler


HOOKS = "/<any(v2, v3):version>/hooks"
ROUTES: dict[str, dict[str, Handler]] = {
    "/v2/time": {"GET": get_time},
    "/v2/orders": {"GET": list_orders},
    "/v2/orders/count": {"GET": count_orders},
    "/v2/orders/<int:id>": {"GET": get_order, "PUT": put_order},
    "/v2/orders/<int:id>/consignments": {"GET": get_consignments},
    "/v2/orders/<int:id>/<any(products, shipping_addresses, coupons):name>": {
        "GET": list_sub_resource
    },
    HOOKS: {"GET": on_hooks(hooks.list_hooks), "POST": on_hooks(hooks.create_hook)},
    "/<any(v3):version>/hooks/admin": {"GET": on_hooks(hooks.admin)},
    f"{HOOKS}/<int:id>": {
        "GET": on_hooks(hooks.get_hook),
        "PUT": on_hooks(hooks.change_hook),
        "DELETE": on_hooks(hooks.delete_hook),
    },
}
MATCHER = Map([Rule(path, endpoint=path) for path in ROUTES], merge_slashes=False).bind("store")


def route(request: Request, path: str) -> tuple[str, Call, Handler]:
    """The route's name for statistics, the call, and its handler.

    `path` begins with the version: "/v2/orders/118".
    """
    bare = path[3:]
    try:
        endpoint, captured = MATCHER.match(path, request.method)
    except NotFound:
        return f"{request.method} other", Call(request, bare), lambda *_: not_found()
    name = re.sub(r"/\d+", "/{id}", bare)
    handler = ROUTES[endpoint].get(request.method, lambda *_: not_allowed())
    return f"{request.method} {name}", Call(request, bare, **captured), handler
