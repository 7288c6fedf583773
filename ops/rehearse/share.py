"""Uses at most a share of the store's quota, and notes what other apps use of it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from chalicelib.clock import Clock
from chalicelib.edges.pacing import USUAL_WINDOW, Pacer

USUAL_SHARE = 0.25
"""The share of the quota that is used at most, unless another one is given."""

USUAL_QUOTA = 150
"""Requests per window of BigCommerce's smallest plans, which counts until the store states its own
(https://developer.bigcommerce.com/docs/start/best-practices/api-rate-limits)."""


@dataclass(frozen=True)
class Used:
    """What was used of the quota: `sent` requests of this program in the window that ends at
    `until` in epoch seconds, and `by_others` the most that other apps used of a window."""

    sent: int
    until: float
    by_others: int


class ShareOfQuota(Pacer):
    """A pacer that sends at most `share` of the quota in a window, one request at a time.

    The share that a Pacer leaves to others is used after all if they do not use it. Here it is not.
    """

    def __init__(self, clock: Clock, share: float) -> None:
        super().__init__(clock, max_in_flight=1)
        self._share = share
        self._used = 0
        self._until = 0.0
        self.quota: int | None = None
        self.seconds = USUAL_WINDOW
        self.by_others = 0
        """The most requests that other apps were seen to use of a window."""

    @contextmanager
    def slot(self, deadline: float) -> Iterator[None]:
        """As Pacer; first waits for the next window when the share of this one is used."""
        now = self.clock.time()
        if now < self._until and self._used >= self._most():
            # Rounded up: a shorter sleep may not advance the clock.
            self.wait(self._until - now + 0.001, deadline)
        if self.clock.time() >= self._until:
            self._used, self._until = 0, self.clock.time() + self.seconds
        with super().slot(deadline):
            self._used += 1
            yield

    def observe(self, headers: Mapping[str, str], took: float = 0.0) -> None:
        """As Pacer; also notes the quota, and who used it."""
        super().observe(headers, took)
        window = self.window
        if window is None or not window.quota:
            return
        self.quota, until = window.quota, self.clock.time() + window.seconds
        if until > self._until + 1:
            # The window in which this request was sent began after the last one.
            self._used = 1
        self._until, self.seconds = until, self._length
        self.by_others = max(self.by_others, window.quota - window.left - self._used)

    @property
    def used(self) -> Used:
        return Used(self._used, self._until, self.by_others)

    def resume(self, used: Used) -> None:
        """Count what an earlier run used, which is not that of other apps."""
        self._used, self._until, self.by_others = used.sent, used.until, used.by_others

    def _most(self) -> int:
        return max(1, int((self.quota or USUAL_QUOTA) * self._share))
