"""A person's data out of all tables."""

import click

from ops.cli import Operator, command, main
from ops.forget.forget import Forgotten, forget, orders_of
from ops.poll.command import ORDER_ID

REMAINS = """What remains: the store's own orders; the table's backups, for 35 days; its stream, for
a day. Whoever reads the stream learns of it by chalicelib.stream.forgotten_orders. Queue, logs,
jobs and alerts hold ids only."""


@command(
    main,
    "python -m ops --stage prod forget --email jane@example.com --dry-run",
    changes=True,
    name="forget",
)
@click.option("--order", "order_ids", type=ORDER_ID, multiple=True, help="An order's id.")
@click.option("--email", help="Every order in which this address stands.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
def forget_orders(
    operator: Operator, order_ids: tuple[int, ...], email: str | None, dry_run: bool
) -> None:
    """Take orders out of the tables, for good, so that nothing brings them back.

    Each leaves a tombstone: its id, and when it was replicated, moved and forgotten. No poll,
    webhook, replay or backfill stores it again.
    """
    if not order_ids and not email:
        raise click.UsageError("name an order with --order, or a person with --email")
    deployment = operator.deployment
    ids = sorted({*order_ids, *(orders_of(deployment, email) if email else [])})
    if ids and not dry_run:
        operator.confirm(f"remove {len(ids)} orders for good ({', '.join(map(str, ids))})")
    done = [forget(deployment, order_id, dry_run=dry_run) for order_id in ids]
    operator.answer({"dry_run": dry_run, "orders": [each.facts() for each in done]})
    for each in done:
        operator.say(told(each, dry_run))
    operator.say(REMAINS if done else "There is no such order, in the tables or in the store.")


def told(done: Forgotten, dry_run: bool) -> str:
    """One order in a sentence."""
    if done.was_forgotten:
        return f"Order {done.order_id} was forgotten before."
    what = "is removed" if done.was_stored else "was not stored, and will not be"
    if dry_run:
        what = "would be removed" if done.was_stored else "is not stored, and would never be"
    return f"Order {done.order_id} {what}; webhooks recorded for it: {done.webhooks}."
