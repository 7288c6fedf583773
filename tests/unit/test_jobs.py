"""The next poll, decided from the records of the last ones."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.jobs import Cursor, Job, next_job
from tests.factories import NOW, at, job

DAY = timedelta(hours=24)
TWO_HOURS_AGO = at(-7200)


def changes(**overrides: Any) -> Job:
    return job(
        **{
            "mode": "changes",
            "started_at": at(-3600).isoformat(),
            "began_at": at(-3600).isoformat(),
            "since": at(-7500).isoformat(),
            **overrides,
        }
    )


def test_the_first_poll_is_a_sweep() -> None:
    assert next_job([], NOW, DAY) == Job(
        started_at=NOW.isoformat(), mode="sweep", began_at=NOW.isoformat()
    )


def test_a_poll_lists_changes_since_five_minutes_before_the_last_poll() -> None:
    following = next_job([job()], NOW, DAY)

    assert following == Job(
        started_at=NOW.isoformat(),
        mode="changes",
        began_at=NOW.isoformat(),
        since=(TWO_HOURS_AGO - timedelta(minutes=5)).isoformat(),
    )


def test_changes_are_listed_from_the_time_when_the_last_listing_began() -> None:
    """A chain of polls began with its first: orders behind its cursor may have changed since."""
    last_of_a_chain = changes(began_at=at(-5000).isoformat())

    following = next_job([last_of_a_chain, job()], NOW, DAY)

    assert following.since == at(-5300).isoformat()


@pytest.mark.parametrize("outcome", ["running", "stopped", "failed"])
def test_an_interrupted_poll_is_continued(outcome: str) -> None:
    interrupted = changes(outcome=outcome, cursor=Cursor(7, 300), listed=500, error="cut")

    following = next_job([interrupted, job()], NOW, DAY)

    assert following == Job(
        started_at=NOW.isoformat(),
        mode="changes",
        began_at=interrupted.began_at,
        since=interrupted.since,
        cursor=Cursor(7, 300),
    )


def test_a_chain_of_interruptions_stays_one_listing() -> None:
    first = changes(outcome="stopped", cursor=Cursor(7, 300))
    second = next_job([first, job()], NOW, DAY)
    third = next_job([second, first, job()], NOW + timedelta(hours=1), DAY)

    assert (third.began_at, third.since, third.cursor) == (
        first.began_at,
        first.since,
        first.cursor,
    )


@pytest.mark.parametrize("sweep", [False, True])
def test_an_unfinished_sweep_is_continued(sweep: bool) -> None:
    unfinished = job(outcome="stopped", cursor=Cursor(11, 900))

    following = next_job([unfinished], NOW, DAY, sweep=sweep)

    assert following == replace(
        unfinished, started_at=NOW.isoformat(), outcome="running", cursor=Cursor(11, 900)
    )


def test_a_sweep_that_is_due_supersedes_unfinished_changes() -> None:
    following = next_job([changes(outcome="failed", cursor=Cursor(7, 300))], NOW, DAY)

    assert (following.mode, following.cursor, following.since) == ("sweep", None, None)


@pytest.mark.parametrize("last", [changes(), changes(outcome="stopped", cursor=Cursor(7, 300))])
def test_a_sweep_can_be_requested(last: Job) -> None:
    following = next_job([last, job()], NOW, DAY, sweep=True)

    assert (following.mode, following.cursor, following.began_at) == (
        "sweep",
        None,
        NOW.isoformat(),
    )


def test_a_sweep_that_did_not_succeed_does_not_count_as_one() -> None:
    history = [changes(), changes(), job(outcome="failed")]

    assert next_job(history, NOW, DAY).mode == "sweep"


@given(
    st.builds(
        Job,
        started_at=st.just(NOW.isoformat()),
        mode=st.sampled_from(["changes", "sweep"]),
        began_at=st.just(NOW.isoformat()),
        since=st.none() | st.just(NOW.isoformat()),
        cursor=st.none() | st.builds(Cursor, st.integers(0, 14), st.integers(1)),
        counts=st.dictionaries(st.sampled_from(["7", "10", "11"]), st.integers(0)),
        listed=st.integers(0),
        queued=st.integers(0),
        outcome=st.sampled_from(["running", "succeeded", "stopped", "failed"]),
        error=st.none() | st.text(),
        finished_at=st.none() | st.just(NOW.isoformat()),
    )
)
def test_reading_the_item_of_a_job_returns_the_job(before: Job) -> None:
    item = before.to_item()

    assert None not in item.values()
    assert Job.from_item({**item, "attribute_of_a_later_version": 1}) == before


def test_a_sweep_that_stopped_before_the_sweep_interval_is_continued() -> None:
    """Otherwise a daily poll that is a little late would always begin with the first order."""
    yesterday = at(-86_402).isoformat()
    stopped = job(mode="sweep", outcome="stopped", started_at=yesterday, cursor=Cursor(10, 40_000))

    assert next_job([stopped], NOW, DAY).cursor == Cursor(10, 40_000)


def test_a_sweep_is_due_when_the_last_one_is_older_than_the_sweep_interval() -> None:
    long_ago = job(mode="sweep", started_at=at(-86_402).isoformat())

    assert next_job([changes(), long_ago], NOW, DAY).mode == "sweep"


def test_a_sweep_is_not_due_at_the_end_of_the_sweep_interval_itself() -> None:
    a_day_ago = job(started_at=at(-86_400).isoformat())

    assert next_job([changes(), a_day_ago], NOW, DAY).mode == "changes"


def test_a_job_without_optional_attributes_has_their_defaults() -> None:
    required = {"started_at": NOW.isoformat(), "mode": "sweep", "began_at": NOW.isoformat()}

    assert Job.from_item(required) == Job(NOW.isoformat(), "sweep", NOW.isoformat())


def swept(seconds_ago: float, **overrides: Any) -> Job:
    moment = at(-seconds_ago).isoformat()
    return job(**{"started_at": moment, "began_at": moment, "scope": "11 since then", **overrides})


def test_a_sweep_counts_the_orders_that_the_last_sweep_older_than_16_hours_queued() -> None:
    sixteen_hours = timedelta(hours=16).total_seconds()
    history = [swept(sixteen_hours - 1), swept(sixteen_hours), swept(2 * sixteen_hours)]

    following = next_job(history, NOW, DAY, sweep=True, scope="11 since then")

    assert following.due == at(-sixteen_hours).isoformat()
    assert following.scope == "11 since then"


@pytest.mark.parametrize(
    "history",
    [
        [],
        [swept(3600)],
        [swept(DAY.total_seconds(), scope="11,7 since then")],
        [swept(DAY.total_seconds(), outcome="failed", cursor=None)],
        [swept(DAY.total_seconds(), mode="changes", since=None)],
    ],
    ids=["none", "too recent", "another scope", "failed", "not a sweep"],
)
def test_without_such_a_sweep_no_missing_orders_are_counted(history: list[Job]) -> None:
    assert next_job(history, NOW, DAY, sweep=True, scope="11 since then").due is None


def test_a_continued_sweep_continues_its_count() -> None:
    began = swept(60, outcome="stopped", due=at(-90_000).isoformat(), missing=3)

    following = next_job([began], NOW, DAY, scope="11 since then")

    assert (following.due, following.missing) == (began.due, 3)
    assert following.scope == began.scope


def test_a_sweep_of_another_scope_is_neither_continued_nor_counted() -> None:
    unfinished = job(scope="old", outcome="stopped", cursor=Cursor(7, 300), missing=2)

    following = next_job([unfinished], NOW, DAY, scope="new")
    after_a_complete_one = next_job([job(scope="old")], NOW, DAY, scope="new")

    assert (following.mode, following.cursor, following.missing) == ("sweep", None, 0)
    assert following.scope == "new"
    assert after_a_complete_one.mode == "sweep"


def test_an_unfinished_sweep_of_another_scope_is_not_continued_after_a_rollback() -> None:
    unfinished = swept(1800, scope="new", outcome="stopped", cursor=Cursor(7, 300))

    following = next_job([unfinished, changes(), swept(7200, scope="old")], NOW, DAY, scope="old")

    assert following.scope != "new"
    assert following.cursor is None


def test_a_return_to_an_earlier_scope_starts_a_sweep() -> None:
    moment = at(-1800).isoformat()
    polled = changes(started_at=moment, began_at=moment)

    following = next_job(
        [polled, swept(3600, scope="new"), swept(7200, scope="old")], NOW, DAY, scope="old"
    )

    assert following.mode == "sweep"
