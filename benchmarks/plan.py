"""An estimate for a backlog of a million orders, calculated from measured figures."""

from collections.abc import Iterator
from math import ceil

from benchmarks.cost import PAGE, Prices, at_lambda, by_poll
from benchmarks.figures import Figure, Results

ORDERS = 1_000_000
POLL_SECONDS = 900 - 60
"""The timeout of a poll without its last minute, in which it starts no page."""

CONSUMERS = 2
"""The minimum that Lambda accepts for an SQS event source."""

WINDOW = 30.0
NIGHT = 8 * 3600.0
QUOTAS = (150, 450)


def calculate(results: Results) -> list[Figure]:
    prices = Prices.load()
    return [*_polls(results, prices), *_replication(results, prices)]


def _polls(results: Results, prices: Prices) -> Iterator[Figure]:
    """Waiting takes as long on Lambda as on the measuring machine; CPU time takes longer."""
    key, orders = "backlog.poll.100000", 100_000
    cpu = results.value(f"{key}.cpu")
    waiting = max(0.0, results.value(f"{key}.seconds") - cpu) / orders
    page = prices.of("assumed", "page_seconds") / PAGE
    each = POLL_SECONDS / (waiting + at_lambda(prices, cpu=cpu / orders) + page)
    yield Figure("plan.poll.orders", "orders queued by one poll", round(each, -3), digits=0)
    yield Figure("plan.polls", "polls for a million orders", ceil(ORDERS / each), digits=0)


def _replication(results: Results, prices: Prices) -> Iterator[Figure]:
    default = results.value("backlog.replicated.10000.requests")
    saved = results.value("requests.poll.embedded") / results.value("requests.poll.mix")
    for mode, requests in (("default", default), ("embedded", default * saved)):
        total = requests * ORDERS / 1e6
        yield Figure(f"plan.{mode}.requests", f"{mode}: requests", total, "million", 2)
        for quota in QUOTAS:
            rate = quota * results.value(f"quota.{quota}.mean") / WINDOW / requests
            seconds = ORDERS / rate
            night = round(rate * NIGHT, -3)
            key, what = f"plan.{mode}.{quota}", f"{mode}, quota {quota}"
            yield Figure(f"{key}.rate", f"{what}: orders per second", rate)
            yield Figure(f"{key}.minute", f"{what}: orders per minute", rate * 60, digits=0)
            yield Figure(f"{key}.days", f"{what}: duration", seconds / 86400, "days")
            yield Figure(f"{key}.night", f"{what}: orders in eight hours", night, digits=0)
            yield Figure(f"{key}.cost", f"{what}: cost", _cost(results, prices, seconds), "$", 0)


def _cost(results: Results, prices: Prices, seconds: float) -> float:
    """Dollars; consumers are billed for the whole time, also while they wait for the quota."""
    usage = by_poll(results, prices)
    dollars = usage.dollars(prices)
    other_services = sum(dollars.values()) - dollars["Lambda"]
    consumers = prices.function(CONSUMERS * seconds, usage.invocations * ORDERS)
    return other_services * ORDERS + consumers
