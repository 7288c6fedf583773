"""Is every new order of the store in the table?"""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import chain
from pathlib import Path

import click
from rich.console import Group, RenderableType
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from chalicelib.domain.models import OrderMessage, OrderStatus
from ops.audit.audit import LATE, Audit, Report
from ops.cli import Operator, command, fail, main
from ops.listing import Moment
from ops.remedies import run

COLUMNS = (
    "replicated",
    "missing",
    "outdated",
    "unmoved",
    "in flight",
    "not new",
    "forgotten",
    "unreadable",
)


@command(
    main, "python -m ops --stage prod audit --since 2026-11-01 --report november", changes=True
)
@click.option("--since", type=Moment(), help="Orders created from then; default REPLICATE_SINCE.")
@click.option("--until", type=Moment(), help="Orders created up to then; default now.")
@click.option("--fix", is_flag=True, help="Queue the orders that do not fit.")
@click.option("--wait", default=120.0, show_default=True, help="Seconds for the queue to empty.")
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write REPORT.json and REPORT.md.",
)
def audit(
    operator: Operator,
    since: datetime | None,
    until: datetime | None,
    fix: bool,
    wait: float,
    report: Path | None,
) -> None:
    """Compare every order of the store with the table.

    Missing orders are new and in no item; outdated ones have changed since they were stored, and
    are still new; unmoved ones are stored and were never moved. What may be in the queue, or has
    changed since the last poll, is in flight and no fault. The exit code is 1 when an order is
    missing.
    """
    deployment = operator.deployment
    since, until = since or deployment.settings.replicate_since, until or operator.clock.now()
    with watched(operator, since, until) as progress:
        found = Audit(deployment, since, until, progress).run(wait)
    if fix:
        operator.confirm("queue what does not fit")
        found.queued = queue(operator, found)
    if report:
        report.with_suffix(".json").write_text(json.dumps(found.facts(), indent=2) + "\n")
        report.with_suffix(".md").write_text(markdown(operator.stage, found))
    operator.answer(found.facts())
    operator.say(page(found))
    operator.say(conclusion(operator.stage, found))
    if found.surely_missing:
        fail()


@contextmanager
def watched(
    operator: Operator, since: datetime, until: datetime
) -> Iterator[Callable[[int, datetime], None]]:
    """A bar that grows with the day of creation reached; how many orders there are is not known."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    total = max(1.0, (until - since).total_seconds())
    with Progress(*columns, console=operator.console, disable=operator.as_json) as bar:
        task = bar.add_task("listing the store", total=total)

        def told(seen: int, day: datetime) -> None:
            done = min(total, max(0.0, (day - since).total_seconds()))
            bar.update(task, completed=done, description=f"{seen} orders, {day:%Y-%m-%d}")

        yield told
        bar.update(task, completed=total)


def queue(operator: Operator, found: Report) -> int:
    """Queue what does not fit, as a poll would; how many that were."""
    queued_at = operator.clock.now().isoformat()
    ids: Iterable[int] = chain.from_iterable(found.ids[name] for name in LATE)
    messages = (OrderMessage(order_id=n, source="poll", queued_at=queued_at) for n in ids)
    return len(operator.deployment.wiring.queue.send(messages))


def conclusion(stage: str, found: Report) -> str:
    """What the numbers mean, in a few sentences, and what to do next."""
    totals = found.totals
    span = f"created from {found.since:%Y-%m-%d %H:%M} to {found.until:%Y-%m-%d %H:%M} UTC"
    if not totals:
        return f"The store has no orders {span}."
    says = [f"{totals.total()} orders {span}."]
    if found.surely_missing:
        says.append(f"[red]{found.surely_missing} are missing[/] from the table.")
    else:
        says.append("[green]None is missing.[/]")
    if totals["in flight"]:
        says.append(
            f"{totals['in flight']} may be in flight: the queue holds {found.messages} messages, "
            f"and {found.unpolled} are for the next poll to find. Run the audit again later."
        )
    if found.queued:
        says.append(f"{found.queued} were queued.")
    elif any(totals[name] for name in LATE):
        says.append(f"Queue them with [bold]{run(stage, 'audit --fix')}[/].")
    return " ".join(says)


def page(found: Report) -> RenderableType:
    """Counts by status, and by day where something is wrong."""
    parts = [_table("By status", "status", _by(found, lambda key: _status(key[1])))]
    wrong = {key[0] for key, counts in found.counts.items() if any(counts[n] for n in LATE)}
    if wrong:
        days = _by(found, lambda key: key[0])
        parts.append(_table("Days with faults", "day", {day: days[day] for day in sorted(wrong)}))
    for name in (*LATE, "unreadable"):
        if ids := found.ids[name]:
            more = f" and {len(ids) - 20} more" if len(ids) > 20 else ""
            parts.append(f"{name}: {', '.join(map(str, ids[:20]))}{more}")
    return Group(*parts)


def markdown(stage: str, found: Report) -> str:
    """The report as a page: the conclusion, counts by status, counts by day and status, ids."""
    lines = [f"# Audit of {stage}", "", _plain(conclusion(stage, found)), "", "## By status", ""]
    lines += _grid("status", _by(found, lambda key: _status(key[1])))
    lines += ["", "## By day and status", ""]
    lines += _grid("day, status", _by(found, lambda key: f"{key[0]}, {_status(key[1])}"))
    for name, ids in found.facts()["ids"].items():
        lines += ["", f"## {name.capitalize()}", "", ", ".join(map(str, ids))]
    return "\n".join(lines) + "\n"


def _by(found: Report, name: Callable[[tuple[str, int]], str]) -> dict[str, dict[str, int]]:
    grouped: dict[str, dict[str, int]] = {}
    for key, counts in sorted(found.counts.items()):
        row = grouped.setdefault(name(key), dict.fromkeys(COLUMNS, 0))
        for finding, number in counts.items():
            row[finding] += number
    return grouped


def _table(title: str, first: str, rows: dict[str, dict[str, int]]) -> RenderableType:
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2))
    shown = [name for name in COLUMNS if any(counts[name] for counts in rows.values())]
    table.add_column(first)
    for name in shown:
        table.add_column(name, justify="right")
    for name, counts in rows.items():
        table.add_row(name, *(str(counts[column] or "") for column in shown))
    return table


def _grid(first: str, rows: dict[str, dict[str, int]]) -> list[str]:
    lines = [f"| {first} | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 1) + "|"]
    return lines + [
        f"| {name} | {' | '.join(str(counts[column]) for column in COLUMNS)} |"
        for name, counts in rows.items()
    ]


def _status(status_id: int) -> str:
    try:
        return f"{status_id} {OrderStatus(status_id).name.replace('_', ' ').title()}"
    except ValueError:
        return "unknown"


def _plain(text: str) -> str:
    for mark in ("[red]", "[green]", "[bold]", "[/]"):
        text = text.replace(mark, "")
    return text
