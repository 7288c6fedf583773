"""Blocks callbacks to domains whose success rate is too low."""

from collections import deque
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any

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


@dataclass(frozen=True)
class Block:
    """Until when a domain is blocked, for how many failed calls; times in epoch seconds."""

    end: float
    since: float
    failed: int
    left: int = 0
    """Remaining seconds."""

    @property
    def reason(self) -> dict[str, Any]:
        text = "The success rate is under 90 %."
        return {
            "failure_description": text,
            "count": self.failed,
            "timestamp": int(self.since),
        }


class Blocks:
    """The blocked domains. `scale` multiplies both periods, as it does the delays of retries."""

    def __init__(self, clock: Clock, scale: float) -> None:
        self._clock, self._scale = clock, scale
        self._calls: dict[str, RecentCalls] = {}
        self._blocks: dict[str, Block] = {}

    def note(self, domain: str, succeeded: bool) -> None:
        """Record a call, and block the domain when too many recent calls failed."""
        now, calls = self._clock.time(), self._calls.setdefault(domain, RecentCalls())
        calls.note(now, succeeded, since=now - OVER_SECONDS * self._scale)
        if calls.are_bad:
            failed = len(calls.calls) - calls.succeeded
            self._blocks[domain] = Block(now + BLOCKED_SECONDS * self._scale, now, failed)
            del self._calls[domain]

    def end(self, domain: str) -> float | None:
        """When the domain's block ends, in epoch seconds; None when it is not blocked."""
        block = self._blocks.get(domain)
        return block.end if block is not None and block.end > self._clock.time() else None

    def current(self) -> dict[str, Block]:
        """The blocked domains."""
        now = self._clock.time()
        return {
            domain: replace(block, left=ceil(block.end - now))
            for domain, block in self._blocks.items()
            if block.end > now
        }
