"""Checks that the stage's resources exist and are enabled."""

from collections.abc import Iterator
from typing import Any

from chalicelib.edges.aws import AwsError, calling
from chalicelib.settings import Settings, SettingsError
from ops.deployment import (
    CONSUMERS,
    HANDLERS,
    POLL,
    PUBLISH,
    QUEUES,
    Deployment,
    NotDeployed,
    client,
    function_configuration,
)
from ops.doctor.finding import Finding, fault, note, ok
from ops.remedies import deploy, deploy_secret, enable_consumer, enable_schedule

MISSING = ("ResourceNotFoundException", "NotFound", "NotFoundException", "QueueDoesNotExist")


def is_missing(error: AwsError) -> bool:
    """Whether a resource does not exist; SQS also uses an older error code."""
    return error.reason in MISSING or error.reason.endswith("NonExistentQueue")


def functions(deployment: Deployment) -> Iterator[Finding]:
    """Each function exists, is active, and has valid settings."""
    for handler in HANDLERS:
        yield _function(deployment, handler)


def _function(deployment: Deployment, handler: str) -> Finding:
    name, fix = f"function {handler}", deploy(deployment.stage)
    try:
        found = function_configuration(deployment.name(handler))
    except NotDeployed:
        return fault(name, "does not exist", fix)
    state, update = found.get("State"), found.get("LastUpdateStatus")
    if state == "Pending" or update == "InProgress":
        return note(name, "deployment in progress")
    if state != "Active":
        return fault(name, f"state {state}: {found.get('StateReason', 'no reason given')}", fix)
    if update != "Successful":
        reason = found.get("LastUpdateStatusReason", "no reason given")
        return fault(name, f"last update {str(update).lower()}: {reason}", fix)
    try:
        Settings.from_environment(found.get("Environment", {}).get("Variables", {}))
    except SettingsError as error:
        return fault(name, str(error), fix)
    return ok(name, "active, valid settings")


def tables(deployment: Deployment) -> Iterator[Finding]:
    """The four tables exist, and Orders has its stream."""
    settings = deployment.settings
    erasures = deployment.name("erasures")
    for table in (settings.orders_table, settings.jobs_table, settings.webhooks_table, erasures):
        yield _table(deployment, table, has_stream=table == settings.orders_table)


def _table(deployment: Deployment, table: str, *, has_stream: bool) -> Finding:
    name, fix = f"table {table.removeprefix(deployment.name(''))}", deploy(deployment.stage)
    try:
        with calling(f"DescribeTable {table}"):
            found = client("dynamodb").describe_table(TableName=table)["Table"]
    except AwsError as error:
        if not is_missing(error):
            raise
        return fault(name, "does not exist", fix)
    if found["TableStatus"] not in ("ACTIVE", "UPDATING"):
        return fault(name, f"status {found['TableStatus']}", fix)
    if has_stream and not found.get("StreamSpecification", {}).get("StreamEnabled"):
        return fault(name, "stream disabled", fix)
    return ok(name, "active, stream enabled" if has_stream else "active")


def queues(deployment: Deployment) -> Iterator[Finding]:
    """Each queue and its dead-letter queue exist, and a redrive policy connects them."""
    for queue in QUEUES:
        yield _queue(deployment, queue)


def _queue(deployment: Deployment, queue: str) -> Finding:
    name, fix = f"queue {queue}", deploy(deployment.stage)
    try:
        url = deployment.dead_letter_queue_url(queue)
    except NotDeployed as error:
        return fault(name, str(error), fix)
    except AwsError as error:
        if not is_missing(error):
            raise
        return fault(name, f"a queue does not exist ({error})", fix)
    return ok(name, f"redrive policy: {url.rsplit('/', 1)[1]}")


def consumers(deployment: Deployment) -> Iterator[Finding]:
    """The event source mapping of each function that reads a queue or the stream is enabled."""
    for function in (*CONSUMERS.values(), PUBLISH):
        yield from _consumer(deployment, function)


def event_sources(deployment: Deployment, function: str) -> list[dict[str, Any]]:
    """The event source mappings of a function. Raises AwsError."""
    name = deployment.name(function)
    with calling(f"ListEventSourceMappings {name}"):
        pages = client("lambda").get_paginator("list_event_source_mappings")
        return [
            m for page in pages.paginate(FunctionName=name) for m in page["EventSourceMappings"]
        ]


def _consumer(deployment: Deployment, function: str) -> Iterator[Finding]:
    found = event_sources(deployment, function)
    if not found:
        yield fault(
            f"consumer {function}",
            f"no event source mapping: {_source(function)} is not read",
            deploy(deployment.stage),
        )
    for mapping in found:
        yield _mapping(deployment.stage, function, mapping)


def _source(function: str) -> str:
    return "the stream of the Orders table" if function == PUBLISH else "its queue"


def _mapping(stage: str, function: str, mapping: dict[str, Any]) -> Finding:
    name, state = f"consumer {function}", mapping["State"]
    if state == "Enabled":
        return ok(name, "event source mapping enabled")
    if state in ("Creating", "Enabling", "Updating"):
        return note(name, f"event source mapping {state.lower()}")
    found = f"event source mapping {state.lower()}: {_source(function)} is not read"
    return fault(name, found, enable_consumer(stage, mapping["UUID"]))


def rule(deployment: Deployment) -> dict[str, Any]:
    """The EventBridge rule of poll_orders. Raises AwsError."""
    name = deployment.name(POLL)
    with calling(f"DescribeRule {name}"):
        return dict(client("events").describe_rule(Name=name))


def schedule(deployment: Deployment) -> Iterator[Finding]:
    """The schedule exists and is enabled."""
    try:
        found = rule(deployment)
    except AwsError as error:
        if not is_missing(error):
            raise
        yield fault("schedule", "does not exist: polls do not run", deploy(deployment.stage))
        return
    expression = found.get("ScheduleExpression")
    if found.get("State") == "ENABLED":
        yield ok("schedule", f"enabled, {expression}")
    else:
        fix = enable_schedule(deployment.stage, deployment.name(POLL))
        yield fault("schedule", f"disabled ({expression}): polls do not run", fix)


def secrets(deployment: Deployment) -> Iterator[Finding]:
    """The parameters exist and are set; their values are not compared."""
    settings = deployment.settings
    for name, parameter, variable in (
        ("access token", settings.access_token_parameter, "bigcommerce_access_token"),
        ("webhook token", settings.webhook_token_parameter, "webhook_token"),
    ):
        if deployment.secret(parameter):
            yield ok(name, "set")
        else:
            fix = deploy_secret(deployment.stage, variable)
            yield fault(name, f"{parameter} is not set", fix)
    if deployment.secret(settings.client_secret_parameter):
        is_required = "required" if settings.require_signature else "verified if there is one"
        yield ok("client secret", f"set: a signature is {is_required}")
    else:
        fix = deploy_secret(deployment.stage, "bigcommerce_client_secret")
        yield note("client secret", "not set: signatures are not verified", fix)
