"""The tables of orders and callbacks: what is written, and which concurrent writes prevent it."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from chalicelib.domain.records import ReplicationRecord
from chalicelib.edges.aws import AwsError
from chalicelib.edges.dynamodb import ConcurrentWrite, OrdersTable, WebhooksTable
from tests.factories import (
    NOW,
    FakeClock,
    at,
    events,
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


def known(orders: OrdersTable) -> ReplicationRecord | None:
    """The record of order 118."""
    return orders.records([118]).get(118)


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
            record(sequence=None),
            record().changed(NOW),
            pending(),
            pending(move_began_at=None),
            moved(status_id=11),
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


class TestUpdatingARecord:
    def test_only_what_changed_is_written(self, stage: Stage, orders: OrdersTable) -> None:
        orders.put(order_fields(), pending(), None)
        stage.dynamodb.update_item(
            TableName=stage.name("orders"),
            Key={"id": {"N": "118"}},
            UpdateExpression="SET note = :n, #r.checked = :n",
            ExpressionAttributeNames={"#r": "replication"},
            ExpressionAttributeValues={":n": {"S": "the merchant's own"}},
        )
        calls = requests_of(stage.dynamodb, "UpdateItem")

        orders.update(118, pending().record_move(11, 9, NOW), pending())

        (item,) = stage.items("orders")
        assert item["note"] == item["replication"]["checked"] == "the merchant's own"
        assert orders.read(118) == (
            {**order_fields(), "note": "the merchant's own"},
            moved(moved_at=NOW, status_id=11),
        )
        assert calls[0]["UpdateExpression"] == (
            "SET #r.#moved_at = :new_moved_at REMOVE #r.#move_began_at"
        )

    @pytest.mark.parametrize(
        "after",
        [
            pending().forget_move(),
            pending().doubt_move(NOW),
            pending(move_began_at=NOW),
            pending(read_at=NOW),
            pending(archived_at=NOW).changed(NOW),
            pending(incomplete=("products",), believed=True),
        ],
        ids=["without effect", "in doubt", "named anew", "read again", "archived", "incomplete"],
    )
    def test_every_change_of_a_record_is_stored(
        self, orders: OrdersTable, after: ReplicationRecord
    ) -> None:
        orders.put(order_fields(), pending(), None)

        orders.update(118, after, pending())

        assert known(orders) == after

    def test_fields_of_the_order_are_written_with_the_record(self, orders: OrdersTable) -> None:
        orders.put(order_fields(), pending(), None)
        after = moved(version=1, digest="d2", moved_at=NOW)
        changed = {"status_id": 9, "status": "Awaiting Shipment", "custom_status": None}

        orders.update(118, after, pending(), changed)

        assert orders.read(118) == ({**order_fields(), **changed}, after)
        assert known(orders) == after

    def test_a_record_that_is_unchanged_is_only_checked(self, orders: OrdersTable) -> None:
        orders.put(order_fields(), pending(), None)

        orders.update(118, pending(), pending())

        assert known(orders) == pending()
        with pytest.raises(ConcurrentWrite):
            orders.update(118, record(), record())

    @pytest.mark.parametrize(
        "since",
        [
            record(digest="d2"),
            record(version=1),
            moved(status_id=11),
            record(),
            pending(move_began_at=at(-1)),
            pending().changed(NOW),
            pending(sequence=None),
        ],
        ids=["content", "version", "moved", "forgotten", "named anew", "sequence", "no sequence"],
    )
    def test_a_record_is_not_updated_after_another_delivery_wrote(
        self, orders: OrdersTable, since: ReplicationRecord
    ) -> None:
        orders.put(order_fields(), since, None)

        with pytest.raises(ConcurrentWrite, match="UpdateItem order 118"):
            orders.update(118, pending().forget_move(), pending(), {"staff_notes": "ours"})

        assert orders.read(118) == (order_fields(), since)

    @pytest.mark.parametrize("write", ["update", "put"])
    def test_a_read_that_confirms_an_item_does_not_prevent_a_write(
        self, orders: OrdersTable, write: str
    ) -> None:
        """Two deliveries read the same item: one only confirms it."""
        seen = orders.put(order_fields(), record(), None)
        orders.update(118, replace(seen, read_at=NOW), seen)

        after = pending(read_at=at(-1)).changed(NOW)
        if write == "put":
            orders.put(order_fields(), after, seen)
        else:
            orders.update(118, after, seen)

        assert known(orders) == after

    def test_a_confirmation_is_refused_after_a_change(self, orders: OrdersTable) -> None:
        seen = orders.put(order_fields(), record(), None)
        orders.put(order_fields(staff_notes="new"), record(digest="d2").changed(NOW), seen)

        with pytest.raises(ConcurrentWrite):
            orders.update(118, replace(seen, read_at=NOW), seen)

    def test_the_record_of_an_order_that_is_not_stored_is_not_updated(
        self, stage: Stage, orders: OrdersTable
    ) -> None:
        with pytest.raises(ConcurrentWrite):
            orders.update(118, moved(), pending())

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
        assert request["ProjectionExpression"] == "id, #r, status_id"

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
                        "replicated_at": {"S": "2025-06-02T12:00:00+00:00"},
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

    def test_the_status_of_the_order_is_part_of_the_record(self, orders: OrdersTable) -> None:
        orders.put(order_fields(status_id=9), moved(), None)

        assert known(orders) == moved(status_id=9)

    @pytest.mark.parametrize("attributes", [{}, {"replication": {"S": "of another program"}}])
    def test_an_item_without_a_record_does_not_hide_the_others(
        self,
        stage: Stage,
        orders: OrdersTable,
        caplog: pytest.LogCaptureFixture,
        attributes: Any,
    ) -> None:
        orders.put(order_fields(118), record(), None)
        stage.dynamodb.put_item(
            TableName=stage.name("orders"), Item={"id": {"N": "119"}, **attributes}
        )

        assert orders.records([118, 119]) == {118: record()}
        assert "item_invalid" in events(caplog)

    def test_an_item_of_version_1_0_is_read_and_updated(
        self, stage: Stage, orders: OrdersTable
    ) -> None:
        old = ReplicationRecord("webhook", 1748865300, "d1", at(-200), status_id=11)
        orders.put(order_fields(), old, None)

        orders.update(118, replace(old, read_at=NOW).changed(NOW), old)

        assert known(orders) == replace(old, read_at=NOW).changed(NOW)


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
