"""The charts of docs/performance.md. The same figures always give the same bytes.

pygal writes SVG without a browser or a canvas, and has no dependencies of its own.
"""

import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pygal
from pygal.etree import etree
from pygal.style import Style

from benchmarks.backlog import POLLED
from benchmarks.figures import Results
from benchmarks.store_requests import CASES, ROUTES
from benchmarks.throughput import CONSUMERS, LATENCIES

# pygal installs a finder for map plugins that has no find_spec, which Python calls on each finder.
# With warnings as errors, every import that reaches this finder fails.
sys.meta_path[:] = [finder for finder in sys.meta_path if hasattr(finder, "find_spec")]

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "charts"
TEXT_COLOR = "#1f2328"

GENERATED = re.compile(r"<!--.*?-->|<script.*?</script>", re.DOTALL)
"""Parts that pygal adds: the date, and the configuration of a script that is not included."""

# The background is opaque, so that charts are legible on light and dark pages.
STYLE = Style(
    background="#ffffff",
    plot_background="#ffffff",
    foreground=TEXT_COLOR,
    foreground_strong=TEXT_COLOR,
    foreground_subtle="#6e7781",
    font_family="system-ui, sans-serif",
    title_font_size=20,
    label_font_size=14,
    major_label_font_size=14,
    legend_font_size=14,
    value_font_size=13,
    value_colors=(TEXT_COLOR,) * 8,
    opacity=1,
    colors=("#54aeff", "#c297ff", "#4ac26b", "#eac54f", "#ff8182", "#afb8c1", "#80ccff"),
)


def requests(results: Results) -> Any:
    chart = _chart(pygal.HorizontalStackedBar, "Requests to the store per order", height=620)
    cases = list(reversed(CASES))
    chart.x_labels = [
        f"{case.what} (minimum {results[f'requests.{case.key}.minimum'].text})" for case in cases
    ]
    for name in ROUTES.values():
        chart.add(name, [results.value(f"requests.{case.key}.{name}") for case in cases])
    return chart


def speed(results: Results) -> Any:
    chart = _chart(pygal.Bar, "Orders per second, by response time of the store")
    chart.x_labels = [f"{latency} ms" for latency in LATENCIES]
    for consumers in CONSUMERS:
        keys = [f"speed.{latency}.{consumers}" for latency in LATENCIES]
        chart.add(
            "1 consumer" if consumers == 1 else f"{consumers} consumers", _bars(results, keys)
        )
    return chart


def latency(results: Results) -> Any:
    chart = _chart(pygal.Bar, "Milliseconds after a webhook (store responds in 40 ms)")
    percents = (50, 95, 99)
    chart.x_labels = [f"p{percent}" for percent in percents]
    for name in ("acknowledged", "stored", "moved"):
        chart.add(name, _bars(results, [f"latency.{name}.p{percent}" for percent in percents]))
    return chart


def backlog(results: Results) -> Any:
    chart = _chart(pygal.Bar, "Peak memory of a poll in MiB, by number of new orders")
    chart.x_labels = [f"{orders:,}" for orders in POLLED]
    chart.add("peak memory", _bars(results, [f"backlog.poll.{orders}.memory" for orders in POLLED]))
    return chart


def cost(results: Results) -> Any:
    chart = _chart(pygal.HorizontalStackedBar, "US dollars for 10,000 orders", height=300)
    sources = {"webhook": "webhook, single orders", "poll": "poll"}
    chart.x_labels = list(sources.values())
    for service in ("Lambda", "DynamoDB", "SQS", "API Gateway", "CloudWatch Logs"):
        chart.add(service, _bars(results, [f"cost.{source}.{service}" for source in sources]))
    return chart


CHARTS: dict[str, Callable[[Results], Any]] = {
    "requests": requests,
    "speed": speed,
    "latency": latency,
    "backlog": backlog,
    "cost": cost,
}


def render(name: str, results: Results) -> str:
    """A chart as SVG."""
    etree.to_etree()
    return GENERATED.sub("", CHARTS[name](results).render(is_unicode=True)) + "\n"


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
    # The default is random.
    chart.uuid = "chart"
    return chart


def _bars(results: Results, keys: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {
            "value": results.value(key),
            "label": "",
            "formatter": _formatter(results[key].digits),
        }
        for key in keys
    ]


def _formatter(digits: int) -> Callable[[float], str]:
    return lambda value: f"{value:,.{digits}f}"
