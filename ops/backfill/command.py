"""Copies historical orders into the table."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

import click
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from chalicelib.domain.models import OrderStatus
from chalicelib.edges.pacing import Pacer
from ops.backfill.backfill import Backfill, Tally
from ops.cli import Moment, Operator, check_range, command, fail, main
from ops.clock import OperatorClock
from ops.wording import count, listed

STATUS_ID = click.IntRange(min(OrderStatus), max(OrderStatus))


@command(
    main,
    "backfill --since 2024-01-01 --until 2026-01-01 --status 10",
    changes=True,
)
@click.option("--since", type=Moment(), required=True, help="Start of the creation dates.")
@click.option("--until", type=Moment(), required=True, help="End of the creation dates.")
@click.option("--status", "statuses", type=STATUS_ID, multiple=True, help="Only this status id.")
def backfill(
    operator: Operator, since: datetime, until: datetime, statuses: tuple[int, ...]
) -> None:
    """Copy historical orders into the table. The store is not changed.

    No order is moved. Orders of ignored statuses, of other channels, and older than the retention
    of orders are not stored; orders whose item is current are not copied again. After Ctrl-C or an
    error, the same command continues from the page where it stopped. The exit code is 1 when an
    order could not be stored.
    """
    check_range(since, until)
    operator.authorize("copy historical orders into the table")
    deployment, tally, interrupted = operator.deployment, Tally(), operator.clock.interrupted
    pacer = deployment.store_beside_orders().pacer
    with progress_bar(operator, pacer, since, until) as progress:
        statuses = tuple(sorted(set(statuses)))
        work = Backfill(deployment, since, until, statuses, progress, interrupted)
        if (min_id := work.bookmark.read()) > 1:
            operator.print(f"Continuing from order {min_id}.")
        try:
            work.run(min_id, tally)
        except KeyboardInterrupt:
            interrupted.set()
    stopped = interrupted.is_set()
    operator.print_json(
        {
            "outcomes": dict(tally.outcomes),
            "failed": tally.failed,
            "in_use": tally.in_use,
            "incomplete": tally.incomplete,
            "stopped": stopped,
        }
    )
    operator.print(summary(tally, stopped=stopped))
    if tally.failed or stopped:
        fail()


class StoreColumn(ProgressColumn):
    """What is left of the store's quota, and for how long the backfill waits for it."""

    def __init__(self, pacer: Pacer, clock: OperatorClock) -> None:
        super().__init__()
        self._pacer, self._clock = pacer, clock

    def render(self, task: Task) -> Text:
        if (seconds := self._clock.seconds_to_sleep()) >= 1:
            return Text(f"waiting {seconds:.0f} s for the store")
        return Text(quota(self._pacer))


@contextmanager
def progress_bar(
    operator: Operator, pacer: Pacer, since: datetime, until: datetime
) -> Iterator[Callable[[Tally], None]]:
    """Shows the day of creation reached, the rate and the store's quota."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=16),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        StoreColumn(pacer, operator.clock),
    )
    span = max(1.0, (until - since).total_seconds())
    began = operator.clock.time()
    if not operator.console.is_terminal:
        # A file or a pipe shows no bar.
        operator.clock.on_sleep = lambda seconds: report_wait(operator, pacer, seconds)
    with Progress(*columns, console=operator.console, disable=operator.as_json) as bar:
        task = bar.add_task("listing the store", total=span)

        def update(tally: Tally) -> None:
            minutes = max(1e-9, (operator.clock.time() - began) / 60)
            day = tally.day or since
            bar.update(
                task,
                completed=min(span, max(0.0, (day - since).total_seconds())),
                description=f"{day:%Y-%m-%d}  {tally.outcomes['stored']} stored  "
                f"{tally.outcomes['stored'] / minutes:.0f}/min",
            )

        yield update
        if not operator.clock.interrupted.is_set():
            bar.update(task, completed=span)


def quota(pacer: Pacer) -> str:
    """The store's quota by its last response."""
    window = pacer.window
    return f"quota {window.left} of {window.quota}" if window else ""


def report_wait(operator: Operator, pacer: Pacer, seconds: float) -> None:
    if seconds >= 1:
        operator.print(f"waiting {seconds:.0f} s for the store; {quota(pacer) or 'quota unknown'}")


def summary(tally: Tally, *, stopped: bool = False) -> str:
    outcomes = [f"{number} {outcome}" for outcome, number in tally.outcomes.most_common()]
    lines = [f"{count(tally.outcomes.total(), 'order')}: {', '.join(outcomes)}."]
    if not outcomes:
        lines = ["No order was copied." if stopped else "The store has no orders in this range."]
    if tally.failed:
        lines.append("[red]Failed[/]; run the same command to try them again:")
        lines += [f"  {order_id}: {escape(error)}" for order_id, error in tally.failed.items()]
    if tally.incomplete:
        lines.append("[yellow]Stored with lists that are shorter than the order states:[/]")
        lines += [
            f"  {order_id}: {', '.join(lists)}" for order_id, lists in tally.incomplete.items()
        ]
    if tally.in_use:
        lines.append(
            f"In use by the service, which stores them itself: {listed(tally.in_use, most=1000)}."
        )
    if stopped:
        lines.append("[yellow]Stopped.[/] The same command continues from the page reached.")
    return "\n".join(lines)
