"""The quota of a store: requests per window, shared by all apps."""

from dataclasses import dataclass
from math import ceil, floor

from sandbox.store.clock import Clock


@dataclass(frozen=True)
class Window:
    """One window: `started_at` in epoch seconds, `used` of `quota` requests, `throttled` 429s."""

    started_at: float
    used: int
    quota: int
    throttled: int


class RateLimit:
    """Consecutive windows from the creation of the store on. The store's lock guards them."""

    def __init__(
        self, clock: Clock, quota: int, window_seconds: float, used_by_others: int = 0
    ) -> None:
        """Other apps use `used_by_others` requests of each window, at its beginning."""
        self._clock = clock
        self._quota = quota
        self._seconds = window_seconds
        self._started_at = clock.time()
        self._by_others = self._used = used_by_others
        self._throttled = 0
        self.finished: list[Window] = []
        """Past windows with at least one request."""

    def roll(self) -> None:
        """Close the window when its time is over."""
        passed = floor((self._clock.time() - self._started_at) / self._seconds)
        if passed < 1:
            return
        if self._used > self._by_others or self._throttled:
            window = Window(self._started_at, self._used, self._quota, self._throttled)
            self.finished.append(window)
        self._started_at += passed * self._seconds
        self._used, self._throttled = self._by_others, 0

    def take(self) -> bool:
        """Use one request; False if none is left."""
        self.roll()
        if self._used >= self._quota:
            return False
        self._used += 1
        return True

    def use(self, requests: int) -> None:
        """Another app on the store uses the quota."""
        self.roll()
        self._used = min(self._quota, self._used + requests)

    def count_throttled(self) -> None:
        self._throttled += 1

    def headers(self, *, exhausted: bool = False) -> dict[str, str]:
        """The four headers; `exhausted` for a 429 although requests are left."""
        self.roll()
        reset = ceil((self._started_at + self._seconds - self._clock.time()) * 1000)
        left = 0 if exhausted else self._quota - self._used
        return {
            "X-Rate-Limit-Time-Window-Ms": str(round(self._seconds * 1000)),
            "X-Rate-Limit-Time-Reset-Ms": str(max(reset, 1)),
            "X-Rate-Limit-Requests-Quota": str(self._quota),
            "X-Rate-Limit-Requests-Left": str(left),
        }
