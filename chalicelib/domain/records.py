"""The replication record: what an item of the Orders table knows about its own replication."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any, Self

from chalicelib.domain.models import JsonObject

RECORD = "replication"
"""The attribute of an item that holds its record."""

RESOLUTION = timedelta(seconds=2)
"""An order read this long after its `date_modified` cannot have an edit of the same second that the
read missed: BigCommerce's dates have a resolution of one second."""

STORE_IS_RIGHT_AFTER = timedelta(seconds=60)
"""The store's answers are taken to show every change that is older: it may answer from a copy of
its database that lags behind, and date the response to a move later than it then shows."""


@dataclass(frozen=True)
class ReplicationRecord:
    """The map `replication` of an item: how the order was stored, read and moved.

    A move is pending between `moved_to` and `moved_at`. `moved_from` is missing where somebody else
    moved the order. `move_unconfirmed` marks a move that counts as made although its outcome is
    unknown. A forgotten order leaves an item with only its id and this record (a tombstone).

    `source` is what found the order first, `found_by` what found its last change.

    `version` is the order's `date_modified` in epoch seconds; `read_at` is a time of the store's
    clock; `sequence` is in milliseconds and grows with every change of the item. `incomplete` names
    the lists with fewer members than the order states, and `incomplete_at` is when the order was
    first read as it is with these lists; with `believed` the store sent the same for 15 minutes.
    `status_id` is the item's own attribute and not part of the map.

    Records of version 1.0 have no `read_at`, `sequence` or `parts_digest`, those of 2.0 no
    `found_by` and no `incomplete_at`.
    """

    source: str
    version: int
    digest: str
    replicated_at: datetime
    found_by: str | None = None
    parts_digest: str | None = None
    sequence: int | None = None
    read_at: datetime | None = None
    moved_at: datetime | None = None
    moved_from: int | None = None
    moved_to: int | None = None
    move_began_at: datetime | None = None
    move_unconfirmed: bool | None = None
    incomplete: tuple[str, ...] | None = None
    incomplete_at: datetime | None = None
    believed: bool | None = None
    archived_at: datetime | None = None
    forgotten_at: datetime | None = None
    encoding: Mapping[str, str] | None = None
    status_id: int | None = None

    @classmethod
    def from_item(cls, item: JsonObject) -> Self:
        """Parse an item's record; attributes of later versions are ignored.

        Raises AttributeError, KeyError, TypeError or ValueError for an item of another program.
        """
        attributes = dict(item[RECORD])
        if "status_id" in item:
            attributes["status_id"] = item["status_id"]
        known = {attribute.name for attribute in fields(cls)}
        return cls(
            **{name: _parsed(name, value) for name, value in attributes.items() if name in known}
        )

    def to_map(self) -> JsonObject:
        """The map as it is stored, without attributes that are None."""
        attributes = {name: _stored(value) for name, value in asdict(self).items()}
        del attributes["status_id"]
        return {name: value for name, value in attributes.items() if value is not None}

    @property
    def is_moved(self) -> bool:
        return self.moved_at is not None

    @property
    def is_moved_by_us(self) -> bool:
        """Whether the service itself moved the order, without doubt."""
        return self.is_moved and self.moved_from is not None and not self.move_unconfirmed

    @property
    def is_archived(self) -> bool:
        return self.archived_at is not None

    @property
    def is_forgotten(self) -> bool:
        return self.forgotten_at is not None

    @property
    def is_of_1_0(self) -> bool:
        """Whether version 1.0 has put the item, and no later version has put it since."""
        return self.read_at is None and not self.is_forgotten

    @property
    def is_current(self) -> bool:
        """Whether the order was read so late that no edit of its last second was missed."""
        return self._was_read_after(RESOLUTION)

    @property
    def is_confirmed(self) -> bool:
        """Whether it was read so late that the store no longer showed an earlier state of it."""
        return self._was_read_after(STORE_IS_RIGHT_AFTER)

    def _was_read_after(self, time: timedelta) -> bool:
        """Whether the order was read this long after its last change, or later."""
        return self.read_at is not None and (
            self.read_at.timestamp() >= self.version + time.total_seconds()
        )

    @property
    def pending_move(self) -> int | None:
        """The target status of a move that was started and is not recorded as made."""
        return None if self.is_moved else self.moved_to

    def begin_move(self, before: int, after: int, now: datetime) -> Self:
        """The record that names a move before it is made."""
        return replace(self, moved_from=before, moved_to=after, move_began_at=now)

    def record_move(self, before: int | None, after: int | None, now: datetime) -> Self:
        """The record of an order that is moved, by the service or (`before` None) by others."""
        return replace(self, moved_at=now, moved_from=before, moved_to=after, move_began_at=None)

    def forget_move(self) -> Self:
        """The record after a move that had no effect."""
        return replace(self, moved_from=None, moved_to=None, move_began_at=None)

    def doubt_move(self, now: datetime) -> Self:
        """The record of a move that counts as made although nobody knows whether it was."""
        moved = self.record_move(self.moved_from, self.moved_to, now)
        return replace(moved, move_unconfirmed=True)

    def changed(self, now: datetime, found_by: str | None = None) -> Self:
        """The record with its next sequence, after a change of the item.

        `found_by` is what found the change; None where that is what found the one before.
        """
        sequence = max((self.sequence or 0) + 1, int(now.timestamp() * 1000))
        return replace(self, sequence=sequence, found_by=found_by or self.found_by)


_DATES = {name for name in ReplicationRecord.__dataclass_fields__ if name.endswith("_at")}


def _parsed(name: str, value: Any) -> Any:
    if name in _DATES:
        return datetime.fromisoformat(value)
    if name == "incomplete":
        return tuple(value)
    return value if isinstance(value, str | dict | bool) else int(value)


def _stored(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value
