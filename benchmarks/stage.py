"""A stage for measurements in real time: store, AWS and functions run in separate processes."""

import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.connection import Connection
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any, TypeAlias

from benchmarks.aws_stub import AwsStub
from sandbox.pump import Batch, Pump
from sandbox.stack import Endpoint, Stack
from sandbox.store import Store
from sandbox.store.clock import SystemClock
from sandbox.store.statuses import Status

Work: TypeAlias = Callable[[], None]
Service: TypeAlias = Callable[[Connection], None]
"""A function that returns when it receives a message from its pipe."""

STAGE = "bench"
UNLIMITED = 10**9
"""A quota that no benchmark uses up."""

RECEIVE_INTERVAL = 0.02
"""Seconds between two receives from an empty queue. Lambda's event source uses long polling."""

spawn = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Placed:
    """The orders of a stage's store, as in `stage`."""

    orders: int
    shipped: int
    long: int
    lines: int


@dataclass(frozen=True)
class Stage:
    """The environment of the measured processes, the connection to the store's process, and AWS."""

    environment: dict[str, str]
    store: Connection
    aws: AwsStub

    def stats(self) -> dict[str, Any]:
        """The counters of the store since it started."""
        self.store.send("stats")
        stats: dict[str, Any] = self.store.recv()
        return stats

    def edit(self, order_id: int, **fields: str) -> None:
        """Change fields of an order, as the merchant does."""
        self.store.send((order_id, fields))
        self.store.recv()

    def check_replicated(self, orders: int) -> None:
        """Raise RuntimeError unless this number of orders was stored and moved."""
        moved = len(self.stats()["moved"])
        if (moved, self.aws.replicated) != (orders, orders):
            raise RuntimeError(f"{moved} of {orders} orders were moved")


@dataclass(frozen=True)
class Run:
    """Elapsed time, CPU time of all processes, and peak memory of the largest process."""

    seconds: float
    cpu_seconds: float
    peak_mib: float


@contextmanager
def stage(
    orders: int,
    settings: dict[str, str] | None = None,
    *,
    shipped: int = 0,
    long: int = 0,
    lines: int = 0,
    **store: Any,
) -> Iterator[Stage]:
    """A store with these numbers of orders, and an AWS without any.

    `orders` are new, `shipped` are shipped, and `long` are new orders of so many `lines`.
    """
    placed = Placed(orders, shipped, long, lines)
    ours, theirs = spawn.Pipe()
    store_process = spawn.Process(target=_run_store, args=(theirs, placed, store))
    store_process.start()
    url = ours.recv()
    with AwsStub() as aws:
        environment = Stack(Endpoint(aws.url), STAGE).environment(url, "sandbox", **settings or {})
        try:
            yield Stage(environment, ours, aws)
        finally:
            ours.send("stop")
            store_process.join()


def run(
    environment: dict[str, str], prepare: Callable[..., Work], *args: Any, copies: int = 1
) -> Run:
    """Call what `prepare(*args)` returns in `copies` processes, and wait for all of them.

    The time starts when every process has finished its imports and opened its connections.
    """
    step = spawn.Barrier(copies + 1, timeout=1200)
    results: SimpleQueue[tuple[float, float]] = spawn.SimpleQueue()
    workers = [
        spawn.Process(target=_run_worker, args=(environment, step, results, prepare, args))
        for _ in range(copies)
    ]
    for worker in workers:
        worker.start()
    step.wait()
    started = time.perf_counter()
    step.wait()
    seconds = time.perf_counter() - started
    usage = [results.get() for _ in workers]
    for worker in workers:
        worker.join()
    return Run(seconds, sum(cpu for cpu, _ in usage), max(peak for _, peak in usage))


@contextmanager
def running(environment: dict[str, str], service: Service) -> Iterator[Connection]:
    """Run a service in a process until the block ends; the connection to the process."""
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_run_service, args=(environment, service, theirs))
    process.start()
    try:
        yield ours
    finally:
        ours.send("stop")
        process.join()


def pump() -> Pump:
    """The pump of a measured process, connected to the AWS that the environment names."""
    stack = Stack(Endpoint(os.environ["AWS_ENDPOINT_URL"]), os.environ["STAGE"])
    return Pump(stack, SystemClock())


def poll() -> Work:
    """A poll of the service."""
    poller = pump()

    def work() -> None:
        error = poller.poll()
        if error:
            raise error

    return work


def consume() -> Work:
    """A consumer of new orders that processes the queue until no message is visible."""
    consumer = pump()
    consumer.warm()

    def work() -> None:
        while batch := consumer.deliver():
            _check(batch)

    return work


def consume_until_stopped(container: str, pipe: Connection) -> None:
    """A service: a warm consumer in the container `replicate 1` or `follow 1`."""
    consumer = pump()
    consumer.warm(container)
    pipe.send("ready")
    while not pipe.poll():
        batch = consumer.deliver(container)
        if batch is None:
            time.sleep(RECEIVE_INTERVAL)
        else:
            _check(batch)


def _check(batch: Batch) -> None:
    """Raise the error of a batch. Orders that have to be read once more are no error."""
    if batch.error:
        raise batch.error


def peak_mib() -> float:
    """Peak memory of this process, in MiB.

    On Linux, getrusage includes the peak of the parent process, so /proc is read there.
    """
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1024**2


def _run_worker(
    environment: dict[str, str],
    step: Barrier,
    results: "SimpleQueue[tuple[float, float]]",
    prepare: Callable[..., Work],
    args: tuple[Any, ...],
) -> None:
    os.environ.update(environment)
    try:
        work = prepare(*args)
        step.wait()
        started = time.process_time()
        work()
        results.put((time.process_time() - started, peak_mib()))
        step.wait()
    except BaseException:
        # Processes that wait at the barrier fail immediately instead of after its timeout.
        step.abort()
        raise


def _run_service(environment: dict[str, str], service: Service, pipe: Connection) -> None:
    os.environ.update(environment)
    service(pipe)


def _run_store(pipe: Connection, placed: Placed, options: dict[str, Any]) -> None:
    with Store(**options) as store:
        store.place_orders(placed.orders, statuses=[Status.AWAITING_FULFILLMENT])
        for _ in range(placed.long):
            store.place_order(lines=placed.lines, via="api")
        an_hour_ago = store.clock.now() - timedelta(hours=1)
        for _ in range(placed.shipped):
            store.place_order(status=Status.SHIPPED, via="api", created=an_hour_ago)
        pipe.send(store.url)
        while (request := pipe.recv()) != "stop":
            if request != "stats":
                order_id, fields = request
                store.edit(order_id, **fields)
            pipe.send(
                {
                    "requests": dict(store.requests),
                    "answers": dict(store.answers),
                    "windows": [vars(window) for window in store.windows],
                    "moved": {change.order_id: change.at for change in store.status_changes},
                }
            )
