"""The charts that the README shows, drawn from the results alone: the same figures, the same bytes.

pygal writes plain SVG without a browser or a canvas, is 130 KB, and needs nothing else.
"""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pygal
from pygal.etree import etree
from pygal.style import Style

from benchmarks.figures import Results
from benchmarks.store_requests import CASES, ROUTES
from benchmarks.throughput import CONSUMERS, LATENCIES

# Its hook for maps has no find_spec, which Python asks of every finder: with warnings as errors no
# import that needs more than the first finders would work any more.
sys.meta_path[:] = [finder for finder in sys.meta_path if hasattr(finder, "find_spec")]

FOLDER = Path(__file__).with_name("charts")
INK = "#1f2328"

ASIDE = re.compile(r"<!--.*?-->|<script.*?</script>", re.DOTALL)
"""What pygal adds: the date of drawing, and settings for a script that is not there."""

# A light card of its own, so that the page's background, light or dark, does not matter.
STYLE = Style(
    background="#ffffff",
    plot_background="#ffffff",
    foreground=INK,
    foreground_strong=INK,
    foreground_subtle="#6e7781",
    font_family="system-ui, sans-serif",
    title_font_size=20,
    label_font_size=14,
    major_label_font_size=14,
    legend_font_size=14,
    value_font_size=13,
    value_colors=(INK,) * 8,
    opacity=1,
    colors=("#54aeff", "#c297ff", "#4ac26b", "#eac54f", "#ff8182", "#afb8c1", "#80ccff"),
)


def requests(results: Results) -> Any:
    """Requests per order, stacked by route, with the fewest possible beside the name."""
    chart = _chart(pygal.HorizontalStackedBar, "Requests to the store per order", height=620)
    cases = list(reversed(CASES))
    chart.x_labels = [
        f"{case.what} (fewest {results.value(f'requests.{case.key}.fewest'):.2f})" for case in cases
    ]
    for name in ROUTES.values():
        chart.add(name, [results.value(f"requests.{case.key}.{name}") for case in cases])
    return chart


def speed(results: Results) -> Any:
    chart = _chart(pygal.Bar, "Orders a second, by what a request to the store takes")
    chart.x_labels = [f"{latency} ms" for latency in LATENCIES]
    for consumers in CONSUMERS:
        values = [results.value(f"speed.{latency}.{consumers}") for latency in LATENCIES]
        chart.add("1 consumer" if consumers == 1 else f"{consumers} consumers", _said(values, 1))
    return chart


def latency(results: Results) -> Any:
    chart = _chart(pygal.Bar, "Milliseconds from a webhook until ... (store at 40 ms a request)")
    percents = (50, 95, 99)
    chart.x_labels = [f"p{percent}" for percent in percents]
    for name in ("acknowledged", "stored", "moved"):
        values = [results.value(f"latency.{name}.p{percent}") for percent in percents]
        chart.add(name, _said(values, 0))
    return chart


def backlog(results: Results) -> Any:
    chart = _chart(pygal.Bar, "A poll's peak memory (MiB), by the new orders it finds")
    sizes = (100, 1_000, 10_000, 100_000)
    chart.x_labels = [f"{orders:,}" for orders in sizes]
    values = [results.value(f"backlog.poll.{orders}.memory") for orders in sizes]
    chart.add("peak memory", _said(values, 0))
    return chart


def cost(results: Results) -> Any:
    chart = _chart(pygal.HorizontalStackedBar, "Dollars for 10,000 orders", height=300)
    ways = {"webhook": "lone webhooks", "poll": "the poll"}
    chart.x_labels = list(ways.values())
    for name in ("Lambda", "DynamoDB", "SQS", "API Gateway", "CloudWatch Logs"):
        chart.add(name, _said([results.value(f"cost.{way}.{name}") for way in ways], 3))
    return chart


CHARTS: dict[str, Callable[[Results], Any]] = {
    "requests": requests,
    "speed": speed,
    "latency": latency,
    "backlog": backlog,
    "cost": cost,
}


def drawn(name: str, results: Results) -> str:
    """A chart as SVG."""
    etree.to_etree()
    return ASIDE.sub("", CHARTS[name](results).render(is_unicode=True)) + "\n"


def draw(results: Results) -> None:
    """Write every chart."""
    FOLDER.mkdir(exist_ok=True)
    for name in CHARTS:
        (FOLDER / f"{name}.svg").write_text(drawn(name, results))


def _chart(kind: type, title: str, height: int = 360) -> Any:
    chart = kind(
        title=title,
        style=STYLE,
        width=900,
        height=height,
        margin=18,
        margin_bottom=45,
        print_values=kind is pygal.Bar,
        print_values_position="top",
        legend_at_bottom=True,
        legend_at_bottom_columns=3,
        truncate_label=-1,
        truncate_legend=-1,
        js=(),
        include_x_axis=True,
    )
    # Else a random one, and every drawing would differ.
    chart.uuid = "chart"
    return chart


def _said(values: list[float], digits: int) -> list[dict[str, Any]]:
    return [{"value": value, "label": "", "formatter": _rounded(digits)} for value in values]


def _rounded(digits: int) -> Callable[[float], str]:
    return lambda value: f"{value:,.{digits}f}"
