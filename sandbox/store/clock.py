"""Clocks: the machine's, one that is ahead of it, and one that `sleep` and `advance` move."""

import threading
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """A clock of the sandbox; `time` in epoch seconds."""

    def time(self) -> float: ...
    def now(self) -> datetime: ...
    def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's time."""

    def time(self) -> float:
        return time.time()

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class ShiftedClock:
    """The machine's time, plus the seconds by which it has been advanced."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self._advanced = threading.Condition()

    def time(self) -> float:
        return time.time() + self._ahead

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.time(), UTC)

    def sleep(self, seconds: float) -> None:
        """Return when the time has come, also because the clock was advanced."""
        ends_at = self.time() + seconds
        with self._advanced:
            while (left := ends_at - self.time()) > 0:
                self._advanced.wait(left)

    def advance(self, seconds: float) -> None:
        with self._advanced:
            self._ahead += max(0.0, seconds)
            self._advanced.notify_all()


class SimulatedClock:
    """Starts at the present; `sleep` advances it and returns at once.

    Every read advances it by `tick` seconds. With a `tick` of 0 the number of reads has no effect,
    so that a history can be replayed.
    """

    def __init__(self, start: float | None = None, tick: float = 1e-6) -> None:
        self._time = time.time() if start is None else start
        self._tick = tick
        self._lock = threading.Lock()

    def time(self) -> float:
        """Seconds since the epoch; with a tick, no two reads return the same time."""
        with self._lock:
            self._time += self._tick
            return self._time

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.time(), UTC)

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        with self._lock:
            self._time += max(0.0, seconds)
