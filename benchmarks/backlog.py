"""How time, memory and requests grow with the orders that wait: for a poll, and the whole way."""

from base64 import b64decode
from collections.abc import Iterator
from math import ceil
from typing import Any

from benchmarks import stage
from benchmarks.figures import Figure
from chalicelib.domain.items import from_image, size_of

POLLED = (100, 1_000, 10_000, 100_000)
WHOLE_WAY = (100, 1_000, 10_000)
CONSUMERS = 3
MORE_MEMORY = 20.0
"""MiB that the largest backlog may need beyond what the smallest does."""


def measure() -> list[Figure]:
    return [*_polls(), *_whole_way()]


def _polls() -> Iterator[Figure]:
    """A first poll that finds so many new orders, the store answering at once."""
    least = None
    for orders in POLLED:
        with stage.stage(orders, quota=stage.PLENTY) as measured:
            took = stage.run(measured.environment, stage.poll)
            requests = sum(measured.stats()["requests"].values())
            if measured.aws.queued != orders:
                raise RuntimeError(f"{measured.aws.queued} of {orders} orders were queued")
        least = least or took.peak_mib
        key, what = f"backlog.poll.{orders}", f"poll of {orders:,} new orders"
        yield Figure(f"{key}.seconds", what, took.seconds, "s")
        yield Figure(f"{key}.cpu", f"{what}: processor time", took.cpu_seconds, "s")
        yield Figure(f"{key}.requests", f"{what}: requests", requests, digits=0)
        most = least + MORE_MEMORY
        yield Figure(f"{key}.memory", f"{what}: peak memory", took.peak_mib, "MiB", 0, at_most=most)


def _whole_way() -> Iterator[Figure]:
    """Found, queued, stored and moved by three consumers, the store answering at once."""
    for orders in WHOLE_WAY:
        with stage.stage(orders, quota=stage.PLENTY) as measured:
            poll = stage.run(measured.environment, stage.poll)
            took = stage.run(measured.environment, stage.consume, copies=CONSUMERS)
            stats = measured.stats()
            if (len(stats["moved"]), measured.aws.replicated) != (orders, orders):
                raise RuntimeError("not every order was stored and moved")
        key, what = f"backlog.whole.{orders}", f"{orders:,} orders stored and moved"
        yield Figure(f"{key}.seconds", what, poll.seconds + took.seconds, "s")
        requests = sum(stats["requests"].values()) / orders
        yield Figure(f"{key}.requests", f"{what}: requests an order", requests, digits=2)
        yield Figure(f"{key}.memory", f"{what}: peak of a consumer", took.peak_mib, "MiB", 0)
        if orders == max(WHOLE_WAY):
            yield from _items(measured)


def _items(measured: stage.Stage) -> Iterator[Figure]:
    """What an order weighs in the table, by DynamoDB's own way of counting."""
    sizes = [_size(item) / 1024 for item in measured.aws.orders.values()]
    units = [ceil(size) for size in sizes]
    yield Figure("backlog.item.size", "item of an order, mean", sum(sizes) / len(sizes), "KB")
    yield Figure(
        "backlog.item.units", "write units of a put, mean", sum(units) / len(units), digits=2
    )


def _size(item: dict[str, Any]) -> int:
    """Bytes of an item as it came over the wire, where what was compressed is base64."""
    packed = {name: b64decode(value["B"]) for name, value in item.items() if "B" in value}
    plain = from_image({name: value for name, value in item.items() if name not in packed})
    return size_of(plain | packed)
