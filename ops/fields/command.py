"""Lists the changes of the fields of orders, and accepts them."""

import click
from rich.markup import escape
from rich.table import Table

from chalicelib.domain.order_fields import OrderFields
from chalicelib.edges.aws import ConditionFailed
from ops.cli import Operator, command, main
from ops.fields.changes import types
from ops.remedies import run
from ops.wording import count


@command(main, "fields --accept", changes=True)
@click.option("--accept", is_flag=True, help="Accept the changes: status no longer shows them.")
def fields(operator: Operator, accept: bool) -> None:
    """List the fields of orders that are new, gone or of another type.

    After each sweep the fields of the newest orders are compared with those of earlier orders: at
    most 200 orders of the last seven days. Only names and JSON types are kept. Orders with other
    fields are stored as any other; check whether your own systems can process them.
    """
    known = operator.deployment.wiring.jobs.order_fields()
    accepts = bool(accept and known and known.changes)
    if known and accepts:
        number = count(len(known.changes), "change")
        operator.authorize(f"accept {number} of the fields of orders")
        _accept(operator, known)
    operator.print_json(
        {
            "compared_at": known.compared_at.isoformat() if known else None,
            "orders": known.orders if known else 0,
            "changes": [change.to_item() for change in known.changes] if known else [],
            "accepted": accepts,
            "fields": {path: sorted(of.types) for path, of in sorted(known.fields.items())}
            if known
            else {},
        }
    )
    if known is None:
        return operator.print("No orders have been compared; a sweep compares stored orders.")
    operator.print(
        f"{count(len(known.fields), 'field')} known; {count(known.orders, 'order')} compared at "
        f"{known.compared_at:%Y-%m-%d %H:%M} UTC."
    )
    if not known.changes:
        return operator.print("No field has changed since the changes were last accepted.")
    operator.print(_table(known))
    if accepts:
        return operator.print(f"{count(len(known.changes), 'change')} accepted.")
    return operator.print(f"To accept them: [bold]{run(operator.stage, 'fields --accept')}[/]")


def _accept(operator: Operator, known: OrderFields) -> None:
    try:
        operator.deployment.wiring.jobs.write_order_fields(known.accepted())
    except ConditionFailed:
        raise click.ClickException(
            "a sweep has compared the fields meanwhile: list the changes again, then accept them"
        ) from None


def _table(known: OrderFields) -> Table:
    table = Table(box=None, padding=(0, 2))
    for name in ("change", "field", "types", "first seen"):
        table.add_column(name)
    for change in known.changes:
        seen = f"{change.seen_at:%Y-%m-%d %H:%M}"
        table.add_row(change.kind, escape(change.path), types(change), seen)
    return table
