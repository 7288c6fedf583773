"""The operator's clock: Ctrl-C interrupts its sleeps in all threads."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from chalicelib.clock import Clock, SystemClock


class OperatorClock:
    """The system's clock, or another one; it reports how long its threads still sleep.

    Setting `interrupted` ends every sleep of the system's clock at once. `on_sleep` is called with
    the seconds of each sleep before it begins.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.interrupted = threading.Event()
        self.ahead = 0.0
        """Seconds that are added to the clock's time."""
        self.on_sleep: Callable[[float], object] = lambda seconds: None
        self._clock = clock or SystemClock()
        self._sleep: Callable[[float], object] = clock.sleep if clock else self.interrupted.wait
        self._lock = threading.Lock()
        self._wake_times: list[float] = []

    def follow(self, clock: Clock) -> None:
        """Take the time of this clock, and sleep by it."""
        self._clock, self._sleep = clock, clock.sleep

    def time(self) -> float:
        return self._clock.time() + self.ahead

    def now(self) -> datetime:
        return self._clock.now() + timedelta(seconds=self.ahead)

    def sleep(self, seconds: float) -> None:
        self.on_sleep(seconds)
        wake_time = self.time() + seconds
        with self._lock:
            self._wake_times.append(wake_time)
        try:
            self._sleep(seconds)
        finally:
            with self._lock:
                self._wake_times.remove(wake_time)

    def seconds_to_sleep(self) -> float:
        """Seconds until the last sleeping thread continues; 0 when none sleeps."""
        with self._lock:
            latest = max(self._wake_times, default=0.0)
        return max(0.0, latest - self.time())
