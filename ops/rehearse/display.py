"""The report in the terminal."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ops.rehearse.sections import Cell, Section, headline, number, sections
from ops.wording import listed

MOST_SHOWN = 12
"""Ids of a row; --json and the HTML file have more."""


def summary(facts: Mapping[str, Any]) -> RenderableType:
    """The headline and every section."""
    parts: list[RenderableType] = [Text("\n".join(headline(facts)), style="bold")]
    parts += [Text(f"! {note}", style="yellow") for note in facts["notes"]]
    if facts["error"]:
        parts.append(Text(f"It stopped at an error: {facts['error']}", style="red"))
    for section in sections(facts):
        parts += ["", *_section(section)]
    return Group(*parts)


def next_steps(facts: Mapping[str, Any], report: Path | None, keep: Path | None) -> str:
    """Where the report is, and how to read the orders that were not read."""
    read = facts["orders"]["read"]
    written = [report, keep if read else None]
    lines = ["", *(f"Written: {escape(str(path))}" for path in written if path)]
    if facts["ended"] != "complete" and read:
        lines.append(
            "The same command continues with older orders."
            if keep
            else "More orders are read with a higher --limit. With --keep FILE, the same command "
            "continues where it ended."
        )
    return "\n".join(lines)


def _section(section: Section) -> list[RenderableType]:
    parts: list[RenderableType] = [Text(section.title, style="bold underline")]
    parts += [Text(sentence) for sentence in section.sentences]
    if section.rows:
        table = Table(show_edge=False, pad_edge=False)
        for header in section.headers:
            table.add_column(header, overflow="fold")
        for row in section.rows:
            table.add_row(*map(_cell, row))
        parts.append(table)
    return parts


def _cell(cell: Cell) -> Text:
    if isinstance(cell, list):
        return Text(listed(cell, MOST_SHOWN))
    return Text(number(cell), justify="right") if isinstance(cell, int) else Text(cell)
