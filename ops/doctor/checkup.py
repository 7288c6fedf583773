"""All checks, in the order of their dependencies."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TypeAlias

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.edges.aws import AwsError
from chalicelib.edges.bigcommerce import StoreError, Unauthorized
from chalicelib.edges.pacing import OutOfTime
from chalicelib.settings import SettingsError
from ops.cli import Operator
from ops.deployment import QUEUES, Deployment, NotDeployed, UnknownStage, configure_aws
from ops.doctor import alerts, events, orders, progress, resources, store
from ops.doctor.access import access
from ops.doctor.concurrency import concurrency
from ops.doctor.finding import Finding, fault, note
from ops.doctor.resources import is_missing
from ops.remedies import (
    connect,
    define_stage,
    deploy,
    deploy_secret,
    describe_error,
    is_unreachable,
    log_in,
    wait_for_aws,
    wait_for_store,
)

Check: TypeAlias = Callable[[], Iterable[Finding]]

CHECK_ERRORS = (AwsError, BotoCoreError, ClientError, NotDeployed, SettingsError)
"""What AWS and the settings raise when a check cannot be made."""

CHECKS_BY_NAME = {
    "functions": resources.functions,
    "consumers": resources.consumers,
    "concurrency": concurrency,
    "schedule": resources.schedule,
    "alarms": alerts.alarms,
}
"""Checks that need the stage's name only."""

CHECKS_BY_SETTINGS: dict[str, Callable[[Deployment], Iterable[Finding]]] = {
    "tables": resources.tables,
    "queues": resources.queues,
    "secrets": resources.secrets,
    "alerts": alerts.subscriptions,
    "polls": progress.polls,
    **{f"messages {queue}": partial(progress.messages, queue=queue) for queue in QUEUES},
    **{
        f"dead-letter queue {queue}": partial(progress.dead_letters, queue=queue)
        for queue in QUEUES
    },
    "events": events.events,
    "failing orders": orders.failing,
    "moves": orders.moves,
    "embedded reads": orders.embedded_reads,
    "order fields": orders.order_fields,
}
"""Checks that need the stage's settings."""


def findings(operator: Operator) -> Iterator[Finding]:
    """The results of all checks, one at a time."""
    stage = operator.stage
    try:
        configure_aws(stage)
    except UnknownStage as error:
        yield fault("stage", str(error), define_stage(stage, error.known))
        return
    found = access(stage, operator.clock)
    yield from found
    if found[0].mark == "fault":
        yield note("other checks", "skipped: they need access to AWS")
        return
    try:
        deployment = operator.deployment
    except UnknownStage as error:
        yield fault("stage", str(error), define_stage(stage, error.known))
    except (AwsError, NotDeployed) as error:
        yield fault("stage", describe_error(stage, error), remedy(stage, error))
    else:
        yield from _stage(deployment)


def _stage(deployment: Deployment) -> Iterator[Finding]:
    for name, check in CHECKS_BY_NAME.items():
        yield from run_check(deployment.stage, name, partial(check, deployment))
    try:
        settings = deployment.settings
    except SettingsError:
        yield note("other checks", "skipped: they need valid settings (see the functions above)")
        return
    for name, further in CHECKS_BY_SETTINGS.items():
        yield from run_check(deployment.stage, name, partial(further, deployment))
    yield from _store(deployment, settings.move_status)


def _store(deployment: Deployment, moves: bool) -> Iterator[Finding]:
    """The access token first: the other requests need one that the store accepts."""
    stage = deployment.stage
    connected = deployment.store_within(store.TIMEOUT)
    found = list(run_check(stage, "token", lambda: [store.token(stage, connected)]))
    yield from found
    if any(finding.mark == "fault" for finding in found):
        yield note("store checks", "quota, scope and webhooks skipped")
        return
    yield store.quota(connected)
    yield from run_check(stage, "scope", lambda: [store.scope(stage, connected, moves)])
    yield from run_check(stage, "webhooks", lambda: store.webhooks(deployment, connected))


def run_check(stage: str, name: str, check: Check) -> Iterator[Finding]:
    """A check's findings; its errors are faults, and those of the store are the store's."""
    try:
        yield from check()
    except Unauthorized as error:
        yield fault(name, describe_error(stage, error), remedy(stage, error))
    except OutOfTime:
        yield fault("store", f"no response within {store.TIMEOUT:.0f} s", wait_for_store(stage))
    except StoreError as error:
        yield fault("store", f"returned an error: {error}", wait_for_store(stage))
    except CHECK_ERRORS as error:
        found = f"could not be checked: {describe_error(stage, error)}"
        yield fault(name, found, remedy(stage, error))


def remedy(stage: str, error: Exception) -> str:
    """What makes a failed check possible."""
    if isinstance(error, Unauthorized):
        return deploy_secret(stage, "bigcommerce_access_token")
    if is_unreachable(error):
        return connect(stage)
    if isinstance(error, AwsError) and "AccessDenied" in error.reason:
        return log_in(stage)
    if isinstance(error, NotDeployed) or (isinstance(error, AwsError) and is_missing(error)):
        return deploy(stage)
    return wait_for_aws(stage)
