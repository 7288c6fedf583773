"""Forecasts what the service would do with a store, by reading it."""

from datetime import datetime
from pathlib import Path

import click

from ops.cli import Moment, Operator, command, main
from ops.rehearse import choices, display, page, subject
from ops.rehearse.keep import Kept
from ops.rehearse.progress import store_progress
from ops.rehearse.run import USUAL_LIMIT, run
from ops.rehearse.share import USUAL_SHARE
from ops.rehearse.subject import Subject
from ops.wording import count

INTERRUPTED = 130
"""The exit code after Ctrl-C, as of a program that the signal ends."""


@command(main, "rehearse --set MOVE_UNPAID=false --report forecast.html")
@click.option("--store-hash", help="The store to read, instead of that of a stage.")
@click.option(
    "--replicate-since",
    type=Moment(),
    help="REPLICATE_SINCE; default the stage's, or without a stage no limit.",
)
@click.option(
    "--set",
    "given",
    multiple=True,
    metavar="NAME=VALUE",
    help="Another setting, for example MOVE_UNPAID=false or CHANNEL_IDS=1,2; repeatable.",
)
@click.option(
    "--limit",
    default=USUAL_LIMIT,
    show_default=True,
    type=click.IntRange(1),
    help="Orders to read, the newest first.",
)
@click.option(
    "--keep",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep what was found in this file, and continue what it has from an earlier run.",
)
@click.option(
    "--share",
    default=USUAL_SHARE,
    show_default=True,
    type=click.FloatRange(0.01, 1),
    help="The share of the store's quota that is used at most.",
)
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the forecast into this HTML file as well.",
)
@click.option("--api-url", help="The URL of the store's API, for a simulated store.")
def rehearse(
    operator: Operator,
    store_hash: str | None,
    replicate_since: datetime | None,
    given: tuple[str, ...],
    limit: int,
    keep: Path | None,
    share: float,
    report: Path | None,
    api_url: str | None,
) -> None:
    """Forecast from the store's own orders what the service would do with them.

    The store is only read, and nothing is sent that is no GET request. Without a stage, neither an
    AWS account nor a deployment is needed: give --store-hash, and the access token in the
    environment variable BIGCOMMERCE_ACCESS_TOKEN or at the prompt; a read-only token is sufficient.
    The token is not stored. With a stage, the forecast is of its next deployment with the settings
    that are given here.

    The exit code is 1 after an error of the store and 130 after Ctrl-C. What was found until then
    is printed, and marked as partial.

    With --keep FILE, the same command continues with older orders after it was stopped, after an
    error, or after --limit orders, of which it then reads as many again. The report is one of all
    orders that were read. The file holds ids of orders, counts, statuses and the settings; no
    token, and nothing about a customer. A file of another store or of other settings is refused.
    Delete it to begin again.
    """
    for name, path in (("--report", report), ("--keep", keep)):
        if path and not path.parent.is_dir():
            raise click.UsageError(f"{name} {path}: there is no folder {path.parent}")
    kept = Kept.read(keep) if keep else None
    of = _subject(operator, store_hash, choices.chosen(given, replicate_since), api_url)
    if keep and kept:
        kept.check(keep, of)
        click.echo(_continued(keep, kept), err=True)
    try:
        result = run(
            of,
            operator.clock,
            limit,
            lambda store, total: store_progress(operator, store, "reading orders", total),
            share=share,
            keep=keep,
            kept=kept,
        )
    except KeyboardInterrupt:
        click.echo("Stopped before an order was read.", err=True)
        click.get_current_context().exit(INTERRUPTED)
    facts = result.facts()
    if report:
        report.write_text(page.page(facts))
    operator.print_json(facts)
    operator.print(display.summary(facts))
    operator.print(display.next_steps(facts, report, None if result.unsaved else keep))
    if result.unsaved:
        raise click.ClickException(result.unsaved)
    if result.is_partial:
        click.get_current_context().exit(INTERRUPTED if result.ended == "interrupted" else 1)


def _subject(
    operator: Operator, store_hash: str | None, given: dict[str, str], api_url: str | None
) -> Subject:
    subject.check_source(operator.stage, store_hash, api_url)
    if store_hash:
        return subject.of_store(store_hash, api_url, given, operator.clock)
    return subject.of_stage(operator.deployment, given)


def _continued(keep: Path, kept: Kept) -> str:
    read = f"{count(kept.listed, 'order')} down to id {kept.oldest}"
    return f"Continuing {keep}, begun {kept.now:%Y-%m-%d %H:%M} UTC: {read}."
