"""The findings in the terminal."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ops.facts.comparison import Difference
from ops.facts.examination import Result
from ops.facts.fact import Finding, Verdict
from ops.wording import count

MARKS: dict[Verdict, tuple[str, str]] = {
    "holds": ("✔", "green"),
    "does not hold": ("✘", "red"),
    "not seen": ("·", "dim"),
}
"""The mark of each verdict, and its colour."""


def report(result: Result) -> RenderableType:
    """A table for each topic, and the summary."""
    parts: list[RenderableType] = []
    for topic, findings in groupby(result.findings, lambda finding: finding.fact.topic):
        parts += [Text(topic, style="bold underline"), _table(findings), ""]
    return Group(*parts, *map(Text, summary(result)))


def summary(result: Result) -> list[str]:
    """The verdicts, the requests, and what follows."""
    verdicts = ", ".join(f"{number} {verdict}" for verdict, number in result.summary.items())
    sent = ", ".join(f"{number} {method}" for method, number in sorted(result.requests.items()))
    requests = count(sum(result.requests.values()), "request")
    lines = [
        f"{count(len(result.findings), 'fact')}: {verdicts}.",
        f"{count(result.orders, 'order')} read with {requests} ({sent}).",
    ]
    if not result.faults:
        return [*lines, "Every fact holds that the service relies on, as far as it was seen."]
    lines.append("The service relies on these, which do not hold in this store:")
    lines += [f"  {finding.fact.name}: {_use(finding)}" for finding in result.faults]
    return [*lines, "Write facts.json with --output, and report it to the maintainers."]


def _table(findings: Iterable[Finding]) -> Table:
    table = Table(show_edge=False, pad_edge=False)
    for header in ("", "fact", "seen", "used for"):
        table.add_column(header, overflow="fold")
    for finding in findings:
        mark, style = MARKS[finding.verdict]
        table.add_row(
            Text(mark, style=style),
            Text.assemble((finding.fact.name, "bold"), "\n", finding.fact.claim),
            Text(finding.explanation),
            Text(_use(finding)),
        )
    return table


def _use(finding: Finding) -> str:
    setting = finding.fact.setting
    return f"{finding.fact.used_for} ({setting})" if setting else finding.fact.used_for


def differences(found: Sequence[Difference], one: str, other: str) -> RenderableType:
    if not found:
        return Text("The same verdicts, fields and types.")
    table = Table(show_edge=False, pad_edge=False)
    for header in ("", one, other):
        table.add_column(header, overflow="fold")
    for each in found:
        table.add_row(Text(each.what), Text(each.one), Text(each.other))
    return Group(table, Text(count(len(found), "difference")))
