"""Lists, redrives and drops the events that destinations did not take."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import click
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from chalicelib.edges.aws import AwsError
from ops.cli import Operator, command, fail
from ops.dead_letters.command import all_option, names_argument
from ops.destinations.destination import all_destinations, named
from ops.events.command import events
from ops.undelivered import queue
from ops.undelivered.message import Undelivered
from ops.undelivered.queue import Tally, UndeliveredQueue
from ops.wording import count, duration

CONSEQUENCE = """The destination does not receive a dropped event. `events replay` publishes the
order as it is then."""


@dataclass(frozen=True)
class Selection:
    """The queues of undelivered events, their messages, the selected ones, and unknown names."""

    queues: list[UndeliveredQueue]
    messages: list[Undelivered]
    selected: list[Undelivered]
    missing: list[str]


destination_option = click.option("--destination", metavar="NAME", help="Of this destination only.")
cause_option = click.option("--cause", help="Of this cause, as events undelivered shows it.")


@command(events, "events undelivered", name="undelivered")
@destination_option
def list_undelivered(operator: Operator, destination: str | None) -> None:
    """List the events that destinations did not take, by destination and cause.

    The cause is EventBridge's error code. Listing hides the messages while it lasts.
    """
    messages = queue.messages_in(_queues(operator, destination))
    operator.print_json([message.facts() for message in messages])
    now = operator.clock.now()
    operator.print(
        rendered(messages, now)
        if messages
        else "No undelivered events. Events that are still retried are not listed."
    )


@command(events, "events redrive --destination erp --all", changes=True)
@names_argument
@destination_option
@cause_option
@all_option
def redrive(
    operator: Operator,
    names: tuple[str, ...],
    destination: str | None,
    cause: str | None,
    everything: bool,
) -> None:
    """Send undelivered events again, each to its own destination only.

    An event keeps its event_id and sequence, and has `replayed` true. It is published before it is
    deleted here, so that an interruption sends it twice at worst. The events of an order that was
    forgotten meanwhile are deleted instead, except order.forgotten.
    """
    found = _select(operator, names, destination, cause, everything)

    def work(tally: Tally) -> None:
        queue.redrive(operator.deployment, found.queues, found.selected, tally)

    _process(operator, "redriven", found, work, always=False)


@command(events, "events drop 118 --destination erp", changes=True)
@names_argument
@destination_option
@cause_option
@all_option
def drop(
    operator: Operator,
    names: tuple[str, ...],
    destination: str | None,
    cause: str | None,
    everything: bool,
) -> None:
    """Delete undelivered events permanently. Asks for confirmation in every stage."""
    found = _select(operator, names, destination, cause, everything)
    if found.selected and not operator.yes:
        operator.print(rendered(found.selected, operator.clock.now()))
        click.echo(CONSEQUENCE, err=True)

    def work(tally: Tally) -> None:
        queue.drop(found.queues, found.selected, tally)

    _process(operator, "dropped", found, work, always=True)


def _queues(operator: Operator, destination: str | None) -> list[UndeliveredQueue]:
    deployment = operator.deployment
    if destination is not None:
        return queue.queues_of([named(deployment, destination)])
    return queue.queues_of(all_destinations(deployment))


def _select(
    operator: Operator,
    names: tuple[str, ...],
    destination: str | None,
    cause: str | None,
    everything: bool,
) -> Selection:
    if sum((bool(names), cause is not None, everything)) != 1:
        raise click.UsageError("name order ids or message ids, or use --cause, or use --all")
    queues = _queues(operator, destination)
    messages = queue.messages_in(queues)
    selected = [m for m in messages if everything or m.cause == cause or m.is_one_of(names)]
    missing = [name for name in names if not any(m.is_one_of({name}) for m in selected)]
    if cause is not None and not selected:
        missing = [cause]
    return Selection(queues, messages, selected, missing)


def _process(
    operator: Operator,
    action: str,
    found: Selection,
    work: Callable[[Tally], None],
    *,
    always: bool,
) -> None:
    """Ask, do the work, and report it; Ctrl-C ends it with a report."""
    tally, stopped = Tally(), False
    if found.selected:
        what = f"{'drop' if always else 'redrive'} {count(len(found.selected), 'event')}"
        ids = sorted({message.order_id for message in found.selected if message.order_id})
        operator.authorize(f"{what} ({_by_destination(found.selected)})", ids, always=always)
        try:
            work(tally)
        except KeyboardInterrupt:
            stopped = True
        except AwsError as error:
            operator.print(f"[red]{escape(str(error))}[/]")
            stopped = True
    _report(operator, action, tally, found, stopped=stopped)


def _report(
    operator: Operator, action: str, tally: Tally, found: Selection, *, stopped: bool
) -> None:
    """Print the outcome; exit code 1 unless every selected event was processed."""
    reached = {m.message_id for m in (*tally.done, *tally.refused, *tally.in_both, *tally.merged)}
    gone = [] if stopped else [m.name for m in found.selected if m.message_id not in reached]
    missing = [*found.missing, *gone]
    operator.print_json(
        {
            action: [message.facts() for message in tally.done],
            "obsolete": [message.facts() for message in tally.merged],
            "refused": [message.facts() for message in tally.refused],
            "published_and_still_here": [message.facts() for message in tally.in_both],
            "not_found": missing,
            "stopped": stopped,
        }
    )
    by_destination = f": {_by_destination(tally.done)}" if tally.done else ""
    operator.print(f"{count(len(tally.done), 'event')} {action}{by_destination}.")
    if tally.merged:
        operator.print(f"{count(len(tally.merged), 'event')} of forgotten orders deleted.")
    if tally.refused:
        operator.print(
            f"[red]Not {action}:[/] {escape(_named(tally.refused))}. They are still in their "
            "queue: EventBridge has refused them, or the destination does not select them any more."
        )
    if tally.in_both:
        operator.print(
            f"[yellow]Published, but not deleted from the queue:[/] {escape(_named(tally.in_both))}"
        )
    if missing:
        operator.print(f"[yellow]Not found:[/] {escape(', '.join(missing))}.")
    if stopped:
        operator.print("[yellow]Stopped.[/] The other events are still in their queue.")
    if missing or stopped or tally.refused or tally.in_both:
        fail()


def _named(messages: Iterable[Undelivered]) -> str:
    return ", ".join(message.name for message in messages)


def _by_destination(messages: Iterable[Undelivered]) -> str:
    counts = Counter(message.destination for message in messages)
    return ", ".join(f"{name} {number}" for name, number in sorted(counts.items()))


def rendered(messages: Sequence[Undelivered], now: datetime) -> RenderableType:
    """A row for each destination and cause, and an example of each error."""
    groups: dict[tuple[str, str], list[Undelivered]] = {}
    for message in messages:
        groups.setdefault((message.destination, message.cause), []).append(message)
    table = Table(box=None, padding=(0, 1))
    for name in ("destination", "cause", "events", "orders", "oldest"):
        table.add_column(name, justify="right" if name in ("events", "orders") else "left")
    lines = []
    for (destination, cause), group in sorted(groups.items()):
        orders = {message.order_id for message in group if message.order_id}
        oldest = duration(max(message.age(now) for message in group))
        row = (str(len(group)), str(len(orders)), oldest)
        table.add_row(escape(destination), escape(cause), *row)
        lines.append(f"{destination}, {group[0].name}: {group[0].error or 'no message'}")
    return Group(table, "", *map(escape, lines))
