"""A schedule of things that go wrong with the store's API."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal, get_args

Kind = Literal[
    "status", "html", "cut", "body", "drop_before", "drop_after", "slow", "hang", "stale", "missing"
]


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong, and when.

    `route` is a pattern over "METHOD /path", the path without the store's prefix:
    "GET /orders/118/products", "GET /orders*", "*". What happens, by `kind`:

    - status: `status` instead of the work; `headers=False` leaves the rate-limit headers out,
      `retry_after` (seconds) adds X-Retry-After
    - html: `status` and a page for people instead of the work
    - cut: the work and half of its answer, then the connection closes
    - body: 200 and `body` as it is, instead of the work
    - drop_before, drop_after: the connection closes without an answer, before or after the work
    - slow: `seconds` pass on the store's clock before the work
    - hang: no answer until the client leaves, the store stops or a minute is over
    - stale: single orders and lists show each order as it was before its last change
    - missing: 404

    The first `skip` matching calls go through; then `times` calls fail (None: all of them), or of
    those every `every`-th only; after `until` (epoch seconds by the store's clock) none."""

    route: str
    kind: Kind
    status: int = 500
    headers: bool = True
    retry_after: int | None = None
    body: bytes = b""
    seconds: float = 0.0
    skip: int = 0
    times: int | None = 1
    every: int | None = None
    until: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"no such kind of fault: {self.kind}")
        if self.every is not None and self.every < 1:
            raise ValueError(f"every must be at least 1, not {self.every}")


@dataclass
class Scheduled:
    """A fault with its history: matching calls seen, and how many of them it failed."""

    fault: Fault
    seen: int = 0
    fired: int = 0

    def strikes(self, route: str, now: float) -> bool:
        """Whether this call is one to fail; counts it as seen."""
        fault = self.fault
        if not fnmatchcase(route, fault.route):
            return False
        self.seen += 1
        past = self.seen - fault.skip
        return (
            past > 0
            and (fault.every is None or past % fault.every == 0)
            and (fault.times is None or self.fired < fault.times)
            and (fault.until is None or now < fault.until)
        )


class Faults:
    """The schedule. The store's lock guards it."""

    def __init__(self) -> None:
        self._scheduled: list[Scheduled] = []

    def add(self, *faults: Fault) -> None:
        self._scheduled.extend(Scheduled(fault) for fault in faults)

    def clear(self) -> None:
        self._scheduled.clear()

    @property
    def count(self) -> int:
        return len(self._scheduled)

    def strike(self, route: str, now: float) -> Fault | None:
        """The fault that this call meets, the one added first; every matching one has seen it."""
        due = [entry for entry in self._scheduled if entry.strikes(route, now)]
        if not due:
            return None
        due[0].fired += 1
        return due[0].fault
