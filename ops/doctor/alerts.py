"""Whether people hear of what goes wrong, and what goes wrong at this moment."""

from collections.abc import Iterable, Iterator
from typing import Any

from chalicelib.edges.aws import AwsError, calling
from ops.deployment import CONVERTED, POLL, REPLICATE, Deployment, client
from ops.doctor.finding import Finding, fault, note, ok
from ops.doctor.resources import is_missing
from ops.remedies import deploy, deploy_secret, read_log, run

PENDING = "PendingConfirmation"
DELETED = "Deleted"
"""What SNS says for some days of a subscription that is no more."""


def subscriptions(deployment: Deployment) -> Iterator[Finding]:
    """Each topic tells somebody, and everybody has confirmed."""
    for topic, arn in deployment.topic_arns.items():
        try:
            yield subscribed(deployment.stage, topic, arn, _of_topic(arn))
        except AwsError as error:
            if not is_missing(error):
                raise
            yield fault(f"alerts: {topic}", "there is no topic", deploy(deployment.stage))


def _of_topic(arn: str) -> list[dict[str, Any]]:
    with calling(f"ListSubscriptionsByTopic {arn}"):
        pages = client("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=arn)
        return [subscription for page in pages for subscription in page["Subscriptions"]]


def subscribed(stage: str, topic: str, arn: str, listed: Iterable[dict[str, Any]]) -> Finding:
    """What the listing of a topic's subscriptions says."""
    name = f"alerts: {topic}"
    there = [s for s in listed if s["SubscriptionArn"] != DELETED]
    pending = [s for s in there if s["SubscriptionArn"] == PENDING]
    if not there:
        return fault(name, "nobody is subscribed: no alert reaches anybody", deploy(stage))
    if pending:
        return fault(
            name,
            f"{_addresses(pending)} not confirmed yet: the link is in AWS's e-mail",
            # Subscribing once more sends that e-mail again.
            f"aws sns subscribe --topic-arn {arn} --protocol {pending[0]['Protocol']} "
            "--notification-endpoint ADDRESS",
        )
    return ok(name, f"{len(there)} confirmed")


def _addresses(pending: list[dict[str, Any]]) -> str:
    """E-mail addresses alone: the URL of a web service may hold a key."""
    return ", ".join(
        s["Endpoint"] if s["Protocol"].startswith("email") else f"one by {s['Protocol']}"
        for s in pending
    )


def alarms(deployment: Deployment) -> Iterator[Finding]:
    """None of the stage's alarms is ringing, and there are some."""
    with calling("DescribeAlarms"):
        pages = client("cloudwatch").get_paginator("describe_alarms")
        found = [
            alarm
            for page in pages.paginate(AlarmNamePrefix=deployment.name(""))
            for alarm in page["MetricAlarms"]
        ]
    if not found:
        yield fault("alarms", "there are none", deploy(deployment.stage))
        return
    ringing = [alarm for alarm in found if alarm["StateValue"] == "ALARM"]
    for alarm in ringing:
        kind = alarm["AlarmName"].removeprefix(deployment.name(""))
        told = alarm.get("AlarmDescription") or alarm.get("StateReason", "")
        yield fault(f"alarm {kind}", told, remedy(deployment.stage, kind))
    silent = [alarm["AlarmName"] for alarm in found if not alarm["ActionsEnabled"]]
    if silent:
        switch_on = f"aws cloudwatch enable-alarm-actions --alarm-names {' '.join(silent)}"
        yield note("alarms", f"{len(silent)} tell nobody: their actions are off", switch_on)
    elif not ringing:
        yield ok("alarms", f"{len(found)}, none of them ringing")


def remedy(stage: str, kind: str) -> str:
    """Where to go on from an alarm."""
    return {
        "dead-letters": run(stage, "dead-letters list"),
        "polls-missing": run(stage, "poll"),
        "unauthorized": deploy_secret(stage, "bigcommerce_access_token"),
        "webhook-failures": read_log(stage, CONVERTED),
        "consumer-errors": read_log(stage, REPLICATE),
        "message-age": read_log(stage, REPLICATE),
    }.get(kind, read_log(stage, POLL))
