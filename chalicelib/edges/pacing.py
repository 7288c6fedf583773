"""Pacing of requests to the store: waiting for its quota, and backoff before a retry.

BigCommerce grants a quota of requests per window, shared by all apps of the store. The headers of
every response state what is left.
"""

import math
import random
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from urllib3 import Retry

from chalicelib.clock import Clock

RESERVE = 0.05
"""The share of the quota that is left for requests other clients have in flight."""

LONGEST_WINDOW = 60.0
"""Seconds. BigCommerce's windows are 30 seconds long."""

SHUTDOWN_MARGIN = 10.0
"""Seconds before a function's timeout in which no request is started: it must still return."""


class OutOfTime(Exception):
    """The deadline is too near for another request or a wait."""


class Answer(Protocol):
    """The part of a response that a wait depends on."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...


class StoreRetry(Retry):
    """Exponential backoff with jitter, or the longer wait of BigCommerce's two headers.

    A 429 response without headers means overload, not an exhausted window: it backs off as well.
    """

    def wait_after(self, answer: Answer | None) -> float:
        """Seconds to wait before the next retry; `answer` is None when there was none."""
        return (answer and _wait_asked_for(answer)) or self.get_backoff_time()

    def get_backoff_time(self) -> float:
        doubled = self.backoff_factor * 2 ** (len(self.history) - 1)
        # Jitter spreads the retries of several functions; it need not be secure.
        return float(min(self.backoff_max, doubled) * (0.5 + random.random()))  # noqa: S311


@dataclass(frozen=True)
class Window:
    """The current quota window: requests left, the quota, and seconds until it ends."""

    left: int
    quota: int
    seconds: float


class Pacer:
    """Limits a container's requests in flight, and waits when the store's quota is used up.

    Other apps and containers are visible only in the quota left, so the pacer stops slightly early
    and waits for the next window instead of getting 429 responses.
    """

    def __init__(self, clock: Clock, max_in_flight: int, left_to_others: float = 0.0) -> None:
        self.clock = clock
        self._left_to_others = left_to_others
        self._slots = threading.BoundedSemaphore(max_in_flight)
        self.max_in_flight = max_in_flight
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._in_flight = 0
        self._left: int | None = None
        self._quota = 0
        self._ends_before = 0.0

    @contextmanager
    def slot(self, deadline: float) -> Iterator[None]:
        """Holds a request slot, after waiting for the quota. Raises OutOfTime."""
        with self._slots:
            self._enter(deadline)
            try:
                yield
            finally:
                with self._lock:
                    self._in_flight -= 1

    def observe(self, headers: Mapping[str, str], took: float = 0.0) -> None:
        """Update the quota from the headers of a response that `took` seconds to arrive.

        A response without them is ignored.
        """
        if "X-Rate-Limit-Requests-Left" not in headers:
            return
        left = int(_number(headers, "X-Rate-Limit-Requests-Left"))
        # A reset far in the future is an error of the store, and would stop this container.
        reset = min(_number(headers, "X-Rate-Limit-Time-Reset-Ms") / 1000, LONGEST_WINDOW)
        now = self.clock.time()
        earliest, latest = now - took + reset, now + reset
        with self._lock:
            self._quota = int(_number(headers, "X-Rate-Limit-Requests-Quota"))
            is_over = now >= self._ends_before
            if self._left is None or is_over or earliest > self._ends_before + 1.0:
                self._left, self._ends_before = left, latest
            else:
                # A slow answer of the same window: it may count fewer requests than a later one.
                self._left = min(self._left, left)
                self._ends_before = min(self._ends_before, latest)

    @property
    def window(self) -> Window | None:
        """The current window; None when it is over or no response has stated one."""
        with self._lock:
            seconds = self._ends_before - self.clock.time()
            if self._left is None or seconds <= 0:
                return None
            return Window(self._left, self._quota, seconds)

    def wait(self, seconds: float, deadline: float) -> None:
        """Sleep. Raises OutOfTime when the function would time out first, at the deadline."""
        left = deadline - self.clock.time()
        if seconds > left - SHUTDOWN_MARGIN:
            raise OutOfTime(f"{seconds:.0f} s to wait, {left:.0f} s left")
        self.clock.sleep(seconds)

    def _enter(self, deadline: float) -> None:
        """Count one more request in flight. One thread waits for the next window, others for it."""
        with self._turn:
            while wait := self._wait_needed():
                self.wait(wait, deadline)
            left = deadline - self.clock.time()
            if left < SHUTDOWN_MARGIN:
                raise OutOfTime(f"{left:.0f} s left")
            with self._lock:
                self._in_flight += 1

    def _wait_needed(self) -> float:
        """Seconds until the next window if the quota left is reserved or in flight; else 0."""
        with self._lock:
            wait = self._ends_before - self.clock.time()
            if self._left is not None and wait <= 0:
                self._left = None
            if self._left is None or self._left - self._in_flight > self._reserve():
                return 0.0
            return wait

    def _reserve(self) -> int:
        """Requests that are not used: those of others in flight, and the share left to others.

        The first are at most half of the quota, so that a small one is usable.
        """
        unseen = max(2 * self.max_in_flight, math.ceil(self._quota * RESERVE))
        left_to_others = math.floor(self._quota * self._left_to_others)
        return max(min(unseen, self._quota // 2), left_to_others)


def _wait_asked_for(answer: Answer) -> float:
    reset = _number(answer.headers, "X-Rate-Limit-Time-Reset-Ms") / 1000
    return max(reset if answer.status == 429 else 0.0, _number(answer.headers, "X-Retry-After"))


def _number(headers: Mapping[str, str], name: str) -> float:
    """A header's number; 0 when it is missing, not a number, or infinite."""
    try:
        number = float(headers.get(name, ""))
    except ValueError:
        return 0.0
    return number if math.isfinite(number) and number > 0 else 0.0
