"""Simulated time: it passes when somebody sleeps or says so, and a microsecond at every look."""

import threading
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What the sandbox asks of any clock; times as the service's own clock has them."""

    def time(self) -> float: ...
    def now(self) -> datetime: ...
    def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """Time as the machine has it, for the world that people use with their own hands."""

    def time(self) -> float:
        return time.time()

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class SimulatedClock:
    """Starts at the present; `sleep` returns at once and later is then.

    With a `tick` of 0 looking takes no time, and a history is the same whoever looked how often.
    """

    def __init__(self, start: float | None = None, tick: float = 1e-6) -> None:
        self._time = time.time() if start is None else start
        self._tick = tick
        self._lock = threading.Lock()

    def time(self) -> float:
        """Seconds since the epoch; no two looks see the same moment, as on any real machine."""
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
