"""Removes a person's data from all tables."""

import click

from ops.cli import ORDER_ID, Operator, command, main
from ops.forget.forget import Forgotten, forget, orders_of
from ops.wording import count

REMAINING = """Not removed: orders in the store, the table's backups (35 days) and stream (1 day).
Consumers of the stream receive the removal, see chalicelib.stream.forgotten_orders.
The queue, logs, jobs and alerts contain order ids only."""


@command(
    main,
    "forget --email jane@example.com --dry-run",
    changes=True,
    name="forget",
)
@click.option("--order", "order_ids", type=ORDER_ID, multiple=True, help="An order's id.")
@click.option("--email", help="Every order that contains this e-mail address.")
@click.option("--dry-run", is_flag=True, help="Show what would be removed, without removing it.")
def forget_orders(
    operator: Operator, order_ids: tuple[int, ...], email: str | None, dry_run: bool
) -> None:
    """Remove orders from all tables permanently, and keep them from being stored again.

    Each order leaves a tombstone: its id, and when it was replicated, moved and forgotten. No poll,
    webhook, replay or backfill stores it again.
    """
    if not order_ids and not email:
        raise click.UsageError("name an order with --order, or a person with --email")
    deployment = operator.deployment
    ids = sorted({*order_ids, *(orders_of(deployment, email) if email else [])})
    if ids and not dry_run:
        orders = count(len(ids), "order")
        operator.confirm(f"permanently remove {orders} ({', '.join(map(str, ids))})")
    done = [forget(deployment, order_id, dry_run=dry_run) for order_id in ids]
    operator.print_json({"dry_run": dry_run, "orders": [each.facts() for each in done]})
    for each in done:
        operator.print(summary(each, dry_run))
    operator.print(REMAINING if done else "No such order is in the tables or in the store.")


def summary(done: Forgotten, dry_run: bool) -> str:
    if done.was_forgotten:
        return f"Order {done.order_id} was already forgotten."
    webhooks = count(done.webhooks, "recorded webhook")
    if done.was_stored:
        verb = "would be" if dry_run else "was"
        return f"Order {done.order_id} {verb} removed, with {webhooks}."
    verb = "would leave" if dry_run else "left"
    return f"Order {done.order_id} was not stored, and {verb} a tombstone only ({webhooks})."
