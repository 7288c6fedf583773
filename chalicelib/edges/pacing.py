"""How fast the store is asked: when to wait for its quota, and how long before a retry.

BigCommerce grants a quota of requests per window, shared by every app on the store, and
tells on every answer what is left of it.
"""

import math
import random
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from urllib3 import Retry

from chalicelib.clock import Clock, Remaining

if TYPE_CHECKING:
    from urllib3.response import BaseHTTPResponse

RESERVE = 0.05
"""The share of the quota that is left to requests which others have in the air unseen."""

LONGEST_WINDOW = 60.0
"""Seconds; BigCommerce's windows have 30."""

SHUTDOWN_MARGIN = 10.0
"""Seconds at a function's end in which nothing is started: records must still be returned."""


class OutOfTime(Exception):
    """A wait would outlast the function's remaining time."""


class StoreRetry(Retry):
    """Growing, jittered waits; the longer of what BigCommerce's two headers ask for.

    A 429 without headers means overload, not an empty window, and backs off by itself.
    """

    def get_retry_after(self, response: "BaseHTTPResponse") -> float | None:
        asked = (
            _number(response.headers, "X-Rate-Limit-Time-Reset-Ms") / 1000
            if response.status == 429
            else 0.0,
            _number(response.headers, "X-Retry-After"),
        )
        return max(asked) or None

    def get_backoff_time(self) -> float:
        doubled = self.backoff_factor * 2 ** (len(self.history) - 1)
        # Jitter spreads the retries of several functions; it is no secret.
        return float(min(self.backoff_max, doubled) * (0.5 + random.random()))  # noqa: S311

    def wait_after(self, response: "BaseHTTPResponse | None") -> float:
        """Seconds to wait before the next try."""
        asked = self.get_retry_after(response) if response is not None else None
        return asked or self.get_backoff_time()


@dataclass(frozen=True)
class Window:
    """The window of the quota that runs now: requests left of how many, and seconds to its end."""

    left: int
    quota: int
    seconds: float


class Pacer:
    """One container's share of the store: requests in the air, and the quota left.

    It sees other apps and other containers only in what the answers say is left, so it stops
    a little early and waits for the refill instead of running into 429.
    """

    def __init__(self, clock: Clock, max_in_flight: int) -> None:
        self._clock = clock
        self._slots = threading.BoundedSemaphore(max_in_flight)
        self.max_in_flight = max_in_flight
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._in_flight = 0
        self._left: int | None = None
        self._quota = 0
        self._refilled_at = 0.0

    @contextmanager
    def slot(self, remaining: Remaining) -> Iterator[None]:
        """A place in the air, once the quota allows. Raises OutOfTime when that takes too long."""
        with self._slots:
            self._enter(remaining)
            try:
                yield
            finally:
                with self._lock:
                    self._in_flight -= 1

    def observe(self, headers: Mapping[str, str]) -> None:
        """Learn from the headers of an answer; one without them teaches nothing."""
        if "X-Rate-Limit-Requests-Left" not in headers:
            return
        left = int(_number(headers, "X-Rate-Limit-Requests-Left"))
        # A reset that is far away is an error of the store's, and would stop this container.
        reset = min(_number(headers, "X-Rate-Limit-Time-Reset-Ms") / 1000, LONGEST_WINDOW)
        refilled_at = self._clock.time() + reset
        with self._lock:
            is_new_window = self._left is None or refilled_at > self._refilled_at + 1.0
            self._left = left if is_new_window or self._left is None else min(self._left, left)
            self._quota = int(_number(headers, "X-Rate-Limit-Requests-Quota"))
            self._refilled_at = refilled_at if is_new_window else self._refilled_at

    @property
    def window(self) -> Window | None:
        """What the answers have said of the window; None when it is over or nothing was said."""
        with self._lock:
            seconds = self._refilled_at - self._clock.time()
            if self._left is None or seconds <= 0:
                return None
            return Window(self._left, self._quota, seconds)

    def wait(self, seconds: float, remaining: Remaining) -> None:
        """Sleep, unless the function would end before. Raises OutOfTime."""
        if seconds > remaining() - SHUTDOWN_MARGIN:
            raise OutOfTime(f"{seconds:.0f} s to wait, {remaining():.0f} s left")
        self._clock.sleep(seconds)

    def _enter(self, remaining: Remaining) -> None:
        """Count one more in the air. One request waits for the refill, and the others for it."""
        with self._turn:
            while wait := self._wait_needed():
                self.wait(wait, remaining)
            if remaining() < SHUTDOWN_MARGIN:
                raise OutOfTime(f"{remaining():.0f} s left")
            with self._lock:
                self._in_flight += 1

    def _wait_needed(self) -> float:
        """Seconds until the refill, if the quota left is spoken for; else 0."""
        with self._lock:
            wait = self._refilled_at - self._clock.time()
            if self._left is not None and wait <= 0:
                self._left = None
            if self._left is None or self._left - self._in_flight > self._reserve():
                return 0.0
            return wait

    def _reserve(self) -> int:
        """Never more than half of a small quota, which could else never be used."""
        unseen = max(2 * self.max_in_flight, math.ceil(self._quota * RESERVE))
        return min(unseen, self._quota // 2)


def _number(headers: Mapping[str, str], name: str) -> float:
    """A header's number; 0 when it is missing, none, or without end."""
    try:
        number = float(headers.get(name, ""))
    except ValueError:
        return 0.0
    return number if math.isfinite(number) and number > 0 else 0.0
