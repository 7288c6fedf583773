"""Lists, redrives and drops the messages in the dead-letter queues."""

from collections.abc import Callable, Iterable, Sequence

import click
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from ops.cli import Operator, command, fail, main
from ops.dead_letters import redrive as both
from ops.dead_letters.groups import failed_messages, rendered
from ops.dead_letters.message import DeadLetter
from ops.dead_letters.queue import DeadLetterQueue, Tally
from ops.wording import count

Work = Callable[[Tally, both.Progress], None]

CONSEQUENCE = """The order of a dropped message is not replicated, until a sweep or a change finds
it again. A dropped invalid message cannot be restored."""


@main.group("dead-letters")
def dead_letters() -> None:
    """List, redrive or drop the messages in both dead-letter queues."""


def _names(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    """Order ids without leading zeros, message ids unchanged; each once."""
    return tuple(dict.fromkeys(str(int(name)) if name.isdecimal() else name for name in given))


names_argument = click.argument(
    "names", nargs=-1, metavar="[ORDER_ID|MESSAGE_ID]...", callback=_names
)
all_option = click.option("--all", "everything", is_flag=True, help="Select every message.")


@command(dead_letters, "dead-letters list", name="list")
def list_messages(operator: Operator) -> None:
    """List the orders by cause, each with its messages: queue, source, age, receives.

    The cause is the class of the order's last error. Listing hides the messages while it lasts, and
    counts as a receive. SQS keeps one count for a queue and its dead-letter queue: RECEIVED
    includes the attempts of replication and all earlier listings.
    """
    messages = both.messages_in(both.dead_letter_queues(operator.deployment))
    orders = failed_messages(operator.deployment, messages)
    now = operator.clock.now()
    operator.print_json([order.facts(now) for order in orders])
    operator.print(rendered(orders, now) if orders else "The dead-letter queues are empty.")


@command(dead_letters, "dead-letters redrive 118 119", changes=True)
@names_argument
@all_option
def redrive(operator: Operator, names: tuple[str, ...], everything: bool) -> None:
    """Return messages to their own queues, to be processed again: one message per order.

    The order's other messages are deleted. Each message is sent before it is deleted here. After
    Ctrl-C a message may be in both queues; the order is still replicated only once.
    """
    queues, _, selected, missing = _select(operator, names, everything)
    if not selected:
        return _report(operator, "redriven", Tally(), missing)
    operator.authorize(
        f"redrive {count(len(selected), 'message')} in the dead-letter queues", _orders_of(selected)
    )
    tally = _with_progress(
        operator,
        "redriven",
        len(selected),
        lambda tally, progress: both.redrive(queues, selected, tally, progress),
    )
    return _report(operator, "redriven", tally, [*missing, *_gone(selected, tally)])


@command(dead_letters, "dead-letters drop 118 --yes", changes=True)
@names_argument
@all_option
def drop(operator: Operator, names: tuple[str, ...], everything: bool) -> None:
    """Delete messages from the dead-letter queues permanently.

    Asks for confirmation in every stage, and deletes only the messages that it has listed. An order
    without any other message in the dead-letter queues does not count as failing any more.
    """
    queues, messages, selected, missing = _select(operator, names, everything)
    if not selected:
        return _report(operator, "dropped", Tally(), missing)
    _authorize_drop(operator, selected)
    tally = _with_progress(
        operator,
        "dropped",
        len(selected),
        lambda tally, progress: both.drop(queues, selected, tally, progress),
        lambda tally: both.remove_failing(operator.deployment, messages, tally.done),
    )
    return _report(operator, "dropped", tally, [*missing, *_gone(selected, tally)])


def _select(
    operator: Operator, names: tuple[str, ...], everything: bool
) -> tuple[list[DeadLetterQueue], list[DeadLetter], list[DeadLetter], list[str]]:
    """The queues, all messages, the selected ones, and the names without a message."""
    if bool(names) == everything:
        raise click.UsageError("name order ids or message ids, or use --all")
    queues = both.dead_letter_queues(operator.deployment)
    messages = both.messages_in(queues)
    selected = [message for message in messages if everything or message.is_one_of(names)]
    missing = [name for name in names if not any(message.is_one_of({name}) for message in selected)]
    return queues, messages, selected, missing


def _gone(selected: Sequence[DeadLetter], tally: Tally) -> list[str]:
    """The messages that were listed and not found again."""
    return [message.message_id for message in selected if not tally.has(message.message_id)]


def _authorize_drop(operator: Operator, selected: list[DeadLetter]) -> None:
    if not operator.yes:
        operator.print(
            rendered(failed_messages(operator.deployment, selected), operator.clock.now())
        )
        click.echo(CONSEQUENCE, err=True)
    names = ", ".join(message.name for message in selected)
    dropped = f"drop {count(len(selected), 'message')} ({names})"
    operator.authorize(dropped, _orders_of(selected), always=True)


def _orders_of(messages: Iterable[DeadLetter]) -> list[int]:
    return sorted({message.order_id for message in messages if message.order_id})


def _with_progress(
    operator: Operator,
    action: str,
    total: int,
    work: Work,
    after: Callable[[Tally], object] = lambda tally: None,
) -> Tally:
    """Do the work under a progress bar, then `after`; Ctrl-C ends it with a report."""
    tally = Tally()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=operator.console, disable=operator.as_json) as bar:
        task = bar.add_task("messages", total=total)
        try:
            work(tally, lambda number: bar.advance(task, number))
        except KeyboardInterrupt:
            bar.stop()
            after(tally)
            _report(operator, action, tally, [], stopped=True)
    after(tally)
    return tally


def _report(
    operator: Operator, action: str, tally: Tally, missing: Sequence[str], *, stopped: bool = False
) -> None:
    """Print the outcome; exit code 1 unless every selected message was processed."""
    operator.print_json(
        {
            action: [message.facts() for message in tally.done],
            "merged": [message.facts() for message in tally.merged],
            "refused": [message.facts() for message in tally.refused],
            "in_both_queues": [message.facts() for message in tally.in_both],
            "not_found": missing,
            "stopped": stopped,
        }
    )
    operator.print(f"{count(len(tally.done), 'message')} {action}{_named(tally.done)}.")
    if tally.merged:
        operator.print(
            f"{count(len(tally.merged), 'other message')} of these orders deleted"
            f"{_named(tally.merged)}."
        )
    if tally.refused:
        operator.print(
            "[red]SQS rejected the request for[/] "
            f"{count(len(tally.refused), 'message')}{_named(tally.refused)}. "
            "They are still in their dead-letter queue."
        )
    if tally.in_both:
        operator.print(
            "[yellow]Sent to their own queue, but not deleted from the dead-letter queue[/]"
            f"{_named(tally.in_both)}. They are now in both queues, which is safe: replication is "
            "idempotent."
        )
    if missing:
        operator.print(
            f"[yellow]Not found in a dead-letter queue:[/] {escape(', '.join(missing))}."
        )
    if stopped:
        operator.print(
            "[yellow]Stopped.[/] The other messages are still in their dead-letter queue."
        )
    if missing or stopped or tally.refused or tally.in_both:
        fail()


def _named(messages: list[DeadLetter]) -> str:
    return f": {', '.join(message.name for message in messages)}" if messages else ""
