"""Replication records: their map in an item, and what they know of a move."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from chalicelib.domain.records import ReplicationRecord
from tests.factories import NOW, at, moved, pending, record

VERSION = record().version
AS_IN_VERSION_1_0: dict[str, Any] = {
    "source": "webhook",
    "version": Decimal(VERSION),
    "digest": "d1",
    "replicated_at": "2025-06-02T11:56:40+00:00",
}


def from_dynamodb(kept: ReplicationRecord) -> ReplicationRecord:
    """The record after its map was stored: numbers are Decimal, tuples are lists."""
    attributes = {
        name: Decimal(value) if type(value) is int else value
        for name, value in kept.to_map().items()
    }
    status = {} if kept.status_id is None else {"status_id": Decimal(kept.status_id)}
    return ReplicationRecord.from_item({"id": 118, "replication": attributes, **status})


@pytest.mark.parametrize(
    "kept",
    [
        record(),
        record(status_id=None),
        pending(),
        moved(),
        moved(move_unconfirmed=True),
        record(encoding={"products": "gzip+json"}),
        record(incomplete=("products", "refunds"), believed=True),
        record(archived_at=NOW, forgotten_at=NOW),
    ],
)
def test_reading_the_map_of_a_record_returns_the_record(kept: ReplicationRecord) -> None:
    read = from_dynamodb(kept)

    assert read == kept
    assert type(read.version) is int
    assert None not in kept.to_map().values()


def test_the_status_is_the_items_own_attribute() -> None:
    assert "status_id" not in record(status_id=11).to_map()


def test_the_map_holds_only_what_dynamodb_can_store() -> None:
    kept = pending(incomplete=("products",)).to_map()

    assert kept["move_began_at"] == "2025-06-02T11:59:00+00:00"
    assert kept["incomplete"] == ["products"]


def test_unknown_attributes_are_ignored() -> None:
    added = {"checked": True, "notes": ["a"], "weight": Decimal("1.5")}

    read = ReplicationRecord.from_item({"replication": {**record().to_map(), **added}})

    assert read == record(status_id=None)


def test_a_record_of_version_1_0_is_read() -> None:
    read = ReplicationRecord.from_item({"status_id": Decimal(11), "replication": AS_IN_VERSION_1_0})

    assert read == ReplicationRecord("webhook", VERSION, "d1", at(-200), status_id=11)
    assert not read.is_current
    assert not read.is_moved


def test_a_move_of_version_1_0_is_known() -> None:
    its_move = {"moved_at": NOW.isoformat(), "moved_from": Decimal(11), "moved_to": Decimal(9)}

    read = ReplicationRecord.from_item({"replication": AS_IN_VERSION_1_0 | its_move})

    assert (read.moved_at, read.is_moved_by_us, read.pending_move) == (NOW, True, None)


@pytest.mark.parametrize(
    "item",
    [
        {},
        {"replication": None},
        {"replication": "text"},
        {"replication": {}},
        {"replication": {**AS_IN_VERSION_1_0, "replicated_at": "soon"}},
        {"replication": {**AS_IN_VERSION_1_0, "replicated_at": Decimal(5)}},
        {"replication": {**AS_IN_VERSION_1_0, "version": []}},
        {"replication": {**AS_IN_VERSION_1_0, "incomplete": Decimal(1)}},
    ],
)
def test_an_item_of_another_program_is_one_of_four_errors(item: dict[str, Any]) -> None:
    with pytest.raises((AttributeError, KeyError, TypeError, ValueError)):
        ReplicationRecord.from_item(item)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(-60, False), (0, False), (1.999, False), (2, True), (60, True)],
)
def test_a_record_is_current_if_it_was_read_two_seconds_after_its_version(
    seconds: float, expected: bool
) -> None:
    read_at = at(-300) + timedelta(seconds=seconds)

    assert record(read_at=read_at).is_current == expected


def test_a_record_that_was_never_read_is_not_current() -> None:
    assert not record(read_at=None).is_current


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (None, int(NOW.timestamp() * 1000)),
        (5, int(NOW.timestamp() * 1000)),
        (int(NOW.timestamp() * 1000), int(NOW.timestamp() * 1000) + 1),
        (int(at(60).timestamp() * 1000), int(at(60).timestamp() * 1000) + 1),
    ],
)
def test_a_change_raises_the_sequence_to_the_time_or_above_the_last(
    before: int | None, expected: int
) -> None:
    assert record(sequence=before).changed(NOW).sequence == expected


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        (record(), False),
        (pending(), False),
        (moved(), True),
        (moved(moved_from=None), False),
        (moved(move_unconfirmed=True), False),
    ],
)
def test_a_move_is_ours_if_we_named_it_and_its_outcome_is_known(
    kept: ReplicationRecord, expected: bool
) -> None:
    assert kept.is_moved_by_us == expected


def test_a_move_is_pending_from_its_beginning_to_its_record() -> None:
    begun = record().begin_move(11, 9, NOW)

    assert (record().pending_move, begun.pending_move, moved().pending_move) == (None, 9, None)
    assert begun == pending(move_began_at=NOW)


def test_a_move_ends_as_made_without_effect_or_in_doubt() -> None:
    begun = pending()

    assert begun.record_move(7, 8, NOW) == record(moved_at=NOW, moved_from=7, moved_to=8)
    assert begun.forget_move() == record()
    assert begun.doubt_move(NOW) == record(
        moved_at=NOW, moved_from=11, moved_to=9, move_unconfirmed=True
    )


@pytest.mark.parametrize("name", ["replicated_at", "read_at", "moved_at", "move_began_at"])
def test_a_date_is_read_as_the_moment_that_was_stored(name: str) -> None:
    moment = datetime.fromisoformat("2025-06-02T14:00:00.123456+02:00")

    assert getattr(from_dynamodb(record(**{name: moment})), name) == moment
