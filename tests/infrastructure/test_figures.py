"""docs/performance.md and its charts contain the figures of benchmarks/results.json."""

import re
import sys
from dataclasses import replace
from importlib.util import find_spec

import pytest

from benchmarks import charts, event_source, page
from benchmarks.__main__ import BENCHMARKS
from benchmarks.cost import RECORDS_BATCH, Prices
from benchmarks.event_source import Batching
from benchmarks.figures import Figure, Results
from benchmarks.imports import WEBHOOK_IMPORTS
from benchmarks.unavailable import Replication, compare

RESULTS = page.with_calculated(Results.load())


def test_the_page_contains_the_stored_figures():
    assert page.PAGE.read_text() == page.render(RESULTS)


@pytest.mark.parametrize("name", charts.CHARTS)
def test_a_chart_contains_the_stored_figures(name):
    assert (charts.FOLDER / f"{name}.svg").read_text() == charts.render(name, RESULTS)


def test_the_readme_names_three_figures():
    readme = " ".join((page.PROJECT / "README.md").read_text().split())

    requests, embedded = RESULTS["requests.poll.mix"].text, RESULTS["requests.poll.embedded"].text
    assert f"{requests} requests to the store per new order, or {embedded} with" in readme
    assert f"is stored {RESULTS['latency.stored.p95'].text} after its webhook (p95)" in readme
    assert f"10,000 orders cost {RESULTS['cost.poll'].text} at AWS" in readme


def test_the_page_shows_every_chart():
    shown = re.findall(r"\(charts/(\w+)\.svg\)", page.render(RESULTS))

    assert shown == list(charts.CHARTS)
    assert {path.stem for path in charts.FOLDER.iterdir()} == set(shown)


def test_a_different_measurement_changes_the_page():
    used = RESULTS["quota.150.used"]
    page_before = page.render(RESULTS)
    figures = [
        replace(figure, value=0.5) if figure is used else figure
        for figure in RESULTS.figures["quota"]
    ]

    page_after = page.render(replace(RESULTS, figures={**RESULTS.figures, "quota": figures}))

    changed = set(page_after.splitlines()) - set(page_before.splitlines())
    assert [line.split(" | ")[1] for line in changed] == ["50 %"]


def test_every_import_finder_has_find_spec_after_pygal_was_imported():
    assert [finder for finder in sys.meta_path if not hasattr(finder, "find_spec")] == []


def test_saved_results_are_loaded_unchanged(tmp_path):
    figures = [Figure("a.b", "what", 1 / 3, "s", at_most=0.5), Figure("a.c", "no goal", 7)]
    saved = Results({}, {}).with_part("part", figures)
    saved.save(tmp_path / "results.json")

    loaded = Results.load(tmp_path / "results.json")

    assert loaded.value("a.b") == 0.333333
    assert [figure.goal for figure in loaded.figures["part"]] == ["≤ 0.5 s", ""]
    assert loaded.conditions == saved.conditions


def test_every_benchmark_has_stored_results():
    assert set(Results.load().figures) == set(BENCHMARKS)


def test_every_figure_has_a_key_of_its_own():
    keys = [figure.key for figures in RESULTS.figures.values() for figure in figures]

    assert len(keys) == len(set(keys))


def test_every_benchmark_on_the_page_can_be_run_alone():
    assert set(re.findall(r"make bench ONLY=(\w+)", page.render(RESULTS))) == set(BENCHMARKS)


def test_the_modules_that_the_import_benchmark_names_exist():
    assert [name for name in WEBHOOK_IMPORTS if find_spec(name) is None] == []


def test_every_price_has_a_source_and_a_date():
    for name, table in Prices.load().tables.items():
        if name != "assumed":
            assert table["source"].startswith("https://aws.amazon.com/")
            assert re.fullmatch(r"20\d\d-\d\d", table["as_of"])


def test_a_larger_quota_and_fewer_requests_shorten_the_estimate():
    assert RESULTS.value("plan.default.450.days") < RESULTS.value("plan.default.150.days")
    assert RESULTS.value("plan.embedded.150.days") < RESULTS.value("plan.default.150.days")


def test_the_cost_of_events_is_calculated_with_the_batch_size_of_the_app():
    assert event_source.batching().size == RECORDS_BATCH


def test_the_deploying_page_names_the_cost_of_a_further_destination():
    deploying = " ".join((page.PROJECT / "docs" / "deploying.md").read_text().split())
    prices, events = Prices.load(), 10_000 * 30 * 6

    https = prices.millions("eventbridge", "million_api_destination_invocations", events)
    queue = prices.millions("sqs", "million_requests", events)

    assert f"HTTPS destination adds {https:.2f} dollars a month" in deploying
    assert f"each further queue {queue:.2f}" in deploying


class TestBatching:
    def test_a_batch_is_invoked_when_its_first_record_has_waited_for_the_window(self):
        batching = Batching(size=10, window=1.0)

        assert list(batching.add(["a"], now=100.0)) == []
        assert list(batching.add(["b"], now=100.75)) == []
        assert list(batching.add([], now=101.0)) == [["a", "b"]]
        assert list(batching.add([], now=102.0)) == []

    def test_a_full_batch_is_invoked_at_once_and_the_rest_waits(self):
        batching = Batching(size=2, window=1.0)

        assert list(batching.add(["a", "b", "c", "d", "e"], now=100.0)) == [["a", "b"], ["c", "d"]]
        assert list(batching.add([], now=100.5)) == []
        assert list(batching.add([], now=101.0)) == [["e"]]


class TestUnavailableReceiver:
    EVENTS = frozenset({"a", "b"})
    ALONE = Replication(8, 2, 5.0, records=[{}] * 4, published=EVENTS, received=EVENTS)

    def missed(self, **changes):
        figures = compare(self.ALONE, replace(self.ALONE, **changes))
        return [figure.key for figure in figures if not figure.is_reached]

    def test_without_a_difference_every_goal_is_reached(self):
        assert self.missed() == []

    @pytest.mark.parametrize(
        ("changes", "figure"),
        [
            ({"requests": 9}, "requests"),
            ({"moved": 1}, "moved"),
            ({"records": [{}] * 3}, "writes"),
            ({"seconds": 5.5}, "seconds"),
            ({"received": frozenset({"b", "c"})}, "other"),
        ],
    )
    def test_a_difference_misses_the_goal(self, changes, figure):
        assert self.missed(**changes) == [f"delivery.unavailable.{figure}"]
