"""Checks that the account has enough concurrency of Lambda for the stage."""

from collections.abc import Iterator

from chalicelib.edges.aws import calling
from ops.deployment import CONSUMERS, Deployment, client
from ops.doctor.finding import Finding, note, ok
from ops.doctor.resources import event_sources
from ops.remedies import raise_concurrency

POLLS = 1
"""The lease in the Jobs table lets one poll run at a time."""

WEBHOOKS = 3
"""20 requests a second, the default of webhook_rate_limit, that take 150 ms each."""

PUBLISHERS = 4
"""One for each shard of the stream. A new on-demand table has four partitions, and each one a shard
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.ReadWriteCapacityMode.html)."""


def concurrency(deployment: Deployment) -> Iterator[Finding]:
    """The stage's functions fit into the concurrency that no function has reserved.

    Never a fault: an invocation that is throttled is retried, and costs a message a receive. Other
    functions of the account use the same concurrency, and are not counted. The webhooks are counted
    also if concurrency is reserved for them. Raises AwsError.
    """
    with calling("GetAccountSettings"):
        limit = client("lambda").get_account_settings()["AccountLimit"]
    consumers = sum(_of_consumer(deployment, function) for function in CONSUMERS.values())
    yield concurrency_finding(
        deployment.stage,
        consumers=consumers,
        limit=limit["ConcurrentExecutions"],
        unreserved=limit["UnreservedConcurrentExecutions"],
    )


def concurrency_finding(stage: str, *, consumers: int, limit: int, unreserved: int) -> Finding:
    """Compares concurrent executions: of both consumers, and of the account in the region."""
    needed = consumers + POLLS + WEBHOOKS + PUBLISHERS
    found = f"the stage needs up to {needed} of {unreserved} unreserved concurrent executions"
    if needed > unreserved:
        text = f"{found} (the account's limit is {limit}): invocations are throttled"
        return note("concurrency", text, raise_concurrency(stage))
    return ok("concurrency", found)


def _of_consumer(deployment: Deployment, function: str) -> int:
    """The maximum concurrency of a consumer's event source; 0 without one."""
    mappings = event_sources(deployment, function)
    return sum(each.get("ScalingConfig", {}).get("MaximumConcurrency", 0) for each in mappings)
