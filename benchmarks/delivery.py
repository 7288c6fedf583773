"""Time from a change to its event at the receivers, and events per second of publish_changes.

The records are those of new orders that the sandbox has replicated, as Lambda passes them.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from benchmarks import event_source, stage, unavailable
from benchmarks.aws_stub import AwsStub
from benchmarks.figures import Figure, percentile
from benchmarks.unavailable import Record
from sandbox.bus import Answer, Bus
from sandbox.stack import Aws, Endpoint, Stack
from sandbox.store.clock import SystemClock

DESTINATIONS = (1, 10)

INTERVAL = 0.2
"""Seconds between two puts: 18,000 orders per hour."""

PROCESSING = 1.0
"""Seconds that an event may take beside the read of the shard and the batching window."""

REPEATS = 20
"""How often the batches are published, for a measurement of several seconds."""

DELIVER_INTERVAL = 0.001
"""Seconds between two deliveries of the sandbox's bus."""

TIMEOUT = 60.0
NO_STORE = "http://127.0.0.1:9"
"""publish_changes sends no request to the store."""


def measure() -> list[Figure]:
    alone, beside = unavailable.replicate_twice()
    return [
        *_times(alone.records),
        *_rate(alone.records),
        *unavailable.compare(alone, beside),
    ]


def _rate(records: list[Record]) -> Iterator[Figure]:
    """One publish_changes: full batches, and invocations for each order alone."""
    size = event_source.batching().size
    stream = records * REPEATS
    batches = [stream[n : n + size] for n in range(0, len(stream) - size + 1, size)]
    events, calls, run = _publish(batches)
    count, where = len(batches), f"batches of {size} records"
    yield Figure("delivery.full", f"events per second, {where}", events / run.seconds, digits=0)
    per_cpu = events / run.cpu_seconds
    yield Figure("delivery.full.per_cpu", f"events per CPU second, {where}", per_cpu, digits=0)
    cpu = run.cpu_seconds / count * 1000
    yield Figure("delivery.full.cpu", f"CPU time of a batch, {where}", cpu, "ms")
    yield Figure("delivery.full.events", f"events of a batch, {where}", events / count)
    yield Figure("delivery.full.calls", f"calls of PutEvents, {where}", calls / count)

    alone = _by_order(records)
    orders = len({order_id for order_id, _ in alone})
    events, calls, run = _publish(list(alone.values()))
    yield Figure("delivery.records", "writes of a new order", len(records) / orders, digits=2)
    yield Figure("delivery.events", "events of a new order", events / orders, digits=2)
    invocations, where = len(alone) / orders, "each order alone"
    yield Figure("delivery.alone.invocations", f"invocations, {where}", invocations, digits=2)
    yield Figure("delivery.alone.calls", f"calls of PutEvents, {where}", calls / orders, digits=2)
    cpu = run.cpu_seconds / orders * 1000
    yield Figure("delivery.alone.cpu", f"CPU time, {where}", cpu, "ms")


def _by_order(records: list[Record]) -> dict[tuple[int, float], list[Record]]:
    """The records by order id and time: put and move, and later the read that a callback causes."""
    batches: defaultdict[tuple[int, float], list[Record]] = defaultdict(list)
    for record in records:
        batches[_order_id(record), record["dynamodb"]["ApproximateCreationDateTime"]].append(record)
    return dict(batches)


def _order_id(record: Record) -> int:
    return int(record["dynamodb"]["Keys"]["id"]["N"])


def _publish(batches: Sequence[list[Record]]) -> tuple[int, int, stage.Run]:
    """The events and the calls by which they were published, and the run."""
    with AwsStub() as aws:
        environment = Stack(Endpoint(aws.url), stage.STAGE).environment(NO_STORE, "sandbox")
        run = stage.run(environment, event_source.publish, batches)
        return aws.calls["event"], aws.calls["PutEvents"], run


def _times(records: list[Record]) -> Iterator[Figure]:
    """From the put of a new order to its event at the last of its receivers."""
    puts = {_order_id(record): record for record in records if record["eventName"] == "INSERT"}
    window = event_source.batching().window
    goal = event_source.POLL_INTERVAL + window + PROCESSING
    for destinations in DESTINATIONS:
        put, invoked, received = _deliver(puts, destinations)
        count = "1 destination" if destinations == 1 else f"{destinations} destinations"
        for percent in (50, 95):
            seconds = percentile([received[n] - put[n] for n in puts], percent)
            key, what = f"delivery.{destinations}.p{percent}", f"put to receiver, {count}"
            yield Figure(key, f"{what}: p{percent}", seconds, "s", 2, at_most=goal)
            seconds = percentile([received[n] - invoked[n] for n in puts], percent)
            key, what = f"delivery.{destinations}.invoked.p{percent}", "invocation to receiver"
            yield Figure(key, f"{what}, {count}: p{percent}", seconds * 1000, "ms", 0)


def _deliver(
    puts: dict[int, Record], destinations: int
) -> tuple[dict[int, float], dict[int, float], dict[int, float]]:
    """By order id, in epoch seconds: its put, the invocation with its record, its last receipt."""
    put: dict[int, float] = {}
    invoked: dict[int, float] = {}
    receipts: defaultdict[int, list[float]] = defaultdict(list)

    def receive(event: dict[str, Any]) -> Answer:
        receipts[event["detail"]["order_id"]].append(time.time())
        return Answer()

    with Aws(SystemClock()) as aws:
        stack = Stack(aws, f"{stage.STAGE}{destinations}").create()
        for number in range(destinations):
            url = f"https://receiver-{number}.example.com/"
            stack.add_destination(f"receiver{number}", url=url)
            aws.bus.receivers[url] = receive
        environment = stack.environment(NO_STORE, "sandbox")
        with (
            _delivering(aws.bus, destinations),
            stage.running(environment, event_source.publish_until_stopped) as publisher,
        ):
            publisher.recv()
            started = time.monotonic()
            for number, (order_id, record) in enumerate(puts.items()):
                time.sleep(max(0.0, started + number * INTERVAL - time.monotonic()))
                put[order_id] = time.time()
                publisher.send((order_id, record))
            while len(invoked) < len(puts):
                invoked |= _invocation(publisher)
            _wait(receipts, len(puts) * destinations)
    return put, invoked, {order_id: max(times) for order_id, times in receipts.items()}


def _invocation(publisher: Connection) -> dict[int, float]:
    """The time of the next invocation, by order id."""
    if not publisher.poll(TIMEOUT):
        raise RuntimeError("publish_changes was not invoked with every record")
    ids, invoked_at = publisher.recv()
    return dict.fromkeys(ids, invoked_at)


def _wait(receipts: dict[int, list[float]], events: int) -> None:
    """Wait until this number of events was received."""
    ends_at = time.monotonic() + TIMEOUT
    while sum(map(len, receipts.values())) < events:
        if time.monotonic() > ends_at:
            raise RuntimeError("not every event was received")
        time.sleep(stage.RECEIVE_INTERVAL)


@contextmanager
def _delivering(bus: Bus, destinations: int) -> Iterator[None]:
    """Deliver what is on the bus until the block ends, to all destinations at the same time."""
    stopped = threading.Event()

    def deliver() -> None:
        with ThreadPoolExecutor(destinations) as pool:
            while not stopped.wait(DELIVER_INTERVAL):
                bus.deliver(pool)

    thread = threading.Thread(target=deliver)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
