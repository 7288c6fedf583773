"""A stage to measure: store, AWS and consumers each in a process of its own, in real time."""

import json
import multiprocessing
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any, TypeAlias

from sandbox.clock import SystemClock
from sandbox.pump import Pump
from sandbox.stack import Endpoint, Stack
from sandbox.statuses import Status
from sandbox.store import Store

Work: TypeAlias = Callable[[], None]

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
def emptied(measured: Stage) -> Iterator[None]:
    """Throw the messages away while the block runs: moto counts them all for each one sent."""
    stack = Stack(Endpoint(measured.environment["AWS_ENDPOINT_URL"]), measured.environment["STAGE"])
    done = threading.Event()

    def empty() -> None:
        while not done.wait(0.1):
            stack.sqs.purge_queue(QueueUrl=stack.queue_url)

    purging = threading.Thread(target=empty)
    purging.start()
    try:
        yield
    finally:
        done.set()
        purging.join()


@contextmanager
def stage(orders: int, **store: Any) -> Iterator[Stage]:
    """A store with so many new orders and an empty AWS, until the block ends."""
    ours, theirs = processes.Pipe()
    shop = processes.Process(target=_keep_store, args=(theirs, orders, store))
    shop.start()
    url = ours.recv()
    aws = subprocess.Popen(  # noqa: S603 - our own module, no shell
        [sys.executable, "-m", "sandbox.stack", "--store-url", url],
        # Else moto, as SQS does, would let a queue be purged once a minute.
        env={**os.environ, "MOTO_SQS_ENFORCE_STRICT_QUEUE_PURGE_BEHAVIOUR": "false"},
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
    environment: dict[str, str], prepare: Callable[..., Work], *args: Any, copies: int = 1
) -> float:
    """Do what `prepare(*args)` returns in so many processes; seconds until the last has done it.

    The processes are warm when the time starts: imported, connected, ready.
    """
    step = processes.Barrier(copies + 1, timeout=600)
    workers = [
        processes.Process(target=_work, args=(environment, step, prepare, args))
        for _ in range(copies)
    ]
    for worker in workers:
        worker.start()
    step.wait()
    began = time.perf_counter()
    step.wait()
    seconds = time.perf_counter() - began
    for worker in workers:
        worker.join()
    return seconds


def pump() -> Pump:
    """The pump of a measured process, which finds its AWS in the environment."""
    stack = Stack(Endpoint(os.environ["AWS_ENDPOINT_URL"]), os.environ["STAGE"])
    return Pump(stack, SystemClock())


def poll(result: str | None = None) -> Work:
    """The service's way to find orders; peak memory, in MiB, goes to the file `result`."""
    poller = pump()

    def work() -> None:
        error = poller.poll()
        if error:
            raise error
        if result:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            Path(result).write_text(str(peak))

    return work


def consume() -> Work:
    """The service's way to empty the queue."""
    consumer = pump()
    consumer.warm()

    def work() -> None:
        while batch := consumer.deliver():
            if batch.handed_back:
                raise RuntimeError(f"{batch.handed_back} orders failed: {batch.error}")

    return work


def _work(
    environment: dict[str, str],
    step: Barrier,
    prepare: Callable[..., Work],
    args: tuple[Any, ...],
) -> None:
    os.environ.update(environment)
    try:
        work = prepare(*args)
        step.wait()
        work()
        step.wait()
    except BaseException:
        # Whoever waits at the barrier hears of it at once.
        step.abort()
        raise


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
