"""The figures that pages and charts show are those in benchmarks/results.json, and no others."""

import re
import sys
from pathlib import Path

import pytest

from benchmarks import charts, page
from benchmarks.__main__ import MEASURED, WORKED_OUT
from benchmarks.cost import Prices
from benchmarks.figures import Figure, Results
from benchmarks.plan import measure as plan

PROJECT = Path(__file__).resolve().parents[2]
RESULTS = Results.load()


@pytest.mark.parametrize("name", page.PAGES)
def test_a_page_says_what_was_measured(name: str) -> None:
    assert page.current(name) == page.due(name, RESULTS)


@pytest.mark.parametrize("name", charts.CHARTS)
def test_a_chart_shows_what_was_measured(name: str) -> None:
    assert (charts.FOLDER / f"{name}.svg").read_text() == charts.drawn(name, RESULTS)


def test_drawing_leaves_no_finder_that_imports_cannot_ask() -> None:
    """One did: every failed import ended in an AttributeError, and moto's services in a 500."""
    assert [finder for finder in sys.meta_path if not hasattr(finder, "find_spec")] == []


def test_every_chart_that_the_pages_show_is_drawn() -> None:
    shown = re.findall(r"charts/(\w+)\.svg", page.current("README.md"))

    assert 2 <= len(shown) <= 4
    assert set(shown) <= set(charts.CHARTS)


def test_results_are_read_as_they_were_kept(tmp_path: Path) -> None:
    figures = [Figure("a.b", "what", 1 / 3, "s", at_most=0.5), Figure("a.c", "no goal", 7)]
    kept = Results({}, {}).with_part("part", figures)
    kept.save(tmp_path / "results.json")

    read = Results.load(tmp_path / "results.json")

    assert read.value("a.b") == 0.333333
    assert [figure.goal for figure in read.figures["part"]] == ["≤ 0.5 s", ""]
    assert read.machines == kept.machines


def test_another_measurement_makes_another_page() -> None:
    (first, *rest) = RESULTS.figures["quota"]
    another = RESULTS.with_part("quota", [Figure(**{**vars(first), "value": 0.5}), *rest])
    template = f"{{{first.key}}}"

    assert page.filled("", template, another) != page.filled("", template, RESULTS)


def test_what_is_worked_out_follows_from_what_was_measured() -> None:
    for name, work_out in WORKED_OUT.items():
        again = {figure.key: figure.measured for figure in work_out(RESULTS)}
        assert again == {figure.key: figure.measured for figure in RESULTS.figures[name]}


def test_every_benchmark_has_results_of_a_machine_that_is_described() -> None:
    assert set(RESULTS.figures) == {*MEASURED, *WORKED_OUT}
    for machine in RESULTS.machines.values():
        assert set(machine) == {"cores", "python", "system", "processor"}


def test_no_figure_stands_twice() -> None:
    keys = [figure.key for figures in RESULTS.figures.values() for figure in figures]

    assert len(keys) == len(set(keys))


def test_every_part_that_the_pages_name_can_be_measured_alone() -> None:
    named = {
        part
        for name in page.PAGES
        for part in re.findall(r"make bench ONLY=(\w+)", page.current(name))
    }

    assert named <= {*MEASURED, *WORKED_OUT}


def test_every_price_has_its_source_and_its_date() -> None:
    for name, table in Prices.load().tables.items():
        if name != "assumed":
            assert table["source"].startswith("https://aws.amazon.com/")
            assert re.fullmatch(r"20\d\d-\d\d", table["as_of"])


def test_a_smaller_quota_makes_a_longer_plan() -> None:
    hours = {figure.key: figure.value for figure in plan(RESULTS) if figure.key.endswith(".hours")}

    assert hours["plan.normal.150.hours"] > hours["plan.lean.150.hours"]
    assert hours["plan.normal.150.hours"] > hours["plan.normal.450.hours"]
