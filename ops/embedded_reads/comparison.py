"""Compares the embedded lists of a store's newest orders with the lists that are requested."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from chalicelib.domain.embedded import doubt_about
from chalicelib.domain.models import Order
from chalicelib.edges.bigcommerce import EMBEDDED, BigCommerce, NotFound, UnexpectedResponse
from chalicelib.reading import Reader


@dataclass
class Comparison:
    """What was found. `differing` has the names of the fields in which an order differs, by its id;
    `not_used` counts, by the reason, orders that are read list by list in any case."""

    equal: int = 0
    differing: dict[int, list[str]] = field(default_factory=dict)
    not_used: Counter[str] = field(default_factory=Counter)

    @property
    def orders(self) -> int:
        return self.equal + len(self.differing) + self.not_used.total()

    @property
    def is_proof(self) -> bool:
        """Whether orders were compared and all of them are the same both ways."""
        return self.equal > 0 and not self.differing

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "orders": self.orders,
            "equal": self.equal,
            "differing": {str(order_id): names for order_id, names in self.differing.items()},
            "not_used": dict(sorted(self.not_used.items())),
        }


def compare(reader: Reader, count: int, progress: Callable[[], None]) -> Comparison:
    """Read the newest orders both ways. Raises StoreError and OutOfTime."""
    found = Comparison()
    for order in newest_orders(reader.store, count):
        if doubt := doubt_about(order):
            found.not_used[doubt] += 1
        else:
            _compare(reader, order, found)
        progress()
    return found


def newest_orders(store: BigCommerce, count: int) -> list[Order]:
    """The newest orders with their embedded lists, at most 250; unreadable ones are left out."""
    params = {"sort": "id:desc", "limit": count, **EMBEDDED}
    return store.request("GET", "orders", lambda content: list(_orders(content)), params)


def _orders(content: Any) -> Iterator[Order]:
    if not isinstance(content, list) or not all(isinstance(each, dict) for each in content):
        raise UnexpectedResponse("not a list of orders")
    for fields in content:
        if order := Order.parse_or_none(fields):
            yield order


def _compare(reader: Reader, order: Order, found: Comparison) -> None:
    try:
        names = reader.differences(order)
    except NotFound:
        return
    if names:
        found.differing[order.id] = names
    else:
        found.equal += 1
