"""Requests to the store per order, by route, against the fewest with which the API can be done."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from benchmarks.figures import Figure
from benchmarks.stage import PLENTY
from sandbox.stack import Aws
from sandbox.store import Store
from sandbox.store.clock import SimulatedClock
from sandbox.store.statuses import Status
from sandbox.world import World

PAGE = 250
"""Members of a page of the store's, at the most."""

LEAN = {"SKIP_COUPONS_WITHOUT_DISCOUNT": "true"}
PLAIN_ORDER = {"coupons": 0}

ROUTES = {
    "GET /orders/count": "count",
    "GET /orders": "lists",
    "GET /orders/{id}": "single reads",
    "GET /orders/{id}/products": "products",
    "GET /orders/{id}/shipping_addresses": "addresses",
    "GET /orders/{id}/coupons": "coupons",
    "PUT /orders/{id}": "moves",
}


@dataclass(frozen=True)
class Case:
    """Orders of one kind on one path. `apart` is the distance between their ids."""

    key: str
    what: str
    orders: int = 100
    webhook: bool = False
    together: bool = True
    apart: int = 1
    order: dict[str, Any] | None = field(default_factory=lambda: PLAIN_ORDER)
    settings: dict[str, Any] = field(default_factory=dict)
    at_most: float | None = None


CASES = (
    Case("poll.mix", "poll, neighbours, a realistic mix", 200, order=None, at_most=4.3),
    Case("poll.physical", "poll, neighbours"),
    Case("poll.coupons", "poll, neighbours, with a coupon", order={"coupons": 1}),
    Case("poll.digital", "poll, neighbours, digital", order={"coupons": 0, "kind": "digital"}),
    Case("poll.sparse", "poll, ids 300 apart", apart=300),
    Case("poll.lean", "poll, neighbours, a realistic mix, lean", 200, order=None, settings=LEAN),
    Case("webhook.lone", "webhook, alone", 20, webhook=True, together=False, at_most=5.0),
    Case(
        "webhook.coupons",
        "webhook, alone, with a coupon",
        20,
        webhook=True,
        together=False,
        order={"coupons": 1},
    ),
    Case(
        "webhook.digital",
        "webhook, alone, digital",
        20,
        webhook=True,
        together=False,
        order={"coupons": 0, "kind": "digital"},
    ),
    Case("webhook.burst", "webhooks, ten at a time", webhook=True),
    Case("webhook.sparse", "webhooks, ten at a time, ids 300 apart", webhook=True, apart=300),
    Case(
        "webhook.lean",
        "webhook, alone, lean",
        20,
        webhook=True,
        together=False,
        settings=LEAN,
    ),
)


def measure() -> list[Figure]:
    """Every case, in simulated time: the counts are the same on any machine."""
    with Aws() as aws:
        return [figure for case in CASES for figure in _measure(case, aws)]


def _measure(case: Case, aws: Aws) -> Iterator[Figure]:
    clock = SimulatedClock()
    store = Store(clock=clock, quota=PLENTY)
    with World(aws, case.key.replace(".", "-"), clock=clock, store=store, **case.settings) as world:
        ids = (_hear if case.webhook else _find)(world, case)
        if len(world.store.status_changes) != case.orders:
            raise RuntimeError(f"{case.what}: not every order was moved")
        made = sum(store.requests.values())
        key = f"requests.{case.key}"
        yield Figure(key, case.what, made / case.orders, "", 2, at_most=case.at_most)
        for route, name in ROUTES.items():
            share = store.requests[route] / case.orders
            yield Figure(f"{key}.{name}", f"{case.what}: {name}", share, "", 3)
        fewest = _fewest([store.whole(order_id) for order_id in ids], case)
        yield Figure(f"{key}.fewest", f"{case.what}: fewest possible", fewest, "", 2)


def _find(world: World, case: Case) -> list[int]:
    ids = list(_place(world.store, case, "api"))
    error = world.poll()
    if error:
        raise error
    world.drain()
    return ids


def _hear(world: World, case: Case) -> list[int]:
    """Webhooks arrive one by one, or so that a batch is full when the consumer looks."""
    ids = []
    for number, order_id in enumerate(_place(world.store, case, "storefront"), start=1):
        ids.append(order_id)
        world.deliver_webhooks()
        if not case.together or number % 10 == 0:
            world.drain()
    return ids


def _place(store: Store, case: Case, via: str) -> Iterator[int]:
    if case.order is None:
        yield from store.place_orders(case.orders, statuses=[Status.AWAITING_FULFILLMENT], via=via)
        return
    for _ in range(case.orders):
        yield store.place_order(via=via, **case.order)
        store.skip_ids(case.apart - 1)


def _fewest(orders: list[dict[str, Any]], case: Case) -> float:
    """Requests per order with which orders can be had whole, and moved.

    A list shows 250 orders, whatever their ids; a lone order has a read of its own. Then every
    page of its lines, its addresses if it counts some, its coupons unless lean mode knows that it
    has none, and the move.
    """
    reads = ceil(len(orders) / PAGE) if case.together else len(orders)
    pages = sum(_pages(order, is_lean=bool(case.settings)) for order in orders)
    return (reads + pages + len(orders)) / len(orders)


def _pages(order: dict[str, Any], *, is_lean: bool) -> int:
    """Pages of an order's lists; behind a full one there may be another."""
    lists = ["products"]
    lists += ["shipping_addresses"] if order["shipping_addresses"] else []
    lists += ["coupons"] if order["coupons"] or not is_lean else []
    return sum(len(order[name]) // PAGE + 1 for name in lists)
