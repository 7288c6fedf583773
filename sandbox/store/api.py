"""The store's API over HTTP: token, quota and faults are checked before the handler runs."""

import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from hmac import compare_digest

from werkzeug import Request, Response

from sandbox.store.answers import error, gateway_error, html_page, not_found, phrase
from sandbox.store.faults import Fault, Faults
from sandbox.store.listing import BadField
from sandbox.store.ratelimit import RateLimit
from sandbox.store.routes import Call, Handler, route
from sandbox.store.serving import wait_until_closed
from sandbox.store.shop import Shop

JSON_ERRORS = (400, 404, 409, 422)
"""Statuses that the orders API itself reports; the gateway reports every other."""


class Api:
    """The API of one store. `token` returns the valid access token, or None while it is revoked."""

    def __init__(
        self,
        shop: Shop,
        limit: RateLimit,
        faults: Faults,
        token: Callable[[], str | None],
        latency: float,
    ) -> None:
        self._shop, self._limit, self._faults = shop, limit, faults
        self._token, self._latency = token, latency
        self._lock = shop.lock
        self._prefix = re.compile(rf"/stores/{re.escape(shop.store_hash)}(/v[23]/.*)")
        self.requests: Counter[str] = Counter()
        self.answers: Counter[int] = Counter()

    def answer(self, request: Request) -> Response | None:
        """The response to a request; None closes the connection without one."""
        response = self._answer(request)
        if response is not None:
            with self._lock:
                self.answers[response.status_code] += 1
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
            fault = self._faults.strike(f"{request.method} {call.path}", self._shop.clock.time())
        if fault is not None:
            return self._answer_with_fault(call, handler, fault)
        return self._with_limits(self._handle(call, handler))

    def _refusal(self, request: Request) -> Response | None:
        """A request without the valid token uses no quota."""
        token, given = self._token(), request.headers.get("X-Auth-Token", "")
        with self._lock:
            if token is None or not compare_digest(given.encode(), token.encode()):
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
            with self._lock:
                return handler(self._shop, call)
        except BadField as exc:
            return error(400, str(exc), exc.details)

    def _answer_with_fault(self, call: Call, handler: Handler, fault: Fault) -> Response | None:
        if fault.kind == "hang":
            wait_until_closed(call.request)
        if fault.kind in ("hang", "drop_before"):
            return None
        if fault.kind == "slow":
            self._shop.clock.sleep(fault.seconds)
        elif fault.kind == "status":
            return self._failed(fault)
        elif fault.kind == "html":
            return self._with_limits(html_page(fault.status, "Something went wrong"))
        elif fault.kind == "body":
            return self._with_limits(Response(fault.body, content_type="application/json"))
        elif fault.kind == "missing":
            return self._with_limits(not_found())
        response = self._handle(replace(call, stale=fault.kind == "stale"), handler)
        if fault.kind == "drop_after":
            return None
        return self._with_limits(_cut(response) if fault.kind == "cut" else response)

    def _failed(self, fault: Fault) -> Response:
        status = fault.status
        make = error if status in JSON_ERRORS else gateway_error
        response = make(status, phrase(status))
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
