"""`make bench`: a table of figures, each with what it should be."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from benchmarks import plain, stage
from benchmarks.quick_table import QuickTable
from sandbox.clock import SimulatedClock
from sandbox.stack import Aws
from sandbox.statuses import Status
from sandbox.store import Store
from sandbox.world import World

PLENTY = 10**9
CONSUMERS = 3


@dataclass(frozen=True)
class Figure:
    """One line of the table."""

    what: str
    measured: str
    goal: str
    reached: bool


def requests_per_order() -> list[Figure]:
    """Requests to the store, whatever the speed: poll and consumer, then lone webhooks."""
    orders, lone = 200, 20
    figures = []
    clock = SimulatedClock()
    with Aws() as aws:
        with World(aws, "poll", clock=clock, store=Store(clock=clock, quota=PLENTY)) as world:
            world.store.place_orders(orders, statuses=[Status.AWAITING_FULFILLMENT])
            world.poll()
            world.drain()
            made = sum(world.store.requests.values()) / orders
            figures.append(
                Figure(
                    "requests per order, poll, 200 neighbours", f"{made:.2f}", "≤ 4.3", made <= 4.3
                )
            )
        with World(aws, "webhook", clock=clock, store=Store(clock=clock, quota=PLENTY)) as world:
            for _ in range(lone):
                world.store.place_order()
                world.deliver_webhooks()
                world.drain()
            made = sum(world.store.requests.values()) / lone
            figures.append(
                Figure("requests per order, lone webhook", f"{made:.2f}", "≤ 5", made <= 5)
            )
    return figures


def quota() -> list[Figure]:
    """How much of the quota is used while orders wait, and how often the store says 429.

    The window is shortened from 30 seconds to 3, which changes nothing but the time this takes.
    """
    with stage.stage(300, quota=150, window_seconds=3.0) as measured:
        stage.run(measured.environment, stage.poll)
        stage.run(measured.environment, stage.consume, copies=CONSUMERS)
        stats = measured.stats()
    # The first window belongs to the poll and to starting up, the last one is not full.
    full = [window["used"] / window["quota"] for window in stats["windows"][2:-1]]
    answers = stats["answers"]
    throttled = answers.get(429, 0) / sum(answers.values())
    return [
        Figure(
            f"quota used, worst of {len(full)} full windows",
            f"{min(full):.0%}",
            "≥ 90 %",
            min(full) >= 0.9,
        ),
        Figure("answers 429", f"{throttled:.2%}", "≤ 1 %", throttled <= 0.01),
    ]


def speed() -> list[Figure]:
    """200 orders at 40 ms a request, three consumers: the plain way, then the service's."""
    seconds = {}
    for name, consume in (("plain", plain.consume), ("service", stage.consume)):
        with stage.stage(200, quota=PLENTY, latency=0.04) as measured:
            stage.run(measured.environment, stage.poll)
            table = QuickTable()
            environment = {**measured.environment, "AWS_ENDPOINT_URL_DYNAMODB": table.url}
            seconds[name] = stage.run(environment, consume, copies=CONSUMERS)
            table.stop()
            if (measured.stats()["moved"], table.count()) != (200, 200):
                raise RuntimeError(f"the {name} way did not store and move every order")
    factor = seconds["plain"] / seconds["service"]
    return [
        Figure("200 orders, the plain way", f"{seconds['plain']:.1f} s", "about 12.5 s", True),
        Figure("200 orders, the service", f"{seconds['service']:.1f} s", "", True),
        Figure("times as fast", f"{factor:.1f}", "≥ 4", factor >= 4),
    ]


def memory() -> list[Figure]:
    """Peak memory of a poll that finds 500 new orders, and of one that finds 50,000."""
    peaks = {}
    for orders in (500, 50_000):
        with (
            tempfile.TemporaryDirectory() as folder,
            stage.stage(orders, quota=PLENTY) as measured,
            stage.emptied(measured),
        ):
            result = Path(folder) / "peak"
            seconds = stage.run(measured.environment, stage.poll, str(result))
            peaks[orders] = float(result.read_text())
    more = peaks[50_000] - peaks[500]
    return [
        Figure(
            "peak memory of a poll, 500 → 50,000 new orders",
            f"{peaks[500]:.0f} → {peaks[50_000]:.0f} MB",
            "≤ 20 MB more",
            more <= 20,
        ),
        Figure("that poll of 50,000 took", f"{seconds:.0f} s", "", True),
    ]


BENCHMARKS: dict[str, Callable[[], list[Figure]]] = {
    "requests": requests_per_order,
    "quota": quota,
    "speed": speed,
    "memory": memory,
}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(BENCHMARKS)))
def main(names: tuple[str, ...]) -> None:
    """Measure everything, or only what is named."""
    console = Console()
    table = Table(title="order-replication", title_justify="left")
    for column in ("figure", "measured", "goal", ""):
        table.add_column(column, justify="right" if column == "measured" else "left")
    for name in names or BENCHMARKS:
        with console.status(f"measuring {name}"):
            for figure in BENCHMARKS[name]():
                mark = "[green]✔[/]" if figure.reached else "[red]✘[/]"
                table.add_row(figure.what, figure.measured, figure.goal, mark)
    console.print(table)


if __name__ == "__main__":
    main(prog_name="python -m benchmarks")
