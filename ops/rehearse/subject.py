"""What is rehearsed: a store alone, or that of a stage with what the stage knows of its orders."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import click
from click.core import ParameterSource

from chalicelib.clock import Clock
from chalicelib.domain.jobs import HISTORY_MARGIN, next_sweep
from chalicelib.edges.ssm import Secret
from chalicelib.settings import Settings
from ops.deployment import Deployment
from ops.pause.pause import Pause
from ops.rehearse import choices
from ops.rehearse.connection import given_token
from ops.rehearse.rehearsal import Records, no_records


@dataclass(frozen=True)
class Subject:
    """The store to read, under which settings, and what a stage knows of its orders.

    A sweep lists the orders of all statuses that changed after `swept_since`; None for all orders.
    """

    settings: Settings
    token: Secret
    stage: str = ""
    records: Records = no_records
    swept_since: datetime | None = None
    notes: tuple[str, ...] = ()


def check_source(stage: str, store_hash: str | None, api_url: str | None) -> None:
    """Raises UsageError unless a command names one store: by its hash, or by its stage."""
    source = click.get_current_context().find_root().get_parameter_source("stage")
    if source is ParameterSource.COMMANDLINE and (store_hash or api_url):
        raise click.UsageError("--store-hash and --api-url are for a store without --stage")
    if not (store_hash or stage):
        raise click.UsageError("give the store with --store-hash, or a stage with --stage")


def of_store(
    store_hash: str, api_url: str | None, given: Mapping[str, str], clock: Clock
) -> Subject:
    """A store without a stage. Asks for the token. Raises UsageError."""
    environment = {**choices.NO_STAGE, "BIGCOMMERCE_STORE_HASH": store_hash}
    if api_url:
        environment["BIGCOMMERCE_API_URL"] = api_url
    # The settings first: an invalid one is reported before the token is asked for.
    settings = choices.settings(environment, given)
    return Subject(settings, given_token(clock))


def of_stage(deployment: Deployment, given: Mapping[str, str]) -> Subject:
    """The store of a stage under changed settings. Raises UsageError and AwsError."""
    settings, paused = choices.settings(deployment.environment, given), Pause.read(deployment)
    orders = deployment.wiring.orders
    return Subject(
        settings=settings,
        token=deployment.wiring.secret(settings.access_token_parameter),
        stage=deployment.stage,
        records=lambda ids: orders.records(ids),
        swept_since=_swept_since(deployment, settings),
        notes=(_described(paused, deployment.clock.now()),) if paused else (),
    )


def _described(paused: Pause, now: datetime) -> str:
    return f"{paused.described(now)}; nothing moves before resume"


def _swept_since(deployment: Deployment, settings: Settings) -> datetime | None:
    """The date of change from which the next sweep under these settings lists all statuses."""
    now, every = deployment.clock.now(), timedelta(hours=settings.sweep_hours)
    history = deployment.wiring.jobs.history(now - every - HISTORY_MARGIN)
    back = timedelta(days=settings.sweep_days)
    job = next_sweep(history, now, every, back, is_requested=True, scope=settings.policy().scope)
    return job.since if job else None
