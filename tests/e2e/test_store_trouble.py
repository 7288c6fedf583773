"""The behavior of the service when the store fails."""

import pytest

from sandbox.store.faults import Fault
from sandbox.store.statuses import Status
from tests.e2e.journeys import moves, record, replicated, send

OUTAGE = 11 * 3600


@pytest.mark.parametrize(
    "kind",
    [
        "status",
        pytest.param("html", marks=pytest.mark.exhaustive),
        pytest.param("drop_before", marks=pytest.mark.exhaustive),
    ],
)
def test_half_a_day_of_outage_loses_nothing(world, store, kind):
    ids = [store.place_order(via="api") for _ in range(4)]
    send(world, *ids)
    until = world.clock.time() + OUTAGE
    store.faults.add(Fault(route="*", kind=kind, status=503, times=None, until=until))

    world.settle()

    assert all(replicated(world, order_id) for order_id in ids)
    assert world.dead_letters() == []


def test_during_an_outage_the_rest_of_the_batch_is_returned_at_once(world, store):
    for _ in range(10):
        store.place_order()
    world.deliver_webhooks()
    store.faults.add(Fault(route="*", kind="status", status=503, times=None))

    batch = world.pump.deliver()

    assert (batch.received, batch.returned) == (10, 10)
    # A page for all orders, and five orders in flight before it is detected; five tries each.
    assert sum(store.requests.values()) <= (1 + 5 + 5) * 5


def test_with_an_invalid_token_the_batch_is_returned_at_once_with_one_alert(world, store):
    ids = [store.place_order() for _ in range(10)]
    world.deliver_webhooks()
    store.revoke_token()

    batch = world.pump.deliver()

    assert batch.returned == 10
    assert sum(store.requests.values()) == 2
    assert len(world.mail()) == 1
    store.restore_token()
    world.settle()
    assert all(replicated(world, order_id) for order_id in ids)


def test_a_rotated_token_is_picked_up_without_a_restart(world, store):
    store.place_order()
    world.poll()
    world.drain()
    order_id = store.place_order()
    store.access_token = "rotated"
    world.stack.ssm.put_parameter(
        Name=world.stack.parameter("access_token"), Value="rotated", Overwrite=True
    )

    world.poll()
    world.drain()

    assert replicated(world, order_id)
    assert world.mail() == []


@pytest.mark.parametrize("headers", [True, False])
def test_a_rate_limited_order_is_replicated_after_the_wait(world, store, headers):
    order_id = store.place_order()
    store.faults.add(
        Fault(route="GET /orders/*", kind="status", status=429, headers=headers, times=3)
    )
    world.deliver_webhooks()

    world.drain()

    assert replicated(world, order_id)


def test_other_apps_on_the_store_may_use_up_the_quota(world, store):
    ids = [store.place_order() for _ in range(20)]
    store.use_quota(145)

    world.poll()
    world.drain()

    assert all(replicated(world, order_id) for order_id in ids)
    assert store.answers[429] == 0


@pytest.mark.parametrize(
    "fault",
    [
        Fault(route="PUT /orders/*", kind="status", status=503),
        Fault(route="GET /orders/*/products", kind="drop_before"),
        Fault(route="GET /orders/*/coupons", kind="cut"),
        Fault(route="GET /orders*", kind="status", status=500, every=3, times=5),
    ],
    ids=lambda fault: f"{fault.kind} {fault.route}",
)
def test_a_single_fault_is_retried_within_the_function(world, store, fault):
    order_id = store.place_order()
    store.faults.add(fault)
    world.deliver_webhooks()

    world.drain()

    assert replicated(world, order_id)
    assert world.messages() == []


@pytest.mark.parametrize(
    "fault",
    [
        Fault(route="PUT /orders/*", kind="drop_before"),
        Fault(route="PUT /orders/*", kind="drop_after"),
        Fault(route="PUT /orders/*", kind="cut"),
        Fault(route="PUT /orders/*", kind="status", status=502),
    ],
    ids=lambda fault: f"{fault.kind} {fault.status}",
)
def test_a_move_of_unknown_outcome_is_decided_when_it_must_have_ended(world, store, fault):
    order_id = store.place_order(via="api")
    store.faults.add(fault)
    send(world, order_id)
    began = world.clock.time()
    world.drain()
    assert store.requests["PUT /orders/{id}"] == 1

    world.settle()

    assert replicated(world, order_id)
    assert world.clock.time() - began > 180


def test_an_edit_after_a_rejected_move_does_not_stop_the_move(world, store):
    order_id = store.place_order()
    store.faults.add(Fault(route="PUT /orders/*", kind="status", status=409))
    world.poll()
    world.drain()
    store.edit(order_id, staff_notes="stock is there now")

    world.settle()

    assert moves(store, order_id) == [(Status.AWAITING_FULFILLMENT, Status.AWAITING_SHIPMENT)]
    assert world.item(order_id)["staff_notes"] == "stock is there now"


def test_an_order_that_changed_during_a_wait_is_read_again(world, store):
    """The merchant edits the order in the 30 seconds between its read and its move."""
    order_id = store.place_order(via="api")
    world.clock.advance(2)
    edit = lambda: store.edit(order_id, staff_notes="wait")  # noqa: E731 - a fault's act
    store.faults.add(Fault(route="GET /orders/*/coupons", kind="late", seconds=30, act=edit))
    send(world, order_id)

    world.drain()
    assert moves(store, order_id) == []
    world.settle()

    assert replicated(world, order_id)


def test_a_consumer_without_time_left_returns_orders_before_it_times_out(world, store):
    ids = [store.place_order(via="api") for _ in range(5)]
    send(world, *ids)
    store.faults.add(Fault(route="GET /orders", kind="slow", seconds=172))

    batch = world.pump.deliver()

    assert batch.error is None
    assert batch.returned == 5
    world.settle()
    assert all(replicated(world, order_id) for order_id in ids)


def test_an_order_with_missing_lines_is_stored_and_moved_when_it_is_complete(world, store):
    order_id = store.place_order(lines=3, via="api")
    store.faults.add(Fault(route="GET /orders/*/products", kind="body", body=b"[]"))
    send(world, order_id)

    world.drain()
    assert record(world, order_id)["incomplete"] == ["products"]
    assert moves(store, order_id) == []
    world.settle()

    assert replicated(world, order_id)
    assert "incomplete" not in record(world, order_id)


def test_an_item_with_an_invalid_record_affects_no_other_order(world, store):
    bad, good = store.place_order(via="api"), store.place_order(via="api")
    world.stack.dynamodb.put_item(
        TableName=world.stack.name("orders"),
        Item={"id": {"N": str(bad)}, "replication": {"M": {"erp": {"S": "seen"}}}},
    )

    assert world.poll() is None
    world.drain()

    assert replicated(world, good)
    assert moves(store, bad) == []
