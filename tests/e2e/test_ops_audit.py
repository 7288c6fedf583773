"""`audit`: compares every order of the store with the table."""

import json
from datetime import timedelta

import pytest

from sandbox.store import Store
from sandbox.store.clock import SimulatedClock
from sandbox.store.faults import Fault
from sandbox.store.statuses import Status
from tests.e2e.conftest import Ops
from tests.e2e.journeys import moves, replicated, unmoved

LONG_AGO = "2021-01-01"


def remove(world, order_id: int) -> None:
    """Delete an item, which the service itself never does."""
    world.stack.dynamodb.delete_item(
        TableName=world.stack.name("orders"), Key={"id": {"N": str(order_id)}}
    )


@pytest.fixture
def orders(world, store) -> list[int]:
    """Six replicated orders, and later polls that queued none of them."""
    ids: list[int] = store.place_orders(6, statuses=[Status.AWAITING_FULFILLMENT])
    at_rest(world)
    return ids


def at_rest(world) -> None:
    """Poll until nothing is queued, and no order has changed since the last poll."""
    for _ in range(3):
        world.poll()
        world.settle()


def lost(world, store, order_id: int) -> None:
    """Make an order missing: in no queue, and unchanged since the last poll."""
    remove(world, order_id)
    world.clock.advance(600)


def test_a_complete_table_has_no_missing_orders(ops, world, store, orders):
    store.place_order(status=Status.CANCELLED, via="api")
    store.place_order(status=Status.INCOMPLETE, via="api")
    at_rest(world)

    found = ops.json("audit")

    assert found["orders"] == 8
    assert found["totals"] == {"replicated": 7, "out of scope": 1}
    assert found["faults_at_least"] == 0


@pytest.mark.parametrize("status", [Status.AWAITING_FULFILLMENT, Status.SHIPPED, Status.REFUNDED])
def test_a_lost_order_is_missing_whatever_its_status_and_the_exit_code_is_1(
    ops, world, store, orders, status
):
    store.set_status(orders[2], status)
    at_rest(world)
    lost(world, store, orders[2])

    found = ops.json("audit", code=1)

    assert found["ids"] == {"missing": [orders[2]]}
    assert found["faults_at_least"] == 1


def test_fix_queues_missing_orders(ops, world, store, orders):
    world.configure(MOVE_STATUS="false")
    late = store.place_order(via="api")
    at_rest(world)
    world.configure(MOVE_STATUS="true")
    lost(world, store, late)
    lost(world, store, orders[0])

    assert ops.json("audit", "--fix", code=1)["queued"] == 2
    assert [json.loads(body)["order_id"] for body in world.messages("orders")] == [late]
    assert [json.loads(body)["order_id"] for body in world.messages("changes")] == [orders[0]]
    world.settle()

    assert replicated(world, late)
    assert world.item(orders[0])
    assert ops.json("audit", "--wait", "0")["faults_at_least"] == 0


def test_an_order_in_a_queue_is_not_missing(ops, world, store, orders):
    order_id = store.place_order(via="api")
    world.poll()
    world.clock.advance(48 * 3600)

    found = ops.json("audit")

    assert found["ids"] == {"in flight": [order_id]}
    assert found["faults_at_least"] == 0


def test_an_order_that_is_retried_later_is_not_missing(ops, world, store, orders):
    order_id = store.place_order(via="api")
    store.faults.add(Fault(route=f"GET /orders/{order_id}/*", kind="cut", times=None))
    world.poll()
    world.drain()

    assert ops.json("audit")["ids"] == {"in flight": [order_id]}


def test_an_order_that_was_not_polled_yet_is_not_missing(ops, store, orders):
    order_id = store.place_order(via="api")

    assert ops.json("audit")["ids"] == {"in flight": [order_id]}


def test_more_orders_than_messages_cannot_all_be_in_flight(ops, world, store, orders):
    for order_id in orders[:2]:
        lost(world, store, order_id)
    world.stack.sqs.send_message(QueueUrl=world.stack.queue_url, MessageBody="one message")

    found = ops.json("audit", code=1)

    assert found["faults_at_least"] == 1


def test_an_item_that_is_older_than_the_order_is_stale(ops, world, store, orders):
    before = whole_item(world, orders[0])
    store.edit(orders[0], staff_notes="call first")
    at_rest(world)
    world.stack.dynamodb.put_item(TableName=world.stack.name("orders"), Item=before)
    world.clock.advance(48 * 3600)

    found = ops.json("audit", "--fix", code=1)

    assert found["ids"] == {"stale": [orders[0]]}
    world.settle()
    assert world.order(orders[0])["staff_notes"] == "call first"
    assert len(moves(store, orders[0])) == 1


def test_an_order_that_is_stored_and_not_moved_is_unmoved(ops, world, store):
    world.configure(MOVE_STATUS="false")
    order_id = store.place_order(via="api")
    at_rest(world)
    world.configure(MOVE_STATUS="true")
    world.clock.advance(48 * 3600)

    found = ops.json("audit", "--fix", code=1)

    assert found["ids"] == {"unmoved": [order_id]}
    world.settle()
    assert replicated(world, order_id)


def test_an_unmoved_order_is_no_fault_while_moves_are_paused(ops, world, store):
    ops("pause", "--reason", "a test")
    order_id = store.place_order(via="api")
    at_rest(world)

    assert ops.json("audit")["totals"] == {"replicated": 1}
    assert unmoved(world, order_id)


def test_an_order_that_was_archived_without_a_callback_is_found(ops, world, store, orders):
    store.callbacks.hooks.clear()
    store.archive(orders[0])
    at_rest(world)
    assert not world.item(orders[0])["is_deleted"]

    found = ops.json("audit", "--fix", code=1)

    assert found["ids"] == {"archived": [orders[0]]}
    world.settle()
    assert world.item(orders[0])["replication"]["archived_at"]
    assert ops.json("audit")["totals"] == {"replicated": 5}


def test_a_list_that_is_too_short_is_incomplete_and_no_fault(ops, world, store, orders):
    store.edit(orders[0], items_total=99)
    at_rest(world)

    found = ops.json("audit")

    assert found["ids"] == {"incomplete": [orders[0]]}


def test_one_order_that_cannot_be_read_does_not_end_an_audit(ops, world, store, orders):
    for order_id in orders[:2]:
        lost(world, store, order_id)
    store.faults.add(Fault(route="*", kind="unservable", order_id=orders[0], times=None))

    found = ops.json("audit", code=1)

    assert found["ids"] == {"missing": [orders[1]], "unreadable": [orders[0]]}
    assert found["totals"]["replicated"] == 4


def test_a_store_that_is_down_ends_an_audit(ops, world, store, orders):
    store.faults.add(Fault(route="*", kind="status", status=503, times=None))

    assert "503" in ops("audit").stderr


def test_a_completed_order_whose_lines_are_physical_is_not_unmoved(ops, world, store, orders):
    store.place_order(
        status=Status.COMPLETED, kind="physical", addresses=0, shipping_address_count=0, via="api"
    )
    at_rest(world)

    assert ops.json("audit")["totals"] == {"replicated": 7}


def test_a_forgotten_order_is_not_missing(ops, world, store, orders):
    ops("forget", "--order", str(orders[0]))

    assert ops.json("audit")["totals"] == {"replicated": 5, "forgotten": 1}


def test_orders_of_another_channel_are_out_of_scope(ops, world, store, orders):
    world.configure(CHANNEL_IDS="7")
    store.place_order(via="api", channel_id=1)
    at_rest(world)

    assert ops.json("audit")["totals"] == {"replicated": 6, "out of scope": 1}


def whole_item(world, order_id: int):
    return world.stack.dynamodb.get_item(
        TableName=world.stack.name("orders"), Key={"id": {"N": str(order_id)}}
    )["Item"]


def test_only_orders_in_the_range_are_compared(ops, world, store, orders):
    day = world.clock.now() - timedelta(days=100)
    store.place_order(status=Status.INCOMPLETE, via="api", created=day)

    found = ops.json("audit", "--since", LONG_AGO, "--until", (day + timedelta(1)).isoformat())

    assert found["orders"] == 1
    assert found["by_day_and_status"][0]["day"] == day.date().isoformat()


def test_every_page_is_read(ops, world, store):
    store.place_orders(600, statuses=[Status.INCOMPLETE])

    assert ops.json("audit")["totals"] == {"out of scope": 600}


def test_the_stores_rate_limit_is_respected(ops, new_world):
    clock = SimulatedClock()
    world = new_world(clock=clock, store=Store(clock=clock, quota=20))
    world.store.place_orders(8000, statuses=[Status.INCOMPLETE])

    found = Ops(world).json("audit")

    assert found["totals"] == {"out of scope": 8000}
    assert world.store.answers[429] == 0
    assert len(world.store.windows) >= 1


def test_the_report_is_written_as_json_and_as_markdown(ops, world, store, orders, tmp_path):
    lost(world, store, orders[1])

    ops("audit", "--report", str(tmp_path / "november"))

    report = json.loads((tmp_path / "november.json").read_text())
    page = (tmp_path / "november.md").read_text()
    assert report["ids"] == {"missing": [orders[1]]}
    assert "## Missing" in page
    assert "9 Awaiting Shipment" in page


def test_an_invalid_date_is_rejected(ops):
    assert ops("audit", "--since", "yesterday").exit_code == 2


def test_a_range_that_ends_before_it_begins_is_rejected(ops):
    assert ops("audit", "--since", "2026-02-01", "--until", "2026-01-01").exit_code == 2
