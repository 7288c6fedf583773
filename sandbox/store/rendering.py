"""Requests, answers, and the text that BigCommerce would put into them."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from http import HTTPStatus
from typing import Any

DECIMAL = re.compile(r'"\\u0000([^"]*)\\u0000"')


def render(value: object) -> bytes:
    """JSON as PHP writes it: ASCII only, slashes escaped, a Decimal as its own digits."""
    text = json.dumps(value, separators=(",", ":"), default=_marked)
    if "\\u0000" in text:
        text = DECIMAL.sub(r"\1", text)
    return text.replace("/", "\\/").encode()


def _marked(value: object) -> str:
    """The encoder takes no bare text, so a Decimal goes in as a marked string."""
    if isinstance(value, Decimal) and value.is_finite():
        return f"\0{value}\0"
    raise TypeError(f"{type(value).__name__} is not JSON")


def parse(body: bytes) -> Any:
    """JSON with every fraction as the exact Decimal."""
    return json.loads(body, parse_float=Decimal)


@dataclass(frozen=True)
class Request:
    """One request. `wait` returns when the client has left, the store stops or a minute is over."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    wait: Callable[[], None]


@dataclass(frozen=True)
class Answer:
    """What goes back over the wire. With `cut` half of the body is sent and the line closed."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False


def phrase(status: int) -> str:
    """The reason phrase; statuses that only some servers know have one too."""
    return HTTPStatus(status).phrase if status in set(HTTPStatus) else "Unknown"


HANG_UP = None
"""In place of an answer: the connection closes and nothing is said."""


def ok(value: object) -> Answer:
    return Answer(200, render(value))


def listed(items: list[Any]) -> Answer:
    """A v2 collection: 204 without a body when there is nothing on the page."""
    return ok(items) if items else Answer(204)


def error(status: int, message: str, details: object = None) -> Answer:
    """The array in which orders v2 reports errors."""
    row: dict[str, object] = {"status": status, "message": message}
    return Answer(status, render([row | {"details": details} if details else row]))


NOT_FOUND = error(404, "The requested resource was not found.")
NOT_ALLOWED = error(405, "The requested method is not supported by this resource.")


def gateway_error(
    status: int, title: str, errors: Mapping[str, str] | None = None, headers: Any = None
) -> Answer:
    """The object in which the gateway and v3 report errors."""
    kind = "https://developer.bigcommerce.com/api-docs/getting-started/api-status-codes"
    body = {"status": status, "title": title, "type": kind, "errors": dict(errors or {})}
    return Answer(status, render(body), headers=headers or {})


def page_for_people(status: int, title: str) -> Answer:
    body = f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1>"
    return Answer(status, f"{body}</body></html>\n".encode(), "text/html; charset=utf-8")
