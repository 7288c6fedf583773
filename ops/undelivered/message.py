"""A message in a queue of undelivered events, as EventBridge sends it."""

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any, Self

from chalicelib.domain.items import to_json
from chalicelib.domain.models import JsonObject
from chalicelib.edges.eventbridge import Entry

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Undelivered:
    """An event that `destination` did not take; `event` is None if it is not one of this service.

    `cause` is EventBridge's error code, `error` its message, and `exhausted` the limit of the
    target's retry policy that ended its retries
    (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html).
    """

    destination: str
    message_id: str
    receipt_handle: str = field(repr=False)
    body: str = field(repr=False)
    sent_at: datetime
    cause: str
    error: str
    retries: str
    exhausted: str

    @classmethod
    def received(cls, destination: str, message: dict[str, Any]) -> Self:
        given = message.get("MessageAttributes", {})
        attributes = {name: str(value.get("StringValue", "")) for name, value in given.items()}
        milliseconds = int(message["Attributes"]["SentTimestamp"])
        return cls(
            destination=destination,
            message_id=message["MessageId"],
            receipt_handle=message["ReceiptHandle"],
            body=message["Body"],
            sent_at=datetime.fromtimestamp(milliseconds / 1000, UTC),
            cause=attributes.get("ERROR_CODE") or UNKNOWN,
            error=attributes.get("ERROR_MESSAGE", ""),
            retries=attributes.get("RETRY_ATTEMPTS", ""),
            exhausted=attributes.get("EXHAUSTED_RETRY_CONDITION", ""),
        )

    @cached_property
    def event(self) -> JsonObject | None:
        try:
            event = json.loads(self.body, parse_float=Decimal)
            is_ours = isinstance(event["detail"]["event_id"], str)
            is_ours &= isinstance(event["detail"]["order_id"], int)
            is_ours &= isinstance(event["detail-type"], str)
        except (KeyError, TypeError, ValueError):
            return None
        return event if is_ours else None

    @property
    def order_id(self) -> int | None:
        return int(self.event["detail"]["order_id"]) if self.event else None

    @property
    def type(self) -> str | None:
        return str(self.event["detail-type"]) if self.event else None

    @property
    def name(self) -> str:
        """The event's id, or the message's own id when it is not an event of this service."""
        return str(self.event["detail"]["event_id"]) if self.event else self.message_id

    def age(self, now: datetime) -> int:
        """Whole seconds since EventBridge ended its attempts."""
        return max(0, int((now - self.sent_at).total_seconds()))

    def is_one_of(self, names: Collection[str]) -> bool:
        """Whether the order's id or the message's id is among the names."""
        return str(self.order_id) in names or self.message_id in names

    def entry(self) -> Entry | None:
        """The event as it was published, for its destination alone; None without an event."""
        if self.event is None:
            return None
        detail = {**self.event["detail"], "replayed": True, "only_for": self.destination}
        try:
            at = datetime.fromisoformat(str(self.event.get("time")))
        except ValueError:
            at = self.sent_at
        return Entry(str(self.type), to_json(detail), at)

    def facts(self) -> dict[str, Any]:
        """For JSON; without the body, which may contain personal data."""
        return {
            "destination": self.destination,
            "event_id": self.name if self.event else None,
            "order_id": self.order_id,
            "type": self.type,
            "cause": self.cause,
            "error": self.error,
            "retries": self.retries,
            "exhausted": self.exhausted,
            "undelivered_since": self.sent_at.isoformat(),
            "message_id": self.message_id,
        }
