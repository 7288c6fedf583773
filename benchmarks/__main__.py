"""`make bench`: measure, print a table, and write results.json, the charts and the pages."""

import time
from collections.abc import Callable

import click
from rich.console import Console
from rich.table import Table

from benchmarks import (
    backlog,
    charts,
    cost,
    imports,
    latency,
    page,
    plan,
    store_requests,
    throughput,
)
from benchmarks.figures import Figure, Results

MEASURED: dict[str, Callable[[], list[Figure]]] = {
    "requests": store_requests.measure,
    "speed": throughput.measure,
    "quota": throughput.quota,
    "latency": latency.measure,
    "imports": imports.measure,
    "backlog": backlog.measure,
}

WORKED_OUT: dict[str, Callable[[Results], list[Figure]]] = {
    "cost": cost.measure,
    "plan": plan.measure,
}
"""From what was measured: worked out anew whenever anything was."""


@click.command()
@click.argument("names", nargs=-1, type=click.Choice([*MEASURED, *WORKED_OUT]))
def main(names: tuple[str, ...]) -> None:
    """Measure everything, or only what is named."""
    console = Console()
    results = Results.load()
    wanted = names or (*MEASURED, *WORKED_OUT)
    for name in [name for name in MEASURED if name in wanted]:
        began = time.monotonic()
        with console.status(f"measuring {name}"):
            results = results.with_part(name, MEASURED[name]())
        results.save()
        console.print(f"measured {name} in {time.monotonic() - began:.0f} s")
    try:
        results = bring_up_to_date()
    except KeyError as missing:
        console.print(f"No pages yet: {missing}")
    for name in wanted:
        console.print(table_of(name, results.figures.get(name, [])))


def bring_up_to_date() -> Results:
    """Work out what follows from results.json, and write it, the charts and the pages.

    Raises KeyError while a benchmark was never run.
    """
    results = Results.load()
    for name, work_out in WORKED_OUT.items():
        results = results.with_part(name, work_out(results))
    results.save()
    # As they were kept, so that whoever reads them draws the same.
    results = Results.load()
    charts.draw(results)
    page.write(results)
    return results


def table_of(name: str, figures: list[Figure]) -> Table:
    table = Table(title=name, title_justify="left")
    table.add_column("figure")
    table.add_column("measured", justify="right")
    table.add_column("goal")
    table.add_column("")
    for figure in figures:
        mark = "[green]✔[/]" if figure.is_reached else "[red]✘[/]"
        table.add_row(figure.what, figure.measured, figure.goal, mark if figure.goal else "")
    return table


if __name__ == "__main__":
    main(prog_name="python -m benchmarks")
