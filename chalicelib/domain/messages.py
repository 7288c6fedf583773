"""Messages of the queues, and the task that the messages of one order add up to."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from chalicelib.domain.models import JsonObject, OrderId, Source

NEVER_MOVE = frozenset({"replay", "backfill"})
"""Sources that only store: the operator asks for a copy, not for a move."""

ALWAYS_READ = frozenset({"replay", "retry"})
"""Sources whose order is read again, however recently it was read."""

SWEEPS = frozenset({"sweep", "fill", "retry", "replay"})
"""Sources that read a list again which is believed to be complete."""

CLOCKS_DIFFER = timedelta(minutes=5)
"""How much later an order may have changed than its date shows, by the clock of the functions."""

ARCHIVED = "is_deleted"
"""The part that changes when an order is archived."""


class OrderMessage(BaseModel):
    """The body of a queue message: an order id, never an order.

    `part` names what has changed of the order: a list of it, or ARCHIVED.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True, strict=True)

    order_id: OrderId
    source: Source
    queued_at: AwareDatetime
    part: str | None = None

    def to_json(self) -> str:
        return self.model_dump_json(exclude_none=True)


@dataclass(frozen=True)
class Delivery:
    """One delivery of an SQS message; `message` is None when its body is invalid."""

    message_id: str
    receipt_handle: str
    receive_count: int
    message: OrderMessage | None

    @classmethod
    def from_event(cls, event: JsonObject) -> list[Self]:
        """Parse the event of Lambda's SQS event source."""
        return [cls._from_record(record) for record in event["Records"]]

    @classmethod
    def _from_record(cls, record: JsonObject) -> Self:
        try:
            message = OrderMessage.model_validate_json(record["body"])
        except ValidationError:
            message = None
        return cls(
            message_id=record["messageId"],
            receipt_handle=record["receiptHandle"],
            receive_count=int(record["attributes"]["ApproximateReceiveCount"]),
            message=message,
        )


@dataclass(frozen=True)
class Task:
    """What the messages of one order ask for, taken together.

    `stores_any`: the order is stored although it is not in scope. `is_sweep`: a list that is
    believed to be complete is read again. `is_archival`: the order has been archived. `source` is
    that of the newest message, but `fill` only if no other source asks for the order. `queued_at`
    is the time of the newest message, `listed_at` that of the oldest, and `receive_count` is the
    highest.
    """

    order_id: int
    source: Source
    queued_at: datetime
    receive_count: int = 1
    may_move: bool = True
    stores_any: bool = False
    must_read: bool = False
    is_sweep: bool = False
    is_archival: bool = False
    listed_at: datetime | None = None

    @classmethod
    def of(cls, deliveries: Iterable[Delivery]) -> list[Self]:
        """One task for each order; invalid messages are left out."""
        messages: dict[int, list[tuple[OrderMessage, int]]] = {}
        for delivery in deliveries:
            if delivery.message:
                about = messages.setdefault(delivery.message.order_id, [])
                about.append((delivery.message, delivery.receive_count))
        return [cls._of_order(about) for about in messages.values()]

    @classmethod
    def _of_order(cls, about: list[tuple[OrderMessage, int]]) -> Self:
        messages = [message for message, _ in about]
        sources = {message.source for message in messages}
        queued_at = [message.queued_at for message in messages]
        asking = [message for message in messages if message.source != "fill"] or messages
        newest = max(asking, key=lambda message: message.queued_at)
        return cls(
            order_id=newest.order_id,
            source=newest.source,
            queued_at=max(queued_at),
            listed_at=min(queued_at),
            receive_count=max(count for _, count in about),
            may_move=not sources <= NEVER_MOVE,
            stores_any="replay" in sources,
            must_read=bool(sources & ALWAYS_READ) or any(message.part for message in messages),
            is_sweep=bool(sources & SWEEPS),
            is_archival=any(message.part == ARCHIVED for message in messages),
        )

    def found_by(self, date_modified: datetime) -> Source:
        """What found an order that was read with this `date_modified`.

        An order that has changed since a fill listed it counts as found by a sweep.
        """
        listed_at = self.listed_at or self.queued_at
        if self.source == "fill" and date_modified >= listed_at - CLOCKS_DIFFER:
            return "sweep"
        return self.source
