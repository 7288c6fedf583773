"""The routes of the API, and the handler of each."""

import re

from werkzeug import Request
from werkzeug.exceptions import NotFound
from werkzeug.routing import Map, Rule

from sandbox.store import hooks, reads, v3, writes
from sandbox.store.answers import gateway_error, not_allowed, not_found
from sandbox.store.call import Call, Handler
from sandbox.store.v3 import on_hooks

ORDER = "/v2/orders/<int:id>"
HOOKS = "/<any(v2, v3):version>/hooks"
V3 = "/<any(v3):version>"
ROUTES: dict[str, dict[str, Handler]] = {
    "/v2/time": {"GET": reads.get_time},
    "/v2/order_statuses": {"GET": reads.list_statuses},
    "/v2/order_statuses/<int:id>": {"GET": reads.get_status},
    "/v2/orders": {"GET": reads.list_orders, "POST": writes.post_order},
    "/v2/orders/count": {"GET": reads.count_orders},
    ORDER: {"GET": reads.get_order, "PUT": writes.put_order, "DELETE": writes.delete_order},
    f"{ORDER}/consignments": {"GET": reads.get_consignments},
    f"{ORDER}/<any(products, shipping_addresses, coupons):name>": {"GET": reads.list_sub_resource},
    f"{ORDER}/<any(shipments):name>": {
        "GET": reads.list_sub_resource,
        "POST": writes.post_shipment,
    },
    f"{ORDER}/<any(products, shipping_addresses, shipments):name>/<int:item>": {
        "GET": reads.get_item
    },
    f"{ORDER}/shipments/count": {"GET": reads.count_shipments},
    f"{ORDER}/<any(fees):name>": {"GET": reads.list_fees},
    f"{ORDER}/<any(messages):name>": {"GET": reads.list_messages},
    f"{ORDER}/taxes": {"GET": reads.list_taxes},
    f"{V3}/orders/payment_actions/refunds": {"GET": v3.list_refunds},
    f"{V3}/orders/<int:id>/payment_actions/refunds": {"GET": v3.list_order_refunds},
    f"{V3}/orders/<int:id>/transactions": {"GET": v3.list_transactions},
    HOOKS: {"GET": on_hooks(hooks.list_hooks), "POST": on_hooks(hooks.create_hook)},
    f"{V3}/hooks/admin": {"GET": on_hooks(hooks.admin), "PUT": on_hooks(hooks.change_admin)},
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
    bare, is_v3 = path[3:], path.startswith("/v3")
    try:
        endpoint, captured = MATCHER.match(path, request.method)
    except NotFound:
        answer = gateway_error(404) if is_v3 else not_found()
        return f"{request.method} other", Call(request, bare), lambda *_: answer
    name = re.sub(r"/\d+", "/{id}", bare)
    refused = gateway_error(405) if is_v3 else not_allowed()
    handler = ROUTES[endpoint].get(request.method, lambda *_: refused)
    return f"{request.method} {name}", Call(request, bare, **captured), handler
