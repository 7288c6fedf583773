"""The store's control API under /sandbox/: orders, faults and statistics, without a token."""

import dataclasses
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from werkzeug import Request, Response

from sandbox.store.answers import error, json_response, no_content, not_found, parse
from sandbox.store.api import Api
from sandbox.store.faults import KINDS, Fault, Faults
from sandbox.store.shop import Shop

Fields = dict[str, Any]


@dataclass(frozen=True)
class Control:
    """What the control API reads and changes; it needs no token, uses no quota and never fails."""

    shop: Shop
    faults: Faults
    api: Api
    more: "list[Route]" = field(default_factory=list)
    """Routes for what is around the store, such as AWS."""

    def answer(self, request: Request) -> Response:
        """The response to a request; 400 names an invalid field."""
        if request.method == "GET" and request.path.rstrip("/") in ("", "/sandbox"):
            return Response(
                index(request.host_url, self.more), content_type="text/plain; charset=utf-8"
            )
        route = next((route for route in (*ROUTES, *self.more) if route.matches(request)), None)
        if route is None:
            return not_found()
        try:
            fields = parse(request.get_data() or b"{}")
            if not isinstance(fields, dict):
                raise ValueError("the body must be a JSON object")
            if order_id := re.search(r"\d+", request.path):
                return route.handler(self, int(order_id[0]), fields)
            return route.handler(self, fields)
        except (KeyError, StopIteration):
            return not_found()
        except (ValueError, TypeError, ArithmeticError) as exc:
            return error(400, str(exc))

    def place_order(self, fields: Fields) -> Response:
        """Place an order; the fields are those of Shop.place_order."""
        if created := fields.get("created"):
            fields = {**fields, "created": datetime.fromisoformat(created)}
        return json_response({"id": self.shop.place_order(**fields)}, 201)

    def get_order(self, order_id: int, _: Fields) -> Response:
        """Return an order with its complete sub-resources."""
        return json_response(self.shop.whole(order_id))

    def change_order(self, order_id: int, fields: Fields) -> Response:
        """Set the status of an order, or edit other fields, as the merchant."""
        if unknown := fields.keys() - {"status", "fields"}:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
        if "status" in fields:
            self.shop.set_status(order_id, fields["status"])
        if "fields" in fields:
            self.shop.edit(order_id, **fields["fields"])
        return json_response({"id": order_id, "status": self.shop.book.version(order_id).status})

    def archive_order(self, order_id: int, _: Fields) -> Response:
        """Archive an order."""
        self.shop.archive(order_id)
        return no_content()

    def act(self, action: str, order_id: int, fields: Fields) -> Response:
        fields = {name: _by_line(value) for name, value in fields.items()}
        result = getattr(self.shop, action)(order_id, **fields)
        return json_response({"id": order_id, "result": result})

    def add_fault(self, fields: Fields) -> Response:
        """Schedule a fault."""
        self.faults.add(Fault(**{**fields, "body": str(fields.get("body", "")).encode()}))
        return json_response({"faults": self.faults.count}, 201)

    def clear_faults(self, _: Fields) -> Response:
        """Remove all faults."""
        self.faults.clear()
        return no_content()

    def statistics(self, _: Fields) -> Response:
        """Return how often each route was requested and each status was answered."""
        with self.shop.working():
            return json_response(
                {"requests": dict(self.api.requests), "answers": dict(self.api.answers)}
            )

    def status_changes(self, _: Fields) -> Response:
        """Return every change of an order's status."""
        with self.shop.working():
            return json_response([dataclasses.asdict(c) for c in self.shop.status_changes])


@dataclass(frozen=True)
class Route:
    """A route of the control API; its handler's docstring and `example` are shown in the index."""

    method: str
    path: str
    handler: Callable[..., Response]
    example: str = ""

    def matches(self, request: Request) -> bool:
        pattern = self.path.replace("{id}", r"\d+")
        return request.method == self.method and bool(re.fullmatch(pattern, request.path))


def _by_line(value: Any) -> Any:
    """Quantities by the ids of lines, which JSON has as text."""
    return {int(k): v for k, v in value.items()} if isinstance(value, dict) else value


ACTIONS = {
    "add_line": ("Add a line.", '{"price": "3.00"}'),
    "change_line": ("Change a line.", '{"line_id": 1000000, "quantity": 3}'),
    "remove_line": ("Remove a line.", '{"line_id": 1000000}'),
    "change_address": ("Change a shipping address.", '{"city": "Lyon"}'),
    "add_coupon": ("Add a coupon.", '{"code": "SAVE"}'),
    "add_fee": ("Add a fee.", '{"name": "Packaging"}'),
    "add_message": ("Write to the customer.", '{"text": "On its way"}'),
    "pay": ("Pay for an order.", ""),
    "ship": ("Ship an order, all of it or `items`, quantities by line.", ""),
    "change_shipment": ("Change a shipment.", '{"shipment_id": 1, "tracking_number": "T1"}'),
    "delete_shipment": ("Delete a shipment.", '{"shipment_id": 1}'),
    "refund": ("Refund an order, all of it, an `amount` or `items`.", '{"amount": "1.00"}'),
}
"""What people do to an order over the control API: methods of the shop."""


def _action(name: str) -> Callable[..., Response]:
    """The handler of an action, with its description."""

    def handler(control: Control, order_id: int, fields: Fields) -> Response:
        return control.act(name, order_id, fields)

    handler.__doc__ = ACTIONS[name][0]
    return handler


ROUTES = (
    Route("POST", "/sandbox/orders", Control.place_order, '{"kind": "mixed"}'),
    Route("GET", "/sandbox/orders/{id}", Control.get_order),
    Route("PUT", "/sandbox/orders/{id}", Control.change_order, '{"status": 11}'),
    *(
        Route("POST", f"/sandbox/orders/{{id}}/{name}", _action(name), example)
        for name, (_, example) in ACTIONS.items()
    ),
    Route("DELETE", "/sandbox/orders/{id}", Control.archive_order),
    Route("POST", "/sandbox/faults", Control.add_fault, '{"route": "GET /orders", "kind": "html"}'),
    Route("DELETE", "/sandbox/faults", Control.clear_faults),
    Route("GET", "/sandbox/requests", Control.statistics),
    Route("GET", "/sandbox/status-changes", Control.status_changes),
)


def index(url: str, more: Sequence[Route] = ()) -> str:
    """The routes and the kinds of faults, each with an example, as plain text."""
    lines = ["A simulated BigCommerce store. Its control API:", ""]
    for route in (*ROUTES, *more):
        lines += [route.handler.__doc__ or "", _curl(url, route.method, route.path, route.example)]
    lines += [
        "",
        "Kinds of faults. `route` is a pattern over METHOD /path; the fault applies to the",
    ]
    lines += [
        "next matching call, or with `times` to the next so many (null: to all). With `embedded`",
        "true only calls with the query parameter `include` match.",
        "",
    ]
    for kind, (effect, example) in KINDS.items():
        fields = ", ".join(filter(None, ['"route": "GET /orders*"', f'"kind": "{kind}"', example]))
        lines += [f"{kind}: {effect}", _curl(url, "POST", "/sandbox/faults", f"{{{fields}}}")]
    return "\n".join(lines) + "\n"


def _curl(url: str, method: str, path: str, body: str) -> str:
    target = url.rstrip("/") + path.replace("{id}", "100")
    return f"  curl -X {method} {target}" + (f" -d '{body}'" if body else "")
