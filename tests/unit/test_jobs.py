"""The next poll and the next sweep, decided from the records of the last ones."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.jobs import Cursor, Job, last_success, next_changes, next_sweep
from tests.factories import NOW, at, job

DAY = timedelta(hours=24)
WEEK = timedelta(days=7)
SCOPE = "new 11"


def changes(seconds_ago: float = 3600, **overrides: Any) -> Job:
    began_at = at(-seconds_ago)
    return job(
        **{
            "mode": "changes",
            "started_at": began_at,
            "began_at": began_at,
            "since": at(-seconds_ago - 3900),
            **overrides,
        }
    )


def swept(seconds_ago: float = 7200, **overrides: Any) -> Job:
    moment = at(-seconds_ago)
    return job(**{"started_at": moment, "began_at": moment, "scope": SCOPE, **overrides})


def due_sweep(history: list[Job], *, is_requested: bool = False, scope: str = SCOPE) -> Job | None:
    return next_sweep(history, NOW, DAY, WEEK, is_requested=is_requested, scope=scope)


def sweep_of(history: list[Job], *, is_requested: bool = False, scope: str = SCOPE) -> Job:
    due = due_sweep(history, is_requested=is_requested, scope=scope)
    assert due is not None
    return due


class TestChanges:
    @pytest.mark.parametrize("history", [[], [swept()]])
    def test_the_first_poll_lists_the_last_five_minutes(self, history: list[Job]) -> None:
        assert next_changes(history, NOW) == Job(
            started_at=NOW,
            mode="changes",
            began_at=NOW,
            since=at(-300),
        )

    def test_a_poll_lists_changes_since_five_minutes_before_the_last_one_began(self) -> None:
        """A chain began with its first poll: orders before its cursor may have changed since."""
        last_of_a_chain = changes(began_at=at(-5000))

        assert next_changes([last_of_a_chain, swept()], NOW).since == at(-5300)

    def test_a_sweep_neither_delays_nor_replaces_the_changes(self) -> None:
        unfinished = swept(60, outcome="stopped", cursor=Cursor(11, 900))

        following = next_changes([unfinished, changes(600)], NOW)

        assert (following.mode, following.since) == ("changes", at(-900))
        assert following.cursor is None

    @pytest.mark.parametrize("outcome", ["running", "stopped", "failed"])
    def test_an_interrupted_poll_is_continued(self, outcome: str) -> None:
        interrupted = changes(outcome=outcome, cursor=Cursor(None, 300), listed=500, error="cut")

        assert next_changes([interrupted, changes(7200)], NOW) == Job(
            started_at=NOW,
            mode="changes",
            began_at=interrupted.began_at,
            since=interrupted.since,
            cursor=Cursor(None, 300),
        )

    def test_a_chain_of_interruptions_stays_one_listing(self) -> None:
        first = changes(outcome="stopped", cursor=Cursor(None, 300))
        second = next_changes([first], NOW)
        third = next_changes([second, first], NOW + timedelta(hours=1))

        assert (third.began_at, third.since, third.cursor) == (
            first.began_at,
            first.since,
            first.cursor,
        )


class TestSweeps:
    @pytest.mark.parametrize("history", [[], [changes()]])
    def test_the_first_sweep_lists_every_order(self, history: list[Job]) -> None:
        assert sweep_of(history) == Job(started_at=NOW, mode="sweep", began_at=NOW, scope=SCOPE)

    def test_a_sweep_is_due_when_the_last_one_is_older_than_the_interval(self) -> None:
        assert due_sweep([changes(), swept(86_401)]) is not None
        assert due_sweep([changes(), swept(86_400)]) is None

    def test_a_sweep_can_be_requested(self) -> None:
        assert due_sweep([swept()]) is None

        following = sweep_of([swept()], is_requested=True)

        assert (following.began_at, following.cursor) == (NOW, None)

    @pytest.mark.parametrize(("days_ago", "since"), [(1.5, at(-7 * 86_400)), (9, at(-9 * 86_400))])
    def test_a_sweep_goes_a_week_back_or_to_the_last_one_if_that_is_longer_ago(
        self, days_ago: float, since: Any
    ) -> None:
        assert sweep_of([swept(days_ago * 86_400)]).since == since

    def test_a_sweep_goes_back_to_where_the_last_one_began_and_not_where_it_was_continued(
        self,
    ) -> None:
        ended = swept(9 * 86_400, began_at=at(-10 * 86_400))

        assert sweep_of([ended]).since == ended.began_at

    def test_a_sweep_that_did_not_succeed_does_not_count_as_one(self) -> None:
        following = sweep_of([swept(60, scope="old", outcome="failed"), swept(86_401)])

        assert following.since == at(-7 * 86_400)

    @pytest.mark.parametrize("outcome", ["running", "stopped", "failed"])
    @pytest.mark.parametrize("is_requested", [False, True])
    @pytest.mark.parametrize("seconds_ago", [60, 86_402])
    def test_an_unfinished_sweep_is_continued(
        self, outcome: str, is_requested: bool, seconds_ago: float
    ) -> None:
        """Otherwise a daily poll that is a little late would always begin with the first order."""
        unfinished = swept(
            seconds_ago,
            outcome=outcome,
            cursor=Cursor(11, 900),
            since=at(-9 * 86_400),
            due=at(-90_000),
            missing=3,
            stale=2,
            backlog=1,
        )

        assert sweep_of([unfinished], is_requested=is_requested) == replace(
            unfinished, started_at=NOW, outcome="running"
        )

    @pytest.mark.parametrize("outcome", ["succeeded", "stopped"])
    def test_after_a_change_of_the_scope_every_order_is_listed(self, outcome: str) -> None:
        before = swept(60, scope="old", outcome=outcome, cursor=Cursor(7, 300), missing=2)

        following = sweep_of([before], scope="new")

        assert (following.since, following.cursor, following.missing) == (None, None, 0)
        assert following.scope == "new"

    @pytest.mark.parametrize("outcome", ["succeeded", "stopped"])
    def test_a_return_to_an_earlier_scope_starts_a_sweep(self, outcome: str) -> None:
        """What was placed meanwhile was compared with the other scope."""
        meanwhile = swept(3600, scope="new", outcome=outcome, cursor=Cursor(7, 300))

        following = sweep_of([meanwhile, swept(7200, scope="old")], scope="old")

        assert (following.scope, following.cursor) == ("old", None)

    def test_the_changes_of_another_mode_do_not_count_as_a_sweep(self) -> None:
        assert sweep_of([changes(scope=SCOPE)]).since is None


class TestMissingOrders:
    def test_a_sweep_counts_what_the_last_one_older_than_16_hours_queued(self) -> None:
        hours = timedelta(hours=16).total_seconds()
        history = [swept(hours - 1), swept(hours), swept(2 * hours)]

        assert sweep_of(history, is_requested=True).due == at(-hours)

    @pytest.mark.parametrize(
        "history",
        [
            [],
            [swept(3600)],
            [swept(86_400, scope="other")],
            [swept(86_400, scope="other", outcome="failed")],
            [changes(86_400)],
        ],
        ids=["none", "too recent", "another scope", "failed", "not a sweep"],
    )
    def test_without_such_a_sweep_no_orders_are_counted(self, history: list[Job]) -> None:
        assert sweep_of(history, is_requested=True).due is None

    @pytest.mark.parametrize(
        ("missing", "stale", "backlog", "surely"),
        [
            (3, 2, 0, (3, 2)),
            (3, 2, 2, (1, 2)),
            (3, 2, 3, (0, 2)),
            (3, 2, 4, (0, 1)),
            (3, 2, 9, (0, 0)),
            (0, 0, 9, (0, 0)),
        ],
    )
    def test_orders_that_may_be_waiting_in_the_queues_are_not_surely_missing(
        self, missing: int, stale: int, backlog: int, surely: tuple[int, int]
    ) -> None:
        counted = swept(missing=missing, stale=stale, backlog=backlog)

        assert (counted.surely_missing, counted.surely_stale) == surely


def test_the_last_success_is_the_newest_one() -> None:
    history = [swept(1, outcome="running"), swept(2, outcome="failed"), swept(3), swept(4)]

    assert last_success(history) == swept(3)
    assert last_success(history[:2]) is None


@given(
    st.builds(
        Job,
        started_at=st.just(NOW),
        mode=st.sampled_from(["changes", "sweep"]),
        began_at=st.just(NOW),
        since=st.none() | st.just(NOW),
        cursor=st.none() | st.builds(Cursor, st.none() | st.integers(0, 14), st.integers(1)),
        counts=st.dictionaries(st.sampled_from(["7", "10", "11"]), st.integers(0)),
        listed=st.integers(0),
        queued=st.integers(0),
        missing=st.integers(0),
        stale=st.integers(0),
        backlog=st.integers(0),
        unserved=st.lists(st.integers(1)).map(tuple),
        outcome=st.sampled_from(["running", "succeeded", "stopped", "failed"]),
        error=st.none() | st.text(),
        finished_at=st.none() | st.just(NOW),
    )
)
def test_reading_the_item_of_a_job_returns_the_job(before: Job) -> None:
    item = before.to_item()

    assert None not in item.values()
    assert Job.from_item({**item, "attribute_of_a_later_version": 1}) == before


def test_a_job_without_optional_attributes_has_their_defaults() -> None:
    required = {"started_at": NOW.isoformat(), "mode": "sweep", "began_at": NOW.isoformat()}

    assert Job.from_item(required) == Job(NOW, "sweep", NOW)


def test_a_job_of_version_1_0_is_read() -> None:
    item = {
        "started_at": NOW.isoformat(),
        "mode": "changes",
        "began_at": NOW.isoformat(),
        "cursor": {"status_id": 7, "min_id": 300},
        "not_new": 5,
    }

    assert Job.from_item(item).cursor == Cursor(7, 300)
