"""Time from a webhook to its response, to the stored order and to the moved order."""

import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from multiprocessing.connection import Connection

import requests

from benchmarks import containers, events, stage
from benchmarks.figures import Figure, percentile
from sandbox.store.shop import FIRST_ID

ORDERS = 120
INTERVAL = 0.2
"""Seconds between two webhooks: 18,000 orders per hour."""

STORE_LATENCY = 0.04
COLD_STARTS = 15
TIMEOUT = 60.0

CONSUMER = partial(stage.consume_until_stopped, "replicate 1")


def measure() -> list[Figure]:
    return [*_warm(), *_cold()]


def _warm() -> Iterator[Figure]:
    """Webhooks at a constant rate, a warm API function and one warm consumer."""
    ids = range(FIRST_ID, FIRST_ID + ORDERS)
    with stage.stage(ORDERS, quota=stage.UNLIMITED, latency=STORE_LATENCY) as measured:
        environment = measured.environment
        with (
            stage.running(environment, serve) as api,
            stage.running(environment, CONSUMER) as consumer,
        ):
            url = api.recv()
            consumer.recv()
            sent, answered = send(url, ids, INTERVAL)
            wait(measured, len(ids))
        moved = measured.stats()["moved"]
        durations = {
            "acknowledged": list(answered.values()),
            "stored": [measured.aws.stored_at[order_id] - sent[order_id] for order_id in ids],
            "moved": [moved[order_id] - sent[order_id] for order_id in ids],
        }
    for name, seconds in durations.items():
        for percent in (50, 95, 99):
            milliseconds = percentile(seconds, percent) * 1000
            key, what = f"latency.{name}.p{percent}", f"webhook to {name}: p{percent}"
            yield Figure(key, what, milliseconds, "ms", 0)


def _cold() -> Iterator[Figure]:
    """A new container per webhook: imports, connections, secrets and the event."""
    with stage.stage(1, quota=stage.UNLIMITED) as measured:
        starts = [
            containers.start(["app"], measured.environment, ("app", events.request(FIRST_ID)))
            for _ in range(COLD_STARTS)
        ]
    durations = [start["import_ms"] + start["events_ms"][0] for start in starts]
    for percent in (50, 95):
        what = f"webhook to acknowledged, cold container: p{percent}"
        yield Figure(f"latency.cold.p{percent}", what, percentile(durations, percent), "ms", 0)


def send(
    url: str, ids: Sequence[int], interval: float
) -> tuple[dict[int, float], dict[int, float]]:
    """The time each webhook was sent (epoch seconds) and the duration of its response (seconds)."""
    sent: dict[int, float] = {}
    answered: dict[int, float] = {}

    def send_one(order_id: int) -> None:
        sent[order_id] = time.time()
        post(f"{url}/cart-converted", order_id)
        answered[order_id] = time.time() - sent[order_id]

    started = time.monotonic()
    senders = [threading.Thread(target=send_one, args=[order_id]) for order_id in ids]
    for number, sender in enumerate(senders):
        time.sleep(max(0.0, started + number * interval - time.monotonic()))
        sender.start()
    for sender in senders:
        sender.join()
    return sent, answered


def post(url: str, order_id: int, scope: str = "store/cart/converted") -> None:
    """Send a signed callback. Raises HTTPError when it is refused."""
    body, headers = events.callback(order_id, scope)
    requests.post(url, data=body, headers=headers, timeout=TIMEOUT).raise_for_status()


def wait(measured: stage.Stage, orders: int) -> None:
    """Wait until the moves of this number of orders are recorded."""
    ends_at = time.monotonic() + TIMEOUT
    while measured.aws.replicated < orders:
        if time.monotonic() > ends_at:
            raise RuntimeError(f"{measured.aws.replicated} of {orders} orders were replicated")
        time.sleep(stage.RECEIVE_INTERVAL)


def serve(pipe: Connection) -> None:
    """A service: a warm API function, whose URL it sends."""
    with stage.pump() as api:
        url = api.serve()
        body, headers = events.callback(1)
        # An invalid signature: the container connects and reads its secrets, and queues nothing.
        requests.post(f"{url}/cart-converted", data=body + b" ", headers=headers, timeout=TIMEOUT)
        pipe.send(url)
        pipe.recv()
