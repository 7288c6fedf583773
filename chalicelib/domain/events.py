"""Events: what a change of an item of the Orders table means to the merchant's other systems.

An event has ids and names of fields only, unless it is asked for with the order. Its JSON Schema is
docs/event-v1.schema.json.
"""

import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal, TypeAlias

from chalicelib.domain.items import decode, from_image
from chalicelib.domain.models import JsonObject
from chalicelib.domain.records import RECORD, ReplicationRecord

VERSION = 1
"""The version of the schema. A new field does not change it, any other change does."""

EventType: TypeAlias = Literal[
    "order.created", "order.changed", "order.moved", "order.archived", "order.forgotten"
]

HISTORY = frozenset({"fill", "backfill"})
"""Sources that copy orders which existed before, and did not change when they were found."""

DAMAGED = (AttributeError, KeyError, TypeError, ValueError, OSError, EOFError, zlib.error)
"""What decoding an item of another program raises, or one whose compressed list is damaged."""


class UnreadableRecord(Exception):
    """A record of the stream has an item that the service has not written."""


@dataclass(frozen=True)
class Event:
    """One event. `sequence` is that of the item after the change, in milliseconds since 1970.

    `changed` are names of fields of the order; it is empty for an order that was created or
    forgotten. `incomplete`: a list has too few members, and a complete version follows. `order` is
    the order after the change.
    """

    type: EventType
    order_id: int
    sequence: int
    found_by: str
    channel_id: int | None = None
    status_id: int | None = None
    previous_status_id: int | None = None
    changed: tuple[str, ...] = ()
    incomplete: bool = False
    order: JsonObject | None = field(default=None, repr=False)

    @property
    def event_id(self) -> str:
        """The same whenever the same change is published, so that a receiver can ignore it."""
        return f"{self.order_id}-{self.sequence}-{self.type.removeprefix('order.')}"

    @property
    def occurred_at(self) -> datetime:
        """When the item was changed."""
        return datetime.fromtimestamp(self.sequence / 1000, UTC)

    def detail(
        self, store_hash: str, *, replayed: bool = False, only_for: str | None = None
    ) -> JsonObject:
        """The event's content, without the order.

        A replay may be `only_for` one destination: the rules of the others do not match it.
        """
        detail = {
            "version": VERSION,
            "event_id": self.event_id,
            "store_hash": store_hash,
            "channel_id": self.channel_id,
            "order_id": self.order_id,
            "sequence": self.sequence,
            "status_id": self.status_id,
            "previous_status_id": self.previous_status_id,
            "changed": list(self.changed),
            "found_by": self.found_by,
            "incomplete": self.incomplete,
            "occurred_at": self.occurred_at.isoformat(timespec="milliseconds"),
            "replayed": replayed,
        }
        return detail if only_for is None else {**detail, "only_for": only_for}


def events_of(change: JsonObject, *, with_history: bool) -> list[Event]:
    """The events of one change, the part `dynamodb` of a record of the Orders table's stream.

    There is none for a write that is no change of the order: a read, the start of a move, and
    whatever happens to an order after it was forgotten. Without `with_history`, there is none for
    an order that a fill or a backfill copied although it had not changed.

    Raises UnreadableRecord, which names the order id.
    """
    try:
        return _events_of(change.get("OldImage"), change.get("NewImage"), with_history)
    except DAMAGED as error:
        order_id = change.get("Keys", {}).get("id", {}).get("N", "unknown")
        reason = f"order {order_id}: {type(error).__name__}"
    # Raised outside the handler: the error's text may have a value of the order.
    raise UnreadableRecord(reason)


def replayed_events(order_id: int, order: JsonObject, record: ReplicationRecord) -> list[Event]:
    """The events that an order has had, as far as its item knows them.

    A receiver that does not know the order can be one that selects any of them. `record` must have
    a sequence, which items of version 1.0 have not.
    """
    if record.is_forgotten:
        kinds: list[EventType] = ["order.forgotten"]
    else:
        kinds = ["order.created"]
        kinds += ["order.moved"] if record.is_moved_by_us else []
        kinds += ["order.archived"] if record.is_archived else []
    return [
        Event(
            type=kind,
            order_id=order_id,
            sequence=record.sequence or 0,
            found_by=record.found_by or record.source,
            channel_id=_whole(order.get("channel_id")),
            status_id=_whole(order.get("status_id")),
            incomplete=bool(record.incomplete) and not record.believed,
            order=None if record.is_forgotten else order,
        )
        for kind in kinds
    ]


def _events_of(
    old_image: JsonObject | None, new_image: JsonObject | None, with_history: bool
) -> list[Event]:
    if new_image is None:
        # Deleted by DynamoDB after the retention, or by hand: no change of an order.
        return []
    before = _record_of(old_image) if old_image else None
    after = _record_of(new_image)
    if after.sequence is None or (before and before.sequence == after.sequence):
        # Version 1.0 has written the item, or nothing has changed.
        return []
    if before and before.is_forgotten:
        return []
    if not with_history and _is_history(before, after):
        return []
    old, _ = decode(from_image(old_image)) if old_image else ({}, None)
    new, _ = decode(from_image(new_image))
    return [
        Event(
            type=kind,
            order_id=int(new["id"]),
            sequence=after.sequence,
            found_by=after.found_by or after.source,
            # A forgotten order has no fields any more, and its event has to reach the receivers
            # that have selected the channel.
            channel_id=_whole(new.get("channel_id", old.get("channel_id"))),
            status_id=_whole(new.get("status_id")),
            previous_status_id=_whole(old.get("status_id")),
            changed=_changed(old, new) if before and not after.is_forgotten else (),
            incomplete=bool(after.incomplete) and not after.believed,
            order=None if after.is_forgotten else new,
        )
        for kind in _kinds(before, after)
    ]


def _record_of(image: JsonObject) -> ReplicationRecord:
    return ReplicationRecord.from_item(from_image({RECORD: image[RECORD]}))


def _is_history(before: ReplicationRecord | None, after: ReplicationRecord) -> bool:
    """Whether an order was copied as it has been for long: stored first, or first since 1.0."""
    return after.found_by in HISTORY and (before is None or before.is_of_1_0)


def _kinds(before: ReplicationRecord | None, after: ReplicationRecord) -> list[EventType]:
    if after.is_forgotten:
        return ["order.forgotten"]
    if before is None:
        return ["order.created"]
    kinds: list[EventType] = []
    if after.is_moved_by_us and not before.is_moved:
        kinds.append("order.moved")
    if after.is_archived and not before.is_archived:
        kinds.append("order.archived")
    return kinds or ["order.changed"]


def _changed(old: JsonObject, new: JsonObject) -> tuple[str, ...]:
    """The names of the fields that differ, sorted; a list counts by its content."""
    return tuple(
        sorted(
            name
            for name in old.keys() | new.keys()
            if (name in old) != (name in new) or old[name] != new[name]
        )
    )


def _whole(value: Any) -> int | None:
    is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
    return int(value) if is_number else None
