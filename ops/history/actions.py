"""The record of what operators change: an item of the Jobs table, written before each change."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.domain.models import JsonObject
from ops.deployment import Deployment, client
from ops.tables import JobsItem, jobs_items

ACTION = "action#"
"""The beginning of the sort key of an action, before its time."""

MOST_IDS = 10_000
"""Order ids of a record; an item of DynamoDB has room for more than these."""


@dataclass(frozen=True)
class Action:
    """A change that an operator made: when, who by ARN, which command, what, which orders, why."""

    at: datetime
    by: str | None
    command: str
    what: str
    order_ids: tuple[int, ...] = ()
    reason: str | None = None

    @classmethod
    def from_item(cls, item: JsonObject) -> Self:
        return cls(
            at=datetime.fromisoformat(item["at"]),
            by=item.get("by"),
            command=str(item["command"]),
            what=str(item["what"]),
            order_ids=tuple(int(order_id) for order_id in item.get("order_ids", ())),
            reason=item.get("reason"),
        )

    def write(self, deployment: Deployment) -> None:
        """It does not expire. Raises AwsError."""
        name = f"{ACTION}{self.at.isoformat()}#{uuid.uuid4().hex[:8]}"
        JobsItem(deployment, name).write(self.facts())

    def facts(self) -> dict[str, Any]:
        """For JSON, and as stored."""
        ids = list(self.order_ids[:MOST_IDS]) or None
        return {
            "at": self.at.isoformat(),
            "by": self.by,
            "command": self.command,
            "what": self.what,
            "order_ids": ids,
            "reason": self.reason,
        }


def actions_since(deployment: Deployment, since: datetime) -> Iterator[Action]:
    """The actions from a moment on, newest first. Raises AwsError."""
    for item in jobs_items(deployment, f"{ACTION}{since.isoformat()}", f"{ACTION}~"):
        yield Action.from_item(item)


def caller() -> str | None:
    """The ARN of the AWS credentials; None where it is not available."""
    try:
        return str(client("sts").get_caller_identity()["Arn"])
    except (BotoCoreError, ClientError):
        return None
