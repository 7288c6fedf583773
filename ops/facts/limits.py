"""Facts about the quota, errors, and what every response has."""

from collections.abc import Iterator
from http import HTTPStatus
from itertools import pairwise

from chalicelib.domain.models import number
from chalicelib.edges.pacing import LONGEST_WINDOW
from ops.facts.evidence import WRONG_TOKEN, Evidence
from ops.facts.fact import Case, Topic
from ops.facts.kinds import is_number, parsed_date
from ops.facts.source import Answer

QUOTA = Topic("Quota")
ERRORS = Topic("Responses and errors")

LEFT, RESET = "X-Rate-Limit-Requests-Left", "X-Rate-Limit-Time-Reset-Ms"
TOTAL, WINDOW = "X-Rate-Limit-Requests-Quota", "X-Rate-Limit-Time-Window-Ms"
SERIES = 5
"""Responses from which on a series shows whether requests are counted."""

HEADERS = (LEFT, RESET, TOTAL, WINDOW)


def _stated(store: Evidence) -> Iterator[Answer]:
    """The successful responses of v2 that state the quota."""
    for answer in store.answers:
        if answer.status < HTTPStatus.BAD_REQUEST and LEFT in answer.headers:
            yield answer


@QUOTA.fact(
    "quota-headers",
    "Every response of v2 states the quota, what is left of it, and when it is renewed.",
    "waiting before the quota is used up",
    unit="response",
    setting="MAX_IN_FLIGHT",
)
def quota_headers(store: Evidence) -> Iterator[Case]:
    _ = store.pages
    for answer in store.answers:
        if answer.status < HTTPStatus.BAD_REQUEST and " v2/" in answer.name:
            yield [name for name in HEADERS if not is_number(answer.headers.get(name))]


@QUOTA.fact(
    "quota-headers-of-v3",
    "Responses of v3 state the quota as well.",
    "sharing one quota between orders, refunds and webhooks",
    unit="response",
    setting="MAX_IN_FLIGHT",
)
def quota_headers_v3(store: Evidence) -> Iterator[Case]:
    answer = store.get("v3/hooks", {"page": 1, "limit": 250})
    if answer.status < HTTPStatus.BAD_REQUEST:
        yield [name for name in HEADERS if not is_number(answer.headers.get(name))]


@QUOTA.fact(
    "quota-headers-of-errors",
    "Responses with a status of 400 or 404 state the quota as well.",
    "the simulator; a response without it is ignored",
    unit="response",
    relied_on=False,
)
def quota_headers_of_errors(store: Evidence) -> Iterator[Case]:
    yield LEFT in store.get(f"v2/orders/{store.unused_id}").headers


@QUOTA.fact(
    "window-of-30-s",
    "A window of the quota is 30 seconds, and at most 60.",
    "waiting for the next window instead of getting 429 responses",
    unit="response",
    setting="MAX_IN_FLIGHT",
)
def window(store: Evidence) -> Iterator[Case]:
    for answer in _stated(store):
        if is_number(answer.headers.get(WINDOW)):
            yield 0 < number(answer.headers[WINDOW]) <= LONGEST_WINDOW * 1000


@QUOTA.fact(
    "reset-within-the-window",
    "The quota is renewed within a window's length.",
    "waiting for the next window instead of getting 429 responses",
    unit="response",
    setting="MAX_IN_FLIGHT",
)
def reset(store: Evidence) -> Iterator[Case]:
    for answer in _stated(store):
        if is_number(answer.headers.get(RESET)):
            yield 0 <= number(answer.headers[RESET]) <= LONGEST_WINDOW * 1000


@QUOTA.fact(
    "left-is-of-the-quota",
    "What is left is at most the quota.",
    "waiting before the quota is used up",
    unit="response",
    setting="MAX_IN_FLIGHT",
)
def left_of_quota(store: Evidence) -> Iterator[Case]:
    for answer in _stated(store):
        if is_number(answer.headers.get(TOTAL)):
            yield number(answer.headers[LEFT]) <= number(answer.headers[TOTAL])


@QUOTA.fact(
    "requests-are-counted",
    "What is left goes down from response to response, except when a new window begins.",
    "waiting before the quota is used up",
    unit="series",
    setting="MAX_IN_FLIGHT",
)
def counted(store: Evidence) -> Iterator[Case]:
    left = [number(answer.headers[LEFT]) for answer in _stated(store)]
    falls = [after < before for before, after in pairwise(left)]
    # A few responses may be those of different windows.
    if len(falls) > SERIES:
        yield falls.count(True) > len(falls) / 2


@QUOTA.fact(
    "requests-at-once",
    "Five requests that are in flight at once are all answered, none with 429.",
    "reading several orders at a time",
    unit="request",
    setting="MAX_IN_FLIGHT",
)
def at_once(store: Evidence) -> Iterator[Case]:
    if store.orders:
        yield from (answer.status < HTTPStatus.BAD_REQUEST for answer in store.parallel)


@ERRORS.fact(
    "success-is-json",
    "A response with a body has a content type of JSON.",
    "telling the API from a firewall in front of it",
    unit="response",
)
def success_is_json(store: Evidence) -> Iterator[Case]:
    _ = store.pages
    for answer in store.answers:
        if answer.status == HTTPStatus.OK and " v2/" in answer.name:
            yield answer.is_json


@ERRORS.fact(
    "responses-are-dated",
    "Every response has the header `Date`.",
    "knowing how old an order is; without it the time of this machine is used",
    unit="response",
    relied_on=False,
)
def responses_are_dated(store: Evidence) -> Iterator[Case]:
    _ = store.pages
    for answer in store.answers:
        yield parsed_date(answer.headers.get("Date")) is not None


@ERRORS.fact(
    "404-is-json",
    "A 404 of an order is JSON.",
    "telling an order that does not exist from a wrong address",
    unit="response",
)
def not_found_is_json(store: Evidence) -> Iterator[Case]:
    answer = store.get(f"v2/orders/{store.unused_id}")
    if answer.status == HTTPStatus.NOT_FOUND:
        yield answer.is_json and answer.content is not None


@ERRORS.fact(
    "errors-of-v2-are-an-array",
    "An error of v2 is an array of objects with `status` and `message`.",
    "the simulator; the service decides by the status alone",
    unit="response",
    relied_on=False,
)
def v2_errors(store: Evidence) -> Iterator[Case]:
    answer = store.get("v2/orders", {"no_such_parameter": 1, "limit": 1})
    if answer.status == HTTPStatus.BAD_REQUEST:
        errors = answer.content if isinstance(answer.content, list) else [{}]
        for error in errors:
            yield [name for name in ("status", "message") if name not in error]


@ERRORS.fact(
    "errors-of-v3-are-an-object",
    "An error of v3 is an object with `status` and `title`.",
    "the simulator, and the title that is logged",
    unit="response",
    relied_on=False,
)
def v3_errors(store: Evidence) -> Iterator[Case]:
    answer = store.get("v3/hooks/999999999")
    if answer.status == HTTPStatus.NOT_FOUND:
        error = answer.content if isinstance(answer.content, dict) else {}
        yield [name for name in ("status", "title") if name not in error]


@ERRORS.fact(
    "wrong-token-is-401",
    "A wrong access token is answered 401.",
    "the alarm about an invalid token",
    unit="request",
)
def wrong_token(store: Evidence) -> Iterator[Case]:
    answer = store.get("v2/orders/count", token=WRONG_TOKEN)
    yield answer.status == HTTPStatus.UNAUTHORIZED
