"""A dead letter: a message that replication gave up, as SQS shows it."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Self

from pydantic import ValidationError

from chalicelib.domain.models import OrderMessage


@dataclass(frozen=True)
class Letter:
    """One message of the dead-letter queue; `message` is None when its body is not one of ours.

    `receive_count` is how often SQS has handed it out before this look, in both queues together:
    the tries of replication, and every earlier look at it.
    """

    message_id: str
    receipt_handle: str = field(repr=False)
    body: str = field(repr=False)
    sent_at: datetime
    first_received_at: datetime | None
    receive_count: int

    @classmethod
    def received(cls, message: dict[str, Any]) -> Self:
        attributes = message["Attributes"]
        first = attributes.get("ApproximateFirstReceiveTimestamp")
        return cls(
            message_id=message["MessageId"],
            receipt_handle=message["ReceiptHandle"],
            body=message["Body"],
            sent_at=_moment(attributes["SentTimestamp"]),
            first_received_at=_moment(first) if first else None,
            receive_count=int(attributes["ApproximateReceiveCount"]) - 1,
        )

    @cached_property
    def message(self) -> OrderMessage | None:
        try:
            return OrderMessage.model_validate_json(self.body)
        except ValidationError:
            return None

    @property
    def order_id(self) -> int | None:
        return self.message.order_id if self.message else None

    @property
    def queued_at(self) -> datetime:
        """When the order was first queued: as the body says, which redriving does not change.

        SQS itself counts from the last sending, and keeps that when a message dies.
        """
        try:
            queued_at = datetime.fromisoformat(self.message.queued_at if self.message else "")
        except ValueError:
            return self.sent_at
        return queued_at if queued_at.tzinfo else self.sent_at

    @property
    def name(self) -> str:
        """What people call it: its order's id, or its own when it names no order."""
        return str(self.order_id or self.message_id)

    def age(self, now: datetime) -> int:
        """Whole seconds since the order was first queued."""
        return max(0, int((now - self.queued_at).total_seconds()))

    def is_one_of(self, names: Collection[str]) -> bool:
        """Whether its order's id or its own is among them."""
        return self.name in names or self.message_id in names

    def facts(self) -> dict[str, Any]:
        """For programs; never the body, which may be anybody's."""
        first = self.first_received_at
        return {
            "order_id": self.order_id,
            "source": self.message and self.message.source,
            "queued_at": self.queued_at.isoformat(),
            "sent_at": self.sent_at.isoformat(),
            "first_received_at": first and first.isoformat(),
            "receive_count": self.receive_count,
            "message_id": self.message_id,
        }


def _moment(milliseconds: str) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
