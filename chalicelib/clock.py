"""The clock of the service, as an argument, so that the sandbox can supply a simulated one."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    def time(self) -> float:
        """Seconds since the epoch."""

    def now(self) -> datetime:
        """The same time, timezone-aware, in UTC."""

    def sleep(self, seconds: float) -> None:
        """Return when `seconds` have passed."""


class SystemClock:
    def time(self) -> float:
        return time.time()

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
