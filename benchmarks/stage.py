"""A stage to measure: store, AWS and functions in processes of their own, in real time."""

import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any, TypeAlias

from benchmarks.quick_aws import QuickAws
from sandbox.pump import Pump
from sandbox.stack import Endpoint, Stack
from sandbox.store import Store
from sandbox.store.clock import SystemClock
from sandbox.store.statuses import Status

Work: TypeAlias = Callable[[], None]
Service: TypeAlias = Callable[[Connection], None]
"""Work of a process until its pipe says stop."""

STAGE = "bench"
PLENTY = 10**9
"""A quota that nothing uses up."""

processes = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Stage:
    """What the measured processes need: their environment, the store's door, and AWS."""

    environment: dict[str, str]
    store: Connection
    aws: QuickAws

    def stats(self) -> dict[str, Any]:
        """The store's counters since it started."""
        self.store.send("stats")
        answer: dict[str, Any] = self.store.recv()
        return answer


@dataclass(frozen=True)
class Run:
    """What processes took together, in seconds, and the peak memory of the largest, in MiB."""

    seconds: float
    cpu_seconds: float
    peak_mib: float


@contextmanager
def stage(orders: int, settings: dict[str, str] | None = None, **store: Any) -> Iterator[Stage]:
    """A store with so many new orders and an empty AWS, until the block ends."""
    ours, theirs = processes.Pipe()
    shop = processes.Process(target=_keep_store, args=(theirs, orders, store))
    shop.start()
    url = ours.recv()
    with QuickAws() as aws:
        environment = Stack(Endpoint(aws.url), STAGE).environment(url, "sandbox", **settings or {})
        try:
            yield Stage(environment, ours, aws)
        finally:
            ours.send("stop")
            shop.join()


def run(
    environment: dict[str, str], prepare: Callable[..., Work], *args: Any, copies: int = 1
) -> Run:
    """Do what `prepare(*args)` returns in so many processes, until the last has done it.

    The processes are warm when the time starts: imported, connected, ready.
    """
    step = processes.Barrier(copies + 1, timeout=1200)
    told: SimpleQueue[tuple[float, float]] = processes.SimpleQueue()
    workers = [
        processes.Process(target=_work, args=(environment, step, told, prepare, args))
        for _ in range(copies)
    ]
    for worker in workers:
        worker.start()
    step.wait()
    began = time.perf_counter()
    step.wait()
    seconds = time.perf_counter() - began
    found = [told.get() for _ in workers]
    for worker in workers:
        worker.join()
    return Run(seconds, sum(cpu for cpu, _ in found), max(peak for _, peak in found))


@contextmanager
def running(environment: dict[str, str], service: Service) -> Iterator[Connection]:
    """A process with this environment that works until the block ends; the way to talk to it."""
    ours, theirs = processes.Pipe()
    process = processes.Process(target=_serve, args=(environment, service, theirs))
    process.start()
    try:
        yield ours
    finally:
        ours.send("stop")
        process.join()


def pump() -> Pump:
    """The pump of a measured process, which finds its AWS in the environment."""
    stack = Stack(Endpoint(os.environ["AWS_ENDPOINT_URL"]), os.environ["STAGE"])
    return Pump(stack, SystemClock())


def poll() -> Work:
    """The service's way to find orders."""
    poller = pump()

    def work() -> None:
        error = poller.poll()
        if error:
            raise error

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


def peak_mib() -> float:
    """The most memory that this process ever held, in MiB.

    Linux passes what getrusage tells from a parent to whatever it starts, so /proc is asked first.
    """
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1024**2


def _work(
    environment: dict[str, str],
    step: Barrier,
    told: "SimpleQueue[tuple[float, float]]",
    prepare: Callable[..., Work],
    args: tuple[Any, ...],
) -> None:
    os.environ.update(environment)
    try:
        work = prepare(*args)
        step.wait()
        began = time.process_time()
        work()
        told.put((time.process_time() - began, peak_mib()))
        step.wait()
    except BaseException:
        # Whoever waits at the barrier hears of it at once.
        step.abort()
        raise


def _serve(environment: dict[str, str], service: Service, pipe: Connection) -> None:
    os.environ.update(environment)
    service(pipe)


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
                    "moved": {change.order_id: change.at for change in store.status_changes},
                }
            )
