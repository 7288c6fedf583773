"""Checks that every order of the store is in the table, and current."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import chain
from pathlib import Path

import click
from rich.console import Group, RenderableType
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from chalicelib.domain.messages import OrderMessage
from chalicelib.domain.models import OrderStatus
from ops.audit.audit import Audit
from ops.audit.judge import LATE
from ops.audit.report import Report
from ops.cli import Moment, Operator, check_range, command, fail, main
from ops.remedies import run
from ops.wording import count, listed

COLUMNS = (
    "replicated",
    "missing",
    "stale",
    "unmoved",
    "archived",
    "incomplete",
    "in flight",
    "out of scope",
    "expired",
    "forgotten",
    "unreadable",
)


@command(main, "audit --since 2026-11-01 --report november", changes=True)
@click.option(
    "--since",
    type=Moment(),
    help="Start of the creation dates; default REPLICATE_SINCE, or the retention if it is shorter.",
)
@click.option("--until", type=Moment(), help="End of the creation dates; default now.")
@click.option("--fix", is_flag=True, help="Queue the orders that are not as they should be.")
@click.option(
    "--wait", default=120.0, show_default=True, help="Seconds to wait for the queues to empty."
)
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

    An order in scope that is not stored is missing. A stale order differs from its item, an unmoved
    one is new and was never moved, and an archived one was archived in the store without a
    callback. The store sends an incomplete order with fewer members in a list than the order
    states. An order that may be in a queue, or has changed since the last poll, is in flight and
    not a fault. An expired order is older than the retention of orders. The exit code is 1 when an
    order is missing, stale, unmoved, archived or unreadable.
    """
    deployment, now = operator.deployment, operator.clock.now()
    since, until = since or deployment.settings.policy().since(now), until or now
    check_range(since, until)
    with progress_bar(operator, since, until) as progress:
        found = Audit(deployment, since, until, progress).run(wait)
    if fix:
        operator.authorize(f"queue {', '.join(LATE)} orders")
        found.queued = queue_orders(operator, found)
    if report:
        report.with_suffix(".json").write_text(json.dumps(found.facts(), indent=2) + "\n")
        report.with_suffix(".md").write_text(markdown(operator.stage, found))
    operator.print_json(found.facts())
    operator.print(tables(found))
    operator.print(conclusion(operator.stage, found))
    if found.is_bad:
        fail()


@contextmanager
def progress_bar(
    operator: Operator, since: datetime, until: datetime
) -> Iterator[Callable[[int, datetime], None]]:
    """Shows the day of creation reached; the number of orders is not known in advance."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    total = max(1.0, (until - since).total_seconds())
    with Progress(*columns, console=operator.console, disable=operator.as_json) as bar:
        task = bar.add_task("listing the store", total=total)

        def update(read: int, day: datetime) -> None:
            done = min(total, max(0.0, (day - since).total_seconds()))
            bar.update(task, completed=done, description=f"{read} orders, {day:%Y-%m-%d}")

        yield update
        bar.update(task, completed=total)


def queue_orders(operator: Operator, found: Report) -> int:
    """Queue the late orders, those to be moved before the others; returns their number."""
    ids = list(chain.from_iterable(found.ids[name] for name in LATE))
    now, wiring = operator.clock.now(), operator.deployment.wiring
    new, changed = (
        [
            OrderMessage(order_id=n, source="retry", queued_at=now)
            for n in ids
            if (n in found.new) is is_new
        ]
        for is_new in (True, False)
    )
    return len(wiring.queue.send(new)) + len(wiring.changes.send(changed))


def conclusion(stage: str, found: Report) -> str:
    """The result in a few sentences, with the next step."""
    totals = found.totals
    span = f"created from {found.since:%Y-%m-%d %H:%M} to {found.until:%Y-%m-%d %H:%M} UTC"
    if not totals:
        return f"The store has no orders {span}."
    sentences = [f"{count(totals.total(), 'order')} {span}."]
    if faults := found.faults_at_least:
        verb = "is" if faults == 1 else "are"
        sentences.append(
            f"[red]At least {count(faults, 'order')} {verb} missing, stale, unmoved or archived[/]."
        )
    else:
        sentences.append("[green]Every order in scope is stored and current.[/]")
    if totals["incomplete"]:
        sentences.append(f"{count(totals['incomplete'], 'order')} stored incomplete.")
    if totals["expired"]:
        verb = "is" if totals["expired"] == 1 else "are"
        sentences.append(
            f"{count(totals['expired'], 'order')} {verb} older than the retention of "
            f"{count(found.retention_days, 'day')}."
        )
    if totals["unreadable"]:
        sentences.append(f"[red]{count(totals['unreadable'], 'order')} could not be read.[/]")
    if totals["in flight"]:
        sentences.append(
            f"{count(totals['in flight'], 'order')} may be in flight: the queues contain "
            f"{count(found.messages, 'message')}, and {found.unpolled} of the orders changed since "
            "the last poll. Run the audit again later."
        )
    if found.queued:
        sentences.append(f"{count(found.queued, 'order')} queued.")
    elif any(totals[name] for name in LATE):
        sentences.append(f"To queue them: [bold]{run(stage, 'audit --fix')}[/]")
    return " ".join(sentences)


def tables(found: Report) -> RenderableType:
    """Counts by status, and by day for the days with faults."""
    parts = [_table("By status", "status", _by(found, lambda key: _status(key[1])))]
    days_with_faults = {
        key[0] for key, counts in found.counts.items() if any(counts[n] for n in LATE)
    }
    if days_with_faults:
        days = _by(found, lambda key: key[0])
        parts.append(
            _table("Days with faults", "day", {day: days[day] for day in sorted(days_with_faults)})
        )
    for name in (*LATE, "unreadable"):
        if ids := found.ids[name]:
            parts.append(f"{name}: {listed(ids)}")
    return Group(*parts)


def markdown(stage: str, found: Report) -> str:
    """The report as Markdown."""
    text = Text.from_markup(conclusion(stage, found)).plain
    lines = [f"# Audit of {stage}", "", text, "", "## By status", ""]
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
