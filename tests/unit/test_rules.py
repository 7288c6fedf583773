"""The rules: which orders are new, how they are moved, and what is recorded."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.models import Order, OrderStatus, ReplicationRecord
from chalicelib.domain.rules import (
    DecideLater,
    decide,
    doubt_move,
    forget_move,
    is_missing,
    is_new,
    is_replicated,
    lists_to_request,
    next_status,
    observe,
    record_move,
    tombstone,
    why_not_new,
)
from tests.factories import NOW, SINCE, at, moved, order, pending, policy, record, store_date

NEWER = store_date(at(-10))
OLDER = store_date(at(-500))


@pytest.mark.parametrize("status", OrderStatus)
def test_only_the_configured_statuses_are_new(status: OrderStatus) -> None:
    reason = why_not_new(order("digital", status_id=int(status)), policy())

    assert (reason is None) == (status in (7, 10, 11))


EVERY_LIST = ["products", "shipping_addresses", "coupons"]
LEAN = policy(skip_coupons_without_discount=True)


@pytest.mark.parametrize(
    ("count", "expected"), [(0, ["products", "coupons"]), (1, EVERY_LIST), (None, EVERY_LIST)]
)
def test_addresses_are_not_requested_when_the_order_counts_none(
    count: int | None, expected: list[str]
) -> None:
    assert lists_to_request(order(shipping_address_count=count), policy()) == expected


@pytest.mark.parametrize("zero", ["0.0000", "0", "-0.00", 0, 0.0])
def test_coupons_are_not_requested_when_so_configured_and_both_discounts_are_zero(
    zero: object,
) -> None:
    undiscounted = order(coupon_discount=zero, discount_amount=zero)

    assert lists_to_request(undiscounted, LEAN) == ["products", "shipping_addresses"]
    assert lists_to_request(undiscounted, policy()) == EVERY_LIST


@pytest.mark.parametrize("name", ["coupon_discount", "discount_amount"])
@pytest.mark.parametrize(
    "value", ["5.0000", "0.0001", "-1", 5, 0.5, "", None, "none", "NaN", "sNaN", False, [], {}]
)
def test_coupons_are_requested_unless_both_discounts_are_certainly_zero(
    name: str, value: object
) -> None:
    discounts = {"coupon_discount": "0.0000", "discount_amount": "0.0000", name: value}

    assert lists_to_request(order(**discounts), LEAN) == EVERY_LIST


def test_coupons_are_requested_when_the_order_has_no_discount_fields() -> None:
    assert lists_to_request(order(), LEAN) == EVERY_LIST
    assert lists_to_request(order(coupon_discount="0.0000"), LEAN) == EVERY_LIST


@pytest.mark.parametrize("status", OrderStatus)
def test_the_configuration_decides_which_statuses_are_new(status: OrderStatus) -> None:
    only_pending = policy(new_statuses=(1,))

    assert is_new(order("physical", status_id=int(status)), only_pending) == (status == 1)


@pytest.mark.parametrize(
    ("line_types", "expected"),
    [
        (("physical",), False),
        (("digital", "physical"), False),
        (("giftcertificate", "physical"), False),
        (("unknown type",), False),
        (("digital",), True),
        (("giftcertificate",), True),
        (("digital", "giftcertificate"), True),
    ],
)
def test_a_completed_order_is_new_only_when_nothing_is_shipped(
    line_types: tuple[str, ...], expected: bool
) -> None:
    assert is_new(order(*line_types, status_id=10), policy()) == expected


def test_the_lines_decide_and_not_the_flag_of_the_order() -> None:
    claims_to_be_digital = order("physical", status_id=10, order_is_digital=True)
    claims_to_be_physical = order("digital", status_id=10, order_is_digital=False)

    assert not is_new(claims_to_be_digital, policy())
    assert is_new(claims_to_be_physical, policy())


@pytest.mark.parametrize(
    ("facts", "may_be_new"),
    [
        ({"order_is_digital": True, "shipping_address_count": 0}, True),
        ({"order_is_digital": True, "shipping_address_count": 1}, True),
        ({"order_is_digital": False, "shipping_address_count": 0}, True),
        ({"order_is_digital": False, "shipping_address_count": None}, True),
        ({"order_is_digital": False, "shipping_address_count": 1}, False),
        ({"order_is_digital": "true", "shipping_address_count": 1}, False),
    ],
)
def test_a_completed_order_whose_lines_are_not_read_is_new_if_it_may_be_digital(
    facts: dict[str, Any], may_be_new: bool
) -> None:
    assert is_new(order(status_id=10, **facts), policy()) == may_be_new


@pytest.mark.parametrize(
    ("lines", "order_is_digital", "expected"), [([], True, True), ([], False, False)]
)
def test_a_completed_order_without_lines_is_digital_if_its_flag_is_set(
    lines: list[Any], order_is_digital: bool, expected: bool
) -> None:
    # The address count of 0 would make it "may be digital" if its lines were unknown.
    empty = order(
        status_id=10, products=lines, order_is_digital=order_is_digital, shipping_address_count=0
    )

    assert is_new(empty, policy()) == expected


def test_completed_is_not_new_when_it_is_not_configured() -> None:
    assert not is_new(order("digital", status_id=10), policy(new_statuses=(11,)))


@pytest.mark.parametrize(("seconds", "expected"), [(-1, False), (0, True), (1, True)])
def test_an_order_is_new_from_replicate_since_on(seconds: int, expected: bool) -> None:
    created = store_date(SINCE + timedelta(seconds=seconds))

    assert is_new(order(date_created=created), policy()) == expected


def test_replicate_since_is_compared_as_a_moment_and_not_as_text() -> None:
    # 23:30 on the last of December, five hours west: half past four in the new year.
    assert is_new(order(date_created="Sun, 31 Dec 2023 23:30:00 -0500"), policy())


def test_a_deleted_order_is_not_new() -> None:
    assert not is_new(order(is_deleted=True), policy())


@pytest.mark.parametrize(
    ("line_types", "expected"),
    [
        (("physical",), 9),
        (("physical", "digital"), 9),
        (("digital",), 8),
        (("digital", "digital"), 8),
        (("giftcertificate",), 8),
        (("giftcertificate", "digital"), 8),
        (("unknown type",), 9),
    ],
)
def test_an_order_with_a_physical_line_awaits_shipment_and_any_other_pickup(
    line_types: tuple[str, ...], expected: int
) -> None:
    assert next_status(order(*line_types), policy()) == expected


@pytest.mark.parametrize(("order_is_digital", "expected"), [(True, 8), (False, 9)])
def test_an_order_without_lines_moves_by_its_flag(order_is_digital: bool, expected: int) -> None:
    empty = order(products=[], order_is_digital=order_is_digital)

    assert next_status(empty, policy()) == expected


def test_the_next_statuses_are_configurable() -> None:
    elsewhere = policy(physical_status=12, digital_status=3)

    assert next_status(order("physical"), elsewhere) == 12
    assert next_status(order("digital"), elsewhere) == 3


@pytest.mark.parametrize(
    ("stored", "move_status", "expected"),
    [
        (None, True, False),
        (record(), True, False),
        (pending(), True, False),
        (moved(), True, True),
        (moved(version=1), True, True),
        (record(), False, True),
        (record(version=1), False, False),
        (moved(version=1), False, True),
    ],
)
def test_a_poll_queues_an_order_until_it_is_moved_or_without_moves_until_it_is_stored(
    stored: ReplicationRecord | None, move_status: bool, expected: bool
) -> None:
    assert is_replicated(order(), stored, policy(move_status=move_status)) == expected


@pytest.mark.parametrize("status", OrderStatus)
@pytest.mark.parametrize("modified", [OLDER, NEWER])
def test_an_order_that_was_moved_stays_moved_whatever_the_store_shows(
    status: OrderStatus, modified: str
) -> None:
    seen = order(status_id=int(status), date_modified=modified)

    assert observe(moved(), seen, policy(), NOW) == moved()


@pytest.mark.parametrize("stored", [record(), pending(), pending(move_began_at=None)])
@pytest.mark.parametrize("status", [9, 11])
def test_an_answer_older_than_the_stored_version_is_decided_later(
    stored: ReplicationRecord, status: int
) -> None:
    with pytest.raises(DecideLater, match="order 118"):
        observe(stored, order(status_id=status, date_modified=OLDER), policy(), NOW)


@pytest.mark.parametrize("status", [8, 9])
@pytest.mark.parametrize("stored", [record(), pending()])
def test_an_order_in_a_target_status_counts_as_moved(
    stored: ReplicationRecord, status: int
) -> None:
    seen = order(status_id=status, date_modified=NEWER)

    observed = observe(stored, seen, policy(), NOW)

    assert (observed.moved_at, observed.moved_to) == (NOW.isoformat(), status)
    assert observed.moved_from == stored.moved_from
    assert observed.pending_move is None
    assert observed.move_began_at is None


def test_a_move_begun_under_another_configuration_is_recognised() -> None:
    observed = observe(pending(moved_to=12), order(status_id=12), policy(), NOW)

    assert (observed.is_moved, observed.moved_to) == (True, 12)


def test_an_order_in_a_target_status_does_not_count_as_moved_when_move_status_is_false() -> None:
    """NEW_STATUS_IDS may hold the targets then; a moved order would not be queued again."""
    nothing_moves = policy(new_statuses=(9, 11), move_status=False)

    observed = observe(record(), order(status_id=9, date_modified=NEWER), nothing_moves, NOW)

    assert not observed.is_moved


def test_the_record_of_an_order_without_a_move_is_not_changed() -> None:
    assert observe(record(), order(date_modified=NEWER), policy(), NOW) == record()


@pytest.mark.parametrize("modified", [store_date(at(-300)), NEWER])
def test_an_order_that_another_delivery_may_be_moving_is_decided_later(modified: str) -> None:
    stored = pending(move_began_at=at(-179).isoformat())

    with pytest.raises(DecideLater, match="order 118"):
        observe(stored, order(date_modified=modified), policy(), NOW)


def test_a_move_is_in_flight_for_180_seconds_at_most() -> None:
    stored = pending(move_began_at=at(-180).isoformat())

    assert observe(stored, order(), policy(), NOW).pending_move is None


@pytest.mark.parametrize("began", [at(-181).isoformat(), None])
def test_a_move_that_left_the_order_unchanged_had_no_effect(began: str | None) -> None:
    observed = observe(pending(move_began_at=began), order(), policy(), NOW)

    assert observed == record()


@pytest.mark.parametrize("began", [at(-181).isoformat(), None])
def test_an_order_that_changed_after_an_unconfirmed_move_counts_as_moved(began: str | None) -> None:
    stored = pending(move_began_at=began)

    observed = observe(stored, order(date_modified=NEWER), policy(), NOW)

    assert observed == moved(moved_at=NOW.isoformat(), move_unconfirmed=True)


def test_the_first_step_writes_the_order_and_begins_its_move() -> None:
    decision = decide(order("digital"), "d1", None, policy(), "webhook", NOW, may_move=True)

    assert decision.put
    assert decision.move_to == 8
    assert decision.record == ReplicationRecord(
        source="webhook",
        version=int(at(-300).timestamp()),
        digest="d1",
        replicated_at=NOW.isoformat(),
        moved_from=11,
        moved_to=8,
        move_began_at=NOW.isoformat(),
    )


def test_no_step_begins_a_move_when_move_status_is_false() -> None:
    decision = decide(
        order("physical"), "d1", None, policy(move_status=False), "poll", NOW, may_move=True
    )

    assert decision.move_to is None
    assert (decision.record.moved_from, decision.record.move_began_at) == (None, None)


def test_an_unchanged_order_is_not_written_again() -> None:
    decision = decide(order("physical"), "d1", record(), policy(), "poll", NOW, may_move=True)

    assert not decision.put
    assert decision.move_to == decision.record.pending_move == 9
    assert decision.record.replicated_at == record().replicated_at


@pytest.mark.parametrize(
    ("modified", "digest"), [(NEWER, "d1"), (NEWER, "d2"), (store_date(at(-300)), "d2")]
)
def test_a_new_version_or_another_digest_is_written(modified: str, digest: str) -> None:
    seen = order("physical", date_modified=modified)
    stored = record(source="webhook", encoding={"products": "gzip+json"})

    decision = decide(seen, digest, stored, policy(), "poll", NOW, may_move=True)

    assert decision.put
    assert (decision.record.version, decision.record.digest) == (seen.version, digest)
    assert decision.record.replicated_at == NOW.isoformat()
    assert decision.record.encoding is None
    assert decision.record.source == "webhook", "the record keeps its first source"


def test_an_older_version_is_not_written_even_with_another_digest() -> None:
    seen = order("physical", date_modified=OLDER)

    assert not decide(seen, "d2", record(), policy(), "poll", NOW, may_move=True).put


def test_a_changed_order_that_was_moved_is_written_and_not_moved_again() -> None:
    decision = decide(
        order("physical", date_modified=NEWER), "d2", moved(), policy(), "poll", NOW, may_move=True
    )

    assert decision.put
    assert decision.move_to is None
    kept = decision.record
    assert (kept.moved_at, kept.moved_from, kept.moved_to) == (at(-100).isoformat(), 11, 9)


def test_a_move_ends_as_made_without_effect_or_with_an_unknown_outcome() -> None:
    begun = pending()

    assert record_move(begun, 7, 8, NOW) == moved(
        moved_at=NOW.isoformat(), moved_from=7, moved_to=8
    )
    assert forget_move(begun) == record()
    assert doubt_move(begun).pending_move == 9
    assert doubt_move(begun).move_began_at is None


Delivered = tuple[int, str, int, int, str]
sequences = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.sampled_from(["a", "b"]),
        st.sampled_from([7, 8, 9, 10, 11]),
        st.integers(0, 300),
        st.sampled_from(["made", "rejected", "unknown", "crashed"]),
    ),
    max_size=12,
)


def records_after(deliveries: list[Delivered]) -> list[tuple[Order, ReplicationRecord]]:
    """The record after each of these deliveries of one order, with the order it read."""
    ended = {
        "made": lambda step, now: record_move(step, step.moved_from, step.moved_to, now),
        "rejected": lambda step, now: forget_move(step),
        "unknown": lambda step, now: doubt_move(step),
        "crashed": lambda step, now: step,
    }
    now, stored, left = NOW, None, []
    for version, digest, status, lapse, end in deliveries:
        now += timedelta(seconds=lapse)
        seen = order("digital", status_id=status, date_modified=store_date(at(version)))
        try:
            known = stored and observe(stored, seen, policy(), now)
        except DecideLater:
            continue
        if is_new(seen, policy()):
            decision = decide(seen, digest, known, policy(), "poll", now, may_move=True)
            known = (
                ended[end](decision.record, now)
                if decision.move_to is not None
                else decision.record
            )
        if known is not None:
            stored = known
            left.append((seen, stored))
    return left


@given(sequences)
def test_an_older_version_never_replaces_a_newer(deliveries: list[Delivered]) -> None:
    versions = [stored.version for _, stored in records_after(deliveries)]

    assert versions == sorted(versions)


@given(sequences)
def test_a_move_once_recorded_never_changes_and_is_never_followed_by_another(
    deliveries: list[Delivered],
) -> None:
    records = [stored for _, stored in records_after(deliveries)]
    first = next((n for n, stored in enumerate(records) if stored.is_moved), len(records))

    facts = {(r.moved_at, r.moved_from, r.moved_to) for r in records[first:]}

    assert len(facts) <= 1
    assert all(r.is_moved and r.pending_move is None for r in records[first:])


@given(
    st.integers(-5, 5),
    st.sampled_from(["d1", "d2"]),
    st.sampled_from([None, record(), moved(), moved(version=1)]),
)
def test_repeating_a_step_changes_nothing_when_no_move_is_left(
    shift: int, digest: str, stored: ReplicationRecord | None
) -> None:
    seen = order("physical", date_modified=store_date(at(-300 + shift)))
    rules = policy(move_status=stored is not None and stored.is_moved)

    once = decide(seen, digest, stored, rules, "poll", NOW, may_move=True)
    later = NOW + timedelta(hours=1)
    twice = decide(seen, digest, once.record, rules, "webhook", later, may_move=True)

    assert twice.record == once.record
    assert not twice.put


BEFORE = at(-300)


def test_a_new_order_that_an_earlier_sweep_queued_and_that_is_not_stored_is_missing() -> None:
    known = order(date_modified=store_date(at(-400)))

    assert is_missing(known, None, policy(), BEFORE)
    assert not is_missing(known, record(), policy(), BEFORE)
    assert not is_missing(known, tombstone(None, NOW), policy(), BEFORE)


@pytest.mark.parametrize(
    "overrides",
    [
        {"date_modified": store_date(at(-200))},
        {"date_modified": store_date(BEFORE)},
        {"status_id": int(OrderStatus.SHIPPED)},
        {"is_deleted": True},
        {"date_created": store_date(SINCE - timedelta(days=1))},
    ],
    ids=["changed since", "changed at that moment", "not new", "archived", "out of scope"],
)
def test_an_order_that_the_earlier_sweep_may_not_have_queued_is_not_missing(overrides: Any) -> None:
    assert not is_missing(order(**{"date_modified": OLDER, **overrides}), None, policy(), BEFORE)


def test_a_completed_order_is_missing_only_when_its_flag_is_set() -> None:
    completed = {"status_id": int(OrderStatus.COMPLETED), "date_modified": OLDER}
    unknown = order(**completed, shipping_address_count=0, order_is_digital=False)
    digital = order(**completed, shipping_address_count=0, order_is_digital=True)

    assert is_new(unknown, policy())
    assert not is_missing(unknown, None, policy(), BEFORE)
    assert is_missing(digital, None, policy(), BEFORE)


def test_a_forgotten_order_counts_as_replicated() -> None:
    for stored in (None, record(), pending(), moved()):
        assert is_replicated(order(date_modified=NEWER), tombstone(stored, NOW), policy())


def test_a_tombstone_keeps_the_move_and_no_data_of_the_order() -> None:
    kept = tombstone(moved(encoding={"products": "gzip+json"}), NOW)

    assert kept.is_forgotten
    assert (kept.moved_at, kept.digest, kept.encoding) == (moved().moved_at, "", None)


def test_the_tombstone_of_an_order_that_was_never_stored_holds_no_data() -> None:
    assert tombstone(None, NOW) == ReplicationRecord(
        source="poll",
        version=0,
        digest="",
        replicated_at=NOW.isoformat(),
        forgotten_at=NOW.isoformat(),
    )


def test_a_replay_writes_an_unchanged_order_again() -> None:
    stored = moved(version=order().version, digest="d1")

    again = decide(order(), "d1", stored, policy(), "replay", NOW, may_move=True)
    polled = decide(order(), "d1", stored, policy(), "poll", NOW, may_move=True)

    assert again.put
    assert not polled.put
    assert again.record.moved_at == stored.moved_at


def test_an_order_that_may_not_be_moved_is_only_put() -> None:
    decision = decide(order("physical"), "d1", None, policy(), "backfill", NOW, may_move=False)

    assert decision.put
    assert decision.move_to is None
    assert decision.record.moved_to is None
