"""Forecasts what the service would do with a store, by reading it."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import click

from chalicelib.edges.aws import AwsError
from chalicelib.edges.bigcommerce import StoreError, api_time
from chalicelib.edges.pacing import OutOfTime
from ops.cli import Moment, Operator, command, main
from ops.rehearse import choices, display, page, subject
from ops.rehearse.connection import Connection, connect
from ops.rehearse.facts import Effort, Result
from ops.rehearse.fill import Fill
from ops.rehearse.forecast import Forecast
from ops.rehearse.gate import ReadOnly, Refused
from ops.rehearse.hooks import visible_hooks
from ops.rehearse.keep import Kept
from ops.rehearse.newest import Newest
from ops.rehearse.progress import store_progress
from ops.rehearse.rehearsal import Rehearsal
from ops.rehearse.subject import Subject
from ops.rehearse.trouble import describe
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
    default=1000,
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
    default=0.25,
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
    gate = ReadOnly(of.settings.bigcommerce_api_url, of.settings.bigcommerce_store_hash)
    connection = connect(of.settings, of.token, operator.clock, share, gate)
    try:
        result = _run(operator, of, connection, limit, keep, kept)
    except (StoreError, OutOfTime) as error:
        message = describe(error, of.settings.bigcommerce_store_hash)
        raise click.ClickException(message) from None
    except Refused as error:
        raise click.ClickException(str(error)) from None
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


def _run(
    operator: Operator,
    of: Subject,
    connection: Connection,
    limit: int,
    keep: Path | None,
    kept: Kept | None,
) -> Result:
    """Raises StoreError, OutOfTime and AwsError when not even the first order could be read."""
    clock, store, settings = operator.clock, connection.store, of.settings
    policy, began = settings.policy(), clock.now()
    if kept:
        connection.pacer.resume(kept.quota)
    # The first request shows whether token, hash and store are right: it is not tried for long.
    counts = replace(store, retry=store.retry.new(total=1)).counts()
    now, swept_since = (kept.now, kept.swept_since) if kept else (began, of.swept_since)
    fill = Fill(policy, settings.sweep_days, settings.max_in_flight, now, swept_since)
    forecast = Forecast(policy, now, fill)
    result = Result(settings, of.stage, connection, forecast, counts, of.notes)
    if kept:
        kept.restore(forecast)
        result.earlier = Effort(kept.requests, kept.throttled, kept.seconds)
    newest = Newest(store, limit, forecast.oldest)
    rehearsal = Rehearsal(store, policy, clock, forecast, newest, of.records)
    try:
        result.hooks = visible_hooks(store)
        total = min(forecast.listed + limit, result.in_store)
        with store_progress(operator, connection, "reading orders", total) as update:
            rehearsal.progress = lambda read: update(f"{read} orders", read)
            rehearsal.run()
        newest.is_complete |= forecast.listed >= result.in_store
        result.ended = "complete" if newest.is_complete else "limit"
        # How much a sweep finds to do for a stage does not grow with the number of orders.
        result.scale = None if of.stage else _scale(forecast, newest, result.in_store)
    except KeyboardInterrupt:
        result.ended = "interrupted"
    except (StoreError, OutOfTime, AwsError) as error:
        if not forecast.listed:
            raise
        result.ended, result.error = "error", describe(error, settings.bigcommerce_store_hash)
    finally:
        result.took = (clock.now() - began).total_seconds()
        if keep and forecast.listed:
            try:
                Kept.of(result).write(keep)
            except OSError as error:
                # What was found is printed all the same.
                result.unsaved = f"--keep {keep} could not be written: {error.strerror}"
    return result


def _scale(forecast: Forecast, newest: Newest, in_store: int) -> float | None:
    """By how much more orders there are in scope than were read; None where that is unknown.

    Without REPLICATE_SINCE by the store's counts, else by the distance of ids.
    """
    since = forecast.policy.since(forecast.now)
    if not forecast.listed or forecast.newest is None or forecast.oldest is None:
        return None
    if newest.is_complete or (forecast.reached and forecast.reached < since):
        return 1.0
    if since == datetime.fromisoformat(choices.ALWAYS):
        return max(1.0, in_store / forecast.listed)
    first = newest.store.list_orders(1, limit=1, min_date_created=api_time(since))
    if not first:
        return None
    ids = forecast.newest - forecast.oldest + 1
    return max(1.0, (forecast.newest - int(first[0]["id"]) + 1) / ids)
