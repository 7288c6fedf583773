"""A queue that receives a copy of the stage's events for a while.

    event bus ──► rule ──► queue ──► this machine

The rule and the queue have a name with the time of their creation. They are deleted at the end. A
later tail deletes those of a process that was killed, 13 hours after their creation.
"""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chalicelib.domain.models import JsonObject
from chalicelib.edges.aws import AwsError, calling
from ops.deployment import Deployment, client
from ops.destinations.destination import TAIL, Destination, rules_on
from ops.doctor.resources import is_missing

LONGEST = 12 * 60
"""Minutes that a tail may last."""

ABANDONED_AFTER = (LONGEST + 60) * 60
"""Seconds after which the rule and the queue of a tail are not in use any more."""

RETENTION = 3600
"""Seconds for which SQS keeps an event that was not received."""

LONG_POLL = 5
BATCH = 10


@dataclass
class Tail:
    """The queue of a tail. `rule` is its name, and that of its rule.

    `is_left`: they could not be deleted at the end.
    """

    queue_url: str
    rule: str
    is_left: bool = False

    def receive(self, most: int = BATCH) -> list[JsonObject]:
        """The next events; waits five seconds for the first. Raises AwsError.

        They are deleted from the queue before they are returned: a tail shows what passes, and does
        not try again.
        """
        sqs = client("sqs")
        with calling("ReceiveMessage tail"):
            answer = sqs.receive_message(
                QueueUrl=self.queue_url,
                MaxNumberOfMessages=min(BATCH, most),
                WaitTimeSeconds=LONG_POLL,
            )
        messages = answer.get("Messages", [])
        if messages:
            with calling("DeleteMessageBatch tail"):
                sqs.delete_message_batch(
                    QueueUrl=self.queue_url,
                    Entries=[
                        {"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]}
                        for n, message in enumerate(messages)
                    ],
                )
        return [json.loads(message["Body"]) for message in messages]


@contextmanager
def tail(deployment: Deployment, destination: Destination | None) -> Iterator[Tail]:
    """Receive a copy of the events of a destination, or of all events, until the end of the block.

    Raises AwsError.
    """
    _remove_abandoned(deployment)
    bus = deployment.settings.event_bus_name
    name = deployment.name(f"{TAIL}-{deployment.clock.time():.0f}-{secrets.token_hex(3)}")
    opened = None
    try:
        opened = _create(bus, name, _pattern(deployment, destination))
        yield opened
    finally:
        is_removed = _remove(bus, name)
        if opened:
            opened.is_left = not is_removed


def _pattern(deployment: Deployment, destination: Destination | None) -> JsonObject:
    """What the destination selects, and what is replayed for tails."""
    if destination is None:
        return {"source": [f"order-replication.{deployment.stage}"]}
    detail = destination.pattern.get("detail", {})
    only_for = [*detail.get("only_for", [{"exists": False}]), TAIL]
    return {**destination.pattern, "detail": {**detail, "only_for": only_for}}


def _create(bus: str, name: str, pattern: JsonObject) -> Tail:
    """Create the rule before the queue, so that each queue has a rule by which it is found."""
    events, sqs = client("events"), client("sqs")
    with calling(f"PutRule {name}"):
        rule_arn = events.put_rule(
            Name=name,
            EventBusName=bus,
            EventPattern=json.dumps(pattern),
            Description="Temporary rule of the command events tail.",
        )["RuleArn"]
    queue_arn = f"{rule_arn.split(':rule/')[0].replace(':events:', ':sqs:')}:{name}"
    with calling(f"CreateQueue {name}"):
        url = sqs.create_queue(
            QueueName=name,
            Attributes={
                "MessageRetentionPeriod": str(RETENTION),
                "SqsManagedSseEnabled": "true",
                "Policy": json.dumps(_policy(queue_arn, rule_arn)),
            },
        )["QueueUrl"]
    with calling(f"PutTargets {name}"):
        answer = events.put_targets(
            Rule=name, EventBusName=bus, Targets=[{"Id": TAIL, "Arn": queue_arn}]
        )
    for failed in answer.get("FailedEntries", []):
        raise AwsError(f"PutTargets {name}", failed["ErrorCode"])
    return Tail(url, name)


def _policy(queue_arn: str, rule_arn: str) -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": queue_arn,
                "Condition": {"ArnEquals": {"aws:SourceArn": rule_arn}},
            }
        ],
    }


def _remove(bus: str, name: str) -> bool:
    """Delete the rule last: what was not deleted is found by it. Returns whether all is deleted."""
    events, sqs = client("events"), client("sqs")
    try:
        with _unless_missing(), calling(f"RemoveTargets {name}"):
            events.remove_targets(Rule=name, EventBusName=bus, Ids=[TAIL])
        with _unless_missing(), calling(f"DeleteQueue {name}"):
            sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"])
        with _unless_missing(), calling(f"DeleteRule {name}"):
            events.delete_rule(Name=name, EventBusName=bus)
    except AwsError:
        return False
    return True


@contextmanager
def _unless_missing() -> Iterator[None]:
    """Suppress the error about a resource that does not exist."""
    try:
        yield
    except AwsError as error:
        if not is_missing(error):
            raise


def _remove_abandoned(deployment: Deployment) -> None:
    bus, prefix = deployment.settings.event_bus_name, deployment.name(f"{TAIL}-")
    for rule in rules_on(bus, prefix):
        created = rule["Name"].removeprefix(prefix).split("-")[0]
        if created.isdecimal() and int(created) < deployment.clock.time() - ABANDONED_AFTER:
            _remove(bus, rule["Name"])


def line(event: JsonObject, now: datetime) -> str:
    """One line about an event."""
    detail = event["detail"]
    before, after = detail.get("previous_status_id"), detail.get("status_id")
    moved = f"{before} → {after}" if before is not None and before != after else f"{after or '-'}"
    replayed = "  (replayed)" if detail.get("replayed") else ""
    return (
        f"{now:%H:%M:%S} {event['detail-type']:16} order {detail['order_id']:<8} status {moved:8} "
        f"{', '.join(detail.get('changed', []))}{replayed}"
    ).rstrip()
