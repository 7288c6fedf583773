"""Shows the events of the stage as they are delivered, and forwards them to an endpoint."""

import json
from urllib.parse import urlsplit

import click
from rich.markup import escape

from chalicelib.domain.models import JsonObject
from ops.cli import Operator, command
from ops.destinations.destination import TAIL, named
from ops.events.command import events
from ops.remedies import run
from ops.tail.forward import forward
from ops.tail.tail import BATCH, LONGEST, Tail, line, tail
from ops.wording import count, listed


def _url(_: click.Context, __: click.Parameter, given: str | None) -> str | None:
    if given is None:
        return None
    try:
        url = urlsplit(given)
    except ValueError:
        url = urlsplit("")
    if url.scheme not in ("http", "https") or not url.netloc:
        raise click.BadParameter("use a URL such as http://localhost:3000/orders")
    return given


@command(events, "events tail --forward-to http://localhost:3000", changes=True, name="tail")
@click.option("--destination", metavar="NAME", help="Only what this destination selects.")
@click.option("--forward-to", "url", callback=_url, metavar="URL", help="POST each event there.")
@click.option(
    "--minutes",
    type=click.IntRange(1, LONGEST),
    default=60,
    show_default=True,
    help="Stop after so many minutes.",
)
@click.option("--count", "most", type=click.IntRange(1), help="Stop after so many events.")
def tail_events(
    operator: Operator, destination: str | None, url: str | None, minutes: int, most: int | None
) -> None:
    """Show events as they are delivered, and forward them, to develop a receiver on this machine.

    Creates a rule on the event bus and a queue, which get a copy of the events, and deletes both at
    the end. The destinations get their events all the same. Without --destination, replays and
    redrives for single destinations are shown as well. An event that could not be forwarded is
    not sent again: while this runs, `events replay ORDER_ID --destination tail` reaches this
    machine and no other receiver.
    """
    chosen = named(operator.deployment, destination) if destination else None
    whose = f"the events of {destination}" if destination else "all events"
    operator.authorize(f"copy {whose} to this machine")
    ends_at = operator.clock.time() + 60 * minutes
    seen, pending, opened = 0, list[JsonObject](), None
    try:
        with tail(operator.deployment, chosen) as opened:
            operator.print(f"Waiting for {whose}, on AWS for up to a minute; Ctrl-C stops.")
            while operator.clock.time() < ends_at and (most is None or seen < most):
                batch = opened.receive(BATCH if most is None else most - seen)
                pending += batch
                for event in batch:
                    seen += 1
                    if _show(operator, event, url):
                        pending.remove(event)
    except KeyboardInterrupt:
        pass
    finally:
        _report(operator, seen, pending, opened)


def _report(operator: Operator, seen: int, pending: list[JsonObject], opened: Tail | None) -> None:
    """What was received and not forwarded, and whether everything is deleted."""
    if opened and opened.is_left:
        operator.print(
            f"[yellow]The rule and the queue {opened.rule} could not be deleted.[/] They expire: a "
            "later events tail deletes them."
        )
    elif opened:
        operator.print(f"{count(seen, 'event')}; the rule and the queue are deleted.")
    if pending:
        orders = sorted({int(event["detail"]["order_id"]) for event in pending})
        again = run(
            operator.stage, f"events replay {' '.join(map(str, orders))} --destination {TAIL}"
        )
        operator.print(
            f"[yellow]Not forwarded:[/] events of {listed(orders)}. To send them again, start "
            f"events tail again, then: {again}"
        )


def _show(operator: Operator, event: JsonObject, url: str | None) -> bool:
    """Print an event and forward it; returns whether that succeeded. With --json, one per line."""
    if operator.as_json:
        click.echo(json.dumps(event, ensure_ascii=False))
    is_taken, answer = forward(event, url) if url else (True, "")
    colour = "green" if is_taken else "red"
    arrow = f" [{colour}]→ {escape(answer)}[/]" if url else ""
    operator.print(f"{escape(line(event, operator.clock.now()))}{arrow}")
    return is_taken
