"""The report as one HTML file that needs nothing else: no script, and no request to anywhere."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from ops.rehearse.sections import Cell, Section, headline, number, sections

STYLE = """
:root { color-scheme: light dark; --line: #8886; --soft: #8882; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
.table { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .35rem 1rem .35rem 0; text-align: left;
  vertical-align: top; }
th.number, td.number { text-align: right; white-space: nowrap; }
.partial { background: var(--soft); border-left: .3rem solid #c60; padding: .5rem 1rem; }
summary { cursor: pointer; white-space: nowrap; } footer { font-size: .9rem; margin-top: 3rem; }
"""

FEW = 20
"""Ids that are shown at once; more are folded away."""


class Html(str):
    """Markup that is complete: only what is no Html is escaped."""


def tag(name: str, *content: object, **attributes: str) -> Html:
    """An element; its content is escaped unless it is Html. `class_` is the attribute class."""
    given = "".join(f' {key.strip("_")}="{escape(value)}"' for key, value in attributes.items())
    inner = "".join(each if isinstance(each, Html) else escape(str(each)) for each in content)
    return Html(f"<{name}{given}>{inner}</{name}>")


def page(facts: Mapping[str, Any]) -> str:
    """The whole file."""
    title = f"Rehearsal of store {facts['store_hash']}"
    lines = [tag("p", line) for line in headline(facts)]
    warnings = [*facts["notes"], *([facts["error"]] if facts["error"] else [])]
    lines += [tag("p", warning, class_="partial") for warning in warnings]
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    head = tag(
        "head",
        Html('<meta charset="utf-8">'),
        Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{policy}">'),
        tag("title", title),
        tag("style", Html(STYLE)),
    )
    body = tag(
        "body",
        tag("h1", title),
        tag("div", *lines, class_="partial") if facts["is_partial"] else Html("".join(lines)),
        *(element for section in sections(facts) for element in _section(section)),
        tag("footer", "Ids, counts and statuses only. The store was read and not changed."),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _section(section: Section) -> Iterator[Html]:
    yield tag("h2", section.title)
    for sentence in section.sentences:
        yield tag("p", sentence)
    if section.rows:
        numeric = [isinstance(cell, int) for cell in section.rows[0]]
        head = tag("tr", *map(_header, section.headers, numeric))
        rows = [tag("tr", *map(_cell, row)) for row in section.rows]
        table = tag("table", tag("thead", head), tag("tbody", *rows))
        yield tag("div", table, class_="table")


def _header(text: str, is_number: bool) -> Html:
    return tag("th", text, class_="number") if is_number else tag("th", text)


def _cell(cell: Cell) -> Html:
    if isinstance(cell, int):
        return tag("td", number(cell), class_="number")
    if not isinstance(cell, list):
        return tag("td", cell)
    ids = ", ".join(map(str, cell))
    if len(cell) <= FEW:
        return tag("td", ids)
    return tag("td", tag("details", tag("summary", f"{number(len(cell))} ids"), ids))
