"""Historical orders into the table."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

import click
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from chalicelib.domain.models import OrderStatus
from ops.backfill.backfill import Backfill, Tally
from ops.cli import Operator, command, fail, main
from ops.listing import Moment

STATUS_ID = click.IntRange(min(OrderStatus), max(OrderStatus))


@command(
    main,
    "python -m ops --stage prod backfill --since 2024-01-01 --until 2026-01-01 --status 10",
    changes=True,
)
@click.option("--since", type=Moment(), required=True, help="Orders created from then.")
@click.option("--until", type=Moment(), required=True, help="Orders created up to then.")
@click.option("--status", "statuses", type=STATUS_ID, multiple=True, help="Only this status id.")
def backfill(
    operator: Operator, since: datetime, until: datetime, statuses: tuple[int, ...]
) -> None:
    """Copy historical orders into the table, and leave the store as it is.

    No status is ever moved. Orders that were replicated when they were new, and those stored in
    their newest version, are passed over. Interrupted, the same command goes on from the page it
    was at.
    """
    operator.confirm("copy historical orders into the table")
    with watched(operator, since, until) as progress:
        work = Backfill(operator.deployment, since, until, tuple(sorted(set(statuses))), progress)
        if (min_id := work.bookmark.read()) > 1:
            operator.say(f"Going on from order {min_id}.")
        tally = work.run(min_id)
    operator.answer({"outcomes": dict(tally.outcomes), "failed": tally.failed})
    operator.say(told(tally))
    if tally.failed:
        fail()


@contextmanager
def watched(
    operator: Operator, since: datetime, until: datetime
) -> Iterator[Callable[[Tally], None]]:
    """A bar over the days of creation, with the rate, and what is left of the store's quota."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    span = max(1.0, (until - since).total_seconds())
    began = operator.clock.time()
    with Progress(*columns, console=operator.console, disable=operator.as_json) as bar:
        task = bar.add_task("listing", total=span)

        def told(tally: Tally) -> None:
            minutes = max(1e-9, (operator.clock.time() - began) / 60)
            day = tally.day or since
            bar.update(
                task,
                completed=min(span, max(0.0, (day - since).total_seconds())),
                description=f"{day:%Y-%m-%d}  {tally.outcomes['stored']} stored  "
                f"{tally.outcomes['stored'] / minutes:.0f}/min  {quota(operator)}",
            )

        yield told
        bar.update(task, completed=span)


def quota(operator: Operator) -> str:
    """What the last answer of the store said of its quota."""
    window = operator.deployment.wiring.store.pacer.window
    return f"quota {window.left} of {window.quota} left" if window else ""


def told(tally: Tally) -> str:
    """What became of the orders, in a sentence."""
    counts = ", ".join(f"{number} {outcome}" for outcome, number in tally.outcomes.most_common())
    says = f"Done: {counts or 'the store has no orders of that time'}."
    if tally.failed:
        says += " [red]Failed[/], to be tried again by the same command:"
    return "\n".join([says, *(f"  {order_id}: {why}" for order_id, why in tally.failed.items())])
