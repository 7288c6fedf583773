"""Time, memory and requests by the number of waiting orders: of a poll, and of replication."""

from base64 import b64decode
from collections.abc import Iterable, Iterator
from math import ceil
from typing import Any

from benchmarks import stage
from benchmarks.figures import Figure
from chalicelib.domain.items import from_image, size_of

POLLED = (100, 1_000, 10_000, 100_000)
REPLICATED = (100, 1_000, 10_000)
CONSUMERS = 3
ADDITIONAL_MEMORY = 20.0
"""MiB by which the peak of the largest poll may exceed the peak of the smallest."""


def measure() -> list[Figure]:
    return [*_polls(), *_replications()]


def _polls() -> Iterator[Figure]:
    """The first poll of a store whose requests take no time."""
    smallest = None
    for orders in POLLED:
        with stage.stage(orders, quota=stage.UNLIMITED) as measured:
            run = stage.run(measured.environment, stage.poll)
            requests = sum(measured.stats()["requests"].values())
            if measured.aws.queued() < orders:
                raise RuntimeError(f"{measured.aws.queued()} of {orders} orders were queued")
        smallest = smallest or run.peak_mib
        limit = smallest + ADDITIONAL_MEMORY
        key, what = f"backlog.poll.{orders}", f"poll of {orders:,} new orders"
        yield Figure(f"{key}.seconds", what, run.seconds, "s")
        yield Figure(f"{key}.cpu", f"{what}: CPU time", run.cpu_seconds, "s")
        yield Figure(f"{key}.requests", f"{what}: requests", requests, digits=0)
        yield Figure(f"{key}.memory", f"{what}: peak memory", run.peak_mib, "MiB", 0, at_most=limit)


def _replications() -> Iterator[Figure]:
    """Orders polled and replicated by three consumers, from a store whose requests take no time."""
    for orders in REPLICATED:
        with stage.stage(orders, quota=stage.UNLIMITED) as measured:
            poll = stage.run(measured.environment, stage.poll)
            run = stage.run(measured.environment, stage.consume, copies=CONSUMERS)
            measured.check_replicated(orders)
            requests = sum(measured.stats()["requests"].values())
        key, what = f"backlog.replicated.{orders}", f"{orders:,} orders polled and replicated"
        yield Figure(f"{key}.seconds", what, poll.seconds + run.seconds, "s")
        yield Figure(f"{key}.requests", f"{what}: requests per order", requests / orders, digits=2)
        yield Figure(f"{key}.memory", f"{what}: peak memory of a consumer", run.peak_mib, "MiB", 0)
    yield from _items(measured.aws.orders.values())


def _items(items: Iterable[dict[str, Any]]) -> Iterator[Figure]:
    """The size of an order in the Orders table, as DynamoDB counts it."""
    sizes = [_size(item) / 1024 for item in items]
    units = [ceil(size) for size in sizes]
    yield Figure("backlog.item.size", "item of an order, mean", sum(sizes) / len(sizes), "KB")
    yield Figure(
        "backlog.item.units", "write units of a put, mean", sum(units) / len(units), digits=2
    )


def _size(item: dict[str, Any]) -> int:
    """Bytes of an item as it was sent, where compressed attributes are encoded as base64."""
    packed = {name: b64decode(value["B"]) for name, value in item.items() if "B" in value}
    plain = from_image({name: value for name, value in item.items() if name not in packed})
    return size_of(plain | packed)
