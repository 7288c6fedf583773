"""`audit`: compares every order of the store with the table."""

import json
from datetime import timedelta

import pytest

from sandbox.store import Store
from sandbox.store.clock import SimulatedClock
from sandbox.store.faults import Fault
from sandbox.store.statuses import Status
from tests.e2e.conftest import Ops
from tests.e2e.journeys import replicated

LONG_AGO = "2021-01-01"


def remove(world, order_id: int) -> None:
    """Delete an item, which the service itself never does."""
    world.stack.dynamodb.delete_item(
        TableName=world.stack.name("orders"), Key={"id": {"N": str(order_id)}}
    )


@pytest.fixture
def orders(world, store) -> list[int]:
    """Six replicated orders, and a later poll that queued none of them."""
    ids: list[int] = store.place_orders(6, statuses=[Status.AWAITING_FULFILLMENT])
    world.poll()
    world.drain()
    world.poll()
    return ids


def lost(world, store, order_id: int) -> None:
    """Make an order missing: new before the last polls, not in the table, not in the queue."""
    store.set_status(order_id, Status.AWAITING_FULFILLMENT)
    remove(world, order_id)
    world.poll()
    world.poll()
    empty_queue(world)


def empty_queue(world) -> None:
    world.stack.sqs.purge_queue(QueueUrl=world.stack.queue_url)


def test_a_complete_table_has_no_missing_orders(ops, store, orders):
    store.place_order(status=Status.CANCELLED, via="api")

    found = ops.json("audit")

    assert found["orders"] == 7
    assert found["totals"] == {"replicated": 6, "not new": 1}
    assert found["missing_at_least"] == 0


def test_a_lost_order_is_missing_and_the_exit_code_is_1(ops, world, store, orders):
    lost(world, store, orders[2])

    found = ops.json("audit", code=1)

    assert found["ids"] == {"missing": [orders[2]]}
    assert found["missing_at_least"] == 1


def test_fix_queues_missing_orders(ops, world, store, orders):
    late = store.place_order(via="api")
    lost(world, store, late)

    assert ops.json("audit", "--fix", code=1)["queued"] == 1
    world.drain()

    assert replicated(world, late)
    assert ops.json("audit")["totals"] == {"replicated": 7}


def test_an_order_in_the_queue_is_not_missing(ops, world, store, orders):
    order_id = store.place_order(via="api")
    world.poll()
    world.clock.advance(48 * 3600)

    found = ops.json("audit")

    assert found["ids"] == {"in flight": [order_id]}
    assert found["missing_at_least"] == 0


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

    assert found["missing_at_least"] == 1


def test_an_order_that_is_new_in_a_newer_version_is_outdated(ops, world, store, orders):
    store.set_status(orders[0], Status.AWAITING_FULFILLMENT)
    store.edit(orders[0], staff_notes="call first")
    world.poll()
    world.drain()
    world.clock.advance(48 * 3600)
    world.poll()

    found = ops.json("audit", "--fix")

    assert found["ids"] == {"outdated": [orders[0]]}
    world.drain()
    assert world.order(orders[0]) == store.whole(orders[0])
    assert store.order(orders[0])["status_id"] == Status.AWAITING_FULFILLMENT


def test_an_order_that_is_stored_and_not_moved_is_unmoved(ops, world, store):
    world.configure(MOVE_STATUS="false")
    order_id = store.place_order(via="api")
    world.poll()
    world.drain()
    world.configure(MOVE_STATUS="true")
    world.clock.advance(48 * 3600)

    found = ops.json("audit", "--fix")

    assert found["ids"] == {"unmoved": [order_id]}
    world.drain()
    assert replicated(world, order_id)


def test_a_completed_order_whose_lines_are_physical_is_not_missing(ops, world, store, orders):
    store.place_order(
        status=Status.COMPLETED, kind="physical", addresses=0, shipping_address_count=0, via="api"
    )
    world.clock.advance(48 * 3600)

    assert ops.json("audit")["totals"] == {"replicated": 6, "not new": 1}


def test_a_forgotten_order_is_not_missing(ops, world, store, orders):
    lost(world, store, orders[0])
    ops("forget", "--order", str(orders[0]))

    assert ops.json("audit")["totals"] == {"replicated": 5, "forgotten": 1}


def test_only_orders_in_the_range_are_compared(ops, world, store, orders):
    day = world.clock.now() - timedelta(days=100)
    store.place_order(status=Status.SHIPPED, via="api", created=day)

    found = ops.json("audit", "--since", LONG_AGO, "--until", (day + timedelta(1)).isoformat())

    assert found["orders"] == 1
    assert found["by_day_and_status"][0]["day"] == day.date().isoformat()


def test_every_page_is_read(ops, world, store):
    store.place_orders(600, statuses=[Status.SHIPPED])

    assert ops.json("audit")["totals"] == {"not new": 600}


def test_the_stores_rate_limit_is_respected(ops, new_world):
    clock = SimulatedClock()
    world = new_world(clock=clock, store=Store(clock=clock, quota=20))
    world.store.place_orders(8000, statuses=[Status.SHIPPED])

    found = Ops(world).json("audit")

    assert found["totals"] == {"not new": 8000}
    assert world.store.answers[429] == 0
    assert len(world.store.windows) >= 1


def test_the_report_is_written_as_json_and_as_markdown(ops, world, store, orders, tmp_path):
    lost(world, store, orders[1])

    ops("audit", "--report", str(tmp_path / "november"))

    report = json.loads((tmp_path / "november.json").read_text())
    page = (tmp_path / "november.md").read_text()
    assert report["ids"] == {"missing": [orders[1]]}
    assert "## Missing" in page
    assert "11 Awaiting Fulfillment" in page


def test_an_invalid_date_is_rejected(ops):
    assert ops("audit", "--since", "yesterday").exit_code == 2


def test_a_range_that_ends_before_it_begins_is_rejected(ops):
    assert ops("audit", "--since", "2026-02-01", "--until", "2026-01-01").exit_code == 2
