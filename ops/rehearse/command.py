"""Forecasts what the service would do with a store, by reading it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from chalicelib.domain.jobs import HISTORY_MARGIN, next_sweep
from chalicelib.edges.aws import AwsError
from chalicelib.edges.bigcommerce import StoreError, api_time
from chalicelib.edges.pacing import OutOfTime
from chalicelib.edges.ssm import Secret
from chalicelib.settings import Settings
from ops.backfill.command import StoreColumn
from ops.cli import Moment, Operator, command, main
from ops.deployment import Deployment
from ops.pause.pause import Pause
from ops.rehearse import choices, display, page
from ops.rehearse.connection import Connection, connect, given_token
from ops.rehearse.facts import Ended, Result
from ops.rehearse.fill import Fill
from ops.rehearse.forecast import Forecast
from ops.rehearse.gate import Refused
from ops.rehearse.hooks import visible_hooks
from ops.rehearse.newest import Newest
from ops.rehearse.rehearsal import Records, Rehearsal, no_records
from ops.rehearse.trouble import describe

INTERRUPTED = 130
"""The exit code after Ctrl-C, as of a program that the signal ends."""


@dataclass(frozen=True)
class Subject:
    """The store to read, under which settings, and what a stage knows of its orders."""

    settings: Settings
    token: Secret
    stage: str = ""
    records: Records = no_records
    swept_since: datetime | None = None
    notes: tuple[str, ...] = ()


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
@click.option("--before", type=click.IntRange(2), help="Only orders with an id below this one.")
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
    before: int | None,
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
    """
    subject = _subject(operator, store_hash, choices.chosen(given, replicate_since), api_url)
    connection = connect(subject.settings, subject.token, operator.clock, share)
    try:
        result = _run(operator, subject, connection, limit, before)
    except (StoreError, OutOfTime) as error:
        message = describe(error, subject.settings.bigcommerce_store_hash)
        raise click.ClickException(message) from None
    except Refused as error:
        raise click.ClickException(str(error)) from None
    facts = result.facts()
    if report:
        report.write_text(page.page(facts))
    operator.print_json(facts)
    operator.print(display.summary(facts))
    operator.print(display.next_steps(facts, report))
    if result.is_partial:
        click.get_current_context().exit(INTERRUPTED if result.ended == "interrupted" else 1)


def _subject(
    operator: Operator, store_hash: str | None, given: dict[str, str], api_url: str | None
) -> Subject:
    source = click.get_current_context().find_root().get_parameter_source("stage")
    if source is ParameterSource.COMMANDLINE and (store_hash or api_url):
        raise click.UsageError("--store-hash and --api-url are for a store without --stage")
    if operator.stage and not store_hash:
        return _of_stage(operator, given)
    if not store_hash:
        raise click.UsageError("give the store with --store-hash, or a stage with --stage")
    environment = {**choices.NO_STAGE, "BIGCOMMERCE_STORE_HASH": store_hash}
    if api_url:
        environment["BIGCOMMERCE_API_URL"] = api_url
    # The settings first: nobody types a token to be told that a setting is invalid.
    settings = choices.settings(environment, given)
    return Subject(settings, given_token(operator.clock))


def _of_stage(operator: Operator, given: dict[str, str]) -> Subject:
    """The stage's store, with what it has stored and when its next sweep begins."""
    deployment = operator.deployment
    settings = choices.settings(deployment.environment, given)
    paused = Pause.read(deployment)
    notes = (
        (f"{paused.described(operator.clock.now())}; nothing moves before resume",)
        if paused
        else ()
    )
    return Subject(
        settings,
        deployment.wiring.secret(settings.access_token_parameter),
        operator.stage,
        lambda ids: deployment.wiring.orders.records(ids),
        _swept_since(deployment, settings),
        notes,
    )


def _swept_since(deployment: Deployment, settings: Settings) -> datetime | None:
    """From which change on the next sweep under these settings lists orders of all statuses."""
    now, every = deployment.clock.now(), timedelta(hours=settings.sweep_hours)
    history = deployment.wiring.jobs.history(now - every - HISTORY_MARGIN)
    back = timedelta(days=settings.sweep_days)
    job = next_sweep(history, now, every, back, is_requested=True, scope=settings.policy().scope)
    return job.since if job else None


def _run(
    operator: Operator, subject: Subject, connection: Connection, limit: int, before: int | None
) -> Result:
    """Raises StoreError and OutOfTime when not even the first order could be read."""
    clock, store, policy = operator.clock, connection.store, subject.settings.policy()
    began = clock.now()
    # The first request shows whether token, hash and store are right: it is not tried for long.
    counts = replace(store, retry=store.retry.new(total=1)).counts()
    settings = subject.settings
    fill = Fill(policy, settings.sweep_days, settings.max_in_flight, began, subject.swept_since)
    forecast = Forecast(policy, began, fill)
    newest = Newest(store, limit, before)
    ended: Ended = "complete"
    hooks: dict[str, Any] = {"error": "not read"}
    message, scale = None, None
    try:
        hooks = visible_hooks(store)
        with _progress(operator, connection, min(limit, sum(counts.values()))) as progress:
            Rehearsal(
                store,
                policy,
                clock,
                forecast,
                newest,
                subject.records,
                progress,
            ).run()
        ended = "complete" if newest.is_complete else "limit"
        scale = _scale(forecast, newest, sum(counts.values()), before)
    except KeyboardInterrupt:
        ended = "interrupted"
    except (StoreError, OutOfTime, AwsError) as error:
        if not forecast.listed:
            raise
        ended = "error"
        message = (
            str(error)
            if isinstance(error, AwsError)
            else describe(error, subject.settings.bigcommerce_store_hash)
        )
    return Result(
        settings=subject.settings,
        stage=subject.stage,
        connection=connection,
        forecast=forecast,
        ended=ended,
        store_counts=counts,
        hooks=hooks,
        seconds=(clock.now() - began).total_seconds(),
        scale=scale,
        error=message,
        notes=subject.notes,
    )


def _scale(forecast: Forecast, newest: Newest, in_store: int, before: int | None) -> float | None:
    """By how much more orders there are in scope than were read; None where that is unknown.

    Without REPLICATE_SINCE by the store's counts, else by the distance of ids.
    """
    since = forecast.policy.since(forecast.now)
    if before is not None or not forecast.listed:
        return None
    is_reached = forecast.created_from is not None and forecast.created_from < since
    if newest.is_complete or is_reached:
        return 1.0
    if since.isoformat() == datetime.fromisoformat(choices.ALWAYS).isoformat():
        return max(1.0, in_store / forecast.listed)
    first = newest.store.list_orders(1, limit=1, min_date_created=api_time(since))
    if not first or forecast.newest is None or forecast.oldest is None:
        return None
    ids = forecast.newest - forecast.oldest + 1
    return max(1.0, (forecast.newest - int(first[0]["id"]) + 1) / ids)


@contextmanager
def _progress(
    operator: Operator, connection: Connection, total: int
) -> Iterator[Callable[[int], Any]]:
    """Shows the orders read, and the store's quota or how long it is waited for."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        StoreColumn(connection.pacer, operator.clock),
    )
    with Progress(*columns, console=operator.console, disable=operator.as_json) as bar:
        task = bar.add_task("reading orders", total=total)

        def update(read: int) -> None:
            bar.update(task, completed=read, description=f"{read} orders")

        yield update
