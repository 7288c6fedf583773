"""An order that keeps failing: since when, why, and when it is tried again."""

from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Self

from chalicelib.domain.models import JsonObject

FAILING_FROM = 3
"""The receive of a message from which its order counts as failing."""

OVERDUE_AFTER = timedelta(days=1)
RETENTION = timedelta(days=14)
"""After a day without the announced retry the message is lost, and after the retention of the
dead-letter queue it has expired: then a sweep queues the order again."""

_DATES = ("since", "next_try_at", "dead_at")


@dataclass(frozen=True)
class FailingOrder:
    """A failing order. `error` is the last error's text, empty where it may have customer data.

    `dead_at` is when its message was received for the last time before it is moved to the
    dead-letter queue.
    """

    order_id: int
    since: datetime
    receives: int
    error_class: str
    error: str
    next_try_at: datetime
    dead_at: datetime | None = None

    @classmethod
    def from_item(cls, item: JsonObject) -> Self:
        known = {field.name: item[field.name] for field in fields(cls) if field.name in item}
        known |= {name: datetime.fromisoformat(known[name]) for name in _DATES if name in known}
        return cls(
            **{**known, "order_id": int(known["order_id"]), "receives": int(known["receives"])}
        )

    def to_item(self) -> JsonObject:
        item = {name: value for name, value in asdict(self).items() if value is not None}
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in item.items()
        }

    def is_tried_again(self, now: datetime) -> bool:
        """Whether a message of the order still exists, so that a sweep need not queue it."""
        if self.dead_at:
            return now <= self.dead_at + RETENTION
        return now <= self.next_try_at + OVERDUE_AFTER


def failing_order(
    order_id: int,
    error_class: str,
    error: str,
    receives: int,
    before: FailingOrder | None,
    now: datetime,
    next_try_at: datetime,
    *,
    is_last: bool,
) -> FailingOrder:
    """The failing order after another error; `is_last`: its message is not delivered again."""
    order = FailingOrder(
        order_id=order_id,
        since=before.since if before else now,
        receives=receives,
        error_class=error_class,
        error=error,
        next_try_at=next_try_at,
    )
    return replace(order, dead_at=now) if is_last else order
