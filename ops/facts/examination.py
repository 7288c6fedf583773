"""Checks every fact against a store."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ops.facts import (
    afterwards,
    consignments,
    embedded,
    filters,
    hooks,
    limits,
    lines,
    listing,
    orders,
    parts,
    single,
    writes,
)
from ops.facts.evidence import Evidence
from ops.facts.fact import Fact, Finding, Topic
from ops.facts.shapes import Shapes, shapes

FORMAT = 1
"""The version of the file's form."""

TOPICS: tuple[Topic, ...] = (
    listing.LISTS,
    filters.FILTERS,
    single.ORDER,
    orders.FIELDS,
    embedded.EMBEDDED_LISTS,
    consignments.CONSIGNMENTS,
    parts.LISTS,
    lines.LINES,
    afterwards.AFTERWARDS,
    hooks.HOOKS,
    # Last, because they are about the responses to all others.
    limits.QUOTA,
    limits.ERRORS,
)
"""The facts that are checked by reading."""

WRITING = writes.WRITES


def every_fact() -> list[Fact]:
    return [fact for topic in (*TOPICS, WRITING) for fact in topic.facts]


@dataclass(frozen=True)
class Result:
    """The findings about a store. `requests` counts what was sent by its method.

    `fields` are the names and JSON types of fields by the kind of object.
    """

    findings: list[Finding]
    orders: int
    requests: Mapping[str, int]
    quota: int | None
    fields: Shapes

    @property
    def faults(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.is_fault]

    @property
    def summary(self) -> dict[str, int]:
        """How many facts have each verdict."""
        verdicts = Counter(finding.verdict for finding in self.findings)
        return {name: verdicts[name] for name in ("holds", "does not hold", "not seen")}

    def facts(self) -> dict[str, Any]:
        """For JSON: names of facts and fields, verdicts and counts, and nothing of an order."""
        return {
            "format": FORMAT,
            "orders": self.orders,
            "requests": dict(self.requests),
            "quota": self.quota,
            "summary": self.summary,
            "facts": [finding.facts() for finding in self.findings],
            "fields": self.fields,
        }


def examine(store: Evidence, topics: Iterable[Topic] = TOPICS) -> list[Finding]:
    """Raises StoreError for an error that is not that of a single request, and OutOfTime."""
    return [fact.judge(store) for topic in topics for fact in topic.facts]


def result(
    store: Evidence, findings: list[Finding], requests: Mapping[str, int], quota: int | None
) -> Result:
    return Result(findings, len(store.orders), requests, quota, shapes(store))
