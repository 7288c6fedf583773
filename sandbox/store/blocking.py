"""Blocks callbacks to domains whose success rate is too low."""

from collections import deque
from dataclasses import dataclass, field
from math import ceil

from sandbox.store.clock import Clock

AFTER_CALLS = 100
SUCCEEDING = 0.9
OVER_SECONDS = 120
BLOCKED_SECONDS = 180


@dataclass
class RecentCalls:
    """The results of the recent calls to one domain."""

    calls: deque[tuple[float, bool]] = field(default_factory=deque)
    succeeded: int = 0

    def note(self, at: float, succeeded: bool, *, since: float) -> None:
        self.calls.append((at, succeeded))
        self.succeeded += succeeded
        while self.calls[0][0] < since:
            self.succeeded -= self.calls.popleft()[1]

    @property
    def are_bad(self) -> bool:
        calls = len(self.calls)
        return calls >= AFTER_CALLS and self.succeeded < SUCCEEDING * calls


class Blocks:
    """The blocked domains. `scale` multiplies both periods, as it does the delays of retries."""

    def __init__(self, clock: Clock, scale: float) -> None:
        self._clock, self._scale = clock, scale
        self._calls: dict[str, RecentCalls] = {}
        self._ends: dict[str, float] = {}

    def note(self, domain: str, succeeded: bool) -> None:
        """Record a call, and block the domain when too many recent calls failed."""
        now, calls = self._clock.time(), self._calls.setdefault(domain, RecentCalls())
        calls.note(now, succeeded, since=now - OVER_SECONDS * self._scale)
        if calls.are_bad:
            self._ends[domain] = now + BLOCKED_SECONDS * self._scale
            del self._calls[domain]

    def end(self, domain: str) -> float | None:
        """When the domain's block ends, in epoch seconds; None when it is not blocked."""
        end = self._ends.get(domain)
        return end if end is not None and end > self._clock.time() else None

    def left(self) -> dict[str, int]:
        """The blocked domains, each with its remaining seconds."""
        now = self._clock.time()
        return {domain: ceil(end - now) for domain, end in self._ends.items() if end > now}
