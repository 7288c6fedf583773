"""Time as the service reads and spends it, so that a simulation can bring its own."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol, TypeAlias

Remaining: TypeAlias = Callable[[], float]
"""Seconds that this invocation of the function may still use."""


class Clock(Protocol):
    def time(self) -> float:
        """Seconds since the epoch."""

    def now(self) -> datetime:
        """The same moment, aware and in UTC."""

    def sleep(self, seconds: float) -> None:
        """Return when `seconds` have passed."""


class SystemClock:
    def time(self) -> float:
        return time.time()

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
