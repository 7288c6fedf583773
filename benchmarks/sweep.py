"""Requests of a sweep, by the number of old orders in the store."""

import os
from collections.abc import Iterator
from datetime import timedelta

from benchmarks.figures import Figure
from benchmarks.stage import UNLIMITED
from chalicelib.domain.jobs import Job
from chalicelib.edges.dynamodb import attributes
from chalicelib.settings import Settings
from sandbox.stack import Aws
from sandbox.store import Store
from sandbox.store.clock import SimulatedClock
from sandbox.store.statuses import Status
from sandbox.world import World

OLD = (1_000, 10_000, 100_000)
RECENT = 100
"""Orders that were changed since the last sweep, and whose callbacks were lost."""


def measure() -> list[Figure]:
    """In simulated time, so that the counts are equal on every machine."""
    with Aws() as aws:
        return list(_sweeps(aws))


def _sweeps(aws: Aws) -> Iterator[Figure]:
    smallest = None
    for old in OLD:
        requests = _requests(aws, old)
        smallest = smallest or requests
        what = f"poll with a sweep, {old:,} old orders and {RECENT} changes: requests"
        yield Figure(f"sweep.{old}.requests", what, requests, digits=0, at_most=smallest)


def _requests(aws: Aws, old: int) -> int:
    clock = SimulatedClock()
    store = Store(clock=clock, quota=UNLIMITED)
    for count, days in ((old, 60), (RECENT, 2)):
        created = clock.now() - timedelta(days=days)
        for _ in range(count):
            store.place_order(status=Status.SHIPPED, via="api", created=created)
    with World(aws, f"sweep-{old}", clock=clock, store=store) as world:
        _record_sweep(world)
        error = world.poll()
        if error:
            raise error
        queued = len(world.messages("changes"))
        if queued != RECENT:
            raise RuntimeError(f"{queued} of {RECENT} changes were queued")
        return sum(store.requests.values())


def _record_sweep(world: World) -> None:
    """A sweep of a day ago, which makes the next one a sweep of the recent changes."""
    began_at = world.clock.now() - timedelta(days=1)
    scope = Settings.from_environment(os.environ).policy().scope
    job = Job(began_at, "sweep", began_at, outcome="succeeded", scope=scope)
    item = {**job.to_item(), "store_hash": world.store.store_hash}
    world.stack.dynamodb.put_item(TableName=world.stack.name("jobs"), Item=attributes(item))
