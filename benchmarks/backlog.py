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
EMBEDDED = 10_000
LONG, LINES = 10, 600
"""A batch of long orders, and the lines of each."""

FUNCTION_MEMORY = 512.0
"""MiB; the memory of the consumers in .chalice/config.json."""

CONSUMERS = 3
ADDITIONAL_MEMORY = 20.0
"""MiB by which the peak of the largest poll may exceed the peak of the smallest."""


def measure() -> list[Figure]:
    return [*_polls(), *_replications(), *_embedded(), *_long_orders()]


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
            what = f"{orders:,} orders polled and replicated"
            yield from _replicated(measured, orders, f"backlog.replicated.{orders}", what)
    yield from _items(measured.aws.orders.values())


def _embedded() -> Iterator[Figure]:
    """As _replications, with the lists that come with the orders."""
    settings = {"EMBEDDED_READS": "true"}
    with stage.stage(EMBEDDED, settings, quota=stage.UNLIMITED) as measured:
        what = f"{EMBEDDED:,} orders polled and replicated, embedded reads"
        yield from _replicated(measured, EMBEDDED, "backlog.embedded", what)


def _long_orders() -> Iterator[Figure]:
    """One batch in which every order has hundreds of lines, in both ways of reading."""
    for key, embedded in (("long", "false"), ("long.embedded", "true")):
        settings = {"EMBEDDED_READS": embedded}
        with stage.stage(0, settings, long=LONG, lines=LINES, quota=stage.UNLIMITED) as measured:
            stage.run(measured.environment, stage.poll)
            run = stage.run(measured.environment, stage.consume)
            measured.check_replicated(LONG)
        what = f"{LONG} orders of {LINES} lines, embedded reads {embedded}: peak memory"
        limit = FUNCTION_MEMORY
        yield Figure(f"backlog.{key}.memory", what, run.peak_mib, "MiB", 0, at_most=limit)


def _replicated(measured: stage.Stage, orders: int, key: str, what: str) -> Iterator[Figure]:
    poll = stage.run(measured.environment, stage.poll)
    run = stage.run(measured.environment, stage.consume, copies=CONSUMERS)
    measured.check_replicated(orders)
    requests = sum(measured.stats()["requests"].values())
    yield Figure(f"{key}.seconds", what, poll.seconds + run.seconds, "s")
    yield Figure(f"{key}.requests", f"{what}: requests per order", requests / orders, digits=2)
    yield Figure(f"{key}.memory", f"{what}: peak memory of a consumer", run.peak_mib, "MiB", 0)


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
