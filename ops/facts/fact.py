"""What a fact is, how one is declared, and the judgement of a check."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from chalicelib.edges.bigcommerce import Unavailable
from ops.facts.evidence import Evidence
from ops.wording import count

Verdict: TypeAlias = Literal["holds", "does not hold", "not seen"]

Case: TypeAlias = bool | Iterable[str]
"""One thing that was examined: whether it is as assumed, or the names of the fields that are
not."""

Check: TypeAlias = Callable[[Evidence], Iterable[Case]]
"""Yields the cases that it finds in a store; none where the store has nothing to examine."""

UNEXPECTED = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What a check raises for an answer of a form that it cannot read."""


@dataclass(frozen=True)
class Fact:
    """One assumption about BigCommerce.

    `used_for` is what the service needs it for. `setting` is the setting that follows if the fact
    does not hold, or "". The service is correct without a fact that is not `relied_on`. A fact that
    `writes` is checked on an order that is created for it.
    """

    name: str
    topic: str
    claim: str
    used_for: str
    unit: str
    setting: str
    relied_on: bool
    writes: bool
    check: Check = field(repr=False)

    def judge(self, store: Evidence) -> "Finding":
        """Raises StoreError for an error that is not that of a single request, and OutOfTime."""
        found, fields = [], set[str]()
        try:
            for case in self.check(store):
                names = [] if isinstance(case, bool) else list(case)
                fields.update(names)
                found.append(case if isinstance(case, bool) else not names)
        except Unavailable as error:
            return Finding(self, "not seen", note=str(error))
        except UNEXPECTED as error:
            # Only the type: the message may quote an order.
            note = f"an answer has an unexpected form ({type(error).__name__})"
            return Finding(self, "does not hold", len(found) + 1, 1, note=note)
        contrary = found.count(False)
        verdict: Verdict = "does not hold" if contrary else "holds" if found else "not seen"
        return Finding(self, verdict, len(found), contrary, tuple(sorted(fields)))


@dataclass(frozen=True)
class Finding:
    """The verdict on a fact: how many cases were examined, and how many were `contrary` to it.

    `fields` are the names of fields, never their values.
    """

    fact: Fact
    verdict: Verdict
    examined: int = 0
    contrary: int = 0
    fields: tuple[str, ...] = ()
    note: str = ""

    @property
    def is_fault(self) -> bool:
        """Whether the service relies on a fact that does not hold."""
        return self.fact.relied_on and self.verdict == "does not hold"

    @property
    def explanation(self) -> str:
        """In numbers."""
        if self.note:
            return self.note
        if not self.examined:
            return f"no {self.fact.unit} to examine"
        unit = self.fact.unit
        examined = count(self.examined, unit, f"{unit}es" if unit.endswith("s") else "")
        if not self.contrary:
            return examined
        names = f" ({', '.join(self.fields)})" if self.fields else ""
        return f"{self.contrary} of {examined} otherwise{names}"

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "name": self.fact.name,
            "topic": self.fact.topic,
            "claim": self.fact.claim,
            "used_for": self.fact.used_for,
            "setting": self.fact.setting,
            "relied_on": self.fact.relied_on,
            "verdict": self.verdict,
            "explanation": self.explanation,
            "examined": self.examined,
            "contrary": self.contrary,
            "fields": list(self.fields),
        }


@dataclass(frozen=True)
class Topic:
    """Facts that belong together, in the order of their declaration."""

    name: str
    writes: bool = False
    facts: list[Fact] = field(default_factory=list)

    def fact(
        self,
        name: str,
        claim: str,
        used_for: str,
        *,
        unit: str = "order",
        setting: str = "",
        relied_on: bool = True,
    ) -> Callable[[Check], Check]:
        """Declare a fact, which the decorated function checks. `unit` is what its cases are."""

        def declare(check: Check) -> Check:
            fact = Fact(
                name, self.name, claim, used_for, unit, setting, relied_on, self.writes, check
            )
            self.facts.append(fact)
            return check

        return declare
