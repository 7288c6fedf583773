"""Orders per second, CPU time per order, and the share of the store's quota that is used."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

from benchmarks import sequential, stage
from benchmarks.figures import Figure

ORDERS = 200
LATENCIES = (0, 40, 150)
"""Milliseconds that the store takes to respond."""
CONSUMERS = (1, 3)

RUNS = {0: 1, 40: 3, 150: 1}
"""Number of runs by latency; the figure is their median."""

QUOTAS = {150: (3.0, 300), 450: (6.0, 800)}
"""By quota: the length of a window in seconds, and orders for several windows.

Windows are shorter than BigCommerce's 30 seconds, which only makes the benchmark faster.
"""

CHANGES = {150: 800, 450: 2000}
"""By quota: changes that wait beside the new orders, more than are replicated meanwhile."""

FOLLOWERS = 2
FOLLOWER = partial(stage.consume_until_stopped, "follow 1")

RESERVED = 0.4
"""The default of QUOTA_RESERVED_FOR_NEW_ORDERS."""


def measure() -> list[Figure]:
    speed = list(_speed())
    (service,) = (figure for figure in speed if figure.key == "speed.40.3")
    return [*speed, *_compared_with_sequential(service)]


def measure_quota() -> list[Figure]:
    return [figure for quota in QUOTAS for figure in _quota(quota)]


def _speed() -> Iterator[Figure]:
    for latency in LATENCIES:
        for consumers in CONSUMERS:
            result = _median(latency, consumers)
            where = f"{latency} ms per request, {_count(consumers)}"
            key = f"speed.{latency}.{consumers}"
            yield Figure(key, f"orders per second, {where}", ORDERS / result.seconds)
            cpu = result.cpu_seconds / ORDERS * 1000
            yield Figure(f"{key}.cpu", f"CPU time per order, {where}", cpu, "ms")
            batch = result.seconds * consumers / ORDERS * 10
            yield Figure(f"{key}.batch", f"duration of a batch of ten, {where}", batch, "s", 2)


def _compared_with_sequential(service: Figure) -> Iterator[Figure]:
    with stage.stage(ORDERS, quota=stage.UNLIMITED, latency=0.04) as measured:
        stage.run(measured.environment, stage.poll)
        baseline = stage.run(measured.environment, sequential.consume, copies=3)
        measured.check_replicated(ORDERS)
    embedded = _median(40, 3, EMBEDDED_READS="true").seconds
    seconds = ORDERS / service.value
    yield Figure("speed.sequential", f"{ORDERS} orders, sequential client", baseline.seconds, "s")
    yield Figure("speed.service", f"{ORDERS} orders, service", seconds, "s")
    factor = baseline.seconds / seconds
    yield Figure("speed.factor", "speed relative to a sequential client", factor, at_least=4.0)
    what = "orders per second, 40 ms per request, 3 consumers, embedded reads"
    yield Figure("speed.embedded", what, ORDERS / embedded)
    factor, what = baseline.seconds / embedded, "speed relative to a sequential client, embedded"
    yield Figure("speed.factor.embedded", what, factor, at_least=12.0)


def _median(latency: int, consumers: int, **settings: str) -> stage.Run:
    runs = [_replicate(latency, consumers, **settings) for _ in range(RUNS[latency])]
    return sorted(runs, key=lambda run: run.seconds)[len(runs) // 2]


def _replicate(latency: int, consumers: int, **settings: str) -> stage.Run:
    with stage.stage(ORDERS, settings, quota=stage.UNLIMITED, latency=latency / 1000) as measured:
        stage.run(measured.environment, stage.poll)
        result = stage.run(measured.environment, stage.consume, copies=consumers)
        measured.check_replicated(ORDERS)
    return result


def _quota(quota: int) -> Iterator[Figure]:
    """New orders that wait, then new orders and changes that wait."""
    seconds, orders = QUOTAS[quota]
    with stage.stage(orders, quota=quota, window_seconds=seconds) as measured:
        stage.run(measured.environment, stage.poll)
        stage.run(measured.environment, stage.consume, copies=3)
        measured.check_replicated(orders)
        alone = measured.stats()
    each = sum(alone["requests"].values()) / orders
    yield from _use(f"quota.{quota}", f"{quota} requests per window", alone, seconds)

    options: dict[str, Any] = {"quota": quota, "window_seconds": seconds, "shipped": CHANGES[quota]}
    with stage.stage(orders, **options) as measured, ExitStack() as followers:
        stage.run(measured.environment, stage.poll)
        for _ in range(FOLLOWERS):
            followers.enter_context(stage.running(measured.environment, FOLLOWER)).recv()
        stage.run(measured.environment, stage.consume, copies=3)
        measured.check_replicated(orders)
        both = measured.stats()
        if not measured.aws.queued("changes"):
            raise RuntimeError("the changes did not wait until all new orders were replicated")
    key, where = f"quota.{quota}.changes", f"{quota} requests per window, changes wait"
    yield from _use(key, where, both, seconds)
    full = _full_windows(both, seconds)
    starts, ends = full[0]["started_at"], full[-1]["started_at"] + seconds
    moved = sum(starts <= at < ends for at in both["moved"].values())
    share = moved * each / sum(window["used"] for window in full)
    what = f"share of the used quota for new orders, {where}"
    yield Figure(f"{key}.new", what, share, "%", 0, at_least=RESERVED)


def _use(key: str, where: str, stats: dict[str, Any], seconds: float) -> Iterator[Figure]:
    used = [window["used"] / window["quota"] for window in _full_windows(stats, seconds)]
    throttled = stats["answers"].get(429, 0) / sum(stats["answers"].values())
    yield Figure(f"{key}.windows", f"full windows, {where}", len(used), digits=0)
    yield Figure(f"{key}.used", f"quota used, worst window, {where}", min(used), "%", 0)
    mean = sum(used) / len(used)
    what = f"quota used, mean of all windows, {where}"
    yield Figure(f"{key}.mean", what, mean, "%", 0, at_least=0.95)
    what = f"responses with status 429, {where}"
    yield Figure(f"{key}.throttled", what, throttled, "%", 2, at_most=0.01)


def _full_windows(stats: dict[str, Any], seconds: float) -> list[dict[str, Any]]:
    """The windows between the first move and the last one."""
    first, last = min(stats["moved"].values()), max(stats["moved"].values())
    return [
        window
        for window in stats["windows"]
        if window["started_at"] >= first and window["started_at"] + seconds <= last
    ]


def _count(consumers: int) -> str:
    return "1 consumer" if consumers == 1 else f"{consumers} consumers"
