"""`make bench`: measure, print the figures, and write results.json, the charts and the page."""

import time
from collections.abc import Callable

import click
from rich.console import Console
from rich.table import Table

from benchmarks import (
    backlog,
    changes,
    delivery,
    imports,
    latency,
    page,
    store_requests,
    sweep,
    throughput,
)
from benchmarks.figures import Figure, Results

BENCHMARKS: dict[str, Callable[[], list[Figure]]] = {
    "requests": store_requests.measure,
    "sweep": sweep.measure,
    "speed": throughput.measure,
    "quota": throughput.measure_quota,
    "latency": latency.measure,
    "changes": changes.measure,
    "delivery": delivery.measure,
    "imports": imports.measure,
    "backlog": backlog.measure,
}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(BENCHMARKS)))
@click.option("--print-only", is_flag=True, help="Print the figures and write no file.")
def main(names: tuple[str, ...], print_only: bool) -> None:
    """Run the benchmarks NAMES, or all of them."""
    console = Console()
    for name in names or BENCHMARKS:
        started = time.monotonic()
        with console.status(f"measuring {name}"):
            figures = BENCHMARKS[name]()
        console.print(table_of(f"{name}, in {time.monotonic() - started:.0f} s", figures))
        if not print_only:
            Results.load().with_part(name, figures).save()
    if not print_only:
        page.write(Results.load())
        console.print(f"wrote {page.PAGE.relative_to(page.PROJECT)}")


def table_of(title: str, figures: list[Figure]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("figure")
    table.add_column("measured", justify="right")
    table.add_column("goal")
    table.add_column("")
    for figure in figures:
        mark = "[green]✔[/]" if figure.is_reached else "[red]✘[/]"
        table.add_row(figure.what, figure.text, figure.goal, mark if figure.goal else "")
    return table


if __name__ == "__main__":
    main(prog_name="python -m benchmarks")
