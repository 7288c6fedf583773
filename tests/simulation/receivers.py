"""Receivers of events: up, slow, down for hours, and one that refuses some orders for ever."""

from dataclasses import dataclass, field
from random import Random
from typing import Any

from sandbox.bus import Answer
from sandbox.store.clock import Clock

KINDS = ("up", "slow", "down", "refusing")
RETRIES = {"refusing": 5}
"""The retries of a destination, where they are not as many as by default."""

REFUSED_EVERY = 3
"""The receiver that refuses events refuses those of each order with an id divisible by this."""


@dataclass
class Receiver:
    """Keeps what it has processed, also where it did not answer in time.

    A `slow` one may answer too late, or be killed before or after it has processed an event.
    """

    kind: str
    rng: Random
    clock: Clock
    got: list[dict[str, Any]] = field(default_factory=list)
    down_until: float = 0.0

    def __call__(self, event: dict[str, Any]) -> Answer:
        if self.clock.time() < self.down_until:
            return Answer(503)
        if self.kind == "refusing" and event["detail"]["order_id"] % REFUSED_EVERY == 0:
            return Answer(self.rng.choice((400, 422, 500)))
        chance = self.rng.random() if self.kind == "slow" else 1.0
        if chance < 0.1:
            return Answer(502)
        self.got.append(event)
        if chance < 0.2:
            return Answer(500)
        return Answer(seconds=8.0) if chance < 0.4 else Answer()

    @property
    def url(self) -> str:
        return f"https://{self.kind}.example.com/orders"
