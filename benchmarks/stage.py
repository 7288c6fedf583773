"""A stage to measure: store, AWS and consumers each in a process of its own, in real time."""

import json
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from typing import Any

from sandbox.clock import SystemClock
from sandbox.pump import Pump
from sandbox.stack import Endpoint, Stack
from sandbox.statuses import Status
from sandbox.store import Store

processes = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Stage:
    """What the measured processes need: their environment, and the store's door."""

    environment: dict[str, str]
    store: Connection

    def stats(self) -> dict[str, Any]:
        """The store's counters since it started."""
        self.store.send("stats")
        answer: dict[str, Any] = self.store.recv()
        return answer


@contextmanager
def stage(orders: int, **store: Any) -> Iterator[Stage]:
    """A store with so many new orders and an empty AWS, until the block ends."""
    ours, theirs = processes.Pipe()
    shop = processes.Process(target=_keep_store, args=(theirs, orders, store))
    shop.start()
    url = ours.recv()
    aws = subprocess.Popen(  # noqa: S603 - our own module, no shell
        [sys.executable, "-m", "sandbox.stack", "--store-url", url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    if aws.stdin is None or aws.stdout is None:
        raise RuntimeError("AWS was started without pipes")
    try:
        yield Stage(json.loads(aws.stdout.readline()), ours)
    finally:
        ours.send("stop")
        shop.join()
        aws.stdin.close()
        aws.wait()
        aws.stdout.close()


def run(
    environment: dict[str, str], work: Callable[..., None], *args: Any, copies: int = 1
) -> float:
    """Do `work(*args)` in so many processes; seconds from their common start to the last's end.

    The processes are started, and have imported what they need, before the time is taken.
    """
    ready = processes.Barrier(copies + 1)
    workers = [
        processes.Process(target=_work, args=(environment, ready, work, args))
        for _ in range(copies)
    ]
    for worker in workers:
        worker.start()
    ready.wait()
    began = time.perf_counter()
    for worker in workers:
        worker.join()
    if any(worker.exitcode for worker in workers):
        raise RuntimeError("a measured process failed; its traceback is above")
    return time.perf_counter() - began


def pump() -> Pump:
    """The pump of a measured process, which finds its AWS in the environment."""
    stack = Stack(Endpoint(os.environ["AWS_ENDPOINT_URL"]), os.environ["STAGE"])
    return Pump(stack, SystemClock())


def poll() -> None:
    """The service's way to find orders."""
    error = pump().poll()
    if error:
        raise error


def consume() -> None:
    """The service's way to empty the queue."""
    consumer = pump()
    while batch := consumer.deliver():
        if batch.handed_back:
            raise RuntimeError(f"{batch.handed_back} orders failed: {batch.error}")


def _work(
    environment: dict[str, str], ready: Barrier, work: Callable[..., None], args: tuple[Any, ...]
) -> None:
    os.environ.update(environment)
    ready.wait()
    work(*args)


def _keep_store(pipe: Connection, orders: int, options: dict[str, Any]) -> None:
    with Store(**options) as store:
        store.place_orders(orders, statuses=[Status.AWAITING_FULFILLMENT])
        pipe.send(store.url)
        while pipe.recv() == "stats":
            pipe.send(
                {
                    "requests": dict(store.requests),
                    "answers": dict(store.answers),
                    "windows": [vars(window) for window in store.windows],
                    "moved": len(store.status_changes),
                }
            )
