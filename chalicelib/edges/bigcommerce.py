"""The part of BigCommerce's API that replication uses, and its errors.

    StoreError
    ├── Unauthorized       401, or 403 with a JSON body: the token is invalid or misses a scope
    ├── NotFound           404 with a JSON body: the order does not exist
    ├── Rejected           any other 4xx: retrying does not help
    ├── Unavailable        429, 5xx, a lost connection or a timeout, after all retries
    │   └── Unanswered     the last request got no response
    ├── MalformedResponse  a body that is not the expected JSON, after all retries
    │   └── Blocked        403 that is not JSON: a firewall in front of the API
    └── TooLate            the order was read too long ago to be moved without reading it again

Every call that may wait can also raise OutOfTime.
API reference: https://developer.bigcommerce.com/docs/rest-management
"""

import json
import logging
import math
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from http import HTTPStatus
from itertools import count
from typing import Any, NoReturn, Self, TypeVar

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import (
    ChunkedEncodingError,
    ConnectTimeout,
    ReadTimeout,
    RequestException,
)
from urllib3.exceptions import HTTPError, MaxRetryError, ProtocolError

from chalicelib.domain.models import (
    JsonObject,
    Order,
    UnreadableOrder,
    is_order_id,
    store_date,
)
from chalicelib.domain.parts import SILENT_LIMIT
from chalicelib.edges.pacing import SHUTDOWN_MARGIN, OutOfTime, Pacer, StoreRetry
from chalicelib.edges.ssm import Secret

PAGE_SIZE = 250
"""BigCommerce's maximum page size for orders and sub-resources; its default is 50."""

EMBEDDED = {
    "include": "consignments.line_items,fees",
    "consignment_structure": "object",
}
"""Asks for the lines, addresses and fees of each order in the same response; without the structure
BigCommerce still answers in a legacy form
(https://developer.bigcommerce.com/docs/rest-management/orders)."""

BRIEFLY = 10.0
"""Seconds for a response to a request that is tried twice: the same can be read in another way in
the time that is left."""

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


class Unanswered(Unavailable): ...


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
class Response:
    """A response whose body is read, and when it was requested, by this machine's clock."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    token: str = field(repr=False)
    requested_at: float
    took: float

    @property
    def is_json(self) -> bool:
        return "json" in self.headers.get("Content-Type", "")

    @property
    def times(self) -> dict[str, datetime]:
        """When the orders of the response were read and requested."""
        return {"read_at": self.read_at, "requested_at": _moment(self.requested_at)}

    @property
    def read_at(self) -> datetime:
        """When the store can have read what it sent, by its own clock, at the earliest."""
        try:
            sent = store_date(self.headers["Date"])
        except (KeyError, ValueError):
            return _moment(self.requested_at)
        return sent - timedelta(seconds=self.took)


@dataclass(frozen=True)
class BigCommerce:
    """The orders of a store. One per container; `within` adapts it to an invocation.

    No request is started shortly before the `deadline`, in epoch seconds, or once `given_up`.
    """

    base_url: str
    access_token: Secret
    pacer: Pacer
    session: requests.Session
    retry: StoreRetry
    connect_within: float = 5.0
    answer_within: float = 30.0
    deadline: float = math.inf
    given_up: threading.Event = field(default_factory=threading.Event)
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

    def within(self, deadline: float) -> Self:
        """This client for one invocation: its deadline and its own request count."""
        return replace(self, deadline=deadline, usage=Usage())

    def time_left(self) -> float:
        """Seconds until the deadline. Raises OutOfTime when requests were given up."""
        if self.given_up.is_set():
            raise OutOfTime("requests to the store were given up")
        return self.deadline - self.pacer.clock.time()

    def counts(self) -> dict[int, int]:
        """The number of orders by status id, including Incomplete."""
        return self.request("GET", "orders/count", _counts)

    def list_orders(
        self, min_id: int, *, limit: int = PAGE_SIZE, **filters: str | int
    ) -> list[JsonObject]:
        """One page of orders with ids from `min_id` upwards, ascending, by BigCommerce's filters.

        A page with fewer than `limit` members is the last. The next page is asked for by id, not
        by number: replication changes what the filters match, and page numbers would skip orders.
        """
        return self._list(min_id, limit, filters)[0]

    def orders_between(self, min_id: int, max_id: int, limit: int = PAGE_SIZE) -> list[Order]:
        """The first orders with ids from `min_id` to `max_id`, of any status.

        They come with their embedded lists, if the store can send them in time. An order that
        cannot be parsed is left out.
        """
        found, response = self._with_embedded_lists(
            lambda store, form: store._list(min_id, limit, {"max_id": max_id, **form})
        )
        orders = (Order.parse_or_none(fields, **response.times) for fields in found)
        return [order for order in orders if order]

    def _list(
        self, min_id: int, limit: int, filters: Mapping[str, str | int]
    ) -> tuple[list[JsonObject], Response]:
        params = {"min_id": min_id, "sort": "id:asc", "limit": limit, **filters}
        return self._ask("GET", "orders", partial(_ascending, min_id), params)

    def order(self, order_id: int) -> Order:
        """One order, with its embedded lists if the store can send them in time.

        Raises NotFound, and UnreadableOrder.
        """
        path, read = f"orders/{order_id}", partial(_this_order, order_id)
        fields, response = self._with_embedded_lists(
            lambda store, form: store._ask("GET", path, read, form)
        )
        return Order.parse(fields, **response.times)

    def _with_embedded_lists(self, ask: Callable[[Self, Mapping[str, str]], T]) -> T:
        """What `ask` returns for a request with EMBEDDED, or without if that is not answered."""
        try:
            return ask(replace(self, answer_within=BRIEFLY, retry=self.retry.new(read=1)), EMBEDDED)
        except (Rejected, Unanswered) as error:
            logger.warning(
                "embedded lists not sent",
                extra={"event": "embedded_not_sent", "error": str(error)},
            )
            return ask(self, {})

    def briefly(self) -> Self:
        """This client with a short time-out and one retry: the same can be read in another way."""
        return replace(self, answer_within=BRIEFLY, retry=self.retry.new(total=1))

    def part(self, order_id: int, name: str) -> list[JsonObject]:
        """All members of a list of an order, by the list's name in an item.

        A 404 raises Rejected, because it does not mean that the order does not exist.
        """
        return self._pages(self, f"orders/{order_id}/{name}", partial(_members, order_id))

    def refunds(self, order_ids: Iterable[int]) -> dict[int, list[JsonObject]]:
        """All refunds of several orders, by order id."""
        ids = frozenset(order_ids)
        filters = {"order_id:in": ",".join(map(str, sorted(ids)))}
        path, read = "orders/payment_actions/refunds", partial(_refunds, ids)
        refunds: dict[int, list[JsonObject]] = {order_id: [] for order_id in ids}
        for refund in self._pages(self.v3, path, read, filters):
            refunds[refund["order_id"]].append(refund)
        return refunds

    def consignments(self, order_id: int) -> JsonObject:
        """The consignments of an order without their lines; empty for a form without pickups.

        A 404 raises Rejected.
        """
        with _not_found_as_rejected():
            return self.request("GET", f"orders/{order_id}/consignments", _consignments)

    def _pages(
        self,
        api: "BigCommerce",
        path: str,
        read: Callable[[Any], list[JsonObject]],
        filters: Mapping[str, Any] | None = None,
    ) -> list[JsonObject]:
        members: list[JsonObject] = []
        last_page: list[JsonObject] | None = None
        for page in count(1):
            params = {**(filters or {}), "page": page, "limit": PAGE_SIZE}
            with _not_found_as_rejected():
                found = api.request("GET", path, read, params)
            if found and found == last_page:
                raise MalformedResponse(f"GET {path} -> page {page} repeats the last")
            members += found
            if len(found) < PAGE_SIZE and len(found) != SILENT_LIMIT:
                break
            last_page = found
        return members

    def set_status(self, order_id: int, status_id: int, fresh_until: float = math.inf) -> Order:
        """Set an order's status, not later than `fresh_until`, in epoch seconds; returns the order.

        Only a request that had no effect is retried, and only within that time: later, or after a
        request that may have taken effect, a person may have changed the order. Raises TooLate
        when the time is over, and an error with `effect_unknown` when the effect is unknown.
        """
        fresh = replace(self, deadline=min(self.deadline, fresh_until + SHUTDOWN_MARGIN))
        try:
            with _not_found_as_rejected():
                return fresh.request(
                    "PUT",
                    f"orders/{order_id}",
                    partial(_moved_order, order_id, status_id),
                    body={"status_id": status_id},
                )
        except OutOfTime:
            if self.given_up.is_set() or fresh.deadline == self.deadline:
                raise
            raise TooLate(f"PUT orders/{order_id}: the order was read too long ago") from None

    @property
    def v3(self) -> Self:
        """The same store through version 3 of the API."""
        return replace(self, base_url=self.base_url.removesuffix("/v2") + "/v3")

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
        return self._ask(method, path, read, params, body)[0]

    def _ask(
        self,
        method: str,
        path: str,
        read: Callable[[Any], T],
        params: Mapping[str, Any] | None = None,
        body: JsonObject | None = None,
    ) -> tuple[T, Response]:
        """As `request`, with the response as well."""
        tried = f"{method} {path}"
        retry, renewed = self.retry, False
        while True:
            answer = None
            try:
                answer = self._send(method, path, params, body)
                return read(_content(answer)), answer
            except (UnexpectedResponse, RequestException) as failure:
                error = _store_error(tried, answer, failure)
                error.effect_unknown = method == "PUT" and _may_have_taken_effect(answer, failure)
            if isinstance(error, Unauthorized) and not renewed and self._may_pass_now(answer):
                renewed = True
                continue
            if error.effect_unknown or not isinstance(error, Unavailable | MalformedResponse):
                raise error from None
            retry = self._after_a_wait(retry, answer, error)

    def _may_pass_now(self, answer: Response | None) -> bool:
        """Read the token again; whether the request may pass: with a new token, or after a 401.

        BigCommerce sends occasional 401 responses that the next request does not get.
        """
        renewed = self.access_token.renew()
        if answer is None:
            return False
        # Another request may have renewed the token before: compare with the one that was sent.
        return renewed != answer.token or answer.status == HTTPStatus.UNAUTHORIZED

    def _send(
        self, method: str, path: str, params: Mapping[str, Any] | None, body: JsonObject | None
    ) -> Response:
        token = self.access_token.value()
        status = None
        with self.pacer.slot(self.deadline):
            requested_at = self.pacer.clock.time()
            within = self._time_for_an_answer()
            try:
                with self.session.request(
                    method,
                    f"{self.base_url}/{path}",
                    params=params,
                    json=body,
                    headers={"X-Auth-Token": token},
                    timeout=(self.connect_within, within),
                    allow_redirects=False,
                    stream=True,
                ) as answer:
                    status = answer.status_code
                    took = self.pacer.clock.time() - requested_at
                    self.pacer.observe(answer.headers, took)
                    content = self._read(answer, requested_at + within)
            finally:
                self.usage.count(status)
        return Response(status, answer.headers, content, token, requested_at, took)

    def _read(self, answer: requests.Response, until: float) -> bytes:
        """The body. Raises ReadTimeout when it is not complete in time, however it trickles in."""
        chunks = []
        try:
            # `iter_content` returns a chunk only when it is full or the body has ended.
            while chunk := answer.raw.read1(64 * 1024, decode_content=True):
                chunks.append(chunk)
                if self.pacer.clock.time() > until:
                    raise ReadTimeout("the response was not complete in time")
        except HTTPError as error:
            raise ChunkedEncodingError(type(error).__name__) from None
        return b"".join(chunks)

    def _time_for_an_answer(self) -> float:
        """Seconds to wait for a response, leaving time to return the batch's failures."""
        left = self.time_left()
        if left <= SHUTDOWN_MARGIN / 2:
            raise OutOfTime(f"{left:.0f} s left")
        return min(self.answer_within, left - SHUTDOWN_MARGIN / 2)

    def _after_a_wait(
        self, retry: StoreRetry, answer: Response | None, error: StoreError
    ) -> StoreRetry:
        """Wait for the next retry; returns the retries left. Raises `error` when there are none."""
        try:
            # urllib3 has a budget of its own for requests without a response.
            no_response = ProtocolError() if isinstance(error, Unanswered) else None
            retry = retry.increment("GET", error=no_response or error)
        except MaxRetryError:
            raise error from None
        left = self.time_left()
        try:
            self.pacer.wait(retry.wait_after(answer), self.deadline)
        except OutOfTime:
            # Enough time is left for other requests: only this one has to wait too long.
            if left > 2 * SHUTDOWN_MARGIN:
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


def _content(answer: Response) -> Any:
    """The body's JSON with exact numbers; an empty list for 204, which BigCommerce uses for it."""
    if answer.status == HTTPStatus.NO_CONTENT:
        return []
    if answer.status not in (HTTPStatus.OK, HTTPStatus.CREATED):
        raise UnexpectedResponse
    try:
        return json.loads(answer.body, parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise UnexpectedResponse("not JSON") from None


def _store_error(tried: str, answer: Response | None, failure: Exception) -> StoreError:
    if answer is None:
        return Unanswered(f"{tried} -> {type(failure).__name__}")
    status, is_json = answer.status, answer.is_json
    outcome = f"{tried} -> {status}"
    # A 403 that is not JSON comes from a firewall in front of the API and concerns one request.
    if status == HTTPStatus.UNAUTHORIZED or (status == HTTPStatus.FORBIDDEN and is_json):
        return Unauthorized(outcome)
    if status in RETRIED:
        return Unavailable(outcome)
    if status == HTTPStatus.NOT_FOUND and is_json:
        return NotFound(outcome)
    if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR and is_json:
        title, fields = _complaint(answer)
        logger.warning(
            "store rejected a request",
            extra={
                "event": "request_rejected",
                "error": outcome,
                "title": title,
                "fields": fields,
            },
        )
        return Rejected(outcome)
    if status == HTTPStatus.FORBIDDEN:
        return Blocked(f"{outcome}, not a response of the API")
    return MalformedResponse(f"{outcome}, {str(failure) or 'not a response of the API'}")


def _complaint(answer: Response) -> tuple[str, list[str]]:
    """The title and the field names of an error, whose other texts may repeat personal data."""
    try:
        content = json.loads(answer.body)
    except (ValueError, RecursionError):
        return "", []
    error = content[0] if isinstance(content, list) and content else content
    if not isinstance(error, dict):
        return "", []
    fields = error.get("errors")
    return str(error.get("title", "")), sorted(fields) if isinstance(fields, dict) else []


def _may_have_taken_effect(answer: Response | None, failure: Exception) -> bool:
    if answer is None:
        return not isinstance(failure, ConnectTimeout)
    return (
        answer.status < HTTPStatus.BAD_REQUEST
        or answer.status == HTTPStatus.REQUEST_TIMEOUT
        or (
            answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR and answer.status not in NOT_PROCESSED
        )
    )


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _objects(content: Any) -> list[JsonObject]:
    if not isinstance(content, list) or not all(isinstance(member, dict) for member in content):
        raise UnexpectedResponse("not a list of objects")
    return content


def _members(order_id: int, content: Any) -> list[JsonObject]:
    """The members of a list. BigCommerce documents fees both as a list and as an object with it."""
    if isinstance(content, dict) and content.keys() == {"fees"}:
        content = content["fees"]
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


def _moved_order(order_id: int, status_id: int, content: Any) -> Order:
    if _this_order(order_id, content).get("status_id") != status_id:
        raise UnexpectedResponse("the order is not in its new status")
    try:
        return Order.parse(content)
    except UnreadableOrder as error:
        raise UnexpectedResponse(str(error)) from None


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _refunds(order_ids: Collection[int], content: Any) -> list[JsonObject]:
    refunds = [] if content == [] else _objects(read_data(content))
    if any("id" not in refund for refund in refunds):
        raise UnexpectedResponse("a member without an id")
    if any(refund.get("order_id") not in order_ids for refund in refunds):
        raise UnexpectedResponse("members of another order")
    return refunds


def _consignments(content: Any) -> JsonObject:
    if not isinstance(content, dict):
        return {}
    _objects(content.get("pickups") or [])  # raises if they are not objects
    return content


def read_data(content: Any) -> Any:
    """The `data` of a v3 response."""
    if not isinstance(content, dict) or "data" not in content:
        raise UnexpectedResponse("no data")
    return content["data"]


def _counts(content: Any) -> dict[int, int]:
    """The counts that can be parsed; a poll records them and makes no decision by them."""
    if not isinstance(content, dict):
        raise UnexpectedResponse("not counts by status")
    return {
        status["id"]: status["count"]
        for status in _objects(content.get("statuses"))
        if isinstance(status.get("id"), int) and isinstance(status.get("count"), int)
    }
