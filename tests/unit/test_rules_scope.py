"""The rules: which orders are stored, which are new, and where they are moved."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, get_args

import pytest

from chalicelib.domain.models import OrderStatus, Source
from chalicelib.domain.records import ReplicationRecord
from chalicelib.domain.rules import (
    has_move_left,
    next_status,
    tombstone,
    why_expired,
    why_not_in_scope,
    why_not_moved,
    why_not_stored,
)
from tests.factories import (
    NOW,
    SINCE,
    line,
    moved,
    order,
    pending,
    policy,
    record,
    store_date,
    task,
)

TOO_OLD = {"date_created": store_date(SINCE - timedelta(seconds=1))}
OTHER_CHANNEL = {"channel_id": 2}
IGNORED = {"status_id": int(OrderStatus.INCOMPLETE)}
ONE_CHANNEL = policy(channels=(1,))

REASONS: list[tuple[dict[str, Any], str]] = [
    (TOO_OLD, "created before REPLICATE_SINCE"),
    (OTHER_CHANNEL, "channel 2 is not replicated"),
    ({"channel_id": None}, "channel None is not replicated"),
    (IGNORED, "status 0 is ignored"),
    ({"status_id": int(OrderStatus.PENDING)}, "status 1 is ignored"),
]


@pytest.mark.parametrize("source", ["poll", "sweep", "webhook", "retry"])
@pytest.mark.parametrize(("facts", "reason"), REASONS)
def test_an_order_out_of_scope_is_not_stored(
    facts: dict[str, Any], reason: str, source: Source
) -> None:
    assert why_not_stored(order(**facts), None, ONE_CHANNEL, task(source=source)) == reason


@pytest.mark.parametrize("status", OrderStatus)
def test_an_order_of_every_other_status_is_stored(status: OrderStatus) -> None:
    reason = why_not_stored(order(status_id=int(status)), None, policy(), task())

    assert (reason is None) == (status not in (0, 1))


def test_the_ignored_statuses_are_configurable() -> None:
    of_declined = policy(ignored_statuses=(6,))

    assert why_not_in_scope(order(status_id=6), of_declined) == "status 6 is ignored"
    assert why_not_in_scope(order(status_id=0), of_declined) is None


@pytest.mark.parametrize(
    ("channels", "channel_id", "is_stored"),
    [((), 1, True), ((), None, True), ((1,), 1, True), ((1, 2), 2, True), ((1,), 3, False)],
)
def test_without_channel_ids_every_channel_is_stored(
    channels: tuple[int, ...], channel_id: int | None, is_stored: bool
) -> None:
    reason = why_not_in_scope(order(channel_id=channel_id), policy(channels=channels))

    assert (reason is None) == is_stored


@pytest.mark.parametrize("kept", [record(), moved(), tombstone(None, NOW)])
@pytest.mark.parametrize("facts", [TOO_OLD, OTHER_CHANNEL, IGNORED, {"is_deleted": True}])
def test_an_order_that_is_stored_is_kept_current_whatever_it_becomes(
    kept: ReplicationRecord, facts: dict[str, Any]
) -> None:
    assert why_not_stored(order(**facts), kept, ONE_CHANNEL, task()) is None


@pytest.mark.parametrize("facts", [TOO_OLD, OTHER_CHANNEL, IGNORED])
def test_a_replay_stores_any_order(facts: dict[str, Any]) -> None:
    assert why_not_stored(order(**facts), None, ONE_CHANNEL, task(stores_any=True)) is None


@pytest.mark.parametrize(
    ("facts", "is_stored"), [(TOO_OLD, True), (OTHER_CHANNEL, False), (IGNORED, False)]
)
def test_a_backfill_stores_older_orders_of_the_same_scope(
    facts: dict[str, Any], is_stored: bool
) -> None:
    reason = why_not_stored(order(**facts), None, ONE_CHANNEL, task(source="backfill"))

    assert (reason is None) == is_stored


@pytest.mark.parametrize(("seconds", "expected"), [(-1, False), (0, True), (1, True)])
def test_an_order_is_in_scope_from_replicate_since_on(seconds: int, expected: bool) -> None:
    created = store_date(SINCE + timedelta(seconds=seconds))

    assert (why_not_in_scope(order(date_created=created), policy()) is None) == expected


def test_replicate_since_is_compared_as_a_moment_and_not_as_text() -> None:
    # 23:30 on the last of December, five hours west: half past four in the new year.
    created = order(date_created="Sun, 31 Dec 2023 23:30:00 -0500")

    assert why_not_in_scope(created, policy()) is None


@pytest.mark.parametrize(
    ("facts", "rules", "reason"),
    [
        *((facts, ONE_CHANNEL, reason) for facts, reason in REASONS),
        ({"is_deleted": True}, policy(), "archived"),
        ({"status_id": 2}, policy(), "status 2 is not new"),
        ({"status_id": 15}, policy(), "status 15 is not new"),
        ({"status_id": 10}, policy(), "completed, and not digital"),
        ({"status_id": 7}, policy(move_unpaid=False), "not paid"),
        ({}, policy(move_status=False), "MOVE_STATUS is false"),
    ],
)
def test_an_order_that_stays_as_it_is_has_a_reason(
    facts: dict[str, Any], rules: Any, reason: str
) -> None:
    assert why_not_moved(order(**facts), rules) == reason


@pytest.mark.parametrize("status", OrderStatus)
def test_only_the_configured_statuses_are_new(status: OrderStatus) -> None:
    digital = order("digital", status_id=int(status))

    assert (why_not_moved(digital, policy()) is None) == (status in (7, 10, 11))
    assert (why_not_moved(digital, policy(new_statuses=(12,))) is None) == (status == 12)


@pytest.mark.parametrize(
    ("facts", "is_new"),
    [
        ({"order_is_digital": True}, True),
        ({"shipping_address_count": 0}, True),
        ({"shipping_address_count": None}, True),
        ({"shipping_address_count": 1}, False),
        ({"products": [line(type="digital")]}, True),
        ({"products": [line(type="digital"), line()]}, False),
        ({"products": [line()], "order_is_digital": True}, False),
        ({"products": [line(order_pickup_method_id=3)], "shipping_address_count": 0}, False),
    ],
)
def test_a_completed_order_is_new_if_it_is_digital_or_may_be(
    facts: dict[str, Any], is_new: bool
) -> None:
    completed = order(status_id=int(OrderStatus.COMPLETED), **facts)

    assert (why_not_moved(completed, policy()) is None) == is_new


def test_an_unpaid_order_is_moved_once_it_is_paid() -> None:
    rules = policy(move_unpaid=False)

    assert why_not_moved(order(status_id=7), rules)
    assert why_not_moved(order(status_id=11), rules) is None
    assert why_not_moved(order(status_id=7), policy()) is None


COLLECTED = line(order_pickup_method_id=3)
DIGITAL = line(type="digital")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([line()], 12),
        ([line(), DIGITAL], 12),
        ([line(), COLLECTED], 12),
        ([line(type="unknown")], 12),
        ([COLLECTED], 13),
        ([COLLECTED, COLLECTED], 13),
        ([COLLECTED, DIGITAL], 13),
        ([DIGITAL], 14),
        ([line(type="giftcertificate")], 14),
        ([DIGITAL, line(type="giftcertificate")], 14),
        ([line(type="digital", order_pickup_method_id=3)], 14),
    ],
)
def test_an_order_is_moved_by_what_its_lines_are(lines: list[Any], expected: int) -> None:
    targets = policy(physical_status=12, pickup_status=13, digital_status=14)

    assert next_status(order(products=lines), targets) == expected


@pytest.mark.parametrize(("flag", "expected"), [(True, 8), (False, 9)])
def test_an_order_without_lines_is_moved_by_its_flag(flag: bool, expected: int) -> None:
    assert next_status(order(products=[], order_is_digital=flag), policy()) == expected


@pytest.mark.parametrize(
    ("kept", "is_paused", "expected"),
    [
        (None, False, True),
        (record(), False, True),
        (pending(), False, True),
        (tombstone(record(), NOW), False, True),
        (moved(), False, False),
        (moved(moved_from=None), False, False),
        (moved(move_unconfirmed=True), False, False),
        (tombstone(moved(), NOW), False, False),
        (None, True, False),
        (record(), True, False),
    ],
)
def test_a_new_order_has_a_move_left_until_it_is_moved_or_moves_are_paused(
    kept: ReplicationRecord | None, is_paused: bool, expected: bool
) -> None:
    assert has_move_left(order(), kept, policy(), is_paused=is_paused) == expected


@pytest.mark.parametrize("facts", [TOO_OLD, {"is_deleted": True}, {"status_id": 9}])
def test_an_order_that_is_not_new_has_no_move_left(facts: dict[str, Any]) -> None:
    assert not has_move_left(order(**facts), record(), policy(), is_paused=False)


@pytest.mark.parametrize(
    "change",
    [
        {"new_statuses": (11,)},
        {"ignored_statuses": (0,)},
        {"channels": (1,)},
        {"replicate_since": SINCE + timedelta(days=1)},
        {"retention_days": 30},
    ],
)
def test_the_scope_changes_with_what_is_stored_or_new(change: dict[str, Any]) -> None:
    assert replace(policy(), **change).scope != policy().scope


def test_the_scope_does_not_depend_on_the_type_of_its_statuses() -> None:
    named = policy(new_statuses=(OrderStatus.AWAITING_FULFILLMENT, OrderStatus.COMPLETED))

    assert named.scope == policy(new_statuses=(11, 10)).scope


KEPT_30_DAYS = policy(retention_days=30, replicate_since=SINCE)
EXPIRED: dict[str, Any] = {"date_created": store_date(NOW - timedelta(days=30, seconds=1))}
EXPIRED_REASON = "older than the retention of 30 days"


@pytest.mark.parametrize("source", get_args(Source))
@pytest.mark.parametrize("kept", [None, record(), pending(), moved(), tombstone(moved(), NOW)])
def test_an_order_older_than_the_retention_is_not_stored_by_any_source(
    kept: ReplicationRecord | None, source: Source
) -> None:
    asked = task(source=source, stores_any=source == "replay", must_read=True)

    assert why_not_stored(order(**EXPIRED), kept, KEPT_30_DAYS, asked) == EXPIRED_REASON
    assert why_not_stored(order(**EXPIRED), kept or record(), policy(), asked) is None


@pytest.mark.parametrize("kept", [None, record(), tombstone(None, NOW)])
def test_an_order_older_than_the_retention_is_not_moved(kept: ReplicationRecord | None) -> None:
    assert why_not_moved(order(**EXPIRED), KEPT_30_DAYS) == EXPIRED_REASON
    assert not has_move_left(order(**EXPIRED), kept, KEPT_30_DAYS, is_paused=False)


@pytest.mark.parametrize(("seconds", "is_kept"), [(-1, False), (0, True), (1, True)])
def test_the_age_of_an_order_is_that_of_its_read(seconds: int, is_kept: bool) -> None:
    created = store_date(NOW - timedelta(days=30) + timedelta(seconds=seconds))

    assert (why_expired(order(date_created=created), KEPT_30_DAYS) is None) == is_kept
    later = order(date_created=created, read_at=NOW + timedelta(seconds=2))
    assert why_expired(later, KEPT_30_DAYS) == EXPIRED_REASON


def test_the_scope_begins_at_the_later_of_replicate_since_and_the_retention() -> None:
    assert policy().since(NOW) == SINCE
    assert KEPT_30_DAYS.since(NOW) == NOW - timedelta(days=30)
    assert policy(retention_days=7300).since(NOW) == SINCE


def test_an_item_outlives_the_scope_of_its_order() -> None:
    created = NOW - timedelta(days=3)
    in_scope_until = created + timedelta(days=30)

    assert policy().expires_at(created) is None
    assert KEPT_30_DAYS.expires_at(created) == int(in_scope_until.timestamp()) + 3600


def test_without_a_retention_the_scope_is_named_as_before() -> None:
    assert "retention" not in policy().scope
