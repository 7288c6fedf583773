"""The faults of a random history's calls, and the events in the middle of calls."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from sandbox.gate import (
    ANSWER_LOST,
    DIES_AFTER,
    DIES_BEFORE,
    FAILS_AFTER,
    LOST,
    PASSES,
    REFUSED,
    Call,
    Outcome,
)

WRONG = (REFUSED, FAILS_AFTER, DIES_AFTER, DIES_BEFORE, ANSWER_LOST, LOST)
OFTEN = (8, 8, 5, 2, 1, 1)
"""Relative frequencies. Lost connections are rare: botocore waits in real time to retry."""

FAIR, CHANGEABLE, STORMY = 0.0, 0.03, 0.25
"""The share of calls that fail."""


@dataclass
class Weather:
    """Decides the outcome of every call, by a random source of its own."""

    rng: Random
    record: Callable[[str], None]
    rate: float = FAIR
    closed: dict[str, float] = field(default_factory=dict)
    """Services that refuse every call, each until a time."""
    meanwhile: list[tuple[int, Callable[[], None]]] = field(default_factory=list)
    """Actions in the middle of a call, each with the number of calls to the store before it."""

    def __call__(self, call: Call) -> Outcome:
        if call.name.startswith("store"):
            self._act()
        if self.closed.get(call.name.split()[0], 0.0) > call.at:
            return REFUSED
        if self.rate and self.rng.random() < self.rate:
            (outcome,) = self.rng.choices(WRONG, OFTEN)
            self.record(f"  {call.function}: {call.name} {name_of(outcome)}")
            return outcome
        return PASSES

    def _act(self) -> None:
        due = [action for calls, action in self.meanwhile if calls == 0]
        # Updated first, since an action makes calls of its own.
        self.meanwhile = [(calls - 1, action) for calls, action in self.meanwhile if calls > 0]
        for action in due:
            action()


def name_of(outcome: Outcome) -> str:
    """A description of the outcome."""
    effect = "takes effect" if outcome.has_effect else "fails"
    answer = {"given": "", "error": ", answered by an error", "none": ", unanswered"}[
        outcome.answer
    ]
    return f"{effect}{', and the function dies' if outcome.dies else answer}"
