"""Requests to BigCommerce that only the operator makes, so they do not ship to Lambda.

Every function that sends a request raises StoreError and OutOfTime.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeAlias

from chalicelib.domain.models import JsonObject, Order, UnreadableOrder, is_order_id
from chalicelib.edges.bigcommerce import (
    PAGE_SIZE,
    BigCommerce,
    NotFound,
    Rejected,
    Unauthorized,
    UnexpectedResponse,
    api_time,
)
from chalicelib.edges.bigcommerce_hooks import Hook, Hooks, read_data, read_hook

PageFrom: TypeAlias = Callable[[int], list[JsonObject]]
"""Requests a page of orders with ids from the given one upwards."""


def pages(page_from: PageFrom, min_id: int = 1) -> Iterator[list[JsonObject]]:
    """The pages of a listing, ascending by id; every order is in exactly one."""
    while page := page_from(min_id):
        yield page
        if len(page) < PAGE_SIZE:
            return
        min_id = page[-1]["id"] + 1


def parse_order(fields: JsonObject) -> Order | None:
    """The order, or None when it is unreadable."""
    try:
        return Order.parse(fields)
    except UnreadableOrder:
        return None


def may_modify(store: BigCommerce) -> bool:
    """Whether the access token may change orders, checked without changing one.

    No endpoint returns the scopes of a token. Order 0 does not exist and a body without fields
    changes nothing, so only 401 and 403 mean that the token may not write. There is no retry,
    because a person waits for the answer.
    """
    once = replace(store, retry=store.retry.new(total=0))
    try:
        once.request("PUT", "orders/0", lambda content: content, body={})
    except Unauthorized:
        return False
    except (NotFound, Rejected):
        pass
    return True


def orders_created(store: BigCommerce, since: datetime, until: datetime) -> PageFrom:
    """Lists the orders created from `since` to `until`."""
    return lambda min_id: store.list_orders(
        min_id, min_date_created=api_time(since), max_date_created=api_time(until)
    )


def orders_billed_to(store: BigCommerce, email: str) -> PageFrom:
    """Lists the orders billed to an e-mail address."""
    return lambda min_id: store.list_orders(min_id, email=email)


def newest_order_id(store: BigCommerce) -> int | None:
    """The highest order id; None when the store has no orders."""
    ids = store.request("GET", "orders", _order_ids, {"sort": "id:desc", "limit": 1})
    return ids[0] if ids else None


def create_hook(hooks: Hooks, scope: str, destination: str, headers: Mapping[str, str]) -> Hook:
    """Register a hook. Raises Rejected when one of this scope and destination exists."""
    body = {"scope": scope, "destination": destination, "is_active": True, "headers": dict(headers)}
    return hooks.store.request("POST", "hooks", read_hook, body=body)


def delete_hook(hooks: Hooks, hook_id: int) -> None:
    hooks.store.request("DELETE", f"hooks/{hook_id}", read_data)


def blocked_domains(hooks: Hooks) -> list[JsonObject]:
    """Domains to which BigCommerce has paused callbacks: `destination`, `time_left` in seconds."""
    return hooks.store.request("GET", "hooks/admin", _blocked_domains)


def _order_ids(content: Any) -> list[int]:
    orders: list[Any] = content if isinstance(content, list) else [None]
    if not all(isinstance(order, dict) and is_order_id(order.get("id")) for order in orders):
        raise UnexpectedResponse("an order without an id")
    return [int(order["id"]) for order in orders]


def _blocked_domains(content: Any) -> list[JsonObject]:
    data = read_data(content)
    domains = data.get("blocked_domains") if isinstance(data, dict) else None
    return [domain for domain in domains or [] if isinstance(domain, dict)]
