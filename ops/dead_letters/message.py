"""A message in a dead-letter queue, as SQS returns it."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Self

from pydantic import ValidationError

from chalicelib.domain.messages import ALWAYS_READ, NEVER_MOVE, OrderMessage


@dataclass(frozen=True)
class DeadLetter:
    """One message; its property `message` is None when the body is invalid.

    `queue` is the name of the queue that the dead-letter queue belongs to: orders or changes.
    `receive_count` counts the earlier receives in both queues: the attempts of replication, and
    every earlier listing of the dead-letter queue.
    """

    queue: str
    message_id: str
    receipt_handle: str = field(repr=False)
    body: str = field(repr=False)
    sent_at: datetime
    first_received_at: datetime | None
    receive_count: int

    @classmethod
    def received(cls, queue: str, message: dict[str, Any]) -> Self:
        attributes = message["Attributes"]
        first = attributes.get("ApproximateFirstReceiveTimestamp")
        return cls(
            queue=queue,
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
        """When the order was first queued, by the body, which a redrive does not change.

        SQS's own timestamp is that of the last sending.
        """
        return self.message.queued_at if self.message else self.sent_at

    @property
    def group(self) -> tuple[object, ...]:
        """Equal for messages of which one is enough.

        Messages that never move the order are apart: they also store orders that are out of scope.
        """
        if self.message is None:
            return (self.message_id,)
        return (self.message.order_id, self.message.source in NEVER_MOVE)

    @property
    def precedence(self) -> tuple[bool, datetime]:
        """The message with the highest one replaces the others of its group.

        One whose order is read in any case, or else the newest: it is not done by an earlier read.
        """
        message = self.message
        must_read = message is not None and (bool(message.part) or message.source in ALWAYS_READ)
        return (must_read, self.queued_at)

    @property
    def name(self) -> str:
        """The order's id, or the message's own id when the message is invalid."""
        return str(self.order_id or self.message_id)

    def age(self, now: datetime) -> int:
        """Whole seconds since the order was first queued."""
        return max(0, int((now - self.queued_at).total_seconds()))

    def is_one_of(self, names: Collection[str]) -> bool:
        """Whether the order's id or the message's id is among the names."""
        return self.name in names or self.message_id in names

    def facts(self) -> dict[str, Any]:
        """For JSON; without the body, which may contain personal data."""
        first = self.first_received_at
        return {
            "order_id": self.order_id,
            "queue": self.queue,
            "source": self.message and self.message.source,
            "queued_at": self.queued_at.isoformat(),
            "sent_at": self.sent_at.isoformat(),
            "first_received_at": first and first.isoformat(),
            "receive_count": self.receive_count,
            "message_id": self.message_id,
        }


def _moment(milliseconds: str) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
