"""Orders per second and processor time per order; and how well the store's quota is used."""

from collections.abc import Iterator

from benchmarks import plain, stage
from benchmarks.figures import Figure

ORDERS = 200
LATENCIES = (0, 40, 150)
"""Milliseconds that the store takes for an answer."""
CONSUMERS = (1, 3)

RUNS = {0: 1, 40: 3, 150: 1}
"""How often each latency is measured; the median is told."""

QUOTAS = {150: (3.0, 300), 450: (6.0, 800)}
"""By quota: the length of a window in seconds, and orders enough for several.

Windows are shortened from 30 seconds, which changes nothing but the time this takes.
"""


def measure() -> list[Figure]:
    speed = list(_speed())
    (service,) = (figure for figure in speed if figure.key == "speed.40.3")
    return [*speed, *_against_the_plain_way(service), *_lean()]


def quota() -> list[Figure]:
    return [figure for quota in QUOTAS for figure in _quota(quota)]


def _speed() -> Iterator[Figure]:
    for latency in LATENCIES:
        for consumers in CONSUMERS:
            result = _median(latency, consumers)
            where = f"{latency} ms a request, {_count(consumers)}"
            key = f"speed.{latency}.{consumers}"
            yield Figure(key, f"orders a second, {where}", ORDERS / result.seconds)
            cpu = result.cpu_seconds / ORDERS * 1000
            yield Figure(f"{key}.cpu", f"processor time of an order, {where}", cpu, "ms")
            batch = result.seconds * consumers / ORDERS * 10
            yield Figure(f"{key}.batch", f"a batch of ten, {where}", batch, "s", 2)


def _against_the_plain_way(service: Figure) -> Iterator[Figure]:
    with stage.stage(ORDERS, quota=stage.PLENTY, latency=0.04) as measured:
        stage.run(measured.environment, stage.poll)
        plainly = stage.run(measured.environment, plain.consume, copies=3)
        _all_done(measured)
    seconds = ORDERS / service.value
    yield Figure("speed.plain", f"{ORDERS} orders, the plain way", plainly.seconds, "s")
    yield Figure("speed.service", f"{ORDERS} orders, the service", seconds, "s")
    yield Figure("speed.factor", "times as fast", plainly.seconds / seconds, at_least=4.0)


def _lean() -> Iterator[Figure]:
    lean = _median(40, 3, SKIP_COUPONS_WITHOUT_DISCOUNT="true")
    where = "40 ms a request, 3 consumers, lean"
    yield Figure("speed.lean", f"orders a second, {where}", ORDERS / lean.seconds)


def _median(latency: int, consumers: int, **settings: str) -> stage.Run:
    runs = [_replicate(latency, consumers, **settings) for _ in range(RUNS[latency])]
    return sorted(runs, key=lambda run: run.seconds)[len(runs) // 2]


def _replicate(latency: int, consumers: int, **settings: str) -> stage.Run:
    with stage.stage(ORDERS, settings, quota=stage.PLENTY, latency=latency / 1000) as measured:
        stage.run(measured.environment, stage.poll)
        result = stage.run(measured.environment, stage.consume, copies=consumers)
        _all_done(measured)
    return result


def _quota(quota: int) -> Iterator[Figure]:
    seconds, orders = QUOTAS[quota]
    with stage.stage(orders, quota=quota, window_seconds=seconds) as measured:
        stage.run(measured.environment, stage.poll)
        stage.run(measured.environment, stage.consume, copies=3)
        stats = measured.stats()
    # The first window belongs to the poll and to starting up, the last one is not full.
    full = [window["used"] / window["quota"] for window in stats["windows"][2:-1]]
    answers = stats["answers"]
    throttled = answers.get(429, 0) / sum(answers.values())
    where = f"{quota} requests a window"
    key = f"quota.{quota}"
    yield Figure(f"{key}.windows", f"full windows, {where}", len(full), digits=0)
    yield Figure(
        f"{key}.used", f"quota used, worst window, {where}", min(full), "%", 0, at_least=0.9
    )
    mean = sum(full) / len(full)
    yield Figure(f"{key}.mean", f"quota used, all windows, {where}", mean, "%", 0)
    yield Figure(f"{key}.throttled", f"answers 429, {where}", throttled, "%", 2, at_most=0.01)


def _all_done(measured: stage.Stage) -> None:
    if (len(measured.stats()["moved"]), measured.aws.replicated) != (ORDERS, ORDERS):
        raise RuntimeError("not every order was stored and moved")


def _count(consumers: int) -> str:
    return "1 consumer" if consumers == 1 else f"{consumers} consumers"
