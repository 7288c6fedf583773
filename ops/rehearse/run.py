"""One run of a rehearsal, which the command and the console share."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

import click

from chalicelib.clock import Clock
from chalicelib.edges.aws import AwsError
from chalicelib.edges.bigcommerce import StoreError, api_time
from chalicelib.edges.pacing import OutOfTime
from ops.rehearse import choices
from ops.rehearse.connection import Connection, connect
from ops.rehearse.facts import Effort, Result
from ops.rehearse.fill import Fill
from ops.rehearse.forecast import Forecast
from ops.rehearse.gate import ReadOnly, Refused
from ops.rehearse.hooks import visible_hooks
from ops.rehearse.keep import Kept
from ops.rehearse.newest import Newest
from ops.rehearse.progress import Update
from ops.rehearse.rehearsal import Rehearsal
from ops.rehearse.share import USUAL_SHARE
from ops.rehearse.subject import Subject
from ops.rehearse.trouble import describe

USUAL_LIMIT = 1000
"""Orders that are read unless another number is given."""

Progress: TypeAlias = Callable[[Connection, int], AbstractContextManager[Update]]
"""Shows the progress of a run over a number of orders."""


def run(
    of: Subject,
    clock: Clock,
    limit: int,
    progress: Progress,
    *,
    share: float = USUAL_SHARE,
    keep: Path | None = None,
    kept: Kept | None = None,
) -> Result:
    """Read at most `limit` orders with at most a `share` of the quota, and judge them.

    KeyboardInterrupt and errors end it with a partial result. Before the first order is read, it
    raises KeyboardInterrupt, AwsError, and ClickException for an error of the store.
    """
    store_hash = of.settings.bigcommerce_store_hash
    gate = ReadOnly(of.settings.bigcommerce_api_url, store_hash)
    connection = connect(of.settings, of.token, clock, share, gate)
    try:
        return _run(of, connection, clock, limit, progress, keep, kept)
    except (StoreError, OutOfTime) as error:
        raise click.ClickException(describe(error, store_hash)) from None
    except Refused as error:
        raise click.ClickException(str(error)) from None


def _run(
    of: Subject,
    connection: Connection,
    clock: Clock,
    limit: int,
    progress: Progress,
    keep: Path | None,
    kept: Kept | None,
) -> Result:
    store, settings = connection.store, of.settings
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
        with progress(connection, total) as update:
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
