"""Time until a change is stored, and until a new order is stored while many changes wait."""

import time
from collections.abc import Iterator
from functools import partial
from typing import Any

from benchmarks import events, latency, stage
from benchmarks.figures import Figure, percentile
from chalicelib.webhook import CHANGE_DELAY
from sandbox.store.shop import FIRST_ID

WAITING = 10_000
NEW = 40
INTERVAL = 1.0
"""Seconds between two new orders."""

QUOTA, WINDOW = 90, 6.0
"""As many requests per second as 450 in 30 seconds. Waiting changes use up what is not reserved."""

EDITED = 60
EDIT_INTERVAL = 0.2
BATCHING_WINDOW = 1.0
"""Seconds that Lambda waits for a full batch of changes."""

PROCESSING = 1.0
"""Seconds that the replication of a change may take beside its delay and the window."""

FOLLOWER = partial(stage.consume_until_stopped, "follow 1")


def measure() -> list[Figure]:
    return [*_new_orders(), *_changes()]


def _new_orders() -> Iterator[Figure]:
    alone, beside = _p95(0), _p95(WAITING)
    what = "webhook to stored, p95"
    yield Figure("changes.none.p95", f"{what}, no change waits", alone * 1000, "ms", 0)
    yield Figure("changes.many.p95", f"{what}, {WAITING:,} changes wait", beside * 1000, "ms", 0)
    ratio = f"{what}, {WAITING:,} changes wait, relative to none"
    yield Figure("changes.factor", ratio, beside / alone, at_most=2.0)


def _p95(waiting: int) -> float:
    """Seconds from the webhook of a new order to its item, while so many changes wait."""
    ids = range(FIRST_ID, FIRST_ID + NEW)
    options: dict[str, Any] = {
        "quota": QUOTA,
        "window_seconds": WINDOW,
        "latency": latency.STORE_LATENCY,
    }
    with stage.stage(NEW, shipped=waiting, **options) as measured:
        measured.aws.queue("changes", map(events.message, range(ids.stop, ids.stop + waiting)))
        environment = measured.environment
        with (
            stage.running(environment, latency.serve) as api,
            stage.running(environment, latency.CONSUMER) as consumer,
            stage.running(environment, FOLLOWER) as follower,
        ):
            url = api.recv()
            consumer.recv()
            follower.recv()
            sent, _ = latency.send(url, ids, INTERVAL)
            latency.wait(measured, NEW)
            if waiting and not measured.aws.queued("changes"):
                raise RuntimeError("the changes did not wait until all new orders were stored")
        return percentile([measured.aws.stored_at[n] - sent[n] for n in ids], 95)


def _changes() -> Iterator[Figure]:
    """Orders are edited, and the store sends one callback for each edit at once."""
    ids = range(FIRST_ID, FIRST_ID + EDITED)
    edited: dict[int, float] = {}
    options: dict[str, Any] = {"quota": stage.UNLIMITED, "latency": latency.STORE_LATENCY}
    with stage.stage(EDITED, **options) as measured:
        environment = measured.environment
        stage.run(environment, stage.poll)
        stage.run(environment, stage.consume)
        with (
            stage.running(environment, latency.serve) as api,
            stage.running(environment, FOLLOWER) as follower,
        ):
            url = api.recv()
            follower.recv()
            for order_id in ids:
                edited[order_id] = time.time()
                measured.edit(order_id, staff_notes="edited")
                latency.post(f"{url}/order-changed", order_id, "store/order/updated")
                time.sleep(EDIT_INTERVAL)
            _wait(measured, edited)
        stored = [measured.aws.written_at[order_id] - edited[order_id] for order_id in ids]
        if any(item["staff_notes"] != {"S": "edited"} for item in measured.aws.orders.values()):
            raise RuntimeError("an item differs from its order")
    goal = CHANGE_DELAY + BATCHING_WINDOW + PROCESSING
    for percent in (50, 95):
        what = f"change to stored: p{percent}"
        seconds = percentile(stored, percent)
        yield Figure(f"changes.stored.p{percent}", what, seconds, "s", 2, at_most=goal)


def _wait(measured: stage.Stage, edited: dict[int, float]) -> None:
    """Wait until every order was put after its edit."""
    ends_at = time.monotonic() + latency.TIMEOUT
    while any(measured.aws.written_at[n] < at for n, at in edited.items()):
        if time.monotonic() > ends_at:
            raise RuntimeError("not every change was stored")
        time.sleep(stage.RECEIVE_INTERVAL)
