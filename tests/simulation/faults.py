"""A single fault: one call fails together with its retries, or the function dies there."""

import itertools

from sandbox.gate import ANSWER_LOST, DIES_AFTER, FAILS_AFTER, PASSES, REFUSED, Call, Outcome

KINDS: dict[str, tuple[Outcome, Outcome]] = {
    "fails": (REFUSED, REFUSED),
    "fails after its effect": (FAILS_AFTER, REFUSED),
    "loses its answer": (ANSWER_LOST, PASSES),
    "dies after it": (DIES_AFTER, PASSES),
}
"""The outcome of the call, and of its retries. Dying before a call equals dying after the call
before it, so that only deaths after a call are listed."""

READS = ("GetParameter", "Query", "GetItem", "BatchGetItem", "GetQueueAttributes", "GET")


def has_effect(call: Call) -> bool:
    return not any(word in call.name.split() for word in READS)


def applies(kind: str, call: Call) -> bool:
    """Whether a call can fail this way: a call that only reads has no effect to fail after."""
    return has_effect(call) or kind in ("fails", "dies after it")


class Single:
    """Fails the call with this number, or the first with this name."""

    def __init__(self, kind: str, number: int | None = None, name: str | None = None) -> None:
        self._outcomes = KINDS.get(kind, (PASSES, PASSES))
        self._number, self._name = number, name
        self._counter = itertools.count(1)
        self.struck: Call | None = None
        self._retries_go_on = False

    def __call__(self, call: Call) -> Outcome:
        number = next(self._counter)
        if self.struck is None:
            if number == self._number or call.name == self._name:
                self.struck, self._retries_go_on = call, True
                return self._outcomes[0]
            return PASSES
        is_retry = (call.name, call.subject) == (self.struck.name, self.struck.subject)
        self._retries_go_on = self._retries_go_on and is_retry
        return self._outcomes[1] if self._retries_go_on else PASSES
