"""The destinations of a stage, as their rules on its event bus describe them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import click

from chalicelib.domain.models import JsonObject
from chalicelib.edges.aws import AwsError, calling
from ops.deployment import Deployment, NotDeployed, client
from ops.wording import listed_names

KINDS = {
    "sqs": "sqs",
    "lambda": "lambda",
    "event-bus": "event_bus",
    "api-destination": "https",
}
"""The kinds of destinations in Terraform, by the service or the resource in the target's ARN."""

TAIL = "tail"
"""No destination can have this name: it stands for every `events tail`."""


class UnknownDestination(click.ClickException):
    """The stage has no destination of this name."""


@dataclass(frozen=True)
class Destination:
    """A receiver of events. `queue_arn` is that of its undelivered events, if it has such a queue.

    `pattern` is the event pattern of its rule.
    """

    deployment: Deployment
    name: str
    rule: str
    pattern: JsonObject
    is_enabled: bool
    target_arn: str
    queue_arn: str | None

    @property
    def kind(self) -> str:
        service, resource = self.target_arn.split(":", 5)[2::3]
        return KINDS.get(service) or KINDS.get(resource.split("/")[0], "unknown")

    def selects(self, event: JsonObject) -> bool:
        """Whether its pattern, as Terraform writes it, still matches an event of the stage."""
        detail = event["detail"]
        selected = {
            **self.pattern.get("detail", {}),
            "detail-type": self.pattern.get("detail-type", []),
        }
        given = {**detail, "detail-type": event["detail-type"]}
        names = ("detail-type", "channel_id", "status_id")
        return all(not selected.get(n) or given.get(n) in selected[n] for n in names)

    def require_enabled(self) -> None:
        """Raises NotDeployed if its rule is disabled: EventBridge drops what no rule matches."""
        if not self.is_enabled:
            raise NotDeployed(f"the rule of the destination {self.name} is disabled")

    @cached_property
    def queue_url(self) -> str | None:
        """The URL of the queue of undelivered events. Raises AwsError."""
        if self.queue_arn is None:
            return None
        name = self.queue_arn.rsplit(":", 1)[1]
        with calling(f"GetQueueUrl {name}"):
            return str(client("sqs").get_queue_url(QueueName=name)["QueueUrl"])

    def undelivered(self) -> int:
        """The approximate number of events in the queue, visible or not. Raises AwsError."""
        return sum(self.deployment.depth(self.queue_url).values()) if self.queue_url else 0


def all_destinations(deployment: Deployment) -> list[Destination]:
    """The destinations by name. Raises AwsError."""
    found = _destinations(deployment, deployment.name("to-"))
    return sorted(found, key=lambda destination: destination.name)


def named(deployment: Deployment, name: str) -> Destination:
    """Raises UnknownDestination and AwsError."""
    rule = deployment.name(f"to-{name}")
    for destination in _destinations(deployment, rule):
        if destination.name == name:
            return destination
    known = listed_names(each.name for each in all_destinations(deployment))
    raise UnknownDestination(
        f"{deployment.stage} has no destination {name}; its destinations: {known or 'none'}"
    )


def _destinations(deployment: Deployment, prefix: str) -> Iterator[Destination]:
    bus = deployment.settings.event_bus_name
    events, rules = client("events"), rules_on(bus, prefix)
    for rule in rules:
        with calling(f"ListTargetsByRule {rule['Name']}"):
            answer = events.list_targets_by_rule(Rule=rule["Name"], EventBusName=bus)
        for target in answer["Targets"]:
            yield Destination(
                deployment=deployment,
                name=rule["Name"].removeprefix(deployment.name("to-")),
                rule=rule["Name"],
                pattern=json.loads(rule["EventPattern"]),
                is_enabled=rule["State"] == "ENABLED",
                target_arn=target["Arn"],
                queue_arn=target.get("DeadLetterConfig", {}).get("Arn"),
            )


def rules_on(bus: str, prefix: str) -> list[dict[str, Any]]:
    """The rules on a bus whose names begin so. Raises NotDeployed and AwsError."""
    try:
        with calling(f"ListRules {bus}"):
            pages = client("events").get_paginator("list_rules")
            found = pages.paginate(EventBusName=bus, NamePrefix=prefix)
            return [rule for page in found for rule in page["Rules"]]
    except AwsError as error:
        if error.reason != "ResourceNotFoundException":
            raise
        raise NotDeployed(f"the event bus {bus} does not exist") from None
