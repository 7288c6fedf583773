"""Compares embedded lists, and lets the stage use them again if they are the same."""

import click
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from chalicelib.edges.dynamodb_jobs import EMBEDDED_OFF
from chalicelib.reading import Reader
from chalicelib.switches import Switches
from ops.backfill.workers import Workers
from ops.cli import Operator, command, fail, main
from ops.embedded_reads.comparison import Comparison, compare
from ops.tables import JobsItem
from ops.wording import count

MOST_SHOWN = 10
"""Differing orders that are listed."""


@command(main, "embedded-reads", changes=True)
@click.option(
    "--orders", default=100, show_default=True, type=click.IntRange(1, 250), help="How many."
)
def embedded_reads(operator: Operator, orders: int) -> None:
    """Compare the embedded lists of the newest orders with the lists that are requested one by one.

    The store is only read: about four requests per order, with a share of the quota that leaves the
    rest to new orders. If every order is the same both ways, a stage that had stopped using
    embedded lists because of a difference uses them again.
    """
    item = JobsItem(operator.deployment, EMBEDDED_OFF)
    was_off = item.read()
    found = _compared(operator, orders)
    switches_on = was_off is not None and found.is_proof
    if switches_on:
        operator.authorize("let the stage use embedded lists again")
        item.remove()
    operator.print_json(
        {
            **found.facts(),
            "was_off": was_off is not None,
            "is_off": bool(was_off) and not switches_on,
        }
    )
    operator.print(conclusion(found, is_off=was_off is not None, switches_on=switches_on))
    if not found.is_proof:
        fail()


def _compared(operator: Operator, orders: int) -> Comparison:
    deployment = operator.deployment
    workers = Workers(deployment.settings.max_in_flight)
    switches = Switches(deployment.wiring.jobs, deployment.clock)
    reader = Reader(deployment.store_beside_orders(), switches, workers, uses_embedded=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=operator.console, disable=operator.as_json) as bar:
        task = bar.add_task("reading orders both ways", total=orders)
        try:
            return compare(reader, orders, lambda: bar.advance(task))
        finally:
            workers.shutdown(wait=False)


def conclusion(found: Comparison, *, is_off: bool, switches_on: bool) -> str:
    """The result in a few sentences, with the next step."""
    if not found.orders:
        return "The store has no orders to compare."
    lines = [f"{count(found.orders, 'order')} compared: {found.equal} the same both ways."]
    if found.not_used:
        reasons = ", ".join(f"{reason} {n}" for reason, n in sorted(found.not_used.items()))
        lines.append(f"Read list by list in any case: {found.not_used.total()} ({reasons}).")
    for order_id, names in list(found.differing.items())[:MOST_SHOWN]:
        lines.append(f"Order {order_id} differs in {', '.join(names)}.")
    if found.differing:
        lines.append("Leave embedded_reads at false for this store.")
    elif switches_on:
        lines.append("The stage uses embedded lists again.")
    elif found.is_proof:
        lines.append("embedded_reads can be true for this store.")
    if is_off and not switches_on:
        lines.append("The stage goes on reading list by list.")
    return "\n".join(lines)
