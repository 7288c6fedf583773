"""The store's strings, to be pulled over HTTP under /sandbox/ by those who do not write Python."""

import dataclasses
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sandbox.store.faults import Fault
from sandbox.store.rendering import NOT_FOUND, Answer, Request, error, ok, parse, render

if TYPE_CHECKING:
    from sandbox.store.store import Store

ORDER = re.compile(r"/sandbox/orders/(\d+)")


def answer(store: "Store", request: Request) -> Answer:
    """No token, no quota, no faults; 400 names what cannot be done."""
    path = urlsplit(request.target).path
    try:
        fields = parse(request.body) if request.body else {}
        if not isinstance(fields, dict):
            raise ValueError("the body must be a JSON object")
        if match := ORDER.fullmatch(path):
            return _order(store, request.method, int(match[1]), fields)
        deed = DEEDS.get(f"{request.method} {path}")
        return NOT_FOUND if deed is None else deed(store, fields)
    except (ValueError, TypeError, ArithmeticError) as exc:
        return error(400, str(exc))


def _order(store: "Store", method: str, order_id: int, fields: Mapping[str, Any]) -> Answer:
    if order_id not in store.order_ids():
        return NOT_FOUND
    if method == "PUT":
        _change(store, order_id, **fields)
    elif method == "DELETE":
        store.archive(order_id)
        return Answer(204)
    elif method != "GET":
        return NOT_FOUND
    return ok(store.whole(order_id))


def _change(
    store: "Store", order_id: int, *, status: int | None = None, fields: Any = None
) -> None:
    if status is not None:
        store.set_status(order_id, status)
    if fields is not None:
        store.edit(order_id, **fields)


def _place(store: "Store", fields: Mapping[str, Any]) -> Answer:
    created = fields.get("created")
    given = {**fields, "created": datetime.fromisoformat(created)} if created else fields
    return Answer(201, render({"id": store.place_order(**given)}))


def _add_fault(store: "Store", fields: Mapping[str, Any]) -> Answer:
    body = str(fields.get("body", "")).encode()
    store.faults.add(Fault(**{**fields, "body": body}))
    return Answer(201, render({"faults": store.faults.count}))


def _clear_faults(store: "Store", fields: Mapping[str, Any]) -> Answer:
    store.faults.clear()
    return Answer(204)


def _requests(store: "Store", fields: Mapping[str, Any]) -> Answer:
    with store.lock:
        return ok({"requests": dict(store.requests), "answers": dict(store.answers)})


def _status_changes(store: "Store", fields: Mapping[str, Any]) -> Answer:
    with store.lock:
        return ok([dataclasses.asdict(change) for change in store.status_changes])


DEEDS: dict[str, Callable[["Store", Mapping[str, Any]], Answer]] = {
    "POST /sandbox/orders": _place,
    "POST /sandbox/faults": _add_fault,
    "DELETE /sandbox/faults": _clear_faults,
    "GET /sandbox/requests": _requests,
    "GET /sandbox/status-changes": _status_changes,
}
