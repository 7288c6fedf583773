"""The pages that tell figures: templates with the figures' keys, filled from the results."""

import re
from pathlib import Path

from benchmarks.figures import Results

PROJECT = Path(__file__).resolve().parent.parent
TEMPLATES = Path(__file__).with_name("templates")
PAGES = {"README.md": "how-fast.md", "docs/a-million-orders.md": "a-million-orders.md"}

BEGIN = "<!-- From here on written by `make bench`, from benchmarks/templates. -->\n"
END = "<!-- Up to here. -->\n"


def filled(page: str, template: str, results: Results) -> str:
    """The page with the part between its two marks written anew."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + _fill(template, results) + END + after


def current(name: str) -> str:
    """What a page says now."""
    return (PROJECT / name).read_text()


def due(name: str, results: Results) -> str:
    """What a page has to say."""
    return filled(current(name), (TEMPLATES / PAGES[name]).read_text(), results)


def write(results: Results) -> None:
    """Bring every page up to date."""
    for name in PAGES:
        (PROJECT / name).write_text(due(name, results))


def _fill(template: str, results: Results) -> str:
    """`{key}` becomes the figure as people read it; `{key:goal}` becomes its goal."""
    return re.sub(r"\{([^{}:]+)(:goal)?\}", lambda found: _told(found, results), template)


def _told(found: re.Match[str], results: Results) -> str:
    figure = results[found[1]]
    return figure.goal if found[2] else figure.measured
