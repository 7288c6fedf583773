"""The store's API over HTTP: token, quota and faults are checked before the handler runs."""

import re
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from hmac import compare_digest

from werkzeug import Request, Response

from sandbox.store.answers import error, gateway_error, html_page, not_found, phrase
from sandbox.store.call import Call, Handler, Unservable
from sandbox.store.faults import Fault, Faults
from sandbox.store.listing import BadField
from sandbox.store.ratelimit import RateLimit
from sandbox.store.routes import route
from sandbox.store.serving import wait_until_closed
from sandbox.store.shop import Shop

JSON_ERRORS = (400, 404, 409, 422)
"""Statuses that the orders API itself reports; the gateway reports every other."""
MESSAGES = {
    403: "You don't have a required scope to access the endpoint",
    409: "Quantities of one or more products are out of stock or did not meet quantity "
    "requirements.",
}

RECENT = 50
"""Answers that are kept to be shown."""


@dataclass(frozen=True)
class Answered:
    """A request without its query, when it was answered by the clock, and the status of the answer.

    `status` is None when the connection was closed without an answer.
    """

    at: float
    request: str
    status: int | None


class Api:
    """The API of one store. `token` returns the valid access token, or the status that is answered
    while there is none; clients give up after `patience` seconds by the clock (None: never)."""

    def __init__(
        self,
        shop: Shop,
        limit: RateLimit,
        faults: Faults,
        token: Callable[[], str | int],
        latency: float,
        patience: float | None = None,
    ) -> None:
        self._shop, self._limit, self._faults = shop, limit, faults
        self._token, self._latency, self._patience = token, latency, patience
        self._lock = shop.lock
        self._prefix = re.compile(rf"/stores/{re.escape(shop.store_hash)}(/v[23]/.*)")
        self.requests: Counter[str] = Counter()
        self.answers: Counter[int] = Counter()
        self.recent: deque[Answered] = deque(maxlen=RECENT)

    def answer(self, request: Request) -> Response | None:
        """The response to a request; None closes the connection without one."""
        response = self._answer(request)
        status = None if response is None else response.status_code
        path = request.path.removeprefix(f"/stores/{self._shop.store_hash}")
        with self._lock:
            now = self._shop.clock.time()
            self.recent.append(Answered(now, f"{request.method} {path}", status))
            if status is not None:
                self.answers[status] += 1
        return response

    def _answer(self, request: Request) -> Response | None:
        match = self._prefix.fullmatch(request.path)
        if match is None:
            return html_page(404, "404 Not Found")
        name, call, handler = route(request, match[1])
        with self._lock:
            self.requests[name] += 1
        if self._latency:
            time.sleep(self._latency)
        if (refusal := self._refusal(request)) is not None:
            return refusal
        with self._lock:
            now = self._shop.clock.time()
            fault, content = self._faults.strike(
                f"{request.method} {call.path}", now, embedded=bool(request.args.get("include"))
            )
        call = replace(call, faults=content)
        if fault is not None:
            return self._answer_with_fault(call, handler, fault)
        return self._with_limits(self._handle(call, handler))

    def _refusal(self, request: Request) -> Response | None:
        """A request without the valid token uses no quota."""
        token, given = self._token(), request.headers.get("X-Auth-Token", "")
        with self._lock:
            if isinstance(token, int):
                return self._with_limits(gateway_error(token, MESSAGES.get(token)))
            if not compare_digest(given.encode(), token.encode()):
                return self._with_limits(gateway_error(401))
            if not self._limit.take():
                self._limit.count_throttled()
                return self._with_limits(gateway_error(429, "Too many requests"), exhausted=True)
        return None

    def _with_limits(self, response: Response, *, exhausted: bool = False) -> Response:
        with self._lock:
            response.headers.update(self._limit.headers(exhausted=exhausted))
        return response

    def _handle(self, call: Call, handler: Handler) -> Response:
        try:
            with self._shop.working():
                return handler(self._shop, call)
        except BadField as exc:
            return error(400, str(exc), exc.details)
        except Unservable:
            return gateway_error(500)

    def _answer_with_fault(self, call: Call, handler: Handler, fault: Fault) -> Response | None:
        if fault.kind in ("hang", "drop_before"):
            self._wait_in_vain(call, fault)
            return None
        if fault.kind in ("slow", "late", "drip"):
            return self._answer_slowly(call, handler, fault)
        if (response := self._instead(fault)) is not None:
            return response
        if fault.kind == "before" and fault.act:
            fault.act()
        if fault.kind == "stale":
            call = replace(call, faults=(*call.faults, fault))
        response = self._handle(call, handler)
        if fault.kind == "drop_after":
            return None
        return self._with_limits(_cut(response) if fault.kind == "cut" else response)

    def _wait_in_vain(self, call: Call, fault: Fault) -> None:
        if fault.kind == "hang" and self._patience is None:
            wait_until_closed(call.request)
        elif fault.kind == "hang":
            self._shop.clock.sleep(self._patience or 0)

    def _answer_slowly(self, call: Call, handler: Handler, fault: Fault) -> Response | None:
        """Without an answer, once the client has given up."""
        is_lost = (
            fault.kind != "drip" and self._patience is not None and fault.seconds >= self._patience
        )
        wait = self._patience or 0 if is_lost else fault.seconds
        if fault.kind == "slow":
            if is_lost:
                self._shop.delay(fault.seconds, lambda: self._handle(call, handler))
            self._shop.clock.sleep(wait)
            return None if is_lost else self._with_limits(self._handle(call, handler))
        response = self._handle(call, handler)
        if fault.act:
            fault.act()
        self._shop.clock.sleep(wait)
        return None if is_lost else self._with_limits(response)

    def _instead(self, fault: Fault) -> Response | None:
        """What a fault answers without running the handler."""
        if fault.kind == "status":
            return self._failed(fault)
        if fault.kind == "html":
            return self._with_limits(html_page(fault.status, "Something went wrong"))
        if fault.kind == "body":
            return self._with_limits(Response(fault.body, content_type="application/json"))
        return self._with_limits(not_found()) if fault.kind == "missing" else None

    def _failed(self, fault: Fault) -> Response:
        status = fault.status
        make = error if status in JSON_ERRORS else gateway_error
        response = make(status, MESSAGES.get(status, phrase(status)))
        if status == 429:
            with self._lock:
                self._limit.count_throttled()
        if fault.headers:
            self._with_limits(response, exhausted=status == 429)
        if fault.retry_after is not None:
            response.headers["X-Retry-After"] = str(fault.retry_after)
        return response


def _cut(response: Response) -> Response:
    """Half of the body under the Content-Length of all of it."""
    body = response.get_data() or b"[]"
    response.status_code = 200
    response.set_data(body[: len(body) // 2])
    response.content_length = len(body)
    return response
