"""Checks the alerts' subscriptions and the alarms' state."""

from collections.abc import Iterable, Iterator
from typing import Any

from chalicelib.edges.aws import AwsError, calling
from ops.deployment import Deployment, client
from ops.doctor.finding import Finding, fault, note, ok
from ops.doctor.resources import is_missing
from ops.remedies import confirm_subscription, deploy, enable_alarm_actions, for_alarm
from ops.wording import count

PENDING = "PendingConfirmation"
BY_CHOICE = ("-order-fields-changed",)
"""Alarms that notify only where a variable says so; another check reports what they count."""

DELETED = "Deleted"
"""SNS lists a deleted subscription with this ARN for some days."""


def subscriptions(deployment: Deployment) -> Iterator[Finding]:
    """Each topic has subscriptions, and all are confirmed."""
    for topic, arn in deployment.topic_arns.items():
        try:
            yield subscribed(deployment.stage, topic, arn, _of_topic(arn))
        except AwsError as error:
            if not is_missing(error):
                raise
            yield fault(f"alerts: {topic}", "the topic does not exist", deploy(deployment.stage))


def _of_topic(arn: str) -> list[dict[str, Any]]:
    with calling(f"ListSubscriptionsByTopic {arn}"):
        pages = client("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=arn)
        return [subscription for page in pages for subscription in page["Subscriptions"]]


def confirmed_emails(arn: str) -> list[str]:
    """The addresses that receive the messages of a topic. Raises AwsError."""
    return [
        subscription["Endpoint"]
        for subscription in _of_topic(arn)
        if subscription["Protocol"].startswith("email")
        and subscription["SubscriptionArn"] not in (PENDING, DELETED)
    ]


def subscribed(stage: str, topic: str, arn: str, listed: Iterable[dict[str, Any]]) -> Finding:
    """The finding for a topic's subscriptions."""
    name = f"alerts: {topic}"
    existing = [s for s in listed if s["SubscriptionArn"] != DELETED]
    pending = [s for s in existing if s["SubscriptionArn"] == PENDING]
    if not existing:
        return fault(name, "no subscription: alerts are not delivered", deploy(stage))
    if pending:
        return fault(
            name,
            f"{_addresses(pending)} not confirmed: the link is in the e-mail from AWS",
            confirm_subscription(stage, arn, pending[0]["Protocol"]),
        )
    return ok(name, f"{len(existing)} confirmed")


def _addresses(pending: list[dict[str, Any]]) -> str:
    """E-mail addresses only: the URL of a web service may contain a key."""
    return ", ".join(
        s["Endpoint"] if s["Protocol"].startswith("email") else f"a subscription by {s['Protocol']}"
        for s in pending
    )


def alarms(deployment: Deployment) -> Iterator[Finding]:
    """The stage has alarms, and none is in ALARM state."""
    with calling("DescribeAlarms"):
        pages = client("cloudwatch").get_paginator("describe_alarms")
        found = [
            alarm
            for page in pages.paginate(AlarmNamePrefix=deployment.name(""))
            for alarm in page["MetricAlarms"]
            if alarm["ActionsEnabled"] or not alarm["AlarmName"].endswith(BY_CHOICE)
        ]
    if not found:
        yield fault("alarms", "the stage has no alarms", deploy(deployment.stage))
        return
    active = [alarm for alarm in found if alarm["StateValue"] == "ALARM"]
    for alarm in active:
        kind = alarm["AlarmName"].removeprefix(deployment.name(""))
        description = alarm.get("AlarmDescription") or alarm.get("StateReason", "")
        yield fault(f"alarm {kind}", description, for_alarm(deployment.stage, kind))
    disabled = [alarm["AlarmName"] for alarm in found if not alarm["ActionsEnabled"]]
    if disabled:
        fix = enable_alarm_actions(deployment.stage, disabled)
        yield note("alarms", f"{count(len(disabled), 'alarm')} with disabled actions", fix)
    elif not active:
        yield ok("alarms", f"{count(len(found), 'alarm')}, none in ALARM state")
