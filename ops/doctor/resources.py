"""Whether a stage has all that it is made of, and whether it is switched on."""

from collections.abc import Iterator
from typing import Any

from chalicelib.edges.aws import AwsError, calling
from chalicelib.settings import Settings, SettingsError
from ops.deployment import (
    HANDLERS,
    POLL,
    REPLICATE,
    Deployment,
    NotDeployed,
    client,
    function_configuration,
)
from ops.doctor.finding import Finding, fault, note, ok
from ops.remedies import deploy, deploy_secret

MISSING = ("ResourceNotFoundException", "NotFound", "NotFoundException", "QueueDoesNotExist")


def is_missing(error: AwsError) -> bool:
    """Whether AWS says that a resource is not there; SQS has an older name for it as well."""
    return error.reason in MISSING or error.reason.endswith("NonExistentQueue")


def functions(deployment: Deployment) -> Iterator[Finding]:
    """Each is there, takes events, and can read its settings."""
    for handler in HANDLERS:
        yield _function(deployment, handler)


def _function(deployment: Deployment, handler: str) -> Finding:
    name, mend = f"function {handler}", deploy(deployment.stage)
    try:
        found = function_configuration(deployment.name(handler))
    except NotDeployed:
        return fault(name, "there is none", mend)
    state, update = found.get("State"), found.get("LastUpdateStatus")
    if state == "Pending" or update == "InProgress":
        return note(name, "is being deployed")
    if state != "Active":
        return fault(name, f"is {state}: {found.get('StateReason', 'no reason given')}", mend)
    if update != "Successful":
        reason = found.get("LastUpdateStatusReason", "no reason given")
        return fault(name, f"its last update has {str(update).lower()}: {reason}", mend)
    try:
        Settings.from_environment(found.get("Environment", {}).get("Variables", {}))
    except SettingsError as error:
        return fault(name, str(error), mend)
    return ok(name, "active, its settings are readable")


def tables(deployment: Deployment) -> Iterator[Finding]:
    """All three are there, and Orders has the stream that others hang their code on."""
    settings = deployment.settings
    for table in (settings.orders_table, settings.jobs_table, settings.webhooks_table):
        yield _table(deployment, table, has_stream=table == settings.orders_table)


def _table(deployment: Deployment, table: str, *, has_stream: bool) -> Finding:
    name, mend = f"table {table.removeprefix(deployment.name(''))}", deploy(deployment.stage)
    try:
        with calling(f"DescribeTable {table}"):
            found = client("dynamodb").describe_table(TableName=table)["Table"]
    except AwsError as error:
        if not is_missing(error):
            raise
        return fault(name, "there is none", mend)
    if found["TableStatus"] not in ("ACTIVE", "UPDATING"):
        return fault(name, f"is {found['TableStatus']}", mend)
    if has_stream and not found.get("StreamSpecification", {}).get("StreamEnabled"):
        return fault(name, "has no stream", mend)
    return ok(name, "active, with its stream" if has_stream else "active")


def queues(deployment: Deployment) -> Iterator[Finding]:
    """Both are there, and orders that fail too often go from the one to the other."""
    mend = deploy(deployment.stage)
    try:
        dead_letters = deployment.dead_letter_queue_url
    except NotDeployed as error:
        yield fault("queues", str(error), mend)
    except AwsError as error:
        if not is_missing(error):
            raise
        yield fault("queues", f"one of them is missing ({error})", mend)
    else:
        yield ok("queues", f"dead letters go to {dead_letters.rsplit('/', 1)[1]}")


def consumer(deployment: Deployment) -> Iterator[Finding]:
    """The queue feeds replicate-orders."""
    name = deployment.name(REPLICATE)
    with calling(f"ListEventSourceMappings {name}"):
        pages = client("lambda").get_paginator("list_event_source_mappings")
        found = [
            m for page in pages.paginate(FunctionName=name) for m in page["EventSourceMappings"]
        ]
    if not found:
        yield fault("consumer", "no queue feeds replicate-orders", deploy(deployment.stage))
    for mapping in found:
        yield _mapping(mapping)


def _mapping(mapping: dict[str, Any]) -> Finding:
    state = mapping["State"]
    if state == "Enabled":
        return ok("consumer", "the queue feeds replicate-orders")
    if state in ("Creating", "Enabling", "Updating"):
        return note("consumer", f"its mapping is {state.lower()}")
    switch_on = f"aws lambda update-event-source-mapping --uuid {mapping['UUID']} --enabled"
    return fault("consumer", f"its mapping is {state.lower()}: nothing is replicated", switch_on)


def rule(deployment: Deployment) -> dict[str, Any]:
    """The schedule of poll_orders as EventBridge has it. Raises AwsError."""
    name = deployment.name(POLL)
    with calling(f"DescribeRule {name}"):
        return dict(client("events").describe_rule(Name=name))


def schedule(deployment: Deployment) -> Iterator[Finding]:
    """The schedule is there and switched on."""
    try:
        found = rule(deployment)
    except AwsError as error:
        if not is_missing(error):
            raise
        yield fault("schedule", "there is none: nothing polls", deploy(deployment.stage))
        return
    expression = found.get("ScheduleExpression")
    if found.get("State") == "ENABLED":
        yield ok("schedule", f"polls at {expression}")
    else:
        switch_on = f"aws events enable-rule --name {deployment.name(POLL)}"
        yield fault("schedule", f"{expression} is switched off: nothing polls", switch_on)


def secrets(deployment: Deployment) -> Iterator[Finding]:
    """The parameters are there and set; their values are compared with nothing but emptiness."""
    settings = deployment.settings
    for name, parameter, variable in (
        ("access token", settings.access_token_parameter, "bigcommerce_access_token"),
        ("webhook token", settings.webhook_token_parameter, "webhook_token"),
    ):
        if deployment.wiring.secret(parameter).value():
            yield ok(name, "is set")
        else:
            mend = deploy_secret(deployment.stage, variable)
            yield fault(name, f"{parameter} is missing or unset", mend)
    if deployment.wiring.secret(settings.client_secret_parameter).value():
        yield ok("client secret", "is set: signatures are checked")
    else:
        mend = deploy_secret(deployment.stage, "bigcommerce_client_secret")
        yield note("client secret", "is unset: signatures are not checked", mend)
