"""The cost of replicating an order and of its events, from measured figures and prices.toml."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, Results

PRICES = Path(__file__).with_name("prices.toml")
ORDERS = 10_000
BATCH, CHANGES_BATCH = 10, 20
"""Messages of a full batch of new orders, and of changes."""

RECORDS_BATCH = 100
"""Records of a full batch of the Orders table's stream."""

PAGE = 250

CALLBACKS = 2
"""A purchase is reported as a converted cart and a new order, a move as two kinds of change."""


@dataclass(frozen=True)
class Prices:
    """List prices in US dollars and assumptions about usage: the tables of prices.toml."""

    tables: dict[str, dict[str, Any]]

    @classmethod
    def load(cls, path: Path = PRICES) -> "Prices":
        return cls(tomllib.loads(path.read_text()))

    def of(self, table: str, name: str) -> float:
        return float(self.tables[table][name])

    def function(self, seconds: float, invocations: float) -> float:
        """Dollars for a function with this billed duration and number of invocations."""
        duration = seconds * self.of("assumed", "memory_gb") * self.of("lambda", "gb_second_arm64")
        return duration + self.millions("lambda", "million_requests", invocations)

    def millions(self, table: str, name: str, count: float) -> float:
        return self.of(table, name) * count / 1e6


@dataclass(frozen=True)
class Usage:
    """Billed usage of AWS services for one order."""

    seconds: float
    invocations: float
    write_units: float
    read_units: float
    sqs_requests: float
    api_requests: float
    log_gb: float
    events: float = 0
    https_requests: float = 0
    """Requests of EventBridge to an HTTPS destination."""

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(**{name: value + getattr(other, name) for name, value in vars(self).items()})

    def dollars(self, prices: Prices) -> dict[str, float]:
        return {
            "Lambda": prices.function(self.seconds, self.invocations),
            "DynamoDB": prices.millions("dynamodb", "million_write_units", self.write_units)
            + prices.millions("dynamodb", "million_read_units", self.read_units),
            "SQS": prices.millions("sqs", "million_requests", self.sqs_requests),
            "API Gateway": prices.millions(
                "api_gateway", "million_requests_rest", self.api_requests
            ),
            "EventBridge": prices.millions("eventbridge", "million_custom_events", self.events)
            + prices.millions(
                "eventbridge", "million_api_destination_invocations", self.https_requests
            ),
            "CloudWatch Logs": self.log_gb * prices.of("cloudwatch", "gb_of_logs"),
        }


def calculate(results: Results) -> list[Figure]:
    """Dollars for 10,000 orders, in total and by AWS service, and for their events."""
    prices = Prices.load()
    what = f"{ORDERS:,} orders, source"
    events = f"events of {ORDERS:,} orders, source"
    return [
        *_costs("poll", f"{what} poll", by_poll(results, prices), prices),
        *_costs("webhook", f"{what} webhook", by_webhook(results, prices), prices),
        *_costs("events.poll", f"{events} poll", events_by_poll(results, prices), prices),
        *_costs("events.webhook", f"{events} webhook", events_by_webhook(results, prices), prices),
        *_destinations(results, prices),
        _rate(results, prices),
    ]


def _costs(key: str, what: str, usage: Usage, prices: Prices) -> Iterator[Figure]:
    dollars = {service: each * ORDERS for service, each in usage.dollars(prices).items()}
    yield Figure(f"cost.{key}", what, sum(dollars.values()), "$", 2)
    for service, each in dollars.items():
        yield Figure(f"cost.{key}.{service}", f"{what}: {service}", each, "$", 3)


def _destinations(results: Results, prices: Prices) -> Iterator[Figure]:
    """Dollars for the events of 10,000 orders at one destination, by its kind.

    EventBridge sends to a queue of the same account without charge, and SQS bills the request.
    """
    events = results.value("delivery.events") * ORDERS
    https = prices.millions("eventbridge", "million_api_destination_invocations", events)
    queue = prices.millions("sqs", "million_requests", events)
    for kind, dollars in (("https", https), ("sqs", queue)):
        what = f"events of {ORDERS:,} orders, delivery to a destination of kind {kind}"
        yield Figure(f"cost.events.destination.{kind}", what, dollars, "$", 3)


def _rate(results: Results, prices: Prices) -> Figure:
    """Events per second of one publish_changes on Lambda, in full batches."""
    rate = results.value("delivery.full.events") / _seconds_of_full_batch(results, prices)
    return Figure("cost.events.rate", "events per second of one function", rate, digits=0)


def by_poll(results: Results, prices: Prices) -> Usage:
    """Usage for an order of a backlog, where every batch is full."""
    poll_cpu = results.value("backlog.poll.10000.cpu") / 10_000
    poll_seconds = at_lambda(prices, cpu=poll_cpu) + prices.of("assumed", "page_seconds") / PAGE
    replicated = Usage(
        seconds=poll_seconds + _batch_seconds(results, prices) / BATCH,
        invocations=1 / BATCH,
        write_units=2 * results.value("backlog.item.units"),
        # DynamoDB bills reads of missing items: half a unit for the poll, one for the consumer.
        read_units=1.5,
        # Sent, received and deleted in batches of ten.
        sqs_requests=3 / BATCH,
        api_requests=0,
        log_gb=prices.of("assumed", "log_kb_per_order") / 1024**2,
    )
    return replicated + _echo(results, prices, batch=CHANGES_BATCH / CALLBACKS)


def by_webhook(results: Results, prices: Prices) -> Usage:
    """Usage for a single order, where each function is invoked for this order alone."""
    # The order, its sub-resources in parallel, and the move.
    seconds = 3 * prices.of("assumed", "store_seconds")
    replicated = Usage(
        seconds=seconds + at_lambda(prices, cpu=results.value("speed.0.1.cpu") / 1000),
        invocations=1,
        write_units=2 * results.value("backlog.item.units"),
        read_units=1,
        # Received and deleted; the webhooks send.
        sqs_requests=2,
        api_requests=0,
        log_gb=prices.of("assumed", "log_kb_per_order") / 1024**2,
    )
    return replicated + _webhooks(results, prices) + _echo(results, prices, batch=1)


def _webhooks(results: Results, prices: Prices) -> Usage:
    """The two callbacks of a purchase, or of a move."""
    cpu = results.value("imports.second.cart_converted") / 1000
    return Usage(
        seconds=CALLBACKS * at_lambda(prices, cpu=cpu),
        invocations=CALLBACKS,
        write_units=CALLBACKS,
        read_units=0,
        sqs_requests=CALLBACKS,
        api_requests=CALLBACKS,
        log_gb=CALLBACKS * prices.of("assumed", "log_kb_per_webhook") / 1024**2,
    )


def _echo(results: Results, prices: Prices, *, batch: float) -> Usage:
    """The callbacks of the service's own move: one read, and an update of the item.

    `batch` is the number of orders in a batch of changes. The CPU time is at most that of a whole
    replication.
    """
    cpu = results.value("speed.0.1.cpu") / 1000
    read = Usage(
        seconds=prices.of("assumed", "store_seconds") / batch + at_lambda(prices, cpu=cpu),
        invocations=1 / batch,
        write_units=results.value("backlog.item.units"),
        read_units=results.value("backlog.item.size") / 4,
        sqs_requests=2 / batch,
        api_requests=0,
        log_gb=prices.of("assumed", "log_kb_per_order") / 1024**2,
    )
    return _webhooks(results, prices) + read


def events_by_poll(results: Results, prices: Prices) -> Usage:
    """Usage for the events of an order at one HTTPS destination, where every batch is full."""
    batches = results.value("delivery.records") / RECORDS_BATCH
    seconds = batches * _seconds_of_full_batch(results, prices)
    return _events(results, prices, seconds=seconds, batches=batches)


def events_by_webhook(results: Results, prices: Prices) -> Usage:
    """Usage for the events of an order at one HTTPS destination, if no batch has another order."""
    calls = results.value("delivery.alone.calls")
    cpu = results.value("delivery.alone.cpu") / 1000
    seconds = _publishing(prices, calls=calls, cpu=cpu)
    batches = results.value("delivery.alone.invocations")
    return _events(results, prices, seconds=seconds, batches=batches)


def _events(results: Results, prices: Prices, *, seconds: float, batches: float) -> Usage:
    """Lambda reads the stream without charge.

    https://aws.amazon.com/dynamodb/pricing/on-demand/
    """
    events = results.value("delivery.events")
    log_kb = events * prices.of("assumed", "log_kb_per_event")
    log_kb += batches * prices.of("assumed", "log_kb_per_batch")
    return Usage(
        seconds=seconds,
        invocations=batches,
        write_units=0,
        read_units=0,
        sqs_requests=0,
        api_requests=0,
        log_gb=log_kb / 1024**2,
        events=events,
        https_requests=events,
    )


def _seconds_of_full_batch(results: Results, prices: Prices) -> float:
    cpu = results.value("delivery.full.cpu") / 1000
    return _publishing(prices, calls=results.value("delivery.full.calls"), cpu=cpu)


def _publishing(prices: Prices, *, calls: float, cpu: float) -> float:
    """Seconds of publish_changes on Lambda, which makes its calls one after the other."""
    return calls * prices.of("assumed", "put_events_seconds") + at_lambda(prices, cpu=cpu)


def at_lambda(prices: Prices, *, cpu: float) -> float:
    """Seconds on Lambda, where a function has a share of a vCPU, for CPU seconds measured here."""
    return cpu / prices.of("assumed", "vcpu_share")


def _batch_seconds(results: Results, prices: Prices) -> float:
    """A full batch at 150 ms per request, assuming that CPU time and waiting do not overlap."""
    measured = results.value("speed.150.1.batch")
    cpu = results.value("speed.150.1.cpu") / 1000 * BATCH
    return measured - cpu + at_lambda(prices, cpu=cpu)
