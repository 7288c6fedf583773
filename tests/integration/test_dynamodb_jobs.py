"""The table of jobs: the lease, the polls, failing orders and the pause."""

from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.jobs import Cursor
from chalicelib.edges.aws import AwsError
from chalicelib.edges.dynamodb_jobs import JobsTable
from chalicelib.switches import Switches
from tests.factories import NOW, STORE_HASH, FakeClock, at, failing, job
from tests.integration.conftest import Stage, requests_of

RETENTION = timedelta(days=90)


@pytest.fixture
def jobs(stage: Stage, clock: FakeClock) -> JobsTable:
    return JobsTable(stage.dynamodb, stage.name("jobs"), STORE_HASH, RETENTION, clock)


def pause(jobs: JobsTable, reason: str | None) -> None:
    item = {"store_hash": {"S": jobs.store_hash}, "started_at": {"S": "pause"}}
    if reason is not None:
        item["reason"] = {"S": reason}
    jobs.client.put_item(TableName=jobs.name, Item=item)


def lease(jobs: JobsTable, holder: str, seconds: int = 960) -> AbstractContextManager[bool]:
    return jobs.lease(holder, jobs.clock.time() + seconds)


class TestTheLease:
    def test_only_one_poll_holds_it(self, jobs: JobsTable) -> None:
        with lease(jobs, "first") as first, lease(jobs, "second") as second:
            assert (first, second) == (True, False)

        with lease(jobs, "third") as third:
            assert third, "the first has released it"

    def test_a_retried_request_finds_its_own_lease(self, jobs: JobsTable) -> None:
        with lease(jobs, "first"), lease(jobs, "first") as again:
            assert again

    def test_it_is_released_when_the_poll_fails(self, jobs: JobsTable) -> None:
        with pytest.raises(ZeroDivisionError), lease(jobs, "first"):
            raise ZeroDivisionError

        with lease(jobs, "second") as second:
            assert second

    def test_it_is_not_released_by_a_poll_that_did_not_get_it(self, jobs: JobsTable) -> None:
        with lease(jobs, "first"):
            with lease(jobs, "second") as second:
                assert not second
            with lease(jobs, "third") as third:
                assert not third

    def test_it_is_taken_over_once_it_has_expired(self, jobs: JobsTable, clock: FakeClock) -> None:
        with lease(jobs, "first"):
            clock.advance(960)
            with lease(jobs, "second") as second:
                assert not second, "it is held to the last second"
            clock.advance(1)
            with lease(jobs, "third") as third:
                assert third

    def test_a_poll_whose_lease_expired_does_not_release_that_of_another(
        self, jobs: JobsTable, clock: FakeClock
    ) -> None:
        first = lease(jobs, "first")
        first.__enter__()
        clock.advance(961)
        second = lease(jobs, "second")
        assert second.__enter__()

        first.__exit__(None, None, None)

        with lease(jobs, "third") as third:
            assert not third

    def test_each_store_has_its_own(self, stage: Stage, jobs: JobsTable, clock: FakeClock) -> None:
        other = JobsTable(stage.dynamodb, stage.name("jobs"), "other", RETENTION, clock)

        with lease(jobs, "first") as ours, lease(other, "first") as theirs:
            assert (ours, theirs) == (True, True)

    def test_a_table_that_cannot_be_written_is_an_error(
        self, stage: Stage, clock: FakeClock
    ) -> None:
        missing = JobsTable(stage.dynamodb, "no-such-table", STORE_HASH, RETENTION, clock)

        with (
            pytest.raises(AwsError, match="PutItem lease -> ResourceNotFoundException"),
            lease(missing, "first"),
        ):
            pytest.fail("went ahead")


class TestJobs:
    def test_the_history_holds_only_polls(self, jobs: JobsTable) -> None:
        """The other items of a store sort after every date."""
        jobs.write(job())
        jobs.write_failing(failing(118))
        pause(jobs, "a sale")

        with lease(jobs, "poll"):
            assert jobs.history(at(-90_000)) == [job()]

    def test_jobs_are_listed_newest_first_without_the_lease(self, jobs: JobsTable) -> None:
        written = [job(started_at=at(-seconds)) for seconds in (7200, 3600, 60)]
        for one in (written[1], written[2], written[0]):
            jobs.write(one)

        with lease(jobs, "poll"):
            assert jobs.history(at(-7200)) == written[::-1]

    def test_earlier_jobs_and_those_of_other_stores_are_left_out(
        self, stage: Stage, jobs: JobsTable, clock: FakeClock
    ) -> None:
        other = JobsTable(stage.dynamodb, stage.name("jobs"), "other", RETENTION, clock)
        jobs.write(job(started_at=at(-7201)))
        other.write(job(started_at=at(-60)))

        assert jobs.history(at(-7200)) == []

    def test_writing_a_job_again_replaces_it(self, jobs: JobsTable) -> None:
        running = job(outcome="running", counts={"11": 3}, cursor=Cursor(11, 500))
        jobs.write(running)
        jobs.write(replace(running, outcome="succeeded", cursor=None))

        assert jobs.history(at(-9000)) == [replace(running, outcome="succeeded", cursor=None)]

    def test_a_job_expires_after_the_retention_period(self, stage: Stage, jobs: JobsTable) -> None:
        jobs.write(job())

        (item,) = stage.items("jobs")
        assert item["expires_at"] == int((NOW + RETENTION).timestamp())

    def test_orders_that_could_not_be_listed_are_kept(self, jobs: JobsTable) -> None:
        jobs.write(job(unserved=(118, 120), missing=2, stale=1, backlog=5))

        (kept,) = jobs.history(at(-9000))

        assert (kept.unserved, kept.missing, kept.stale, kept.backlog) == ((118, 120), 2, 1, 5)


class TestFailingOrders:
    def test_a_failing_order_is_read_by_its_id(self, jobs: JobsTable) -> None:
        for order_id in (118, 119):
            jobs.write_failing(failing(order_id))

        assert jobs.failing([118, 120]) == {118: failing(118)}

    def test_no_ids_cause_no_call(self, stage: Stage, jobs: JobsTable) -> None:
        calls = requests_of(stage.dynamodb, "BatchGetItem")

        assert jobs.failing([]) == {}
        assert calls == []

    def test_every_failing_order_of_the_store_is_listed(
        self, stage: Stage, jobs: JobsTable, clock: FakeClock
    ) -> None:
        other = JobsTable(stage.dynamodb, stage.name("jobs"), "other", RETENTION, clock)
        other.write_failing(failing(120))
        jobs.write(job())
        for order_id in (118, 9, 2**63 - 1):
            jobs.write_failing(failing(order_id))

        assert {order.order_id for order in jobs.all_failing()} == {9, 118, 2**63 - 1}

    def test_an_order_that_fails_again_replaces_its_item(self, jobs: JobsTable) -> None:
        jobs.write_failing(failing(118))
        again = failing(118, receives=20, dead_at=NOW)
        jobs.write_failing(again)

        assert list(jobs.all_failing()) == [again]

    def test_an_order_that_succeeds_is_removed(self, jobs: JobsTable) -> None:
        for order_id in (118, 119):
            jobs.write_failing(failing(order_id))

        jobs.remove_failing(118)
        jobs.remove_failing(118)

        assert list(jobs.all_failing()) == [failing(119)]

    def test_a_failing_order_expires_after_the_retention_period(
        self, stage: Stage, jobs: JobsTable
    ) -> None:
        jobs.write_failing(failing(118))

        (item,) = stage.items("jobs")
        assert item["started_at"] == "failing#118"
        assert item["expires_at"] == int((NOW + RETENTION).timestamp())


class TestThePause:
    def test_moves_are_not_paused_by_default(self, jobs: JobsTable) -> None:
        assert jobs.pause() is None

    @pytest.mark.parametrize(("reason", "expected"), [("a sale", "a sale"), (None, "")])
    def test_a_pause_has_a_reason_or_none(
        self, jobs: JobsTable, reason: str | None, expected: str
    ) -> None:
        pause(jobs, reason)

        assert jobs.pause() == expected

    def test_each_store_has_its_own(self, stage: Stage, jobs: JobsTable, clock: FakeClock) -> None:
        other = JobsTable(stage.dynamodb, stage.name("jobs"), "other", RETENTION, clock)

        pause(other, "a sale")

        assert jobs.pause() is None

    def test_a_table_that_cannot_be_read_is_an_error(self, stage: Stage, clock: FakeClock) -> None:
        missing = JobsTable(stage.dynamodb, "no-such-table", STORE_HASH, RETENTION, clock)

        with pytest.raises(AwsError, match="GetItem pause -> ResourceNotFoundException"):
            missing.pause()


class TestSwitches:
    def test_nothing_is_switched_off_by_default(self, jobs: JobsTable) -> None:
        assert jobs.switched_off() == frozenset()

    def test_a_pause_and_a_difference_switch_something_off(self, jobs: JobsTable) -> None:
        pause(jobs, "a sale")
        assert jobs.switched_off() == {"pause"}

        jobs.switch_embedded_reads_off(118, ["products.weight"])

        assert jobs.switched_off() == {"pause", "embedded_off"}

    def test_a_difference_names_the_order_its_fields_and_the_time(
        self, stage: Stage, jobs: JobsTable
    ) -> None:
        jobs.switch_embedded_reads_off(118, ["coupons", "products.weight"])

        (item,) = stage.items("jobs")
        assert (item["order_id"], item["fields"]) == (118, ["coupons", "products.weight"])
        assert item["since"] == NOW.isoformat()
        assert "expires_at" not in item

    def test_keys_that_were_not_read_are_an_error(
        self, jobs: JobsTable, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Moves that are paused must not be taken for moves that are not."""
        answer: Any = {"Responses": {}, "UnprocessedKeys": {jobs.name: {"Keys": [{}]}}}
        monkeypatch.setattr(jobs.client, "batch_get_item", lambda **_: answer)

        with pytest.raises(AwsError, match="BatchGetItem switches -> UnprocessedKeys"):
            jobs.switched_off()

    def test_switches_are_read_again_after_20_seconds(
        self, jobs: JobsTable, clock: FakeClock
    ) -> None:
        switches = Switches(jobs, clock)
        assert not switches.are_moves_paused()
        pause(jobs, "a sale")

        clock.advance(20)
        assert not switches.are_moves_paused()
        clock.advance(0.1)
        assert switches.are_moves_paused()
        assert not switches.are_embedded_reads_off()
