"""From a webhook to its answer, to the stored order and to the moved one."""

import sys
import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection

import requests

from benchmarks import containers, events, stage
from benchmarks.figures import Figure, percentile
from sandbox.store.shop import FIRST_ID

ORDERS = 120
EVERY = 0.2
"""Seconds between two webhooks: 18,000 orders an hour."""

STORE_LATENCY = 0.04
LOOK_EVERY = 0.02
"""Seconds until an empty queue is looked at again; Lambda's event source waits at the queue."""

COLD_STARTS = 15
TIME_OUT = 60.0


def measure() -> list[Figure]:
    return [*_warm(), *_cold()]


def _warm() -> Iterator[Figure]:
    """Webhooks at a steady rate, a warm function behind the API, one warm consumer."""
    ids = range(FIRST_ID, FIRST_ID + ORDERS)
    with stage.stage(ORDERS, quota=stage.PLENTY, latency=STORE_LATENCY) as measured:
        environment = measured.environment
        with (
            stage.running(environment, _serve) as api,
            stage.running(environment, _keep_consuming) as consumer,
        ):
            url = api.recv()
            consumer.recv()
            sent, answered = _send(url, ids)
            _await(measured)
        moved = measured.stats()["moved"]
        waits = {
            "acknowledged": list(answered.values()),
            "stored": [measured.aws.stored_at[order_id] - sent[order_id] for order_id in ids],
            "moved": [moved[order_id] - sent[order_id] for order_id in ids],
        }
    for name, seconds in waits.items():
        for percent in (50, 95, 99):
            wait = percentile(seconds, percent) * 1000
            yield Figure(
                f"latency.{name}.p{percent}", f"webhook {name}, warm: p{percent}", wait, "ms", 0
            )


def _cold() -> Iterator[Figure]:
    """A fresh container for each webhook: importing, connecting, secrets, and the event."""
    with stage.stage(1, quota=stage.PLENTY) as measured:
        starts = [
            containers.start(["app"], measured.environment, ("app", events.request(FIRST_ID)))
            for _ in range(COLD_STARTS)
        ]
    waits = [start["import_ms"] + start["events_ms"][0] for start in starts]
    for percent in (50, 95):
        wait = percentile(waits, percent)
        what = f"webhook acknowledged, cold: p{percent}"
        yield Figure(f"latency.cold.p{percent}", what, wait, "ms", 0)


def _send(url: str, ids: range) -> tuple[dict[int, float], dict[int, float]]:
    """When each webhook was sent (epoch seconds), and how long its answer took (seconds)."""
    sent: dict[int, float] = {}
    answered: dict[int, float] = {}

    def send(order_id: int) -> None:
        body, headers = events.callback(order_id)
        sent[order_id] = time.time()
        answer = requests.post(
            f"{url}/cart-converted", data=body, headers=headers, timeout=TIME_OUT
        )
        answered[order_id] = time.time() - sent[order_id]
        answer.raise_for_status()

    began = time.monotonic()
    senders = [threading.Thread(target=send, args=[order_id]) for order_id in ids]
    for number, sender in enumerate(senders):
        time.sleep(max(0.0, began + number * EVERY - time.monotonic()))
        sender.start()
    for sender in senders:
        sender.join()
    return sent, answered


def _await(measured: stage.Stage) -> None:
    """Return when every order has been moved and that was recorded."""
    ends_at = time.monotonic() + TIME_OUT
    while measured.aws.replicated < ORDERS:
        if time.monotonic() > ends_at:
            raise RuntimeError(f"{measured.aws.replicated} of {ORDERS} orders were replicated")
        time.sleep(LOOK_EVERY)


def _serve(pipe: Connection) -> None:
    with stage.pump() as api:
        url = api.serve()
        body, headers = events.callback(1)
        # Wrong on purpose: the container connects and reads its secrets, and nothing is queued.
        requests.post(f"{url}/cart-converted", data=body + b" ", headers=headers, timeout=TIME_OUT)
        pipe.send(url)
        pipe.recv()


def _keep_consuming(pipe: Connection) -> None:
    consumer = stage.pump()
    consumer.warm()
    pipe.send("ready")
    while not pipe.poll():
        batch = consumer.deliver()
        if batch is None:
            time.sleep(LOOK_EVERY)
        elif batch.handed_back:
            sys.exit(f"{batch.handed_back} orders failed: {batch.error}")
