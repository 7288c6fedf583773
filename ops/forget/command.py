"""Removes a person's data from all tables."""

import click
from rich.markup import escape

from chalicelib.edges.dynamodb import ConcurrentWrite
from ops.cli import ORDER_ID, Operator, command, main
from ops.forget.forget import Hit, forget, inspect
from ops.forget.ledger import Ledger
from ops.forget.search import Person, orders_of
from ops.remedies import run
from ops.wording import count

SHORTEST_TEXT = 4
"""Characters of a search; a shorter text is part of nearly every order."""

REMAINING = """Not removed: orders in the store, the table's backups (35 days) and stream (1 day).
Consumers of the stream receive the removal, see chalicelib.stream.forgotten_orders.
The queues, logs, jobs and alerts contain order ids only."""


@command(
    main,
    "forget --email jane@example.com --dry-run",
    changes=True,
    name="forget",
)
@click.option("--order", "order_ids", type=ORDER_ID, multiple=True, help="An order's id.")
@click.option(
    "--email",
    "emails",
    multiple=True,
    help="Orders with this address, also within a text, and those that the store finds by it.",
)
@click.option("--text", "texts", multiple=True, help="Stored orders with this text in any field.")
@click.option(
    "--customer",
    "customer_id",
    type=click.IntRange(1),
    help="Orders of the customer with this id, in the table and in the store.",
)
@click.option(
    "--again",
    is_flag=True,
    help="Every order that was forgotten and is in the table again, after a restore.",
)
@click.option("--dry-run", is_flag=True, help="Show the orders and the fields, and change nothing.")
def forget_orders(
    operator: Operator,
    order_ids: tuple[int, ...],
    emails: tuple[str, ...],
    texts: tuple[str, ...],
    customer_id: int | None,
    again: bool,
    dry_run: bool,
) -> None:
    """Remove orders from all tables permanently, and keep them from being stored again.

    Each order leaves a tombstone: its id, and when it was replicated, moved and forgotten. No poll,
    webhook, replay or backfill stores it again. An order that is new in the store is still moved,
    so that it is shipped.
    """
    deployment = operator.deployment
    if again:
        if order_ids or emails or texts or customer_id is not None:
            raise click.UsageError("--again applies to all forgotten orders: name none")
        order_ids = tuple(Ledger(deployment).undone())
    person = _person(order_ids, emails, texts, customer_id, again=again)
    found: dict[int, list[str]] = {order_id: [] for order_id in order_ids}
    found |= {} if person.is_nobody else orders_of(deployment, person)
    hits = [inspect(deployment, order_id, names) for order_id, names in sorted(found.items())]
    for hit in hits:
        operator.print(summary(hit, dry_run=dry_run))
    if hits and not dry_run:
        ids = ", ".join(str(hit.order_id) for hit in hits)
        operator.authorize(
            f"permanently remove {count(len(hits), 'order')} ({ids})",
            [hit.order_id for hit in hits],
            always=True,
        )
        _forget(operator, hits)
        operator.print(f"{count(len(hits), 'order')} removed.")
    operator.print_json({"dry_run": dry_run, "orders": [hit.facts() for hit in hits]})
    if again and not hits:
        return operator.print("Every forgotten order has its tombstone; nothing was changed.")
    return operator.print(REMAINING if hits else "No such order is in the tables or in the store.")


def _person(
    order_ids: tuple[int, ...],
    emails: tuple[str, ...],
    texts: tuple[str, ...],
    customer_id: int | None,
    *,
    again: bool,
) -> Person:
    """Raises UsageError when nobody is named, or a text is too short."""
    texts, emails = (tuple(text.strip() for text in given) for given in (texts, emails))
    if any(len(text) < SHORTEST_TEXT for text in (*texts, *emails)):
        raise click.UsageError(f"a text must have at least {SHORTEST_TEXT} characters")
    person = Person(texts, emails, customer_id)
    if person.is_nobody and not order_ids and not again:
        raise click.UsageError(
            "name an order with --order, or a person with --email, --text or --customer"
        )
    return person


def _forget(operator: Operator, hits: list[Hit]) -> None:
    for hit in hits:
        try:
            forget(operator.deployment, hit)
        except ConcurrentWrite:
            again = run(operator.stage, f"forget --order {hit.order_id}")
            raise click.ClickException(
                f"order {hit.order_id} is being replicated and was not removed, nor were the "
                f"orders after it; in a minute: {again}"
            ) from None


def summary(hit: Hit, *, dry_run: bool) -> str:
    where = f" (found in {escape(', '.join(hit.fields))})" if hit.fields else ""
    line = f"Order {hit.order_id}{where}: {_outcome(hit, dry_run)}."
    if hit.will_move:
        line += " It is new in the store: it will still be moved, but not stored."
    elif hit.will_move is None:
        line += " The store could not be read: if the order is new, it will still be moved."
    return line


def _outcome(hit: Hit, dry_run: bool) -> str:
    if hit.was_forgotten:
        return "already forgotten"
    webhooks = count(hit.webhooks, "recorded webhook")
    verb = "would be" if dry_run else "will be"
    if hit.was_stored:
        return f"{verb} removed, with {webhooks}"
    return f"not stored; {verb} kept from being stored, and {webhooks} removed"
