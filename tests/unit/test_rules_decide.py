"""The rules: what is stored and moved, and what is left to do afterwards."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.models import Order
from chalicelib.domain.records import ReplicationRecord
from chalicelib.domain.rules import (
    Content,
    DecideLater,
    Decision,
    Incomplete,
    archived,
    awaits_archiving,
    decide,
    tombstone,
    what_is_left,
)
from chalicelib.domain.rules import moved as after_the_move
from tests.factories import (
    NOW,
    SINCE,
    at,
    line,
    moved,
    order,
    pending,
    policy,
    record,
    store_date,
    task,
)

WHOLE = Content("d1", "p1")
NEWER = store_date(at(-10))
OLDER = store_date(at(-500))
NOW_MS = int(NOW.timestamp() * 1000)
GOODS = order("physical")
MOVED = order("physical", status_id=9)


def decided(
    seen: Order = GOODS,
    content: Content | None = WHOLE,
    kept: ReplicationRecord | None = None,
    *,
    rules: Any = None,
    is_paused: bool = False,
    **overrides: Any,
) -> Decision:
    """The decision of now, about whole goods that are not stored."""
    asked = task(**overrides)
    return decide(seen, content, kept, rules or policy(), asked, NOW, is_paused=is_paused)


class TestStoring:
    def test_an_order_is_stored_and_its_move_named_at_once(self) -> None:
        decision = decided(source="webhook")

        assert decision == Decision(
            record=ReplicationRecord(
                source="webhook",
                version=GOODS.version,
                digest="d1",
                replicated_at=NOW,
                found_by="webhook",
                parts_digest="p1",
                sequence=NOW_MS,
                read_at=NOW,
                moved_from=11,
                moved_to=9,
                move_began_at=NOW,
                status_id=11,
            ),
            put=True,
            move_to=9,
        )

    def test_an_unchanged_order_is_not_put_and_only_its_read_is_recorded(self) -> None:
        decision = decided(MOVED, WHOLE, moved())

        assert decision == Decision(moved(read_at=NOW), put=False)

    @pytest.mark.parametrize("source", ["replay", "retry", "sweep", "backfill"])
    def test_no_source_puts_an_unchanged_order(self, source: str) -> None:
        assert not decided(MOVED, WHOLE, moved(), source=source).put

    def test_an_order_whose_lists_are_unchanged_is_confirmed_without_them(self) -> None:
        assert decided(MOVED, None, moved()) == Decision(moved(read_at=NOW), put=False)

    @pytest.mark.parametrize("content", [WHOLE, None])
    def test_an_earlier_read_does_not_set_back_when_the_order_was_read(
        self, content: Content | None
    ) -> None:
        earlier = order("physical", status_id=9, read_at=at(-200))

        assert decided(earlier, content, moved()).record.read_at == at(-200)

    @pytest.mark.parametrize(
        ("seen", "content"),
        [
            (order("physical", status_id=9, date_modified=NEWER), WHOLE),
            (order("physical", status_id=2), WHOLE),
            (order("physical", status_id=9, is_deleted=True), WHOLE),
            (MOVED, Content("d2", "p1")),
            (MOVED, Content("d1", "p1", ("coupons",))),
        ],
        ids=["version", "status", "archived", "content", "incomplete"],
    )
    def test_a_change_is_put_with_the_next_sequence(self, seen: Order, content: Content) -> None:
        decision = decided(seen, content, moved(sequence=NOW_MS + 5))

        assert decision.put
        assert decision.record.sequence == NOW_MS + 6

    def test_a_changed_order_keeps_its_first_source_and_date_and_its_move(self) -> None:
        seen = order("physical", status_id=9, date_modified=NEWER)

        after = decided(seen, Content("d2", "p2"), moved(source="webhook")).record

        assert (after.version, after.digest, after.parts_digest) == (seen.version, "d2", "p2")
        assert (after.source, after.replicated_at) == ("webhook", at(-200))
        assert (after.moved_at, after.moved_from, after.moved_to) == (at(-100), 11, 9)

    def test_another_digest_of_the_lists_alone_is_recorded_without_a_put(self) -> None:
        decision = decided(MOVED, Content("d1", "p2"), moved())

        assert (decision.put, decision.record.parts_digest) == (False, "p2")
        assert decision.record.sequence == moved().sequence

    def test_an_unchanged_order_keeps_the_encoding_of_its_item(self) -> None:
        """The item is not written again, so its lists are still compressed."""
        compressed = moved(encoding={"products": "gzip+json"})

        assert decided(MOVED, WHOLE, compressed).record.encoding == compressed.encoding

    def test_an_older_version_that_is_believed_replaces_the_item(self) -> None:
        seen = order("physical", status_id=9, date_modified=OLDER, read_at=at(-100))

        decision = decided(seen, Content("d2", "p2"), moved())

        assert decision.put
        assert (decision.record.version, decision.record.read_at) == (seen.version, at(-100))

    @pytest.mark.parametrize(
        ("read_at", "version", "is_later"),
        [(at(-1), "same", True), (NOW, "same", False), (at(-1), "newer", False)],
    )
    def test_content_read_before_the_item_of_the_same_version_is_decided_later(
        self, read_at: Any, version: str, is_later: bool
    ) -> None:
        modified: dict[str, Any] = {"date_modified": NEWER} if version == "newer" else {}
        seen = order("physical", status_id=9, read_at=read_at, **modified)
        kept = moved(read_at=NOW)

        if is_later:
            with pytest.raises(DecideLater, match="order 118: the item was read later"):
                decided(seen, Content("d2", "p2"), kept)
        else:
            assert decided(seen, Content("d2", "p2"), kept).put

    def test_an_archived_order_is_marked_and_keeps_when_it_was(self) -> None:
        seen = order("physical", status_id=9, is_deleted=True)

        assert decided(seen, WHOLE, moved()).record.archived_at == NOW
        assert decided(seen, WHOLE, moved(archived_at=at(-50))).record.archived_at == at(-50)
        assert decided(MOVED, WHOLE, moved(archived_at=at(-50))).record.archived_at is None

    def test_an_order_that_is_not_stored_cannot_be_stored_without_its_lists(self) -> None:
        with pytest.raises(ValueError, match="order 118"):
            decided(GOODS, None)

    def test_a_record_of_version_1_0_gets_its_missing_attributes(self) -> None:
        old = moved(read_at=None, sequence=None, parts_digest=None)

        after = decided(MOVED, Content("d2", "p2"), old).record

        assert (after.read_at, after.sequence, after.parts_digest) == (NOW, NOW_MS, "p2")


class TestIncompleteOrders:
    SHORT = Content("d1", "p1", ("products",))

    def test_an_incomplete_order_is_stored_at_once_and_not_moved(self) -> None:
        decision = decided(content=self.SHORT)

        assert (decision.put, decision.move_to) == (True, None)
        assert (decision.record.incomplete, decision.record.believed) == (("products",), None)

    @pytest.mark.parametrize(
        ("since_change", "since_first", "expected"),
        [(15, 15, True), (14.99, 14.99, False), (600, 14.99, False), (600, 15, True)],
    )
    def test_an_order_is_believed_a_quarter_of_an_hour_after_its_change_and_its_first_read(
        self, since_change: float, since_first: float, expected: bool
    ) -> None:
        read_at = at(-300) + timedelta(minutes=since_change)
        first = decided(
            order("physical", read_at=read_at - timedelta(minutes=since_first)), self.SHORT
        )

        decision = decided(order("physical", read_at=read_at), self.SHORT, first.record)

        assert (first.record.believed, first.move_to) == (None, None)
        assert (decision.record.believed is True) == expected
        assert (decision.move_to == 9) == expected
        assert decision.record.incomplete == ("products",)

    @pytest.mark.parametrize(
        "content", [Content("d2", "p1", ("products",)), Content("d1", "p1", ("coupons",))]
    )
    def test_other_lists_that_are_short_are_believed_anew(self, content: Content) -> None:
        read_at = at(-300) + timedelta(hours=2)
        early = order("physical", read_at=read_at - timedelta(hours=1))
        first = decided(early, self.SHORT).record

        decision = decided(order("physical", read_at=read_at), content, first)

        assert decision.record.incomplete_at == read_at
        assert (decision.record.believed, decision.move_to) == (None, None)

    def test_a_record_of_2_0_is_believed_a_quarter_of_an_hour_after_the_next_read(self) -> None:
        read_at = at(-300) + timedelta(hours=1)
        old = record(digest="d1", parts_digest="p1", incomplete=("products",))

        decision = decided(order("physical", read_at=read_at), self.SHORT, old)

        assert (decision.put, decision.record.believed) == (True, None)
        assert decision.record.incomplete_at == read_at

    @pytest.mark.parametrize(("parts_digest", "expected"), [("p1", True), ("p2", None)])
    def test_a_believed_order_stays_believed_until_its_lists_change(
        self, parts_digest: str, expected: bool | None
    ) -> None:
        kept = moved(incomplete=("products",), believed=True)
        seen = order("physical", status_id=9, date_modified=NEWER)

        after = decided(seen, Content("d2", parts_digest, ("products",)), kept).record

        assert after.believed is expected

    def test_an_order_that_is_whole_again_is_neither_incomplete_nor_believed(self) -> None:
        kept = record(incomplete=("products",), believed=True)

        decision = decided(GOODS, WHOLE, kept)

        assert (decision.record.incomplete, decision.record.believed) == (None, None)
        assert (decision.put, decision.move_to) == (True, 9)

    def test_an_incomplete_order_is_put_once(self) -> None:
        once = decided(content=self.SHORT).record

        again = decided(order("physical", read_at=at(30)), self.SHORT, once)

        assert again == Decision(replace(once, read_at=at(30)), put=False)


class TestMoving:
    @pytest.mark.parametrize(
        ("overrides", "is_paused"),
        [({"may_move": False}, False), ({}, True), ({"rules": policy(move_status=False)}, False)],
        ids=["only stored", "paused", "moves disabled"],
    )
    def test_an_order_that_is_not_to_be_moved_is_only_stored(
        self, overrides: dict[str, Any], is_paused: bool
    ) -> None:
        decision = decided(is_paused=is_paused, **overrides)

        assert (decision.put, decision.move_to) == (True, None)
        assert (decision.record.moved_to, decision.record.move_began_at) == (None, None)

    def test_the_move_of_a_stored_order_is_named_without_a_put_or_a_sequence(self) -> None:
        decision = decided(GOODS, WHOLE, record())

        assert decision.record == pending(read_at=NOW, move_began_at=NOW)
        assert (decision.put, decision.move_to) == (False, 9)

    @pytest.mark.parametrize(
        ("lines", "target"),
        [
            ([line()], 9),
            ([line(order_pickup_method_id=3)], 12),
            ([line(type="digital")], 8),
        ],
    )
    def test_the_lines_decide_where_an_order_is_moved(self, lines: list[Any], target: int) -> None:
        decision = decided(order(products=lines), rules=policy(pickup_status=12))

        assert decision.move_to == decision.record.pending_move == target

    @pytest.mark.parametrize(
        "kept", [moved(), moved(moved_from=None), moved(move_unconfirmed=True)]
    )
    @pytest.mark.parametrize("status", [7, 11])
    def test_an_order_is_never_moved_twice(self, kept: ReplicationRecord, status: int) -> None:
        set_back = order("physical", status_id=status, date_modified=NEWER)

        decision = decided(set_back, Content("d2", "p2"), kept)

        assert (decision.put, decision.move_to) == (True, None)
        assert decision.record.moved_at == kept.moved_at

    @pytest.mark.parametrize("status", [2, 3, 8, 9, 10])
    def test_an_order_stored_in_a_processed_status_counts_as_moved_by_others(
        self, status: int
    ) -> None:
        decision = decided(order("physical", status_id=status))

        assert decision.move_to is None
        assert decision.record.moved_at == NOW
        assert (decision.record.moved_from, decision.record.moved_to) == (None, status)

    def test_lines_that_show_goods_prevent_the_move_of_a_completed_order(self) -> None:
        completed = order("physical", status_id=10, shipping_address_count=0)

        decision = decided(completed, WHOLE, record(status_id=10))

        assert (decision.put, decision.move_to) == (True, None)
        assert decision.record.moved_from is None
        assert decision.record.is_moved

    def test_a_completed_digital_order_is_moved(self) -> None:
        decision = decided(order("digital", status_id=10))

        assert (decision.record.moved_from, decision.move_to) == (10, 8)

    def test_an_order_that_a_backfill_stored_is_never_moved(self) -> None:
        seen = order("physical", date_created=store_date(SINCE - timedelta(days=1)))

        assert decided(seen, WHOLE, None, source="backfill", may_move=False).move_to is None
        assert decided(seen, Content("d2", "p2"), record()).move_to is None

    def test_a_move_records_what_the_stores_answer_shows(self) -> None:
        answer = order(status_id=9, date_modified=store_date(at(2)), read_at=at(3))

        after = after_the_move(pending(), answer, "d2", at(4))

        assert after == moved(
            version=int(at(2).timestamp()),
            digest="d2",
            moved_at=at(4),
            sequence=int(at(4).timestamp() * 1000),
        )
        assert after.read_at == pending().read_at, "an edit just before the move was not read"
        assert after.is_moved_by_us


class TestWhatFoundTheLastChange:
    def test_a_change_is_recorded_with_what_found_it_and_a_read_without(self) -> None:
        changed = decided(MOVED, Content("d2", "p2"), moved(found_by="poll"), source="webhook")
        read = decided(MOVED, WHOLE, moved(found_by="poll"), source="webhook")

        assert (changed.record.source, changed.record.found_by) == ("poll", "webhook")
        assert read.record.found_by == "poll"

    @pytest.mark.parametrize(
        ("minutes", "found_by"), [(-6, "fill"), (-5, "sweep"), (0, "sweep"), (1, "sweep")]
    )
    def test_an_order_that_changed_since_a_fill_listed_it_was_found_by_a_sweep(
        self, minutes: int, found_by: str
    ) -> None:
        seen = order("physical", status_id=9, date_modified=store_date(at(-7200 + 60 * minutes)))

        after = decided(seen, source="fill", queued_at=NOW, listed_at=at(-7200)).record

        assert (after.source, after.found_by) == (found_by, found_by)

    def test_a_move_is_recorded_with_what_found_the_order(self) -> None:
        after = after_the_move(pending(found_by="poll"), MOVED, "d2", NOW, "webhook")

        assert after.found_by == "webhook"

    def test_an_archived_order_is_recorded_with_what_asked_for_it(self) -> None:
        assert archived(moved(found_by="poll"), NOW, "webhook").found_by == "webhook"


class TestForgottenOrders:
    def test_a_tombstone_keeps_the_move_and_no_data_of_the_order(self) -> None:
        kept = tombstone(
            moved(encoding={"products": "gzip+json"}, incomplete=("fees",), believed=True), NOW
        )

        assert kept == moved(
            digest="",
            parts_digest=None,
            forgotten_at=NOW,
            sequence=NOW_MS,
            found_by="forget",
        )

    def test_the_tombstone_of_an_order_that_was_never_stored_holds_no_data(self) -> None:
        assert tombstone(None, NOW) == ReplicationRecord(
            source="poll",
            version=0,
            digest="",
            replicated_at=NOW,
            found_by="forget",
            forgotten_at=NOW,
            sequence=NOW_MS,
        )

    @pytest.mark.parametrize("seen", [MOVED, order(status_id=9, date_modified=NEWER)])
    @pytest.mark.parametrize("source", ["poll", "replay", "backfill"])
    def test_a_forgotten_order_is_never_stored_again(self, seen: Order, source: str) -> None:
        kept = tombstone(moved(), NOW)

        assert decided(seen, None, kept, source=source) == Decision(kept, put=False)

    def test_the_move_of_a_forgotten_order_is_named_with_its_version_and_no_content(self) -> None:
        kept = tombstone(record(), NOW)
        seen = order("physical", date_modified=NEWER)

        decision = decided(seen, None, kept)

        assert (decision.put, decision.move_to) == (False, 9)
        assert decision.record == replace(kept.begin_move(11, 9, NOW), version=seen.version)


class TestWhatIsLeft:
    @pytest.mark.parametrize(
        ("seen", "kept"),
        [
            (MOVED, moved()),
            (MOVED, moved(incomplete=("products",), believed=True)),
            (MOVED, tombstone(moved(read_at=None), NOW)),
            (order(status_id=12), record(status_id=12)),
            (order(is_deleted=True), record(archived_at=NOW)),
        ],
        ids=["settled", "believed", "forgotten", "not new", "archived"],
    )
    def test_nothing_is_left_of_an_order_that_is_settled(
        self, seen: Order, kept: ReplicationRecord
    ) -> None:
        assert what_is_left(seen, kept, policy(), task(), is_paused=False) is None

    @pytest.mark.parametrize(
        ("seen", "kept", "kind", "seconds"),
        [
            (GOODS, pending(), DecideLater, 60),
            (MOVED, moved(read_at=at(-299)), DecideLater, 3),
            (MOVED, moved(incomplete=("products", "fees")), Incomplete, None),
            (GOODS, record(), DecideLater, None),
        ],
        ids=["move pending", "not current", "incomplete", "not moved"],
    )
    def test_a_message_is_delivered_again_while_something_is_left(
        self, seen: Order, kept: ReplicationRecord, kind: Any, seconds: float | None
    ) -> None:
        left = what_is_left(seen, kept, policy(), task(), is_paused=False)

        assert type(left) is kind
        assert left is not None
        assert left.seconds == seconds
        assert "order 118" in str(left)

    def test_the_message_of_a_paused_order_is_done_and_one_that_only_stores_as_well(self) -> None:
        assert what_is_left(GOODS, record(), policy(), task(), is_paused=True) is None
        only_stores = task(may_move=False)
        assert what_is_left(GOODS, record(), policy(), only_stores, is_paused=False) is None

    def test_an_order_just_stored_is_done_or_moved(self) -> None:
        """What is decided and what is left do not contradict each other."""
        for is_paused in (False, True):
            decision = decided(is_paused=is_paused)
            left = what_is_left(GOODS, decision.record, policy(), task(), is_paused=is_paused)

            assert (decision.move_to is None) == (left is None)


@pytest.mark.parametrize(
    ("overrides", "receives", "is_left"),
    [
        ({}, 1, True),
        ({}, 3, True),
        ({}, 4, False),
        ({"is_deleted": True}, 1, False),
    ],
)
def test_an_archiving_is_awaited_until_the_store_shows_it_or_for_four_receives(
    overrides: dict[str, Any], receives: int, is_left: bool
) -> None:
    asked = task(is_archival=True, receive_count=receives)

    assert awaits_archiving(order(status_id=2, **overrides), asked) == is_left


def test_an_order_that_the_store_does_not_return_is_archived_once() -> None:
    once = archived(record(), NOW)

    assert (once.archived_at, once.sequence) == (NOW, NOW_MS)
    assert archived(once, at(60)).archived_at == NOW
