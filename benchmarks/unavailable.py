"""The effect of an unavailable receiver on replication: the same orders, with and without one."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks import stage
from benchmarks.figures import Figure
from benchmarks.store_requests import BATCH_SECONDS
from chalicelib.domain.events import events_of
from sandbox.bus import Answer
from sandbox.pump import Batch
from sandbox.stack import Aws
from sandbox.store import Store
from sandbox.store.clock import SimulatedClock
from sandbox.store.statuses import Status
from sandbox.world import World

ORDERS = 120
URL = "https://unavailable.example.com/"

Record = dict[str, Any]


@dataclass(frozen=True)
class Replication:
    """The outcome of one replication; `seconds` of simulated time.

    `records` are those of the stream, `published` the ids of their events, and `received` the event
    ids at the destination that is available.
    """

    requests: int
    moved: int
    seconds: float
    records: list[Record]
    published: frozenset[str]
    received: frozenset[str]


def replicate_twice() -> tuple[Replication, Replication]:
    """Without an unavailable receiver, and with one that answers every request with 503."""
    started_at = time.time()
    with Aws() as aws:
        alone = replicate(aws, started_at, unavailable=False)
        return alone, replicate(aws, started_at, unavailable=True)


def compare(alone: Replication, beside: Replication) -> Iterator[Figure]:
    """The differences between a replication without and with an unavailable receiver."""
    differences = {
        "requests": (beside.requests - alone.requests, "requests to the store", "", 0),
        "moved": (beside.moved - alone.moved, "orders moved", "", 0),
        "writes": (len(beside.records) - len(alone.records), "writes of items", "", 0),
        "seconds": (beside.seconds - alone.seconds, "simulated duration", "s", 1),
    }
    for name, (difference, what, unit, digits) in differences.items():
        what = f"difference by an unavailable receiver: {what}"
        key = f"delivery.unavailable.{name}"
        yield Figure(key, what, abs(difference), unit, digits, at_most=0)
    what = "events at the destination beside the unavailable receiver"
    share = len(beside.received & beside.published) / len(beside.published)
    yield Figure("delivery.unavailable.other", what, share, "%", 0, at_least=1.0)


def replicate(aws: Aws, started_at: float, *, unavailable: bool) -> Replication:
    """Replicate new orders that webhooks report, and deliver their events after each batch.

    The tick of the clock is 0 and one request is in flight at a time, so that two replications of
    the same orders differ only by what is compared.
    """
    clock = SimulatedClock(started_at, tick=0)
    store = Store(clock=clock, quota=stage.UNLIMITED)
    name = f"unavailable-{unavailable}".lower()
    with World(aws, name, clock=clock, store=store, MAX_IN_FLIGHT="1") as world:
        world.stack.add_destination("available")
        if unavailable:
            world.stack.add_destination("unavailable", url=URL)
            world.bus.receivers[URL] = lambda _: Answer(503)

        def after(_: Batch) -> None:
            clock.sleep(BATCH_SECONDS)
            world.deliver_webhooks()
            world.publish()

        store.place_orders(ORDERS, statuses=[Status.AWAITING_FULFILLMENT], via="storefront")
        world.deliver_webhooks()
        world.pump.settle(after=after)
        seconds = clock.time() - started_at
        records = world.pump.stream.records
        published = frozenset(
            event.event_id
            for record in records
            for event in events_of(record["dynamodb"], with_history=False)
        )
        received = frozenset(event["detail"]["event_id"] for event in world.events("available"))
        moved = len(store.status_changes)
        if moved != ORDERS or not published:
            raise RuntimeError(f"{moved} of {ORDERS} orders were moved, {len(published)} events")
        if unavailable:
            _check_undelivered(world, len(published))
        requests = sum(store.requests.values())
        return Replication(requests, moved, seconds, records, published, received)


def _check_undelivered(world: World, events: int) -> None:
    """Raise RuntimeError unless all events are in the dead-letter queue after the last retry."""
    if world.undelivered("unavailable"):
        raise RuntimeError("the retries ended before the replication")
    world.deliver_events()
    undelivered = len(world.undelivered("unavailable"))
    if undelivered != events:
        raise RuntimeError(f"{undelivered} of {events} events are in the dead-letter queue")
