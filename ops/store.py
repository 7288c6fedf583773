"""Requests to BigCommerce that only the operator makes, so they do not ship to Lambda.

Every function that sends a request raises StoreError and OutOfTime.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from chalicelib.consumer import neighbours
from chalicelib.domain.models import JsonObject, Order, UnreadableOrder, is_order_id
from chalicelib.edges.bigcommerce import (
    BigCommerce,
    MalformedResponse,
    NotFound,
    Rejected,
    StoreError,
    Unauthorized,
    Unavailable,
    UnexpectedResponse,
    api_time,
    read_data,
)
from chalicelib.edges.bigcommerce_hooks import Hook, Hooks, read_hook
from chalicelib.listing import Listing

T = TypeVar("T")


class UnservedOrder(Exception):
    """The store cannot serve one order; the text has the error."""


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


def chunks(members: Iterable[T], size: int) -> Iterator[list[T]]:
    """The members in lists of this size; the last one may be shorter."""
    rest = iter(members)
    while chunk := list(islice(rest, size)):
        yield chunk


def created(since: datetime, until: datetime) -> dict[str, str]:
    """The filters that list the orders created from `since` to `until`."""
    return {"min_date_created": api_time(since), "max_date_created": api_time(until)}


def ids_of(store: BigCommerce, filters: Mapping[str, str]) -> set[int]:
    """The ids of all orders that match the filters."""
    listing = Listing(store, filters)
    found = {int(fields["id"]) for page, _ in listing.pages(1) for fields in page}
    return found.union(listing.unserved)


def read_orders(store: BigCommerce, ids: Sequence[int]) -> dict[int, Order]:
    """Orders by id, as far as they can be read several in a request; the others are left out."""
    briefly = replace(store, retry=store.retry.new(total=1))
    wanted = set(ids)
    found: dict[int, Order] = {}
    for group in neighbours(ids):
        try:
            orders = briefly.orders_between(group[0], group[-1])
        except (MalformedResponse, Rejected, Unavailable):
            continue
        found |= {order.id: order for order in orders if order.id in wanted}
    return found


def read_order(store: BigCommerce, order_id: int) -> Order:
    """One order. Raises NotFound, and UnservedOrder if the store serves other requests."""
    try:
        return store.order(order_id)
    except (NotFound, Unauthorized):
        raise
    except (StoreError, UnreadableOrder) as error:
        raise unserved(store, error) from None


def unserved(store: BigCommerce, error: Exception) -> UnservedOrder:
    """The error of one order. Raises StoreError when the store serves no request at all."""
    store.counts()
    return UnservedOrder(f"{type(error).__name__}: {error}")


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


@dataclass(frozen=True)
class Administration:
    """What BigCommerce keeps about all hooks of the API account.

    `emails` are notified when a hook is deactivated. `blocked` are the domains to which callbacks
    are paused: `destination`, `time_left` in seconds.
    """

    emails: list[str]
    blocked: list[JsonObject]


def administration(hooks: Hooks) -> Administration:
    return hooks.store.request("GET", "hooks/admin", _administration)


def notify(hooks: Hooks, emails: Sequence[str]) -> None:
    """Replace the addresses that are notified."""
    body = {"emails": list(emails)}
    hooks.store.request("PUT", "hooks/admin", lambda content: content, body=body)


def _order_ids(content: Any) -> list[int]:
    orders: list[Any] = content if isinstance(content, list) else [None]
    if not all(isinstance(order, dict) and is_order_id(order.get("id")) for order in orders):
        raise UnexpectedResponse("an order without an id")
    return [int(order["id"]) for order in orders]


def _administration(content: Any) -> Administration:
    data = read_data(content)
    if not isinstance(data, dict):
        raise UnexpectedResponse("not the account's hooks")
    emails, domains = data.get("emails") or [], data.get("blocked_domains") or []
    return Administration(
        emails=[email for email in emails if isinstance(email, str)],
        blocked=[domain for domain in domains if isinstance(domain, dict)],
    )
