"""Lambda's event source of the Orders table's stream, and the publish_changes that it invokes."""

import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from typing import Any

from chalice.app import DynamoDBEventConfig

from benchmarks import stage
from sandbox.container import Container
from sandbox.pump import Pump
from sandbox.store.clock import SystemClock

POLL_INTERVAL = 0.25
"""Seconds between two reads of a shard
(https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html)."""

HANDLER = "publish_changes"


class Batching:
    """Collects records until a batch of `size` is full, or its first record waited `window` s."""

    def __init__(self, size: int, window: float) -> None:
        self.size = size
        self.window = window
        self._waiting: list[Any] = []
        self._waiting_since = 0.0

    def add(self, records: Sequence[Any], now: float) -> Iterator[list[Any]]:
        """The batches to invoke the function with, after a read at `now` returned the records."""
        if not self._waiting:
            self._waiting_since = now
        self._waiting += records
        while len(self._waiting) >= self.size:
            yield self._take()
            self._waiting_since = now
        if self._waiting and now >= self._waiting_since + self.window:
            yield self._take()

    def _take(self) -> list[Any]:
        batch, self._waiting = self._waiting[: self.size], self._waiting[self.size :]
        return batch


def batching() -> Batching:
    """As publish_changes is configured in app.py."""
    source = Container(SystemClock()).source(DynamoDBEventConfig, HANDLER)
    return Batching(source.batch_size, source.maximum_batching_window_in_seconds)


def publish(batches: Sequence[Sequence[Any]]) -> stage.Work:
    """One publish_changes that publishes batches of records, one after the other."""
    publisher = _warm()

    def work() -> None:
        for batch in batches:
            _invoke(publisher, batch)

    return work


def publish_until_stopped(pipe: Connection) -> None:
    """A service: the event source and a warm publish_changes.

    The shard is the pipe: it receives (order id, record). After each batch the service sends the
    order ids of the batch and the time of the invocation in epoch seconds.
    """
    publisher, batches = _warm(), batching()
    pipe.send("ready")
    received: list[Any] = []
    while "stop" not in received:
        time.sleep(POLL_INTERVAL)
        received = []
        while pipe.poll():
            received.append(pipe.recv())
        records = [each for each in received if each != "stop"]
        for batch in batches.add(records, time.time()):
            invoked_at = time.time()
            _invoke(publisher, [record for _, record in batch])
            pipe.send(([order_id for order_id, _ in batch], invoked_at))


def _warm() -> Pump:
    """A pump whose publish_changes has created its client."""
    publisher = stage.pump()
    _invoke(publisher, [])
    return publisher


def _invoke(publisher: Pump, records: Sequence[Any]) -> None:
    """Invoke publish_changes. Raises RuntimeError when it did not publish every event."""
    answer = publisher.call(HANDLER, {"Records": list(records)})
    if answer["batchItemFailures"]:
        raise RuntimeError(f"not published: {answer['batchItemFailures']}")
