"""The rules: which orders cost no further request."""

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.messages import Task
from chalicelib.domain.models import Order
from chalicelib.domain.records import ReplicationRecord
from chalicelib.domain.rules import is_same, is_settled, needs_no_read, shows_no_change, tombstone
from tests.factories import NOW, SINCE, at, moved, order, pending, policy, record, store_date, task

OLDER = store_date(at(-301))
NEWER = store_date(at(-299))
MOVED = order(status_id=9)
NOT_CURRENT = at(-299)

CASES: dict[str, tuple[Order, ReplicationRecord | None, bool]] = {
    "not stored": (order(), None, False),
    "not stored, shipped": (order(status_id=2), None, False),
    "not stored, ignored": (order(status_id=0), None, True),
    "not stored, too old": (
        order(date_created=store_date(SINCE - timedelta(days=1))),
        None,
        True,
    ),
    "not moved": (order(), record(), False),
    "move pending": (MOVED, pending(status_id=9), False),
    "moved": (MOVED, moved(), True),
    "moved by others": (MOVED, moved(moved_from=None), True),
    "moved in doubt": (order(), moved(status_id=11, move_unconfirmed=True), True),
    "not new": (order(status_id=12), record(status_id=12), True),
    "not current": (MOVED, moved(read_at=NOT_CURRENT), False),
    "never read": (MOVED, moved(read_at=None), False),
    "changed": (order(status_id=9, date_modified=NEWER), moved(), False),
    "another status": (order(status_id=2), moved(), False),
    "archived since": (order(status_id=9, is_deleted=True), moved(), False),
    "archived": (order(status_id=9, is_deleted=True), moved(archived_at=NOW), True),
    "archived by mistake": (MOVED, moved(archived_at=NOW), False),
    "older than the item": (
        order(status_id=9, date_modified=OLDER, read_at=at(-250)),
        moved(),
        True,
    ),
    "older than the item for a minute": (order(status_id=9, date_modified=OLDER), moved(), False),
    "older than the item, not moved": (
        order(date_modified=OLDER, read_at=at(-250)),
        record(),
        False,
    ),
    "forgotten": (MOVED, tombstone(moved(), NOW), True),
    "forgotten and changed": (
        order(status_id=9, date_modified=NEWER),
        tombstone(moved(), NOW),
        True,
    ),
    "forgotten and new": (order(), tombstone(record(), NOW), False),
    "stored for good, too old to be moved": (
        order(date_created=store_date(SINCE - timedelta(days=1))),
        record(),
        True,
    ),
}


@pytest.mark.parametrize("is_sweep", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_an_order_of_a_page_is_settled_if_its_item_is_current_and_no_move_is_left(
    case: str, is_sweep: bool
) -> None:
    seen, kept, expected = CASES[case]

    assert is_settled(seen, kept, policy(), is_sweep=is_sweep) == expected


@pytest.mark.parametrize(
    ("seen", "kept", "expected"),
    [(order(), record(), True), (order(), None, False), (order(), pending(), False)],
)
def test_while_moves_are_paused_a_stored_order_is_settled(
    seen: Order, kept: ReplicationRecord | None, expected: bool
) -> None:
    assert is_settled(seen, kept, policy(), is_paused=True) == expected
    assert is_settled(seen, kept, policy(move_status=False)) == expected


@pytest.mark.parametrize("believed", [None, True])
def test_only_a_sweep_queues_an_order_again_that_is_incomplete(believed: bool | None) -> None:
    kept = moved(incomplete=("products",), believed=believed)

    assert is_settled(MOVED, kept, policy())
    assert not is_settled(MOVED, kept, policy(), is_sweep=True)


@pytest.mark.parametrize(("seconds", "expected"), [(2, False), (59, False), (60, True)])
def test_a_sweep_queues_an_order_again_that_was_read_within_a_minute_of_its_change(
    seconds: int, expected: bool
) -> None:
    kept = moved(read_at=at(-300 + seconds))

    assert is_settled(MOVED, kept, policy())
    assert is_settled(MOVED, kept, policy(), is_sweep=True) == expected


@pytest.mark.parametrize(("seconds", "expected"), [(2, False), (59, False), (60, True)])
def test_a_sweep_reads_the_lists_of_such_an_order_if_its_embedded_form_is_not_trusted(
    seconds: int, expected: bool
) -> None:
    kept = moved(read_at=at(-300 + seconds))

    assert shows_no_change(MOVED, kept, task(), "p1", is_trusted=False)
    shows = shows_no_change(MOVED, kept, task(is_sweep=True), "p1", is_trusted=False)
    assert shows == expected


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ({}, True),
        ({"date_modified": NEWER}, False),
        ({"date_modified": OLDER}, False),
        ({"status_id": 7}, False),
        ({"is_deleted": True}, False),
    ],
)
def test_an_order_is_the_same_by_its_version_status_and_archive(
    overrides: dict[str, Any], expected: bool
) -> None:
    assert is_same(order(**overrides), record()) == expected


def sent(seconds: float, **overrides: Any) -> Task:
    """A task whose messages were sent that many seconds before the order was last read."""
    return task(queued_at=at(-200 - seconds), **overrides)


@pytest.mark.parametrize("seconds", [-60, 0, 4.999])
def test_an_order_is_read_if_its_message_is_newer_than_five_seconds_before_the_read(
    seconds: float,
) -> None:
    assert not needs_no_read(sent(seconds), moved(), policy())


READ_ALREADY: dict[str, tuple[ReplicationRecord | None, bool]] = {
    "moved": (moved(), True),
    "moved by us, and not read since": (
        moved(version=int(at(-199).timestamp())),
        True,
    ),
    "moved by others, and not current": (
        moved(moved_from=None, version=int(at(-199).timestamp())),
        False,
    ),
    "moved in doubt, and not current": (
        moved(move_unconfirmed=True, version=int(at(-199).timestamp())),
        False,
    ),
    "not new": (record(status_id=12), True),
    "not new, and not current": (record(status_id=12, version=int(at(-199).timestamp())), False),
    "new": (record(), False),
    "move pending": (pending(), False),
    "incomplete": (moved(incomplete=("coupons",)), False),
    "believed": (moved(incomplete=("coupons",), believed=True), False),
    "of version 1.0": (moved(read_at=None), False),
    "not stored": (None, False),
    "forgotten": (tombstone(moved(), NOW), True),
}


@pytest.mark.parametrize("case", READ_ALREADY)
@pytest.mark.parametrize("seconds", [5, 3600])
def test_an_order_read_after_its_message_needs_no_read_if_nothing_is_left(
    case: str, seconds: float
) -> None:
    kept, expected = READ_ALREADY[case]

    assert needs_no_read(sent(seconds), kept, policy()) == expected


def test_an_order_whose_message_names_a_part_is_always_read() -> None:
    assert not needs_no_read(sent(3600, must_read=True), moved(), policy())


RECENT = moved(read_at=NOT_CURRENT)
"""A record that was read within the second of its version: only the lists show an edit."""


@pytest.mark.parametrize(
    ("kept", "parts_digest", "is_trusted", "expected"),
    [
        (RECENT, "p1", True, True),
        (RECENT, "p1", False, False),
        (RECENT, "p2", True, False),
        (moved(read_at=NOT_CURRENT, parts_digest=None), "p1", True, False),
        (moved(), "p2", False, True),
        (moved(), "p2", True, False),
    ],
    ids=[
        *("equal", "equal and cut short", "different", "of version 1.0"),
        *("current, and cut short", "current, and different"),
    ],
)
def test_an_order_shows_no_change_by_its_embedded_form_or_else_if_its_item_is_current(
    kept: ReplicationRecord, parts_digest: str, is_trusted: bool, expected: bool
) -> None:
    shows = shows_no_change(MOVED, kept, task(), parts_digest, is_trusted=is_trusted)

    assert shows == expected


@pytest.mark.parametrize(
    "seen",
    [
        order(status_id=9, date_modified=NEWER),
        order(status_id=2),
        order(status_id=9, is_deleted=True),
    ],
    ids=["version", "status", "archived"],
)
def test_an_order_of_another_version_or_status_shows_a_change(seen: Order) -> None:
    assert not shows_no_change(seen, moved(), task(), "p1", is_trusted=True)


def test_a_part_that_is_named_is_read_even_if_the_order_shows_no_change() -> None:
    assert not shows_no_change(MOVED, moved(), task(must_read=True), "p1", is_trusted=True)


@pytest.mark.parametrize(
    ("believed", "is_sweep", "expected"),
    [(None, False, False), (None, True, False), (True, False, True), (True, True, False)],
)
@pytest.mark.parametrize("kept", [moved(), RECENT])
def test_short_lists_are_read_again_until_believed_and_by_every_sweep(
    kept: ReplicationRecord, believed: bool | None, is_sweep: bool, expected: bool
) -> None:
    incomplete = moved(read_at=kept.read_at, incomplete=("products",), believed=believed)

    shows = shows_no_change(MOVED, incomplete, task(is_sweep=is_sweep), "p1", is_trusted=True)

    assert shows == expected


@pytest.mark.parametrize("kept", [None, record(version=1), pending(), tombstone(None, NOW)])
def test_nothing_is_left_to_do_for_an_order_older_than_the_retention(
    kept: ReplicationRecord | None,
) -> None:
    seen = order(date_created=store_date(NOW - timedelta(days=31)))

    assert is_settled(seen, kept, policy(retention_days=30), is_sweep=True)
    assert not is_settled(seen, kept, policy(), is_sweep=True)
