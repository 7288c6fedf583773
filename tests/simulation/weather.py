"""What goes wrong with the calls of a random history: how often, how, and who acts meanwhile."""

from dataclasses import dataclass, field

from sandbox.gate import (
    ANSWER_LOST,
    DIES_AFTER,
    DIES_BEFORE,
    FAILS_AFTER,
    PASSES,
    REFUSED,
    UNHEARD,
    Call,
    Fate,
)

WRONG = (REFUSED, FAILS_AFTER, DIES_AFTER, DIES_BEFORE, ANSWER_LOST, UNHEARD)
OFTEN = (8, 8, 5, 2, 1, 1)
"""A lost connection is rare: botocore waits in real time before it tries again."""

FAIR, CHANGEABLE, STORMY = 0.0, 0.03, 0.25
"""The share of the calls that go wrong."""


@dataclass
class Weather:
    """Decides the fate of every call, by a source of chance of its own."""

    rng: object
    tell: object
    rate: float = FAIR
    closed: dict[str, float] = field(default_factory=dict)
    """Services that refuse everything, each until a time."""
    meanwhile: list = field(default_factory=list)
    """Deeds of others, each with how many calls to the store come before it."""

    def __call__(self, call: Call) -> Fate:
        if call.name.startswith("store"):
            self._others_act()
        if self.closed.get(call.name.split()[0], 0.0) > call.at:
            return REFUSED
        if self.rate and self.rng.random() < self.rate:
            (fate,) = self.rng.choices(WRONG, OFTEN)
            self.tell(f"  {call.function}: {call.name} {name_of(fate)}")
            return fate
        return PASSES

    def _others_act(self) -> None:
        due = [deed for calls, deed in self.meanwhile if calls == 0]
        # Before anybody acts, since what they do makes calls of its own.
        self.meanwhile = [(calls - 1, deed) for calls, deed in self.meanwhile if calls > 0]
        for deed in due:
            deed()


def name_of(fate: Fate) -> str:
    """The fate in words."""
    effect = "works" if fate.has_effect else "fails"
    answer = {"given": "", "error": ", answered by an error", "none": ", unanswered"}[fate.answer]
    return f"{effect}{', and the function dies' if fate.dies else answer}"
