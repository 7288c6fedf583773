"""Reads a store: the one interface between the checks and the API."""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from http import HTTPStatus
from typing import Any, Protocol

from requests.exceptions import RequestException
from urllib3.exceptions import MaxRetryError

from chalicelib.domain.models import JsonObject, objects
from chalicelib.edges.bigcommerce import RETRIED, BigCommerce, Unauthorized, Unavailable
from chalicelib.edges.pacing import StoreRetry

Query = Mapping[str, str | int]


@dataclass(frozen=True)
class Answer:
    """A response, with the name of its request: `GET v2/orders`."""

    name: str
    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def is_ok(self) -> bool:
        return self.status in (HTTPStatus.OK, HTTPStatus.CREATED)

    @property
    def is_json(self) -> bool:
        return "json" in self.headers.get("Content-Type", "")

    @cached_property
    def content(self) -> Any:
        """The JSON with exact numbers; None for a body that is none."""
        try:
            return json.loads(self.body, parse_float=Decimal)
        except (ValueError, RecursionError):
            return None

    @property
    def members(self) -> list[JsonObject]:
        """The objects of a list, bare or as the `data` of v3; none of an error."""
        content = self.content if self.is_ok else None
        return objects(content.get("data") if isinstance(content, dict) else content)

    @property
    def object(self) -> JsonObject:
        """The body that is an object; empty for every other."""
        return self.content if self.is_ok and isinstance(self.content, dict) else {}


class Source(Protocol):
    """Reads a store. `path` comes after that of the store: `v2/orders/118`."""

    def get(self, path: str, query: Query, *, token: str | None = None) -> Answer:
        """The response to a GET, with another access token if one is given.

        Raises Unavailable after all retries, Unauthorized for the store's own token, OutOfTime.
        """
        ...

    def at_once(self, path: str, queries: Sequence[Query]) -> list[Answer]:
        """The responses to GETs that are in flight together, each sent once.

        Raises Unavailable when one has no response, and OutOfTime.
        """
        ...


@dataclass(frozen=True)
class StoreSource:
    """A source that reads the store through the session and the pacer of its client.

    Responses are not judged here, because an error can be what a fact is about. No error contains
    the token, a query, or what the store sent.
    """

    store: BigCommerce

    def get(self, path: str, query: Query, *, token: str | None = None) -> Answer:
        retry: StoreRetry = self.store.retry.new(total=3)
        renewed = False
        while True:
            answer, error = self._tried(path, query, token)
            if answer and answer.status == HTTPStatus.UNAUTHORIZED and token is None:
                if renewed:
                    raise Unauthorized(f"{answer.name} -> {answer.status}")
                # BigCommerce sends occasional 401 responses that the next request does not get.
                renewed = True
                continue
            if answer and answer.status not in RETRIED:
                return answer
            try:
                retry = retry.increment("GET", error=error)
            except MaxRetryError:
                raise error from None
            self.store.pacer.wait(retry.wait_after(answer), self.store.deadline)

    def _tried(
        self, path: str, query: Query, token: str | None
    ) -> tuple[Answer | None, Unavailable]:
        name = f"GET {path}"
        try:
            answer = self.send("GET", path, query, token=token)
        except RequestException as failure:
            return None, Unavailable(f"{name} -> {type(failure).__name__}")
        return answer, Unavailable(f"{name} -> {answer.status}")

    def at_once(self, path: str, queries: Sequence[Query]) -> list[Answer]:
        """As Source. The requests count towards the share of the quota like all others."""
        store = self.store
        for _ in queries:
            with store.pacer.slot(store.deadline):
                """Waits until the share has room for one more."""
        token = store.access_token.value()
        with ThreadPoolExecutor(len(queries)) as threads:
            sent = [
                threads.submit(self._send, "GET", path, query, None, token) for query in queries
            ]
        try:
            return [each.result() for each in sent]
        except RequestException as failure:
            raise Unavailable(f"GET {path} -> {type(failure).__name__}") from None

    def send(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        *,
        body: JsonObject | None = None,
        token: str | None = None,
    ) -> Answer:
        """Send one request, without a retry. Raises RequestException and OutOfTime."""
        store = self.store
        with store.pacer.slot(store.deadline):
            return self._send(method, path, query, body, token or store.access_token.value())

    def _send(
        self, method: str, path: str, query: Query | None, body: JsonObject | None, token: str
    ) -> Answer:
        store = self.store
        root = store.base_url.removesuffix("/v2")
        began = store.pacer.clock.time()
        answer = store.session.request(
            method,
            f"{root}/{path}",
            params=query,
            json=body,
            headers={"X-Auth-Token": token},
            timeout=(store.connect_within, store.answer_within),
            allow_redirects=False,
        )
        store.pacer.observe(answer.headers, store.pacer.clock.time() - began)
        return Answer(f"{method} {path}", answer.status_code, answer.headers, answer.content)
