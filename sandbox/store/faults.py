"""Scheduled faults of the store's API."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

KINDS: dict[str, tuple[str, str]] = {
    "status": (
        "answers with `status` instead of running the handler; `headers` false leaves out the "
        "rate-limit headers, `retry_after` (seconds) adds X-Retry-After",
        '"status": 503',
    ),
    "html": ("answers with `status` and an HTML page instead of running the handler", ""),
    "cut": ("runs the handler, sends half of its body and closes the connection", ""),
    "body": ("answers 200 with `body` instead of running the handler", '"body": "[]"'),
    "drop_before": ("closes the connection instead of running the handler", ""),
    "drop_after": ("runs the handler and closes the connection without a response", ""),
    "slow": (
        "waits `seconds` on the store's clock before running the handler; a client that waits no "
        "longer is gone then, and the handler runs all the same",
        '"seconds": 5',
    ),
    "late": (
        "runs the handler, calls `act`, and waits `seconds` on the store's clock before the "
        "response",
        '"seconds": 5',
    ),
    "drip": (
        "is like late, but sends parts of the response all the time, so that no client gives up",
        '"seconds": 5',
    ),
    "before": ("calls `act` before running the handler: somebody is faster", ""),
    "hang": ("sends no response until the client leaves, the store stops or 60 s have passed", ""),
    "stale": ("shows each order, alone or in a list, as it was before its last change", ""),
    "missing": ("answers 404 instead of running the handler", ""),
    "short": ("leaves out the last `missing` members of an order's lists", '"missing": 1'),
    "embedded": (
        "shows only the first `limit` lines of each embedded consignment, stubs with `stubs`, "
        "lines without the field `without`, and no `__warning__` if `warns` is false",
        '"limit": 0, "warns": false',
    ),
    "unservable": (
        "answers 500 whenever the order `order_id` would be in the answer",
        '"order_id": 118, "times": null',
    ),
}
"""What a fault does by its `kind`, and the fields of an example."""

CONTENT = frozenset(("short", "embedded", "unservable"))
"""Kinds that change what the handler shows; they apply in addition to one of the others."""


@dataclass(frozen=True)
class Fault:
    """A fault on the calls that match `route`, a pattern over "METHOD /path".

    The path has no store prefix: "GET /orders/118/products", "GET /orders*", "*". The first `skip`
    matching calls pass; of the calls after them every `every`-th fails (None: each of them), at
    most `times` of them (None: no maximum), and none from `until` on (epoch seconds by the store's
    clock). With `embedded` only calls with the query parameter `include` match: those that ask for
    the embedded form. With `order_id` a fault of content applies to this order only, also in a
    list. The other fields depend on the kind; see KINDS.
    """

    route: str
    kind: str
    status: int = 500
    headers: bool = True
    retry_after: int | None = None
    body: bytes = b""
    seconds: float = 0.0
    act: Callable[[], object] | None = field(default=None, repr=False)
    order_id: int | None = None
    missing: int = 1
    limit: int = 50
    stubs: bool = False
    without: str | None = None
    warns: bool = True
    embedded: bool = False
    skip: int = 0
    times: int | None = 1
    every: int | None = None
    until: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown kind of fault: {self.kind}; one of {', '.join(KINDS)}")
        if self.every is not None and self.every < 1:
            raise ValueError(f"every must be at least 1, not {self.every}")


@dataclass
class Scheduled:
    """A fault, the number of matching calls so far, and how many of them failed."""

    fault: Fault
    seen: int = 0
    fired: int = 0

    @property
    def is_spent(self) -> bool:
        """Whether it has failed as many calls as it may."""
        return self.fault.times is not None and self.fired >= self.fault.times

    def strikes(self, route: str, now: float, *, embedded: bool) -> bool:
        """Whether this call fails; counts the call."""
        fault = self.fault
        if not fnmatchcase(route, fault.route) or (fault.embedded and not embedded):
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
    """The scheduled faults. The store's lock guards them."""

    def __init__(self) -> None:
        self._scheduled: list[Scheduled] = []

    def add(self, *faults: Fault) -> None:
        self._scheduled.extend(Scheduled(fault) for fault in faults)

    def clear(self) -> None:
        self._scheduled.clear()

    @property
    def scheduled(self) -> list[Scheduled]:
        """Those that can still strike, the one added first, as they are now."""
        return [replace(entry) for entry in self._scheduled if not entry.is_spent]

    @property
    def count(self) -> int:
        return len(self._scheduled)

    def strike(
        self, route: str, now: float, *, embedded: bool
    ) -> tuple[Fault | None, tuple[Fault, ...]]:
        """The fault of this call, the one added first, and all faults of its content.

        `embedded` whether the call asks for the embedded form. Every matching fault counts the
        call."""
        due = [entry for entry in self._scheduled if entry.strikes(route, now, embedded=embedded)]
        others = [entry for entry in due if entry.fault.kind not in CONTENT]
        struck = [entry for entry in due if entry.fault.kind in CONTENT] + others[:1]
        for entry in struck:
            entry.fired += 1
        content = tuple(entry.fault for entry in struck if entry.fault.kind in CONTENT)
        return (others[0].fault if others else None), content
