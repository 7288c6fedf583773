"""A backlog of a million orders, worked out from what was measured."""

from collections.abc import Iterator
from math import ceil

from benchmarks.cost import PAGE, Prices, at_lambda, by_poll
from benchmarks.figures import Figure, Results

ORDERS = 1_000_000
POLL_SECONDS = 900 - 60
"""A poll's time-out, without the last minute, in which it begins no page."""

CONSUMERS = 2
"""The fewest that Lambda's event source allows; the store's quota needs no more."""

WINDOW = 30.0
NIGHT = 8 * 3600.0
QUOTAS = (150, 450)


def measure(results: Results) -> list[Figure]:
    prices = Prices.load()
    return [*_polls(results, prices), *_drain(results, prices)]


def _polls(results: Results, prices: Prices) -> Iterator[Figure]:
    """What is no processor time is waiting, and takes as long on Lambda as here."""
    key, orders = "backlog.poll.100000", 100_000
    cpu = results.value(f"{key}.cpu")
    waits = max(0.0, results.value(f"{key}.seconds") - cpu) / orders
    page = prices.of("assumed", "page_seconds") / PAGE
    seconds = waits + at_lambda(prices, cpu=cpu / orders) + page
    each = POLL_SECONDS / seconds
    yield Figure("plan.poll.orders", "orders that one poll queues", round(each, -3), digits=0)
    yield Figure("plan.polls", "polls for a million orders", ceil(ORDERS / each), digits=0)


def _drain(results: Results, prices: Prices) -> Iterator[Figure]:
    normal = results.value("backlog.whole.10000.requests")
    lean = normal * results.value("requests.poll.lean") / results.value("requests.poll.mix")
    for name, requests in (("normal", normal), ("lean", lean)):
        yield Figure(
            f"plan.{name}.requests", f"{name}: requests", requests * ORDERS / 1e6, "million", 2
        )
        for quota in QUOTAS:
            rate = quota * results.value(f"quota.{quota}.mean") / WINDOW / requests
            key, what = f"plan.{name}.{quota}", f"{name}, {quota} requests a window"
            yield Figure(f"{key}.rate", f"{what}: orders a second", rate, digits=1)
            hours = ORDERS / rate / 3600
            yield Figure(f"{key}.hours", f"{what}: hours", hours, "hours", 0)
            yield Figure(f"{key}.days", f"{what}: days", hours / 24, "days", 1)
            yield Figure(
                f"{key}.night", f"{what}: orders a night", round(rate * NIGHT, -3), digits=0
            )
            yield Figure(f"{key}.cost", f"{what}: cost", _cost(results, prices, hours), "$", 0)


def _cost(results: Results, prices: Prices, hours: float) -> float:
    """Consumers that wait for the quota are billed for it, from the first hour to the last."""
    way = by_poll(results, prices)
    dollars = way.dollars(prices)
    others = sum(dollars.values()) - dollars["Lambda"]
    waiting = prices.function(CONSUMERS * hours * 3600, way.invocations * ORDERS)
    return others * ORDERS + waiting
