"""Orders that replication gave up: look at them, try them again, or let them go."""

from collections.abc import Callable, Sequence
from datetime import UTC

import click
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from ops.cli import Operator, command, fail, main
from ops.dead_letters.message import Letter
from ops.dead_letters.queue import DeadLetters, Tally
from ops.wording import span

Work = Callable[[Tally, Callable[[int], object]], None]


@main.group("dead-letters")
def dead_letters() -> None:
    """Look after orders that replication gave up, and messages that are not ours."""


def _names(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    """Order ids as they are written everywhere, message ids as they are; each once."""
    return tuple(dict.fromkeys(str(int(name)) if name.isdecimal() else name for name in given))


ids = click.argument("names", nargs=-1, metavar="[ORDER_ID|MESSAGE_ID]...", callback=_names)
everything = click.option("--all", "everything", is_flag=True, help="Take every dead letter.")


@command(dead_letters, "python -m ops --stage prod dead-letters list", name="list")
def list_letters(operator: Operator) -> None:
    """Show every dead letter: its order, its source, since when, how often received.

    A look hides the letters while it lasts, and counts as a receive. SQS keeps one count for both
    queues: RECEIVED is the tries of replication and all earlier looks together.
    """
    letters = DeadLetters.of(operator.deployment).look()
    now = operator.clock.now()
    operator.answer([{**letter.facts(), "age_seconds": letter.age(now)} for letter in letters])
    operator.say(_table(letters, operator) if letters else "There are no dead letters.")


@command(dead_letters, "python -m ops --stage prod dead-letters redrive 118 119", changes=True)
@ids
@everything
def redrive(operator: Operator, names: tuple[str, ...], everything: bool) -> None:
    """Send dead letters back to the orders queue, to be tried again.

    Each is sent before it is deleted here. Ctrl-C loses nothing: at worst an order is in both
    queues, and is replicated once all the same.
    """
    _check(names, everything)
    letters = DeadLetters.of(operator.deployment)
    depth = sum(operator.deployment.depth(letters.url).values())
    which = f"the dead letters of {', '.join(names)}" if names else f"all {depth} dead letters"
    operator.confirm(f"redrive {which}")
    tally = _carried_out(
        operator,
        "redriven",
        depth,
        # SQS counts approximately; what was asked for by name is looked for all the same.
        lambda tally, looked_at: letters.redrive(
            lambda letter: everything or letter.is_one_of(names),
            max(depth, len(names)),
            tally,
            looked_at,
        ),
    )
    _report(operator, "redriven", tally, [name for name in names if not tally.has(name)])


@command(dead_letters, "python -m ops --stage prod dead-letters drop 118 --yes", changes=True)
@ids
@everything
def drop(operator: Operator, names: tuple[str, ...], everything: bool) -> None:
    """Delete dead letters for good.

    Asks in every stage, and drops nothing that it did not show. An order that is dropped is not
    replicated, unless a sweep finds that it is still new.
    """
    _check(names, everything)
    letters = DeadLetters.of(operator.deployment)
    chosen = [letter for letter in letters.look() if everything or letter.is_one_of(names)]
    missing = [name for name in names if not any(letter.is_one_of({name}) for letter in chosen)]
    if not chosen:
        return _report(operator, "dropped", Tally(), missing)
    _ask(operator, chosen)
    wanted = {letter.message_id for letter in chosen}
    tally = _carried_out(
        operator,
        "dropped",
        len(wanted),
        lambda tally, looked_at: letters.drop(wanted, tally, looked_at),
    )
    gone = [letter.message_id for letter in chosen if not tally.has(letter.message_id)]
    return _report(operator, "dropped", tally, [*missing, *gone])


def _check(names: tuple[str, ...], everything: bool) -> None:
    if bool(names) == everything:
        raise click.UsageError("name order ids or message ids, or give --all")


def _ask(operator: Operator, chosen: list[Letter]) -> None:
    if operator.yes:
        return
    operator.say(_table(chosen, operator))
    click.confirm(
        "An order that is dropped is not replicated, unless a sweep finds that it is still new; a "
        "message that is not ours is gone for good. "
        f"Drop {_counted(chosen)} ({', '.join(letter.name for letter in chosen)})?",
        abort=True,
        err=True,
    )


def _carried_out(operator: Operator, deed: str, total: int, work: Work) -> Tally:
    """Do the work under a bar, which programs do not see; Ctrl-C ends it with a report."""
    tally = Tally()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=operator.console, disable=operator.as_json) as bar:
        task = bar.add_task("dead letters", total=total)
        try:
            work(tally, lambda count: bar.advance(task, count))
        except KeyboardInterrupt:
            bar.stop()
            _report(operator, deed, tally, [], stopped=True)
    return tally


def _report(
    operator: Operator, deed: str, tally: Tally, missing: Sequence[str], *, stopped: bool = False
) -> None:
    """What became of the letters; exit code 1 when that is not all that was asked."""
    operator.answer(
        {
            deed: [letter.facts() for letter in tally.done],
            "refused": [letter.facts() for letter in tally.refused],
            "in_both_queues": [letter.facts() for letter in tally.in_both],
            "not_found": missing,
            "stopped": stopped,
        }
    )
    operator.say(f"{_counted(tally.done)} {deed}{_named(tally.done)}.")
    if tally.refused:
        operator.say(f"[red]SQS refused, and left dead letters[/]{_named(tally.refused)}.")
    if tally.in_both:
        operator.say(
            "[yellow]Sent, and not deleted here: in both queues now, which replication stands[/]"
            f"{_named(tally.in_both)}."
        )
    if missing:
        operator.say(f"[yellow]Not among the dead letters:[/] {escape(', '.join(missing))}.")
    if stopped:
        operator.say("[yellow]Stopped.[/] The others are dead letters still; list shows them.")
    if missing or stopped or tally.refused or tally.in_both:
        fail()


def _counted(letters: list[Letter]) -> str:
    return "1 dead letter" if len(letters) == 1 else f"{len(letters)} dead letters"


def _named(letters: list[Letter]) -> str:
    return f": {', '.join(letter.name for letter in letters)}" if letters else ""


def _table(letters: list[Letter], operator: Operator) -> Table:
    now = operator.clock.now()
    table = Table(box=None, padding=(0, 1))
    # A message id is of use only whole; the rest may wrap.
    table.add_column("order", min_width=max(len(letter.name) for letter in letters))
    for name in ("source", "queued (UTC)", "age", "received"):
        table.add_column(name, justify="right" if name == "received" else "left")
    for letter in letters:
        table.add_row(
            letter.name,
            letter.message.source if letter.message else "not ours",
            f"{letter.queued_at.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
            span(letter.age(now)),
            str(letter.receive_count),
        )
    return table
