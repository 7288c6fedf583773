"""Lists the destinations of events, and sets the secrets of their endpoints."""

import click
from rich.markup import escape
from rich.table import Table

from ops.cli import Operator, command, fail, main
from ops.destinations.connection import AUTHORIZED, Connection, settled
from ops.destinations.destination import all_destinations, named
from ops.destinations.row import Row
from ops.remedies import run
from ops.wording import count


@main.group("destinations")
def destinations() -> None:
    """List the receivers of events, and set the secret of an HTTPS endpoint."""


@command(destinations, "destinations list", name="list")
def list_destinations(operator: Operator) -> None:
    """List the destinations: their kind, target, state and number of undelivered events."""
    rows = [Row.of(each) for each in all_destinations(operator.deployment)]
    operator.print_json([row.facts() for row in rows])
    if not rows:
        return operator.print("The stage has no destinations.")
    table = Table(box=None, padding=(0, 1))
    for name in ("destination", "kind", "state", "undelivered", "target"):
        table.add_column(name, overflow="fold", justify="right" if name[0] == "u" else "left")
    for row in rows:
        each = row.destination
        target = each.target_arn.split(":", 5)[5]
        table.add_row(each.name, each.kind, row.state, str(row.undelivered), target)
    return operator.print(table)


@command(destinations, "destinations authorize crm", changes=True)
@click.argument("name")
def authorize(operator: Operator, name: str) -> None:
    """Set the secret of an HTTPS endpoint: its API key, password or client secret.

    Asks for the secret. It is sent to AWS only, which stores it in Secrets Manager. Terraform does
    not know it, and a later deployment keeps it, unless the destination is authorized in another
    way.
    """
    destination = named(operator.deployment, name)
    if destination.kind != "https":
        raise click.UsageError(f"{name} is not an HTTPS endpoint, and needs no secret")
    connection = Connection.of(destination)
    operator.authorize(f"set the secret of the destination {name}")
    secret = click.prompt(connection.secret_name, hide_input=True, err=True)
    connection.set_secret(secret, operator.clock.now())
    connection = settled(destination, operator.clock)
    waiting = destination.undelivered()
    operator.print_json({"destination": name, "state": connection.state, "undelivered": waiting})
    if connection.state != AUTHORIZED:
        reason = escape(connection.reason)
        operator.print(f"[red]{name} is not authorized:[/] {connection.state}, {reason}.")
        return fail()
    operator.print(f"{name} is authorized.")
    if waiting:
        again = run(operator.stage, f"events redrive --destination {name} --all")
        operator.print(f"{count(waiting, 'event')} could not be delivered before: {again}")
    return None
