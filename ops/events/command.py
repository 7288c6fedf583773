"""Events of the stage: publishes them again, and prints their schema."""

from datetime import datetime

import click
from rich.markup import escape

from ops.cli import ORDER_ID, Moment, Operator, check_range, command, fail, main
from ops.destinations.destination import TAIL, named
from ops.events.replay import Replayed, changed_since, created_between, replay
from ops.stages import PROJECT
from ops.wording import count, listed

SCHEMA = PROJECT / "docs" / "event-v1.schema.json"


@main.group("events")
def events() -> None:
    """Events: show, forward and replay them, and send again what was not delivered."""


@command(events, "events schema")
def schema(operator: Operator) -> None:
    """Print the JSON Schema of an event. It is the file docs/event-v1.schema.json."""
    click.echo(SCHEMA.read_text(), nl=False)


@command(events, "events replay --since 2026-01-01 --destination erp", changes=True, name="replay")
@click.argument("order_ids", type=ORDER_ID, nargs=-1, metavar="[ORDER_ID]...")
@click.option(
    "--since", type=Moment(), help="Every stored order that was created on this day or later."
)
@click.option("--until", type=Moment(), help="With --since: up to this day, instead of today.")
@click.option(
    "--changed-since",
    type=Moment(),
    help="Every order whose item has changed since this moment. Reads the whole table.",
)
@click.option(
    "--destination", metavar="NAME", help="For this destination only; tail: for events tail."
)
def replay_events(
    operator: Operator,
    order_ids: tuple[int, ...],
    since: datetime | None,
    until: datetime | None,
    changed_since: datetime | None,
    destination: str | None,
) -> None:
    """Publish the events of orders again, for a new receiver or after a failure.

    An order is published as it is now: as created, and as moved and archived if it was, or else as
    forgotten. The events have `replayed` true, and the sequence of the order's last change, so that
    a receiver ignores what it has already. Each destination gets those that it selects.
    """
    if sum((bool(order_ids), since is not None, changed_since is not None)) != 1:
        raise click.UsageError("name orders, or use --since, or use --changed-since")
    if until is not None and since is None:
        raise click.UsageError("--until needs --since")
    if destination not in (None, TAIL):
        named(operator.deployment, str(destination)).require_enabled()
    ids = _selected(operator, order_ids, since, until, changed_since)
    receiver = f"the destination {destination}" if destination else "every destination"
    if not ids:
        operator.print_json(Replayed().facts())
        return operator.print("No such order is stored; nothing was published.")
    operator.authorize(f"publish the events of {count(len(ids), 'order')} for {receiver}", ids)
    done = Replayed()
    for done in replay(operator.deployment, ids, destination):
        if len(ids) > len(done.orders):
            operator.print(f"{len(done.orders)} of {len(ids)} orders published ...")
    operator.print_json(done.facts())
    operator.print(summary(done, receiver))
    return fail() if done.not_stored or done.not_numbered else None


def _selected(
    operator: Operator,
    order_ids: tuple[int, ...],
    since: datetime | None,
    until: datetime | None,
    changed: datetime | None,
) -> list[int]:
    if since is not None:
        until = until or operator.clock.now()
        check_range(since, until)
        return created_between(operator.deployment, since, until)
    if changed is not None:
        return changed_since(operator.deployment, changed)
    return list(dict.fromkeys(order_ids))


def summary(done: Replayed, receiver: str) -> str:
    """What was published, in a few lines."""
    lines = [
        f"{count(done.events, 'event')} of {count(len(done.orders), 'order')} published for "
        f"{escape(receiver)}."
    ]
    if done.not_stored:
        lines.append(f"[yellow]Not in the table:[/] {listed(done.not_stored)}.")
    if done.not_numbered:
        lines.append(
            "[yellow]Stored by version 1.0 and not read since, so without events:[/] "
            f"{listed(done.not_numbered)}. The first sweep reads them."
        )
    return "\n".join(lines)
