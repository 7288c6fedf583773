"""The part of BigCommerce's API that replication uses, and its errors.

    StoreError
    ├── Unauthorized       401, or 403 with a JSON body: the token is invalid or misses a scope
    ├── NotFound           404 with a JSON body: the order does not exist
    ├── Rejected           any other 4xx: retrying does not help
    ├── Unavailable        429, 5xx, a lost connection or a timeout, after all retries
    ├── MalformedResponse  a body that is not the expected JSON, after all retries
    │   └── Blocked        403 that is not JSON: a firewall in front of the API
    └── TooLate            the order was read too long ago to be moved without reading it again

Every call that may wait can also raise OutOfTime.
API reference: https://developer.bigcommerce.com/docs/rest-management
"""

import json
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from functools import partial
from http import HTTPStatus
from itertools import count
from typing import Any, NoReturn, Self, TypeVar

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import ConnectTimeout, RequestException
from urllib3.exceptions import MaxRetryError

from chalicelib.clock import Remaining
from chalicelib.domain.models import JsonObject, is_order_id
from chalicelib.edges.pacing import SHUTDOWN_MARGIN, OutOfTime, Pacer, StoreRetry
from chalicelib.edges.ssm import Secret

PAGE_SIZE = 250
"""BigCommerce's maximum page size for orders and sub-resources; its default is 50."""

USER_AGENT = "order-replication (BigCommerce orders into DynamoDB)"
RETRIED = frozenset({429, 500, 502, 503, 504, 520, 521, 522, 523, 524})
"""Responses that are retried; 520 to 524 come from the network in front of the API."""

NOT_PROCESSED = frozenset({429, 503})
"""Responses that mean the request had no effect. After 500, 502 and 504 the effect is unknown."""

logger = logging.getLogger(__name__)

T = TypeVar("T")


class StoreError(Exception):
    """A request failed. With `effect_unknown` it may have taken effect without a response."""

    effect_unknown = False


class Unauthorized(StoreError): ...


class NotFound(StoreError): ...


class Rejected(StoreError): ...


class Unavailable(StoreError): ...


class MalformedResponse(StoreError): ...


class Blocked(MalformedResponse): ...


class TooLate(StoreError): ...


class Usage:
    """Counts an invocation's requests, and how many of them got a 429 response."""

    def __init__(self) -> None:
        self.requests = 0
        self.throttled = 0
        self._lock = threading.Lock()

    def count(self, status: int | None) -> None:
        with self._lock:
            self.requests += 1
            self.throttled += status == HTTPStatus.TOO_MANY_REQUESTS

    def log(self) -> None:
        logger.info(
            "store requests",
            extra={
                "event": "store_requests",
                "requests": self.requests,
                "throttled": self.throttled,
            },
        )


@dataclass(frozen=True)
class BigCommerce:
    """The orders of a store. One per container; `within` adapts it to an invocation."""

    base_url: str
    access_token: Secret
    pacer: Pacer
    session: requests.Session
    retry: StoreRetry
    connect_within: float = 5.0
    answer_within: float = 30.0
    remaining: Remaining = lambda: float("inf")
    usage: Usage = field(default_factory=Usage)

    @classmethod
    def connect(
        cls, api_url: str, store_hash: str, access_token: Secret, pacer: Pacer, **options: Any
    ) -> Self:
        """A client with its own connection pool; sends nothing yet."""
        session = requests.Session()
        session.headers.update({"Accept": "application/json", "User-Agent": USER_AGENT})
        session.mount(api_url, HTTPAdapter(pool_maxsize=pacer.max_in_flight))
        # Proxies and certificates are read from the environment once, not for every request.
        found = session.merge_environment_settings(api_url, {}, None, None, None)
        session.proxies, session.verify = found["proxies"], found["verify"]
        session.trust_env = False
        return cls(
            base_url=f"{api_url}/stores/{store_hash}/v2",
            access_token=access_token,
            pacer=pacer,
            session=session,
            retry=StoreRetry(total=4, backoff_factor=0.5, backoff_max=30.0),
            **options,
        )

    def within(self, remaining: Remaining) -> Self:
        """This client for one invocation: its remaining time and its own request count."""
        return replace(self, remaining=remaining, usage=Usage())

    def counts(self) -> dict[int, int]:
        """The number of orders by status id, including Incomplete."""
        return self.request("GET", "orders/count", _counts)

    def list_orders(self, min_id: int, **filters: str | int) -> list[JsonObject]:
        """One page of orders with ids from `min_id` upwards, ascending, by BigCommerce's filters.

        A page with fewer than PAGE_SIZE members is the last. The next page is asked for by id, not
        by number: replication changes what the filters match, and page numbers would skip orders.
        """
        params = {"min_id": min_id, "sort": "id:asc", "limit": PAGE_SIZE, **filters}
        return self.request("GET", "orders", partial(_ascending, min_id), params)

    def orders(
        self,
        status_id: int,
        min_id: int,
        created_since: datetime,
        modified_since: datetime | None = None,
    ) -> list[JsonObject]:
        """One page of the orders of a status, as `list_orders` returns it."""
        filters = {"min_date_created": api_time(created_since)}
        if modified_since:
            filters["min_date_modified"] = api_time(modified_since)
        return self.list_orders(min_id, status_id=status_id, **filters)

    def orders_between(self, min_id: int, max_id: int) -> list[JsonObject]:
        """The orders with ids from `min_id` to `max_id`, at most PAGE_SIZE apart, of any status."""
        return self.list_orders(min_id, max_id=max_id)

    def order(self, order_id: int) -> JsonObject:
        """One order, with links in place of its sub-resources. Raises NotFound."""
        return self.request("GET", f"orders/{order_id}", partial(_this_order, order_id))

    def sub_resource(self, order_id: int, name: str) -> list[JsonObject]:
        """All pages of an order's `products`, `shipping_addresses` or `coupons`.

        A 404 raises Rejected, because it does not mean that the order does not exist.
        """
        members: list[JsonObject] = []
        last_page: list[JsonObject] | None = None
        for page in count(1):
            params = {"page": page, "limit": PAGE_SIZE}
            with _not_found_as_rejected():
                found = self.request(
                    "GET", f"orders/{order_id}/{name}", partial(_members, order_id), params
                )
            if found and found == last_page:
                raise MalformedResponse(
                    f"GET orders/{order_id}/{name} -> page {page} repeats the last"
                )
            members += found
            if len(found) < PAGE_SIZE:
                break
            last_page = found
        return members

    def set_status(
        self, order_id: int, status_id: int, fresh_for: Remaining = lambda: float("inf")
    ) -> None:
        """Set an order's status, as long as `fresh_for()` seconds remain.

        Only a request that had no effect is retried, and only within that time: later, or after a
        request that may have taken effect, a person may have changed the order. Raises TooLate
        when the time is over, and an error with `effect_unknown` when the effect is unknown.
        """
        fresh = replace(
            self, remaining=lambda: min(self.remaining(), fresh_for() + SHUTDOWN_MARGIN)
        )
        try:
            with _not_found_as_rejected():
                fresh.request(
                    "PUT",
                    f"orders/{order_id}",
                    partial(_moved_order, order_id, status_id),
                    body={"status_id": status_id},
                )
        except OutOfTime:
            if self.remaining() <= fresh_for() + SHUTDOWN_MARGIN:
                raise
            raise TooLate(f"PUT orders/{order_id}: the order was read too long ago") from None

    def request(
        self,
        method: str,
        path: str,
        read: Callable[[Any], T],
        params: Mapping[str, Any] | None = None,
        body: JsonObject | None = None,
    ) -> T:
        """Send a request, with retries, and return what `read` makes of the response's JSON.

        `read` raises UnexpectedResponse for a body it does not accept. A PUT whose effect is
        unknown is not retried.
        """
        tried = f"{method} {path}"
        retry, renewed = self.retry, False
        while True:
            answer = None
            try:
                answer = self._send(method, path, params, body)
                return read(_content(answer))
            except (UnexpectedResponse, RequestException) as failure:
                error = _store_error(tried, answer, failure)
                error.effect_unknown = method == "PUT" and _may_have_taken_effect(answer, failure)
            if isinstance(error, Unauthorized) and not renewed and self._may_pass_now(answer):
                renewed = True
                continue
            if error.effect_unknown or not isinstance(error, Unavailable | MalformedResponse):
                raise error from None
            retry = self._after_a_wait(retry, answer, error)

    def _may_pass_now(self, answer: requests.Response | None) -> bool:
        """Read the token again; whether the request may pass: with a new token, or after a 401.

        BigCommerce sends occasional 401 responses that the next request does not get.
        """
        renewed = self.access_token.renew()
        if answer is None:
            return False
        # Another request may have renewed the token before: compare with the one that was sent.
        sent = answer.request.headers["X-Auth-Token"]
        return renewed != sent or answer.status_code == HTTPStatus.UNAUTHORIZED

    def _send(
        self, method: str, path: str, params: Mapping[str, Any] | None, body: JsonObject | None
    ) -> requests.Response:
        token = self.access_token.value()
        status = None
        with self.pacer.slot(self.remaining):
            try:
                answer = self.session.request(
                    method,
                    f"{self.base_url}/{path}",
                    params=params,
                    json=body,
                    headers={"X-Auth-Token": token},
                    timeout=(self.connect_within, self._time_for_an_answer()),
                    allow_redirects=False,
                )
                status = answer.status_code
                self.pacer.observe(answer.headers)
            finally:
                self.usage.count(status)
        return answer

    def _time_for_an_answer(self) -> float:
        """Seconds to wait for a response, leaving time to return the batch's failures."""
        left = self.remaining() - SHUTDOWN_MARGIN / 2
        if left <= 0:
            raise OutOfTime(f"{self.remaining():.0f} s left")
        return min(self.answer_within, left)

    def _after_a_wait(
        self, retry: StoreRetry, answer: requests.Response | None, error: StoreError
    ) -> StoreRetry:
        """Wait for the next retry; returns the retries left. Raises `error` when there are none."""
        raw = None if answer is None else answer.raw
        try:
            retry = retry.increment(error=error)
        except MaxRetryError:
            raise error from None
        try:
            self.pacer.wait(retry.wait_after(raw), self.remaining)
        except OutOfTime:
            # Enough time is left for other requests: only this one has to wait too long.
            if self.remaining() > 2 * SHUTDOWN_MARGIN:
                raise error from None
            raise
        return retry


def api_time(moment: datetime) -> str:
    """A moment as BigCommerce's date filters take it: ISO 8601, whole seconds."""
    return moment.isoformat(timespec="seconds")


@contextmanager
def _not_found_as_rejected() -> Iterator[None]:
    try:
        yield
    except NotFound as error:
        raise Rejected(str(error)) from None


class UnexpectedResponse(Exception):
    """A response that is no success, or whose body is not the expected one."""


def _content(answer: requests.Response) -> Any:
    """The body's JSON with exact numbers; an empty list for 204, which BigCommerce uses for it."""
    if answer.status_code == HTTPStatus.NO_CONTENT:
        return []
    if answer.status_code not in (HTTPStatus.OK, HTTPStatus.CREATED):
        raise UnexpectedResponse
    try:
        return json.loads(answer.content, parse_float=Decimal, parse_constant=_no_constant)
    except ValueError:
        raise UnexpectedResponse("not JSON") from None


def _store_error(tried: str, answer: requests.Response | None, failure: Exception) -> StoreError:
    if answer is None:
        return Unavailable(f"{tried} -> {type(failure).__name__}")
    status = answer.status_code
    outcome = f"{tried} -> {status}"
    is_json = "json" in answer.headers.get("Content-Type", "")
    # A 403 that is not JSON comes from a firewall in front of the API and concerns one request.
    if status == HTTPStatus.UNAUTHORIZED or (status == HTTPStatus.FORBIDDEN and is_json):
        return Unauthorized(outcome)
    if status in RETRIED:
        return Unavailable(outcome)
    if status == HTTPStatus.NOT_FOUND and is_json:
        return NotFound(outcome)
    if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR and is_json:
        # Only logged: an exception's text is also written to e-mails and the Jobs table.
        logger.warning(
            "store rejected a request",
            extra={"event": "request_rejected", "error": outcome, "answer": answer.text[:200]},
        )
        return Rejected(outcome)
    if status == HTTPStatus.FORBIDDEN:
        return Blocked(f"{outcome}, not a response of the API")
    return MalformedResponse(f"{outcome}, {str(failure) or 'not a response of the API'}")


def _may_have_taken_effect(answer: requests.Response | None, failure: Exception) -> bool:
    if answer is None:
        return not isinstance(failure, ConnectTimeout)
    return (
        answer.ok
        or answer.status_code == HTTPStatus.REQUEST_TIMEOUT
        or (
            answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR
            and answer.status_code not in NOT_PROCESSED
        )
    )


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _objects(content: Any) -> list[JsonObject]:
    if not isinstance(content, list) or not all(isinstance(member, dict) for member in content):
        raise UnexpectedResponse("not a list of objects")
    return content


def _members(order_id: int, content: Any) -> list[JsonObject]:
    members = _objects(content)
    if any("id" not in member for member in members):
        raise UnexpectedResponse("a member without an id")
    if any(member.get("order_id", order_id) != order_id for member in members):
        raise UnexpectedResponse("members of another order")
    return members


def _ascending(min_id: int, content: Any) -> list[JsonObject]:
    orders = _objects(content)
    if not all(is_order_id(order.get("id")) for order in orders):
        raise UnexpectedResponse("an order without an id")
    ids: list[int] = [order["id"] for order in orders]
    # A listing that does not advance would not end.
    if ids != sorted(set(ids)) or (ids and ids[0] < min_id):
        raise UnexpectedResponse("orders not in ascending order")
    return orders


def _this_order(order_id: int, content: Any) -> JsonObject:
    if not isinstance(content, dict) or content.get("id") != order_id:
        raise UnexpectedResponse("not the requested order")
    return content


def _moved_order(order_id: int, status_id: int, content: Any) -> None:
    if _this_order(order_id, content).get("status_id") != status_id:
        raise UnexpectedResponse("the order is not in its new status")


def _counts(content: Any) -> dict[int, int]:
    """The counts that can be parsed; a poll records them and makes no decision by them."""
    if not isinstance(content, dict):
        raise UnexpectedResponse("not counts by status")
    return {
        status["id"]: status["count"]
        for status in _objects(content.get("statuses"))
        if isinstance(status.get("id"), int) and isinstance(status.get("count"), int)
    }
