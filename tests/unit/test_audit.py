"""The finding of an audit for one order and its record."""

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.rules import tombstone
from ops.audit.judge import judge, judge_missing
from tests.factories import NOW, at, moved, order, pending, policy, record, store_date

MOVED = order(status_id=9)
OLDER = order(status_id=9, date_modified=store_date(at(-320)))

CASES: dict[str, tuple[Any, Any, str]] = {
    "not stored": (order(), None, "missing"),
    "not stored, shipped": (order(status_id=2), None, "missing"),
    "not stored, of an ignored status": (order(status_id=0), None, "out of scope"),
    "moved": (MOVED, moved(), "replicated"),
    "moved and set to an ignored status": (order(status_id=0), moved(status_id=0), "replicated"),
    "of another status": (order(status_id=2), moved(), "stale"),
    "of another version": (
        order(status_id=9, date_modified=store_date(at(-100))),
        moved(),
        "stale",
    ),
    "read too early": (MOVED, moved(read_at=at(-299)), "stale"),
    "older than the item for good": (OLDER, moved(), "stale"),
    "older than an item of this minute": (
        OLDER,
        moved(version=int(at(-30).timestamp())),
        "replicated",
    ),
    "archived": (order(status_id=9, is_deleted=True), moved(), "archived"),
    "known to be archived": (
        order(status_id=9, is_deleted=True),
        moved(archived_at=at(-50)),
        "replicated",
    ),
    "restored": (MOVED, moved(archived_at=at(-50)), "stale"),
    "new": (order(), record(), "unmoved"),
    "with a pending move": (order(), pending(), "unmoved"),
    "incomplete": (order(), record(incomplete=("products",)), "incomplete"),
    "incomplete, believed and new": (
        order(),
        record(incomplete=("products",), believed=True),
        "unmoved",
    ),
    "incomplete, believed and moved": (
        MOVED,
        moved(incomplete=("products",), believed=True),
        "incomplete",
    ),
    "forgotten": (order(status_id=2), tombstone(moved(), NOW), "forgotten"),
    "forgotten and new": (order(), tombstone(None, NOW), "unmoved"),
}


@pytest.mark.parametrize("case", CASES)
def test_an_order_in_scope_must_be_stored_current_and_moved(case):
    known, stored, finding = CASES[case]

    assert judge(known, stored, policy(), is_paused=False) == finding


@pytest.mark.parametrize(
    ("stored", "finding"),
    [
        (None, "expired"),
        (moved(version=1), "expired"),
        (pending(), "expired"),
        (tombstone(pending(), NOW), "forgotten"),
    ],
)
def test_an_order_older_than_the_retention_is_no_fault(stored, finding):
    old = order(date_created=store_date(NOW - timedelta(days=31)))

    assert judge(old, stored, policy(retention_days=30), is_paused=False) == finding


def test_while_moves_are_paused_an_unmoved_order_is_as_it_should_be():
    assert judge(order(), record(), policy(), is_paused=True) == "replicated"


@pytest.mark.parametrize(
    ("stored", "finding"),
    [
        (None, "out of scope"),
        (moved(), "archived"),
        (moved(archived_at=at(-50)), "replicated"),
        (tombstone(moved(), NOW), "forgotten"),
    ],
)
def test_an_order_that_the_store_does_not_return_must_be_marked_as_archived(stored, finding):
    assert judge_missing(stored) == finding
