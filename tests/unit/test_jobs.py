"""What the next poll has to do, from what the last ones left behind."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.jobs import Cursor, Job, next_job
from tests.factories import NOW, at, job

DAY = timedelta(hours=24)
TWO_HOURS_AGO = at(-7200)


def changes(**overrides: object) -> Job:
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


def test_a_poll_lists_what_changed_since_five_minutes_before_the_last_one() -> None:
    following = next_job([job()], NOW, DAY)

    assert following == Job(
        started_at=NOW.isoformat(),
        mode="changes",
        began_at=NOW.isoformat(),
        since=(TWO_HOURS_AGO - timedelta(minutes=5)).isoformat(),
    )


def test_changes_are_counted_from_where_the_listing_began_and_not_where_it_ended() -> None:
    """A chain of polls began with its first: what became new behind its cursor changed since."""
    last_of_a_chain = changes(began_at=at(-5000).isoformat())

    following = next_job([last_of_a_chain, job()], NOW, DAY)

    assert following.since == at(-5300).isoformat()


@pytest.mark.parametrize("outcome", ["running", "stopped", "failed"])
def test_an_interrupted_poll_is_gone_on_with(outcome: str) -> None:
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
def test_an_unfinished_sweep_is_gone_on_with(sweep: bool) -> None:
    unfinished = job(outcome="stopped", cursor=Cursor(11, 900))

    following = next_job([unfinished], NOW, DAY, sweep=sweep)

    assert (following.mode, following.began_at, following.cursor) == (
        "sweep",
        unfinished.began_at,
        Cursor(11, 900),
    )


def test_a_sweep_that_is_due_supersedes_unfinished_changes() -> None:
    following = next_job([changes(outcome="failed", cursor=Cursor(7, 300))], NOW, DAY)

    assert (following.mode, following.cursor, following.since) == ("sweep", None, None)


@pytest.mark.parametrize("last", [changes(), changes(outcome="stopped", cursor=Cursor(7, 300))])
def test_a_sweep_can_be_asked_for(last: Job) -> None:
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
def test_a_job_survives_its_item(before: Job) -> None:
    item = before.to_item()

    assert None not in item.values()
    assert Job.from_item({**item, "attribute_of_a_later_version": 1}) == before


def test_a_sweep_that_stopped_longer_ago_than_sweeps_lie_apart_is_gone_on_with() -> None:
    """A poll a day, fired a little late, would else begin at the first order for ever."""
    yesterday = at(-86_402).isoformat()
    stopped = job(mode="sweep", outcome="stopped", started_at=yesterday, cursor=Cursor(10, 40_000))

    assert next_job([stopped], NOW, DAY).cursor == Cursor(10, 40_000)


def test_a_sweep_that_succeeded_longer_ago_than_sweeps_lie_apart_is_due_again() -> None:
    long_ago = job(mode="sweep", started_at=at(-86_402).isoformat())

    assert next_job([changes(), long_ago], NOW, DAY).mode == "sweep"


def swept(seconds_ago: float, **overrides: object) -> Job:
    moment = at(-seconds_ago).isoformat()
    return job(**{"started_at": moment, "began_at": moment, "scope": "11 since then", **overrides})


def test_a_sweep_counts_what_the_last_one_that_had_its_time_should_have_brought() -> None:
    history = [swept(3600), swept(DAY.total_seconds()), swept(2 * DAY.total_seconds())]

    following = next_job(history, NOW, DAY, sweep=True, scope="11 since then")

    assert following.due == at(-DAY.total_seconds()).isoformat()


@pytest.mark.parametrize(
    "history",
    [
        [],
        [swept(3600)],
        [swept(DAY.total_seconds(), scope="11,7 since then")],
        [swept(DAY.total_seconds(), outcome="failed", cursor=None)],
        [swept(DAY.total_seconds(), mode="changes", since=None)],
    ],
    ids=["none", "orders still tried", "other orders were new", "failed", "no sweep"],
)
def test_without_such_a_sweep_nothing_is_counted(history: list[Job]) -> None:
    assert next_job(history, NOW, DAY, sweep=True, scope="11 since then").due is None


def test_a_sweep_that_is_gone_on_with_goes_on_counting() -> None:
    began = swept(60, outcome="stopped", due=at(-90_000).isoformat(), missing=3)

    following = next_job([began], NOW, DAY, scope="11 since then")

    assert (following.due, following.missing) == (began.due, 3)
    assert following.scope == began.scope
