"""The store's HTTP face: who may ask, how often, and what goes wrong on the way to the deed."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sandbox.store.faults import Fault
from sandbox.store.listing import BadField
from sandbox.store.rendering import (
    HANG_UP,
    NOT_ALLOWED,
    NOT_FOUND,
    Answer,
    Request,
    error,
    gateway_error,
    page_for_people,
    phrase,
)
from sandbox.store.routes import Call, Deed, route_of

if TYPE_CHECKING:
    from sandbox.store.store import Store

STORE_PATH = re.compile(r"/stores/([^/]+)/(v[23])(/.*)")


def answer(store: "Store", request: Request) -> Answer | None:
    """The answer to a request of the API; None closes the connection without one."""
    match = STORE_PATH.fullmatch(urlsplit(request.target).path)
    if match is None or match[1] != store.store_hash:
        return page_for_people(404, "404 Not Found")
    call, deeds = route_of(request, match[2], match[3])
    store.clock_in(call.route)
    if (refused := _refuse(store, request)) is not None:
        return refused
    with store.lock:
        fault = store.faults.strike(f"{request.method} {call.path}", store.clock.time())
    if fault is not None:
        return _answer_with_fault(store, call, deeds, fault)
    return _with_limits(store, _do(store, call, deeds))


def _refuse(store: "Store", request: Request) -> Answer | None:
    """A request without the right token costs no quota."""
    with store.lock:
        if not store.admits(request.headers.get("X-Auth-Token")):
            return _with_limits(store, gateway_error(401, "Unauthorized"))
        if not store.limit.take():
            return _throttled(store)
    return None


def _throttled(store: "Store") -> Answer:
    with store.lock:
        store.limit.count_throttled()
        headers = store.limit.headers(exhausted=True)
    return gateway_error(429, "Too many requests", headers=headers)


def _with_limits(store: "Store", given: Answer) -> Answer:
    with store.lock:
        return replace(given, headers={**store.limit.headers(), **given.headers})


def _do(store: "Store", call: Call, deeds: Mapping[str, Deed]) -> Answer:
    deed = deeds.get(call.request.method)
    if deed is None:
        return NOT_ALLOWED if deeds else NOT_FOUND
    try:
        with store.lock:
            return deed(store, call)
    except BadField as exc:
        return error(400, str(exc), exc.details)


def _answer_with_fault(
    store: "Store", call: Call, deeds: Mapping[str, Deed], fault: Fault
) -> Answer | None:
    if fault.kind == "hang":
        call.request.wait()
    if fault.kind in ("hang", "drop_before"):
        return HANG_UP
    if fault.kind == "slow":
        store.clock.sleep(fault.seconds)
    if fault.kind == "status":
        return _failed(store, fault)
    instead = {
        "html": page_for_people(fault.status, "Something went wrong"),
        "body": Answer(200, fault.body),
        "missing": NOT_FOUND,
    }.get(fault.kind)
    given = instead or _do(store, replace(call, stale=fault.kind == "stale"), deeds)
    if fault.kind == "drop_after":
        return HANG_UP
    if fault.kind == "cut":
        given = replace(given, status=200, body=given.body or b"[]", cut=True)
    return _with_limits(store, given)


def _failed(store: "Store", fault: Fault) -> Answer:
    given = gateway_error(fault.status, phrase(fault.status))
    if fault.status in (400, 404, 409, 422):
        given = error(fault.status, phrase(fault.status))
    if fault.status == 429:
        given = replace(given, headers=_throttled(store).headers)
    if fault.headers:
        given = _with_limits(store, given)
    extra = {} if fault.retry_after is None else {"X-Retry-After": str(fault.retry_after)}
    return replace(given, headers={**(given.headers if fault.headers else {}), **extra})
