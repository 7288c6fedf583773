"""The tables: what is written, and which concurrent writes prevent it."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from chalicelib.domain.jobs import Cursor
from chalicelib.domain.models import ReplicationRecord
from chalicelib.domain.rules import doubt_move, forget_move, record_move
from chalicelib.edges.aws import AwsError
from chalicelib.edges.dynamodb import ConcurrentWrite, JobsTable, OrdersTable, WebhooksTable
from tests.factories import (
    NOW,
    STORE_HASH,
    FakeClock,
    at,
    job,
    line,
    moved,
    order_fields,
    pending,
    record,
)
from tests.integration.conftest import Stage, requests_of

RETENTION = timedelta(days=90)


@pytest.fixture
def orders(stage: Stage, clock: FakeClock) -> OrdersTable:
    return OrdersTable(stage.dynamodb, stage.name("orders"), clock)


@pytest.fixture
def jobs(stage: Stage, clock: FakeClock) -> JobsTable:
    return JobsTable(stage.dynamodb, stage.name("jobs"), STORE_HASH, RETENTION, clock)


def stored(orders: OrdersTable, order_id: int = 118) -> ReplicationRecord | None:
    return orders.records([order_id]).get(order_id)


class TestPuttingAnOrder:
    def test_an_order_is_stored_whole(self, orders: OrdersTable) -> None:
        fields = order_fields(products=[line(weight=Decimal("0.10"))], empty={}, nothing=None)

        orders.put(fields, record(), None)

        assert orders.read(118) == (fields, record())

    def test_an_order_that_is_not_stored_is_none(self, orders: OrdersTable) -> None:
        assert orders.read(118) is None

    def test_a_first_put_fails_when_another_delivery_was_first(self, orders: OrdersTable) -> None:
        orders.put(order_fields(), record(), None)

        with pytest.raises(ConcurrentWrite, match="PutItem order 118"):
            orders.put(order_fields(staff_notes="late"), record(digest="d2"), None)

        assert orders.read(118) == (order_fields(), record())

    def test_a_put_replaces_the_record_that_was_read(self, orders: OrdersTable) -> None:
        seen = orders.put(order_fields(), record(), None)

        orders.put(order_fields(staff_notes="new"), record(digest="d2"), seen)

        assert orders.read(118) == (order_fields(staff_notes="new"), record(digest="d2"))

    def test_an_order_that_shrank_is_stored_uncompressed_again(self, orders: OrdersTable) -> None:
        many = order_fields(products=[line(id=n, note="x" * 700) for n in range(620)])
        seen = orders.put(many, record(), None)

        written = orders.put(order_fields(products=[line()]), record(digest="d2"), seen)

        assert written.encoding is None
        assert orders.read(118) == (order_fields(products=[line()]), record(digest="d2"))

    @pytest.mark.parametrize(
        "since",
        [
            record(version=record().version + 1),
            record(digest="d2"),
            pending(),
            pending(move_began_at=None),
            moved(),
        ],
    )
    def test_a_put_fails_after_another_delivery_wrote(
        self, orders: OrdersTable, since: ReplicationRecord
    ) -> None:
        seen = orders.put(order_fields(), record(), None)
        orders.put(order_fields(staff_notes="theirs"), since, seen)

        with pytest.raises(ConcurrentWrite):
            orders.put(order_fields(staff_notes="ours"), record(digest="d3"), seen)

        assert orders.read(118) == (order_fields(staff_notes="theirs"), since)

    def test_a_put_over_a_deleted_item_fails(self, stage: Stage, orders: OrdersTable) -> None:
        seen = orders.put(order_fields(), record(), None)
        stage.dynamodb.delete_item(TableName=stage.name("orders"), Key={"id": {"N": "118"}})

        with pytest.raises(ConcurrentWrite):
            orders.put(order_fields(), record(digest="d2"), seen)

    def test_other_errors_of_aws_are_not_concurrent_writes(
        self, stage: Stage, clock: FakeClock
    ) -> None:
        missing = OrdersTable(stage.dynamodb, "no-such-table", clock)

        with pytest.raises(AwsError, match="PutItem order 118 -> ResourceNotFoundException"):
            missing.put(order_fields(), record(), None)


class TestRecordingAMove:
    def test_recording_a_move_leaves_the_order_unchanged(
        self, stage: Stage, orders: OrdersTable
    ) -> None:
        orders.put(order_fields(), pending(), None)
        stage.dynamodb.update_item(
            TableName=stage.name("orders"),
            Key={"id": {"N": "118"}},
            UpdateExpression="SET note = :n, #r.checked = :n",
            ExpressionAttributeNames={"#r": "replication"},
            ExpressionAttributeValues={":n": {"S": "the merchant's own"}},
        )

        orders.record_move(118, record_move(pending(), 11, 9, NOW), pending())

        (item,) = stage.items("orders")
        assert item["note"] == item["replication"]["checked"] == "the merchant's own"
        assert orders.read(118) == (
            {**order_fields(), "note": "the merchant's own"},
            moved(moved_at=NOW.isoformat()),
        )

    @pytest.mark.parametrize("end", [forget_move, doubt_move])
    def test_the_end_of_a_move_is_recorded(self, orders: OrdersTable, end: Any) -> None:
        orders.put(order_fields(), pending(), None)

        orders.record_move(118, end(pending()), pending())

        assert stored(orders) == end(pending())

    def test_recording_a_move_changes_no_other_field(self, orders: OrdersTable) -> None:
        orders.put(order_fields(), record(), None)

        orders.record_move(118, replace(pending(), digest="d9", version=1), record())

        assert stored(orders) == pending()

    @pytest.mark.parametrize(
        "since",
        [record(digest="d2"), moved(), record(), pending(move_began_at=at(-1).isoformat())],
    )
    def test_a_move_is_not_recorded_after_another_delivery_wrote(
        self, orders: OrdersTable, since: ReplicationRecord
    ) -> None:
        orders.put(order_fields(), since, None)

        with pytest.raises(ConcurrentWrite, match="UpdateItem order 118"):
            orders.record_move(118, forget_move(pending()), pending())

        assert stored(orders) == since

    def test_an_unknown_outcome_is_not_resolved_after_another_delivery_resolved_it(
        self, orders: OrdersTable
    ) -> None:
        unconfirmed = pending(move_began_at=None)
        orders.put(order_fields(), moved(), None)

        with pytest.raises(ConcurrentWrite):
            orders.record_move(118, forget_move(unconfirmed), unconfirmed)

        assert stored(orders) == moved()

    def test_a_move_of_an_order_that_is_not_stored_is_not_recorded(
        self, stage: Stage, orders: OrdersTable
    ) -> None:
        with pytest.raises(ConcurrentWrite):
            orders.record_move(118, moved(), pending())

        assert stage.items("orders") == []


class TestReadingRecords:
    def test_records_of_any_number_of_orders_are_read(
        self, stage: Stage, orders: OrdersTable
    ) -> None:
        for order_id in range(1, 231):
            orders.put(order_fields(order_id), record(digest=f"d{order_id}"), None)
        calls = requests_of(stage.dynamodb, "BatchGetItem")

        found = orders.records(range(1, 251))

        assert found == {n: record(digest=f"d{n}") for n in range(1, 231)}
        assert [len(call["RequestItems"][orders.name]["Keys"]) for call in calls] == [100, 100, 50]

    def test_no_orders_cause_no_call(self, stage: Stage, orders: OrdersTable) -> None:
        calls = requests_of(stage.dynamodb, "BatchGetItem")

        assert orders.records([]) == {}
        assert calls == []

    @pytest.mark.parametrize("consistent", [True, False])
    def test_only_the_record_is_read_with_the_requested_consistency(
        self, stage: Stage, orders: OrdersTable, consistent: bool
    ) -> None:
        calls = requests_of(stage.dynamodb, "BatchGetItem")

        orders.records([118], consistent=consistent)

        (call,) = calls
        request = call["RequestItems"][orders.name]
        assert request["ConsistentRead"] is consistent
        assert request["ProjectionExpression"] == "id, #r"

    def test_unprocessed_keys_are_read_again_after_a_wait(self, clock: FakeClock) -> None:
        client = boto3.client("dynamodb")
        table = OrdersTable(client, "orders", clock)
        left = {"orders": {"Keys": [{"id": {"N": "119"}}], "ConsistentRead": True}}

        def item(order_id: int) -> dict[str, Any]:
            return {
                "id": {"N": str(order_id)},
                "replication": {
                    "M": {
                        "source": {"S": "poll"},
                        "version": {"N": "1"},
                        "digest": {"S": "d"},
                        "replicated_at": {"S": "t"},
                    }
                },
            }

        with Stubber(client) as dynamodb:
            dynamodb.add_response(
                "batch_get_item", {"Responses": {"orders": [item(118)]}, "UnprocessedKeys": left}
            )
            dynamodb.add_response(
                "batch_get_item",
                {"Responses": {}, "UnprocessedKeys": left},
                {"RequestItems": left},
            )
            dynamodb.add_response(
                "batch_get_item", {"Responses": {"orders": [item(119)]}, "UnprocessedKeys": {}}
            )

            assert set(table.records([118, 119])) == {118, 119}

        assert clock.sleeps == [0.1, 0.2]

    def test_an_item_without_a_record_does_not_hide_the_others(
        self, stage: Stage, orders: OrdersTable
    ) -> None:
        orders.put(order_fields(118), record(), None)
        stage.dynamodb.put_item(TableName=stage.name("orders"), Item={"id": {"N": "119"}})

        assert orders.records([118, 119])[118] == record()


class TestTheLease:
    def test_only_one_poll_holds_it(self, jobs: JobsTable) -> None:
        with jobs.lease("first", 960) as first, jobs.lease("second", 960) as second:
            assert (first, second) == (True, False)

        with jobs.lease("third", 960) as third:
            assert third, "the first has released it"

    def test_a_retried_request_finds_its_own_lease(self, jobs: JobsTable) -> None:
        with jobs.lease("first", 960), jobs.lease("first", 960) as again:
            assert again

    def test_it_is_released_when_the_poll_fails(self, jobs: JobsTable) -> None:
        with pytest.raises(ZeroDivisionError), jobs.lease("first", 960):
            raise ZeroDivisionError

        with jobs.lease("second", 960) as second:
            assert second

    def test_it_is_not_released_by_a_poll_that_did_not_get_it(self, jobs: JobsTable) -> None:
        with jobs.lease("first", 960):
            with jobs.lease("second", 960) as second:
                assert not second
            with jobs.lease("third", 960) as third:
                assert not third

    def test_it_is_taken_over_once_it_has_expired(self, jobs: JobsTable, clock: FakeClock) -> None:
        with jobs.lease("first", 960):
            clock.advance(960)
            with jobs.lease("second", 960) as second:
                assert not second, "it is held to the last second"
            clock.advance(1)
            with jobs.lease("third", 960) as third:
                assert third

    def test_a_poll_whose_lease_expired_does_not_release_that_of_another(
        self, jobs: JobsTable, clock: FakeClock
    ) -> None:
        first, second = jobs.lease("first", 960), jobs.lease("second", 960)
        first.__enter__()
        clock.advance(961)
        assert second.__enter__()

        first.__exit__(None, None, None)

        with jobs.lease("third", 960) as third:
            assert not third

    def test_each_store_has_its_own(self, stage: Stage, jobs: JobsTable, clock: FakeClock) -> None:
        other = JobsTable(stage.dynamodb, stage.name("jobs"), "other", RETENTION, clock)

        with jobs.lease("first", 960) as ours, other.lease("first", 960) as theirs:
            assert (ours, theirs) == (True, True)

    def test_a_table_that_cannot_be_written_is_an_error(
        self, stage: Stage, clock: FakeClock
    ) -> None:
        missing = JobsTable(stage.dynamodb, "no-such-table", STORE_HASH, RETENTION, clock)

        with (
            pytest.raises(AwsError, match="PutItem lease -> ResourceNotFoundException"),
            missing.lease("first", 960),
        ):
            pytest.fail("went ahead")


class TestJobs:
    def test_jobs_are_listed_newest_first_without_the_lease(self, jobs: JobsTable) -> None:
        written = [job(started_at=at(-seconds).isoformat()) for seconds in (7200, 3600, 60)]
        for one in (written[1], written[2], written[0]):
            jobs.write(one)

        with jobs.lease("poll", 960):
            assert jobs.history(at(-7200)) == written[::-1]

    def test_earlier_jobs_and_those_of_other_stores_are_left_out(
        self, stage: Stage, jobs: JobsTable, clock: FakeClock
    ) -> None:
        other = JobsTable(stage.dynamodb, stage.name("jobs"), "other", RETENTION, clock)
        jobs.write(job(started_at=at(-7201).isoformat()))
        other.write(job(started_at=at(-60).isoformat()))

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


def test_a_callback_is_recorded_without_empty_fields(stage: Stage, clock: FakeClock) -> None:
    webhooks = WebhooksTable(stage.dynamodb, stage.name("webhooks"), RETENTION, clock)

    webhooks.write(252, {"scope": "store/cart/converted", "hash": None, "created_at": 1561486893})

    assert stage.items("webhooks") == [
        {
            "order_id": 252,
            "received_at": NOW.isoformat(),
            "expires_at": int((NOW + RETENTION).timestamp()),
            "scope": "store/cart/converted",
            "created_at": 1561486893,
        }
    ]
