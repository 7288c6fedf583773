"""Orders per second, CPU time per order, and the share of the store's quota that is used."""

from collections.abc import Iterator

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


def measure() -> list[Figure]:
    speed = list(_speed())
    (service,) = (figure for figure in speed if figure.key == "speed.40.3")
    return [*speed, *_compared_with_sequential(service), *_without_coupons()]


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
    seconds = ORDERS / service.value
    yield Figure("speed.sequential", f"{ORDERS} orders, sequential client", baseline.seconds, "s")
    yield Figure("speed.service", f"{ORDERS} orders, service", seconds, "s")
    factor = baseline.seconds / seconds
    yield Figure("speed.factor", "speed relative to a sequential client", factor, at_least=4.0)


def _without_coupons() -> Iterator[Figure]:
    run = _median(40, 3, SKIP_COUPONS_WITHOUT_DISCOUNT="true")
    what = "orders per second, 40 ms per request, 3 consumers, coupons skipped"
    yield Figure("speed.skip_coupons", what, ORDERS / run.seconds)


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
    seconds, orders = QUOTAS[quota]
    with stage.stage(orders, quota=quota, window_seconds=seconds) as measured:
        stage.run(measured.environment, stage.poll)
        stage.run(measured.environment, stage.consume, copies=3)
        stats = measured.stats()
    # The first two windows contain the poll and the start of the consumers; the last is partial.
    full = [window["used"] / window["quota"] for window in stats["windows"][2:-1]]
    responses = stats["answers"]
    throttled = responses.get(429, 0) / sum(responses.values())
    where = f"{quota} requests per window"
    key = f"quota.{quota}"
    yield Figure(f"{key}.windows", f"full windows, {where}", len(full), digits=0)
    used = min(full)
    yield Figure(f"{key}.used", f"quota used, worst window, {where}", used, "%", 0, at_least=0.9)
    mean = sum(full) / len(full)
    yield Figure(f"{key}.mean", f"quota used, mean of all windows, {where}", mean, "%", 0)
    yield Figure(
        f"{key}.throttled", f"responses with status 429, {where}", throttled, "%", 2, at_most=0.01
    )


def _count(consumers: int) -> str:
    return "1 consumer" if consumers == 1 else f"{consumers} consumers"
