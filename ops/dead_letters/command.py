"""Lists, redrives and drops the messages in the dead-letter queue."""

from collections.abc import Callable, Sequence
from datetime import UTC

import click
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from ops.cli import Operator, command, fail, main
from ops.dead_letters.message import DeadLetter
from ops.dead_letters.queue import DeadLetterQueue, Tally
from ops.wording import count, duration

Work = Callable[[Tally, Callable[[int], object]], None]

CONSEQUENCE = """The order of a dropped message is not replicated, unless a sweep finds that it is
still new. A dropped invalid message cannot be restored."""


@main.group("dead-letters")
def dead_letters() -> None:
    """List, redrive or drop the messages in the dead-letter queue."""


def _names(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    """Order ids without leading zeros, message ids unchanged; each once."""
    return tuple(dict.fromkeys(str(int(name)) if name.isdecimal() else name for name in given))


names_argument = click.argument(
    "names", nargs=-1, metavar="[ORDER_ID|MESSAGE_ID]...", callback=_names
)
all_option = click.option("--all", "everything", is_flag=True, help="Select every message.")


@command(dead_letters, "dead-letters list", name="list")
def list_messages(operator: Operator) -> None:
    """List every message: its order, source, age, and number of receives.

    Listing hides the messages while it lasts, and counts as a receive. SQS keeps one count for both
    queues: RECEIVED includes the attempts of replication and all earlier listings.
    """
    messages = DeadLetterQueue.of(operator.deployment).messages()
    now = operator.clock.now()
    operator.print_json(
        [{**message.facts(), "age_seconds": message.age(now)} for message in messages]
    )
    operator.print(_table(messages, operator) if messages else "The dead-letter queue is empty.")


@command(dead_letters, "dead-letters redrive 118 119", changes=True)
@names_argument
@all_option
def redrive(operator: Operator, names: tuple[str, ...], everything: bool) -> None:
    """Return messages to the orders queue, to be processed again.

    Each message is sent before it is deleted here. After Ctrl-C a message may be in both queues;
    the order is still replicated only once.
    """
    _check(names, everything)
    queue = DeadLetterQueue.of(operator.deployment)
    depth = sum(operator.deployment.depth(queue.url).values())
    which = f"the messages of {', '.join(names)}" if names else f"all {count(depth, 'message')}"
    operator.confirm(f"redrive {which} in the dead-letter queue")
    tally = _with_progress(
        operator,
        "redriven",
        depth,
        # The depth is approximate; messages selected by name are searched for in any case.
        lambda tally, progress: queue.redrive(
            lambda message: everything or message.is_one_of(names),
            max(depth, len(names)),
            tally,
            progress,
        ),
    )
    _report(operator, "redriven", tally, [name for name in names if not tally.has(name)])


@command(dead_letters, "dead-letters drop 118 --yes", changes=True)
@names_argument
@all_option
def drop(operator: Operator, names: tuple[str, ...], everything: bool) -> None:
    """Delete messages from the dead-letter queue permanently.

    Asks for confirmation in every stage, and deletes only the messages that it has listed. The
    order of a dropped message is not replicated, unless a sweep finds that it is still new.
    """
    _check(names, everything)
    queue = DeadLetterQueue.of(operator.deployment)
    selected = [message for message in queue.messages() if everything or message.is_one_of(names)]
    missing = [name for name in names if not any(message.is_one_of({name}) for message in selected)]
    if not selected:
        return _report(operator, "dropped", Tally(), missing)
    _confirm_drop(operator, selected)
    wanted = {message.message_id for message in selected}
    tally = _with_progress(
        operator,
        "dropped",
        len(wanted),
        lambda tally, progress: queue.drop(wanted, tally, progress),
    )
    gone = [message.message_id for message in selected if not tally.has(message.message_id)]
    return _report(operator, "dropped", tally, [*missing, *gone])


def _check(names: tuple[str, ...], everything: bool) -> None:
    if bool(names) == everything:
        raise click.UsageError("name order ids or message ids, or use --all")


def _confirm_drop(operator: Operator, selected: list[DeadLetter]) -> None:
    if operator.yes:
        return
    operator.print(_table(selected, operator))
    names = ", ".join(message.name for message in selected)
    click.confirm(
        f"{CONSEQUENCE}\nDrop {count(len(selected), 'message')} ({names})?", abort=True, err=True
    )


def _with_progress(operator: Operator, action: str, total: int, work: Work) -> Tally:
    """Do the work under a progress bar; Ctrl-C ends it with a report."""
    tally = Tally()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=operator.console, disable=operator.as_json) as bar:
        task = bar.add_task("messages", total=total)
        try:
            work(tally, lambda number: bar.advance(task, number))
        except KeyboardInterrupt:
            bar.stop()
            _report(operator, action, tally, [], stopped=True)
    return tally


def _report(
    operator: Operator, action: str, tally: Tally, missing: Sequence[str], *, stopped: bool = False
) -> None:
    """Print the outcome; exit code 1 unless every selected message was processed."""
    operator.print_json(
        {
            action: [message.facts() for message in tally.done],
            "refused": [message.facts() for message in tally.refused],
            "in_both_queues": [message.facts() for message in tally.in_both],
            "not_found": missing,
            "stopped": stopped,
        }
    )
    operator.print(f"{count(len(tally.done), 'message')} {action}{_listed(tally.done)}.")
    if tally.refused:
        operator.print(
            "[red]SQS rejected the request for[/] "
            f"{count(len(tally.refused), 'message')}{_listed(tally.refused)}. "
            "They are still in the dead-letter queue."
        )
    if tally.in_both:
        operator.print(
            "[yellow]Sent to the orders queue, but not deleted from the dead-letter queue[/]"
            f"{_listed(tally.in_both)}. They are now in both queues, which is safe: replication is "
            "idempotent."
        )
    if missing:
        operator.print(
            f"[yellow]Not found in the dead-letter queue:[/] {escape(', '.join(missing))}."
        )
    if stopped:
        operator.print("[yellow]Stopped.[/] The other messages are still in the dead-letter queue.")
    if missing or stopped or tally.refused or tally.in_both:
        fail()


def _listed(messages: list[DeadLetter]) -> str:
    return f": {', '.join(message.name for message in messages)}" if messages else ""


def _table(messages: list[DeadLetter], operator: Operator) -> Table:
    now = operator.clock.now()
    table = Table(box=None, padding=(0, 1))
    # A message id must not be wrapped; the other columns may be.
    table.add_column("order", min_width=max(len(message.name) for message in messages))
    for name in ("source", "queued (UTC)", "age", "received"):
        table.add_column(name, justify="right" if name == "received" else "left")
    for message in messages:
        table.add_row(
            message.name,
            message.message.source if message.message else "invalid message",
            f"{message.queued_at.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
            duration(message.age(now)),
            str(message.receive_count),
        )
    return table
