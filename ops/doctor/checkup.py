"""All checks, in the order in which they depend on each other."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TypeAlias

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.edges.aws import AwsError
from chalicelib.edges.bigcommerce import StoreError, Unauthorized
from chalicelib.edges.pacing import OutOfTime
from chalicelib.settings import SettingsError
from ops.cli import Operator, explained
from ops.deployment import Deployment, NotDeployed, use_aws_of
from ops.doctor import alerts, progress, resources, store
from ops.doctor.access import LOG_IN, access
from ops.doctor.finding import Finding, fault, note
from ops.doctor.resources import is_missing
from ops.remedies import deploy, deploy_secret, run

Check: TypeAlias = Callable[[], Iterable[Finding]]

TROUBLE = (
    AwsError,
    BotoCoreError,
    ClientError,
    NotDeployed,
    SettingsError,
    StoreError,
)
"""What a check raises when it cannot be made."""

ALONE = {
    "functions": resources.functions,
    "consumer": resources.consumer,
    "schedule": resources.schedule,
    "alarms": alerts.alarms,
}
"""Checks that need the stage's name and nothing else."""

INSIDE = {
    "tables": resources.tables,
    "queues": resources.queues,
    "secrets": resources.secrets,
    "alerts": alerts.subscriptions,
    "polls": progress.polls,
    "queue": progress.queue,
    "dead letters": progress.dead_letters,
}
"""Checks that need the settings of the stage."""


def findings(operator: Operator) -> Iterator[Finding]:
    """Everything, as it is found."""
    use_aws_of(operator.stage)
    found = access(operator.clock)
    yield from found
    if found[0].mark == "fault":
        yield note("the stage", "not looked at without credentials")
        return
    try:
        deployment = operator.deployment
    except NotDeployed as error:
        yield fault("the stage", explained(error), deploy(operator.stage))
    except AwsError as error:
        yield fault("the stage", explained(error), LOG_IN)
    else:
        yield from _stage(deployment)


def _stage(deployment: Deployment) -> Iterator[Finding]:
    for name, check in ALONE.items():
        yield from tried(deployment.stage, name, partial(check, deployment))
    try:
        settings = deployment.settings
    except SettingsError:
        yield note("the rest", "not looked at without settings: the functions above name them")
        return
    for name, check in INSIDE.items():
        yield from tried(deployment.stage, name, partial(check, deployment))
    yield from _store(deployment, settings.move_status)


def _store(deployment: Deployment, moves: bool) -> Iterator[Finding]:
    """The token first: without one that the store takes, nothing else can be asked."""
    stage = deployment.stage
    asked = deployment.store_within(store.PATIENCE)
    token = list(tried(stage, "token", lambda: [store.token(stage, asked)]))
    yield from token
    if any(finding.mark == "fault" for finding in token):
        yield note("the store", "its quota, the token's scope and the hooks were not looked at")
        return
    yield store.quota(asked)
    yield from tried(stage, "scope", lambda: [store.scope(stage, asked, moves)])
    yield from tried(stage, "webhook", lambda: store.webhook(deployment, asked))


def tried(stage: str, name: str, check: Check) -> Iterator[Finding]:
    """What a check finds; one that cannot be made is a fault itself, and the others go on."""
    try:
        yield from check()
    except OutOfTime:
        yield fault(name, "the store did not answer in time", run(stage, "doctor"))
    except TROUBLE as error:
        yield fault(name, f"cannot be looked at: {explained(error)}", remedy(stage, error))


def remedy(stage: str, error: Exception) -> str:
    """What lets a check be made; for what passes by itself, another look."""
    if isinstance(error, Unauthorized):
        return deploy_secret(stage, "bigcommerce_access_token")
    if isinstance(error, AwsError) and "AccessDenied" in error.reason:
        return LOG_IN
    if isinstance(error, NotDeployed) or (isinstance(error, AwsError) and is_missing(error)):
        return deploy(stage)
    return run(stage, "doctor")
