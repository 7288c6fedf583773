"""Requests to the store per order, by route, and the minimum that the API allows.

They include the poll, and the reads that the callbacks of the service's own moves cause.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import ceil
from typing import Any, Literal

from benchmarks.figures import Figure
from benchmarks.stage import UNLIMITED
from chalicelib.domain.messages import OrderMessage
from sandbox.pump import Batch
from sandbox.stack import Aws
from sandbox.store import Store
from sandbox.store.clock import SimulatedClock
from sandbox.store.statuses import Status
from sandbox.world import World

PAGE = 250
"""Maximum number of orders or sub-resources per page."""

BATCH_SECONDS = 1.0
"""Simulated seconds that a consumer takes for a batch."""

EMBEDDED = {"EMBEDDED_READS": "true"}
NO_COUPON = {"coupons": 0}

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
    """Orders of one kind from one source. `apart` is the distance between consecutive ids."""

    key: str
    what: str
    orders: int = 50
    webhook: bool = False
    batched: bool = True
    apart: int = 1
    order: dict[str, Any] | None = field(default_factory=lambda: NO_COUPON)
    settings: dict[str, Any] = field(default_factory=dict)
    at_most: float | None = None


@dataclass(frozen=True)
class Followed:
    """Messages about orders that are stored, and that are `changed` or not."""

    key: str
    what: str
    how: Literal["changed", "unchanged"]
    settings: dict[str, Any]
    at_most: float | None = None
    orders: int = 50


CASES = (
    Case("poll.mix", "poll, mixed orders", 200, order=None, at_most=4.2),
    Case("poll.physical", "poll, physical goods"),
    Case("poll.coupons", "poll, with a coupon", order={"coupons": 1}),
    Case("poll.digital", "poll, digital", order={"coupons": 0, "kind": "digital"}),
    Case("poll.sparse", "poll, physical goods, ids 300 apart", apart=300),
    Case(
        "poll.embedded",
        "poll, mixed orders, embedded reads",
        200,
        order=None,
        settings=EMBEDDED,
        at_most=1.3,
    ),
    Case("webhook.single", "webhook, single order", 10, webhook=True, batched=False, at_most=6.1),
    Case(
        "webhook.coupons",
        "webhook, single order, with a coupon",
        10,
        webhook=True,
        batched=False,
        order={"coupons": 1},
    ),
    Case(
        "webhook.digital",
        "webhook, single order, digital",
        10,
        webhook=True,
        batched=False,
        order={"coupons": 0, "kind": "digital"},
    ),
    Case("webhook.burst", "webhook, batches of ten", webhook=True),
    Case("webhook.sparse", "webhook, batches of ten, ids 300 apart", webhook=True, apart=300),
    Case(
        "webhook.embedded",
        "webhook, single order, embedded reads",
        10,
        webhook=True,
        batched=False,
        settings=EMBEDDED,
        at_most=3.1,
    ),
)

FOLLOWED = (
    Followed("follow.changed", "change, among neighbours", "changed", {}),
    Followed("follow.changed.embedded", "change, embedded reads", "changed", EMBEDDED, 1.3),
    Followed("follow.unchanged", "unchanged order, among neighbours", "unchanged", {}),
    Followed("follow.unchanged.embedded", "unchanged, embedded reads", "unchanged", EMBEDDED, 0.2),
)


def measure() -> list[Figure]:
    """All cases in simulated time, so that the counts are equal on every machine."""
    with Aws() as aws:
        figures = [figure for case in CASES for figure in _measure(case, aws)]
        return [*figures, *(_follow(case, aws) for case in FOLLOWED)]


def _measure(case: Case, aws: Aws) -> Iterator[Figure]:
    clock = SimulatedClock()
    store = Store(clock=clock, quota=UNLIMITED)
    # Orders that a poll finds are placed before the webhooks are registered.
    polled = [] if case.webhook else list(_place(store, case, "api"))
    with World(aws, case.key.replace(".", "-"), clock=clock, store=store, **case.settings) as world:
        ids = _by_webhook(world, case) if case.webhook else _by_poll(world, polled)
        if len(world.store.status_changes) != case.orders:
            raise RuntimeError(f"{case.what}: not every order was moved")
        total = sum(store.requests.values())
        key = f"requests.{case.key}"
        yield Figure(key, case.what, total / case.orders, "", 2, at_most=case.at_most)
        for route, name in ROUTES.items():
            share = store.requests[route] / case.orders
            yield Figure(f"{key}.{name}", f"{case.what}: {name}", share, "", 3)
        minimum = _minimum([store.whole(order_id) for order_id in ids], case)
        yield Figure(f"{key}.minimum", f"{case.what}: minimum", minimum, "", 2)


def _follow(case: Followed, aws: Aws) -> Figure:
    clock = SimulatedClock()
    store = Store(clock=clock, quota=UNLIMITED)
    ids = [store.place_order(via="api", coupons=0) for _ in range(case.orders)]
    with World(aws, case.key.replace(".", "-"), clock=clock, store=store, **case.settings) as world:
        _by_poll(world, ids)
        world.advance(600)
        before = sum(store.requests.values())
        if case.how == "changed":
            for order_id in ids:
                store.edit(order_id, staff_notes="urgent")
        else:
            _announce(world, ids)
        world.deliver_webhooks()
        _settle(world)
        requests = sum(store.requests.values()) - before
    return Figure(
        f"requests.{case.key}", case.what, requests / case.orders, "", 2, at_most=case.at_most
    )


def _announce(world: World, ids: list[int]) -> None:
    """Queue a message about each order, as the callback of a change does."""
    now = world.clock.now()
    for order_id in ids:
        body = OrderMessage(order_id=order_id, source="webhook", queued_at=now).to_json()
        world.stack.sqs.send_message(QueueUrl=world.stack.changes_queue_url, MessageBody=body)


def _by_poll(world: World, ids: list[int]) -> list[int]:
    error = world.poll()
    if error:
        raise error
    _settle(world)
    return ids


def _by_webhook(world: World, case: Case) -> list[int]:
    """Webhooks one at a time, or ten before the consumers receive a batch."""
    ids = []
    for number, order_id in enumerate(_place(world.store, case, "storefront"), start=1):
        ids.append(order_id)
        world.deliver_webhooks()
        if not case.batched or number % 10 == 0:
            _settle(world)
    return ids


def _settle(world: World) -> None:
    """Replicate all messages, and those of the callbacks that the service's own moves cause."""

    def after(_: Batch) -> None:
        world.clock.sleep(BATCH_SECONDS)
        world.deliver_webhooks()

    world.pump.settle(after=after)


def _place(store: Store, case: Case, via: str) -> Iterator[int]:
    if case.order is None:
        yield from store.place_orders(case.orders, statuses=[Status.AWAITING_FULFILLMENT], via=via)
        return
    for _ in range(case.orders):
        yield store.place_order(via=via, **case.order)
        store.skip_ids(case.apart - 1)


def _minimum(orders: list[dict[str, Any]], case: Case) -> float:
    """The minimum number of requests per order to read complete orders and to move them.

    One list request returns 250 orders of a batch; a single order needs one read. Each order also
    needs every page of its sub-resources, and the move.
    """
    reads = ceil(len(orders) / PAGE) if case.batched else len(orders)
    pages = sum(_pages(order, embedded=bool(case.settings)) for order in orders)
    return (reads + pages + len(orders)) / len(orders)


def _pages(order: dict[str, Any], *, embedded: bool) -> int:
    """Pages of the sub-resources of an order. A full page is followed by another request."""
    names = ["coupons"] if order["coupons"] or not embedded else []
    if not embedded:
        names += ["products"]
        names += ["shipping_addresses"] if order["shipping_addresses"] else []
    return sum(len(order[name]) // PAGE + 1 for name in names)
