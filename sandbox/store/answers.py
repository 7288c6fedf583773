"""Responses in the formats of BigCommerce: JSON as PHP writes it, and its three forms of errors."""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from http import HTTPStatus
from typing import Any

from werkzeug import Response

DECIMAL = re.compile(r'"\\u0000([^"]*)\\u0000"')


def render(value: object) -> bytes:
    """JSON as PHP writes it: ASCII only, slashes escaped, a Decimal as its own digits."""
    text = json.dumps(value, separators=(",", ":"), default=_marked)
    if "\\u0000" in text:
        text = DECIMAL.sub(r"\1", text)
    return text.replace("/", "\\/").encode()


def _marked(value: object) -> str:
    """The encoder accepts no raw text, so a Decimal becomes a marked string."""
    if isinstance(value, Decimal) and value.is_finite():
        return f"\0{value}\0"
    raise TypeError(f"{type(value).__name__} is not JSON")


def parse(body: bytes) -> Any:
    """JSON with every fraction as the exact Decimal."""
    return json.loads(body, parse_float=Decimal)


def json_response(value: object, status: int = 200) -> Response:
    return Response(render(value), status, content_type="application/json")


def no_content() -> Response:
    return Response(status=204)


def collection(items: list[Any]) -> Response:
    """A v2 collection: 204 without a body when the page is empty."""
    return json_response(items) if items else no_content()


def error(status: int, message: str, details: object = None) -> Response:
    """The array in which orders v2 reports errors."""
    row: dict[str, object] = {"status": status, "message": message}
    return json_response([row | {"details": details} if details else row], status)


def not_found() -> Response:
    return error(404, "The requested resource was not found.")


def not_allowed() -> Response:
    return error(405, "The requested method is not supported by this resource.")


def gateway_error(
    status: int, title: str | None = None, errors: Mapping[str, str] | None = None
) -> Response:
    """The object in which the gateway and v3 report errors."""
    kind = "https://developer.bigcommerce.com/api-docs/getting-started/api-status-codes"
    body = {"status": status, "title": title or phrase(status), "type": kind}
    return json_response({**body, "errors": dict(errors or {})}, status)


def html_page(status: int, title: str) -> Response:
    body = f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1>"
    return Response(f"{body}</body></html>\n", status, content_type="text/html; charset=utf-8")


def phrase(status: int) -> str:
    """The reason phrase of a status, also of one that HTTP does not define."""
    return HTTPStatus(status).phrase if status in set(HTTPStatus) else "Unknown"
