"""The rules: what the status of a stored order shows about its move."""

from typing import Any

import pytest

from chalicelib.domain.models import Order, OrderStatus
from chalicelib.domain.records import ReplicationRecord
from chalicelib.domain.rules import DecideLater, is_elsewhere, is_outdated, observe
from tests.factories import NOW, at, line, moved, order, pending, policy, record, store_date

NEWER = store_date(at(-10))
SAME = store_date(at(-300))
OLDER = store_date(at(-500))

RECENT = record(version=int(at(-30).timestamp()))
"""An item whose version is so recent that an older answer is not believed yet."""

DIGITAL: dict[str, Any] = {"order_is_digital": True}


@pytest.mark.parametrize("status", OrderStatus)
def test_an_order_is_elsewhere_if_somebody_has_processed_it(status: OrderStatus) -> None:
    goods = order("physical", status_id=int(status))

    assert is_elsewhere(goods, policy()) == (status in (2, 3, 8, 9, 10))


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"products": [line()]}, True),
        ({"products": [line(type="digital")]}, False),
        ({"products": [line(order_pickup_method_id=3)], "shipping_address_count": 0}, True),
        ({"shipping_address_count": 1}, True),
        ({"shipping_address_count": 0}, False),
        (DIGITAL, False),
    ],
)
def test_a_completed_order_is_elsewhere_unless_it_may_be_digital(
    facts: dict[str, Any], expected: bool
) -> None:
    assert is_elsewhere(order(status_id=10, **facts), policy()) == expected


@pytest.mark.parametrize(
    ("status", "facts", "rules", "expected"),
    [
        (12, {}, policy(physical_status=12), True),
        (12, {}, policy(pickup_status=12), True),
        (12, {}, policy(digital_status=12), True),
        (12, {}, policy(), False),
        (10, DIGITAL, policy(digital_status=10, new_statuses=(11,)), True),
        # A status that is configured to be new is not one that shows a decision.
        (9, {}, policy(new_statuses=(9, 11), move_status=False), False),
        (3, {}, policy(new_statuses=(3,)), False),
    ],
)
def test_the_targets_of_moves_are_elsewhere_and_new_statuses_are_not(
    status: int, facts: dict[str, Any], rules: Any, expected: bool
) -> None:
    assert is_elsewhere(order(status_id=status, **facts), rules) == expected


@pytest.mark.parametrize(
    ("version", "read_at", "kept", "expected"),
    [
        (at(-31), at(0), RECENT, True),
        (at(-30), at(0), RECENT, False),
        (at(-29), at(0), RECENT, False),
        (at(-31), at(29.9), RECENT, True),
        (at(-31), at(30), RECENT, False),
    ],
    ids=["older", "same", "newer", "older for 59.9 s", "older for 60 s"],
)
def test_an_answer_older_than_the_item_is_believed_after_a_minute(
    version: Any, read_at: Any, kept: ReplicationRecord, expected: bool
) -> None:
    answer = order(date_modified=store_date(version), read_at=read_at)

    assert is_outdated(answer, kept) == expected


@pytest.mark.parametrize("status", OrderStatus)
@pytest.mark.parametrize("modified", [SAME, NEWER, OLDER])
@pytest.mark.parametrize("kept", [moved(), moved(moved_from=None), moved(move_unconfirmed=True)])
def test_an_order_that_was_moved_stays_moved_whatever_the_store_shows(
    kept: ReplicationRecord, status: OrderStatus, modified: str
) -> None:
    seen = order(status_id=int(status), date_modified=modified)

    assert observe(kept, seen, policy(), NOW) == kept


@pytest.mark.parametrize("status", [7, 10, 11, 12])
@pytest.mark.parametrize("modified", [SAME, NEWER])
def test_the_record_of_an_order_without_a_move_is_not_changed(status: int, modified: str) -> None:
    seen = order(status_id=status, date_modified=modified, **DIGITAL)

    assert observe(record(), seen, policy(), NOW) == record()


@pytest.mark.parametrize("kept", [record(), pending(moved_to=8), pending(move_began_at=at(-1))])
@pytest.mark.parametrize("status", [2, 3, 10])
def test_an_order_that_somebody_processed_counts_as_moved_even_while_a_move_is_named(
    kept: ReplicationRecord, status: int
) -> None:
    seen = order(status_id=status, date_modified=NEWER)

    observed = observe(kept, seen, policy(), NOW)

    assert (observed.moved_at, observed.moved_from, observed.moved_to) == (NOW, None, status)
    assert not observed.is_moved_by_us
    assert (observed.move_began_at, observed.pending_move) == (None, None)


@pytest.mark.parametrize("began", [at(-1), at(-200), None])
def test_an_order_in_the_status_of_its_named_move_was_moved_by_it(began: Any) -> None:
    seen = order(status_id=9, date_modified=NEWER)

    observed = observe(pending(move_began_at=began), seen, policy(), NOW)

    assert observed == record(moved_at=NOW, moved_from=11, moved_to=9, sequence=observed.sequence)
    assert observed.is_moved_by_us


def test_a_move_begun_under_another_configuration_is_recognised() -> None:
    observed = observe(pending(moved_to=12), order(status_id=12), policy(), NOW)

    assert (observed.is_moved_by_us, observed.moved_to) == (True, 12)


@pytest.mark.parametrize("status", [2, 3, 8, 9])
def test_an_answer_older_than_the_item_shows_that_somebody_processed_the_order(
    status: int,
) -> None:
    stale = order(status_id=status, date_modified=OLDER)

    observed = observe(RECENT, stale, policy(), NOW)

    assert (observed.moved_from, observed.moved_to) == (None, status)


def test_an_older_answer_in_the_status_of_the_named_move_was_not_caused_by_it() -> None:
    kept = pending(version=RECENT.version)

    observed = observe(kept, order(status_id=9, date_modified=OLDER), policy(), NOW)

    assert observed.moved_from is None


@pytest.mark.parametrize("kept", [record(), pending(), pending(move_began_at=None), moved()])
@pytest.mark.parametrize("status", [7, 11, 12])
def test_any_other_answer_older_than_the_item_is_decided_later(
    kept: ReplicationRecord, status: int
) -> None:
    stale = order(status_id=status, date_modified=store_date(at(-301)), read_at=at(-299))

    with pytest.raises(
        DecideLater, match="order 118: the store returned an older version"
    ) as later:
        observe(kept, stale, policy(), NOW)

    assert later.value.seconds is None


@pytest.mark.parametrize("modified", [SAME, NEWER])
@pytest.mark.parametrize("requested_at", [at(-181), at(0), at(119.9)])
def test_a_move_is_in_flight_until_a_request_180_seconds_after_it_began(
    modified: str, requested_at: Any
) -> None:
    seen = order(date_modified=modified, requested_at=requested_at)

    with pytest.raises(DecideLater, match="order 118: another delivery") as later:
        observe(pending(), seen, policy(), at(3600))

    assert later.value.seconds == 60


AFTER_THE_MOVE = at(120)


@pytest.mark.parametrize("began", [at(-60), None])
def test_a_move_that_left_the_order_unchanged_had_no_effect(began: Any) -> None:
    seen = order(requested_at=AFTER_THE_MOVE)

    assert observe(pending(move_began_at=began), seen, policy(), NOW) == record()


@pytest.mark.parametrize("status", [5, 7, 11, 12])
@pytest.mark.parametrize("began", [at(-60), None])
def test_an_order_that_changed_since_its_move_was_named_counts_as_moved_in_doubt(
    status: int, began: Any
) -> None:
    seen = order(status_id=status, date_modified=NEWER, requested_at=AFTER_THE_MOVE)

    observed = observe(pending(move_began_at=began), seen, policy(), NOW)

    assert (observed.moved_at, observed.moved_from, observed.moved_to) == (NOW, 11, 9)
    assert observed.move_unconfirmed
    assert not observed.is_moved_by_us


def test_another_status_at_the_same_version_is_a_change_of_the_same_second() -> None:
    seen = order(status_id=12, requested_at=AFTER_THE_MOVE)

    assert observe(pending(), seen, policy(), NOW).move_unconfirmed


SEEN: list[Order] = [
    order(status_id=9, date_modified=NEWER),
    order(status_id=2, date_modified=NEWER),
    order(date_modified=NEWER, requested_at=AFTER_THE_MOVE),
]


@pytest.mark.parametrize("seen", SEEN, ids=["moved by us", "moved by others", "in doubt"])
def test_an_observed_move_raises_the_sequence(seen: Order) -> None:
    observed = observe(pending(), seen, policy(), NOW)

    assert observed.sequence == int(NOW.timestamp() * 1000)


@pytest.mark.parametrize("seen", [*SEEN, order(requested_at=AFTER_THE_MOVE)])
def test_observing_again_changes_nothing(seen: Order) -> None:
    once = observe(pending(), seen, policy(), NOW)

    assert observe(once, seen, policy(), at(1)) == once


def test_an_observation_leaves_what_is_known_of_the_content_unchanged() -> None:
    observed = observe(record(), order(status_id=2, date_modified=NEWER), policy(), NOW)

    assert (observed.version, observed.digest, observed.read_at, observed.status_id) == (
        record().version,
        "d1",
        record().read_at,
        11,
    )
