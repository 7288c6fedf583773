"""Answers of the store that are no success, and what tests check of a request."""

from collections.abc import Callable
from typing import Any

import requests
import responses

from chalicelib.edges.bigcommerce import BigCommerce

TOKEN = "an-access-token-of-the-store"
NOT_FOUND = [{"status": 404, "message": "The requested resource was not found."}]
HTML: Any = {"body": "<html><title>502</title></html>", "content_type": "text/html"}
FORBIDDEN: Any = {"status": 403, "json": {"status": 403, "title": "Forbidden"}}
LOST = requests.ConnectionError("Connection aborted.")

Make = Callable[..., BigCommerce]
"""Makes a client of a secret and options."""


def url(web: responses.RequestsMock, call: int = 0) -> str:
    return str(web.calls[call].request.url)


def assert_waits_grew(sleeps: list[float], tries: int = 5) -> None:
    """Half a second, doubled with every try, each off by a half at the most."""
    assert len(sleeps) == tries - 1
    for n, seconds in enumerate(sleeps):
        assert 0.25 * 2**n <= seconds <= 0.75 * 2**n
