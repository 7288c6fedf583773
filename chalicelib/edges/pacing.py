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

LEFT_UNTIL_THE_END = 10
"""Requests of the share of others that they do not lose while a window lasts."""

USUAL_WINDOW, LONGEST_WINDOW = 30.0, 60.0
"""Seconds: the length of BigCommerce's windows, and the longest that is believed."""

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
    and waits for the next window instead of getting 429 responses. A share of the quota can be left
    to others; what they have not used when a part of the window is over is used after all.
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
        self._length = USUAL_WINDOW
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
        length = min(_number(headers, "X-Rate-Limit-Time-Window-Ms") / 1000, LONGEST_WINDOW)
        now = self.clock.time()
        earliest, latest = now - took + reset, now + reset
        with self._lock:
            self._quota = int(_number(headers, "X-Rate-Limit-Requests-Quota"))
            self._length = length or USUAL_WINDOW
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
        """Seconds until a request may be sent; 0 while the quota left is enough for it."""
        with self._lock:
            seconds = self._ends_before - self.clock.time()
            if self._left is not None and seconds <= 0:
                self._left = None
            if self._left is None:
                return 0.0
            spare = self._left - self._in_flight - self._unseen()
            if spare <= 0:
                return seconds
            early = seconds - self._idle_from(spare)
            # Rounded up: a shorter sleep may not advance the clock.
            return early + 0.001 if early > 0 else 0.0

    def _unseen(self) -> int:
        """Requests that others may have in flight; at most half of a small quota."""
        unseen = max(2 * self.max_in_flight, math.ceil(self._quota * RESERVE))
        return min(unseen, self._quota // 2)

    def _idle_from(self, spare: int) -> float:
        """Seconds before the window's end from which others do not need this part of their share.

        Their share shrinks with the time that is left to use it, to the requests of an order or
        two: what arrives shortly before the end does not have to wait for it.
        """
        left_to_others = self._quota * self._left_to_others
        if not left_to_others:
            return math.inf
        kept = min(LEFT_UNTIL_THE_END, left_to_others, (self._quota - self._unseen()) // 2)
        if spare <= kept:
            return 0.0
        return self._length * spare / left_to_others


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
