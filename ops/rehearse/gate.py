"""Lets only reads of one store leave the process, whatever the code behind it tries to send."""

import re
import threading
from collections import Counter
from typing import Any
from urllib.parse import urlsplit

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter

from chalicelib.edges.bigcommerce import BigCommerce

READ = r"v2/orders(?:/count|/[0-9]+|/[0-9]+/products)?|v3/hooks(?:/admin)?"
"""What a rehearsal reads, by its path after that of the store."""

OVERRIDES = ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override")
"""Headers by which some servers take a request for one of another method."""


class Refused(Exception):
    """A request was not sent, because it is no read of this store."""


class ReadOnly(HTTPAdapter):
    """Sends GET requests for the paths in `read` of one store, and refuses all others.

    `sent` counts what was sent by its method.
    """

    def __init__(self, api_url: str, store_hash: str, read: str = READ) -> None:
        super().__init__()
        url = urlsplit(api_url)
        self._host = (url.scheme, url.netloc)
        root = re.escape(f"{url.path}/stores/{store_hash}/")
        self._paths = re.compile(f"{root}(?:{read})")
        self.sent: Counter[str] = Counter()
        self._counting = threading.Lock()

    def send(self, request: PreparedRequest, *args: Any, **options: Any) -> Response:
        """Raises Refused before a connection is made."""
        if reason := self.why_refused(request):
            # The query is left out: no message of the program repeats what was asked for.
            where = (request.url or "").partition("?")[0]
            raise Refused(f"{request.method} {where} was not sent: {reason}")
        with self._counting:
            self.sent[str(request.method)] += 1
        return super().send(request, *args, **options)

    def why_refused(self, request: PreparedRequest) -> str | None:
        """Why a request is not sent; None for one that is."""
        url = urlsplit(request.url or "")
        if request.method != "GET":
            return "it sends GET requests only"
        if request.body or any(name in request.headers for name in OVERRIDES):
            return "it sends no body and no other method in a header"
        if not self.is_this_host(request):
            return "another host than that of the store's API"
        if not self._paths.fullmatch(url.path):
            return "a path that it does not read"
        return None

    def is_this_host(self, request: PreparedRequest) -> bool:
        url = urlsplit(request.url or "")
        return (url.scheme, url.netloc) == self._host


def put_before(store: BigCommerce, gate: ReadOnly) -> None:
    """Let every request of a store's client pass the gate.

    A redirect is a request of its own, and passes the gate or not like any other.
    """
    store.session.adapters.clear()
    # The beginning of every URL, so that there is no way around it.
    store.session.mount("", gate)
