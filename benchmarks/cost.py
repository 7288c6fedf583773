"""What replication costs, from measured durations and sizes and the prices in prices.toml."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, Results

PRICES = Path(__file__).with_name("prices.toml")
BATCH = 10
PAGE = 250
KEYS_A_CALL = 100


@dataclass(frozen=True)
class Prices:
    """List prices in US dollars, and what is assumed of use: the tables of prices.toml."""

    tables: dict[str, dict[str, Any]]

    @classmethod
    def load(cls, path: Path = PRICES) -> "Prices":
        return cls(tomllib.loads(path.read_text()))

    def of(self, table: str, name: str) -> float:
        return float(self.tables[table][name])

    def function(self, seconds: float, invocations: float) -> float:
        """A function billed for so many seconds in so many invocations."""
        held = seconds * self.of("assumed", "memory_gb") * self.of("lambda", "gb_second_arm64")
        return held + self.millions("lambda", "million_requests", invocations)

    def millions(self, table: str, name: str, count: float) -> float:
        return self.of(table, name) * count / 1e6


@dataclass(frozen=True)
class Order:
    """What one order uses on its way: billed seconds, and calls of each service."""

    seconds: float
    invocations: float
    write_units: float
    read_units: float
    sqs_requests: float
    api_requests: float
    log_gb: float

    def dollars(self, prices: Prices) -> dict[str, float]:
        return {
            "Lambda": prices.function(self.seconds, self.invocations),
            "DynamoDB": prices.millions("dynamodb", "million_write_units", self.write_units)
            + prices.millions("dynamodb", "million_read_units", self.read_units),
            "SQS": prices.millions("sqs", "million_requests", self.sqs_requests),
            "API Gateway": prices.millions(
                "api_gateway", "million_requests_rest", self.api_requests
            ),
            "CloudWatch Logs": self.log_gb * prices.of("cloudwatch", "gb_of_logs"),
        }


def measure(results: Results) -> list[Figure]:
    """Dollars for 10,000 orders by service, and for the backlogs that were measured."""
    prices = Prices.load()
    ways = {
        "poll": ("10,000 orders found by the poll", by_poll(results, prices)),
        "webhook": ("10,000 orders by lone webhooks", by_webhook(results, prices)),
    }
    return [
        *(figure for key, (what, way) in ways.items() for figure in _costs(key, what, way, prices)),
        *_backlogs(by_poll(results, prices), prices),
    ]


def _costs(key: str, what: str, way: Order, prices: Prices) -> Iterator[Figure]:
    dollars = {name: each * 10_000 for name, each in way.dollars(prices).items()}
    yield Figure(f"cost.{key}", what, sum(dollars.values()), "$", 2)
    for name, each in dollars.items():
        yield Figure(f"cost.{key}.{name}", f"{what}: {name}", each, "$", 3)
    yield Figure(f"cost.{key}.seconds", f"{what}: billed", way.seconds * 10_000, "s", 0)


def _backlogs(way: Order, prices: Prices) -> Iterator[Figure]:
    each = sum(way.dollars(prices).values())
    for orders in (100, 1_000, 10_000, 100_000):
        what = f"{orders:,} orders stored and moved: cost"
        yield Figure(f"cost.backlog.{orders}", what, each * orders, "$", 3)


def by_poll(results: Results, prices: Prices) -> Order:
    """An order of a backlog: batches are full."""
    polled = results.value("backlog.poll.10000.cpu") / 10_000
    poll_seconds = at_lambda(prices, cpu=polled) + prices.of("assumed", "page_seconds") / PAGE
    puts = 2 * results.value("backlog.item.units")
    return Order(
        seconds=poll_seconds + _batch_seconds(results, prices) / BATCH,
        invocations=1 / BATCH,
        # Of a missing item too, a read takes a unit: a half for the poll, a whole for the consumer.
        write_units=puts,
        read_units=1.5,
        # Sent, received and deleted, ten in a call.
        sqs_requests=3 / BATCH,
        api_requests=0,
        log_gb=prices.of("assumed", "log_kb_per_order") / 1024**2,
    )


def by_webhook(results: Results, prices: Prices) -> Order:
    """An order that comes alone: an invocation of each function for itself."""
    cpu = results.value("speed.0.1.cpu") / 1000
    answered = results.value("imports.second.cart_converted") / 1000
    asked = 3 * prices.of("assumed", "store_seconds")
    return Order(
        # The order, its lists side by side, and the move.
        seconds=asked + at_lambda(prices, cpu=cpu) + at_lambda(prices, cpu=answered),
        invocations=2,
        write_units=2 * results.value("backlog.item.units") + 1,
        read_units=1,
        sqs_requests=3,
        api_requests=1,
        log_gb=(
            prices.of("assumed", "log_kb_per_order") + prices.of("assumed", "log_kb_per_webhook")
        )
        / 1024**2,
    )


def at_lambda(prices: Prices, *, cpu: float) -> float:
    """Seconds that so many seconds of this machine's processor take with Lambda's share of one."""
    return cpu / prices.of("assumed", "vcpu_share")


def _batch_seconds(results: Results, prices: Prices) -> float:
    """A full batch at 150 ms a request, its processor time stretched, as if nothing overlapped."""
    measured = results.value("speed.150.1.batch")
    cpu = results.value("speed.150.1.cpu") / 1000 * BATCH
    return measured - cpu + at_lambda(prices, cpu=cpu)
