"""Every command and remedy that the operator's commands recommend.

The stage `local` is the sandbox on this machine: it deploys by starting again, and its log is the
output of `make sandbox`.
"""

import os
import re
from collections.abc import Iterable

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.edges.aws import AwsError
from chalicelib.edges.bigcommerce import StoreError, Unauthorized
from chalicelib.edges.pacing import OutOfTime
from ops.deployment import CONVERTED, FOLLOW, POLL, PUBLISH, REPLICATE, NotDeployed, UnknownStage

LOCAL = "local"
ACCESS_TOKEN = "bigcommerce_access_token"  # noqa: S105 - the name of a variable, not a token
UNDELIVERED = re.compile("to-.+-undelivered")
"""The alarm of a destination of events, without the prefix of the stage."""

START_SANDBOX = "make sandbox"
END_FAULTS = "end all faults on the console's page Sandbox, or restart the sandbox"
RESTART_SANDBOX = "restart the sandbox: press Ctrl-C in its terminal, then start it again"
LOG_IN = "aws sso login"
CREDENTIALS = "run aws sso login or aws configure; AWS_PROFILE selects a profile"
SET_CLOCK = "sudo timedatectl set-ntp true"
CHECK_NETWORK = "check the network connection and AWS_ENDPOINT_URL"

NO_CREDENTIALS = ("NoCredentialsError", "PartialCredentialsError", "ProfileNotFound")
REJECTED = ("ExpiredToken", "InvalidClientTokenId", "UnrecognizedClientException", "TokenRetrieval")
UNREACHABLE = ("EndpointConnectionError", "ConnectTimeoutError", "ConnectionClosedError")


PROGRAM = ".venv/bin/python -m ops"


def run(stage: str, command: str) -> str:
    """Another command of this command line."""
    return f"{PROGRAM} --stage {stage} {command}"


def deploy(stage: str) -> str:
    """Restores the resources of a stage."""
    return RESTART_SANDBOX if stage == LOCAL else f"make deploy STAGE={stage}"


def define_stage(stage: str, known: Iterable[str]) -> str:
    """For a stage that the project does not define."""
    return f"use one of {', '.join(known)}, or add terraform/stages/{stage}.tfvars"


def deploy_secret(stage: str, variable: str) -> str:
    """Sets a secret of a stage; `variable` is its name in Terraform."""
    if stage == LOCAL:
        return END_FAULTS if variable == ACCESS_TOKEN else RESTART_SANDBOX
    return (
        f"export TF_VAR_{variable}=..., increase secrets_version in "
        f"terraform/stages/{stage}.tfvars, then run {deploy(stage)}"
    )


def read_log(stage: str, function: str) -> str:
    """Shows the log of a function."""
    if stage == LOCAL:
        return "read the log on the console's page Timeline, or in the sandbox's terminal"
    return f"aws logs tail /aws/lambda/order-replication-{stage}-{function} --since 1h"


def authorize(stage: str, destination: str) -> str:
    """Sets the secret of an HTTPS destination."""
    return run(stage, f"destinations authorize {destination}")


def log_in(stage: str) -> str:
    """Gets credentials that AWS accepts."""
    return RESTART_SANDBOX if stage == LOCAL else LOG_IN


def connect(stage: str) -> str:
    """Restores the connection to AWS."""
    return START_SANDBOX if stage == LOCAL else CHECK_NETWORK


def wait_for_aws(stage: str) -> str:
    """For an error of AWS that ends without intervention."""
    if stage == LOCAL:
        return RESTART_SANDBOX
    return "wait a few minutes; https://health.aws.amazon.com shows the state of AWS services"


def wait_for_store(stage: str) -> str:
    """For a store that is down; messages are retried without intervention."""
    if stage == LOCAL:
        return END_FAULTS
    return "wait until the store is available; https://status.bigcommerce.com shows its state"


def confirm_subscription(stage: str, topic_arn: str, protocol: str) -> str:
    """Sends the confirmation e-mail of a subscription again."""
    if stage == LOCAL:
        return RESTART_SANDBOX
    return (
        f"aws sns subscribe --topic-arn {topic_arn} --protocol {protocol} "
        "--notification-endpoint ADDRESS"
    )


def enable_alarm_actions(stage: str, names: Iterable[str]) -> str:
    if stage == LOCAL:
        return RESTART_SANDBOX
    return f"aws cloudwatch enable-alarm-actions --alarm-names {' '.join(names)}"


def enable_consumer(stage: str, mapping_id: str) -> str:
    if stage == LOCAL:
        return RESTART_SANDBOX
    return f"aws lambda update-event-source-mapping --uuid {mapping_id} --enabled"


def enable_schedule(stage: str, rule: str) -> str:
    return RESTART_SANDBOX if stage == LOCAL else f"aws events enable-rule --name {rule}"


def raise_concurrency(stage: str) -> str:
    """Requests more concurrent executions of Lambda; L-B99A9384 is the code of this quota
    (https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html)."""
    if stage == LOCAL:
        return RESTART_SANDBOX
    return (
        "aws service-quotas request-service-quota-increase --service-code lambda "
        "--quota-code L-B99A9384 --desired-value 1000"
    )


def alarm_steps(stage: str) -> dict[str, str]:
    """The first step for each alarm in ALARM state, by its name without the prefix."""
    return {
        "dead-letters": run(stage, "dead-letters list"),
        "changes-dead-letters": run(stage, "dead-letters list"),
        "message-age": read_log(stage, REPLICATE),
        "changes-message-age": read_log(stage, FOLLOW),
        "consumer-errors": read_log(stage, REPLICATE),
        "follower-errors": read_log(stage, FOLLOW),
        "polls-missing": run(stage, "poll"),
        "webhook-failures": read_log(stage, CONVERTED),
        "unauthorized": deploy_secret(stage, ACCESS_TOKEN),
        "missing-orders": run(stage, "audit"),
        "stale-orders": run(stage, "audit"),
        "failing-orders": run(stage, "status"),
        "unconfirmed-moves": read_log(stage, REPLICATE),
        "hooks-missing": run(stage, "webhook register"),
        "embedded-differs": run(stage, "embedded-reads"),
        "order-fields-changed": run(stage, "fields"),
        "webhooks-refused": read_log(stage, CONVERTED),
        "requests": read_log(stage, CONVERTED),
        "publisher-errors": read_log(stage, PUBLISH),
        "event-age": read_log(stage, PUBLISH),
        "unpublished-events": read_log(stage, PUBLISH),
        "undelivered": run(stage, "events undelivered"),
    }


def for_cause(stage: str, cause: str) -> str | None:
    """What ends the failing of orders with this class of error; None where it is the order's own.

    All causes are in the runbook, under failing-orders.
    """
    redact = f"leave a field out with REDACTED_FIELDS, then {deploy(stage)}"
    return {
        "Unavailable": wait_for_store(stage),
        "MalformedResponse": wait_for_store(stage),
        "Unauthorized": deploy_secret(stage, ACCESS_TOKEN),
        "ItemTooLarge": redact,
        "UnstorableNumber": redact,
    }.get(cause)


def for_alarm(stage: str, alarm: str) -> str:
    """The first step; each destination has an alarm of its own, to-NAME-undelivered."""
    kind = "undelivered" if UNDELIVERED.fullmatch(alarm) else alarm
    return alarm_steps(stage).get(kind, read_log(stage, POLL))


def describe_error(stage: str, error: Exception) -> str:
    """What went wrong, and what to do about it."""
    reason = _reason(error)
    if reason in NO_CREDENTIALS:
        return f"no AWS credentials found: {CREDENTIALS}"
    if reason in REJECTED:
        return f"AWS rejects the credentials ({reason}): {CREDENTIALS}"
    if reason in UNREACHABLE:
        return _describe_unreachable(stage, error)
    if reason == "NoRegionError":
        return (
            "no AWS region is configured: set region in "
            f"terraform/stages/{stage}.tfvars, or export AWS_REGION=..."
        )
    if "AccessDenied" in reason:
        return f"a permission is missing from the AWS credentials: {error}"
    if isinstance(error, NotDeployed) and not isinstance(error, UnknownStage):
        return f"{error}: deploy the stage first ({deploy(stage)})"
    if isinstance(error, Unauthorized):
        token = deploy_secret(stage, ACCESS_TOKEN)
        return (
            f"the store rejects the access token ({error}): check that its API account exists and "
            f"has the scope Orders: modify; to replace the token, {token}"
        )
    if isinstance(error, StoreError):
        return f"the store returned an error ({error}): try again in a minute"
    if isinstance(error, OutOfTime):
        return f"the store did not respond in time ({error}): try again in a minute"
    return str(error)


def is_unreachable(error: Exception) -> bool:
    """Whether there is no connection to AWS, or to the sandbox."""
    return _reason(error) in UNREACHABLE


def _reason(error: Exception) -> str:
    if isinstance(error, ClientError):
        return str(error.response["Error"]["Code"])
    if isinstance(error, AwsError):
        return error.reason
    return type(error).__name__ if isinstance(error, BotoCoreError) else ""


def _describe_unreachable(stage: str, error: Exception) -> str:
    if stage == LOCAL:
        url = os.environ.get("AWS_ENDPOINT_URL", "its port")
        return f"the sandbox is not running (no response from {url}): start it with {START_SANDBOX}"
    return f"cannot connect to AWS ({error}): {CHECK_NETWORK}"
