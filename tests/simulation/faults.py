"""A single fault: one call fails, and its retries with it, or the function dies there."""

import itertools

from sandbox.gate import (
    ANSWER_LOST,
    DIES_AFTER,
    FAILS_AFTER,
    PASSES,
    REFUSED,
    Call,
    Fate,
)

KINDS: dict[str, tuple[Fate, Fate]] = {
    "fails": (REFUSED, REFUSED),
    "fails after its effect": (FAILS_AFTER, REFUSED),
    "loses its answer": (ANSWER_LOST, PASSES),
    "is the last": (DIES_AFTER, PASSES),
}
"""The fate of the call, and of its retries. A function that dies before a call has died after
the one before it; one that dies before its first has not begun."""

READS = ("GetParameter", "Query", "BatchGetItem", "GET")


def has_effect(call: Call) -> bool:
    return not any(word in call.name.split() for word in READS)


def applies(kind: str, call: Call) -> bool:
    """Whether a call can fail so: what only reads has no effect to fail after."""
    return has_effect(call) or kind in ("fails", "is the last")


class Single:
    """The fate of the call with this number, or of the first with this name."""

    def __init__(self, kind, number=None, name=None) -> None:
        self._fates = KINDS.get(kind, (PASSES, PASSES))
        self._number, self._name = number, name
        self._counter = itertools.count(1)
        self.struck: Call | None = None
        self._retries_go_on = False

    def __call__(self, call: Call) -> Fate:
        number = next(self._counter)
        if self.struck is None:
            if number == self._number or call.name == self._name:
                self.struck, self._retries_go_on = call, True
                return self._fates[0]
            return PASSES
        is_retry = (call.name, call.subject) == (self.struck.name, self.struck.subject)
        self._retries_go_on = self._retries_go_on and is_retry
        return self._fates[1] if self._retries_go_on else PASSES
