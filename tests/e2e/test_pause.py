"""A paused stage: orders are stored and not moved."""

import pytest

from sandbox.store.faults import Fault
from sandbox.store.statuses import Status
from sandbox.world import World
from tests.e2e.journeys import (
    DAY,
    come_to_rest,
    confirm,
    differing,
    moves,
    pause,
    record,
    replicated,
    resume,
    send,
    unmoved,
)


def sweep(world: World) -> None:
    """Let a day pass; the poll after it is a sweep."""
    world.advance(DAY)
    world.poll()


@pytest.mark.parametrize("finds", ["webhook", "poll"])
def test_an_order_is_stored_and_its_message_is_done(world, store, finds):
    pause(world)
    order_id = store.place_order()
    _ = world.deliver_webhooks() if finds == "webhook" else world.poll()

    world.settle()

    assert unmoved(world, order_id)
    assert differing(world, order_id) == set()
    assert world.messages() + world.dead_letters() == []


def test_changes_are_stored(world, store):
    order_id = store.place_order()
    come_to_rest(world)
    pause(world)

    store.ship(order_id)
    come_to_rest(world)

    assert differing(world, order_id) == set()


def test_no_poll_queues_an_order_that_waits_for_its_move_only(world, store):
    pause(world)
    store.place_order()
    come_to_rest(world)
    confirm(world)

    for _ in range(13):
        world.poll()
        assert world.messages() == []


def test_an_order_is_moved_by_the_first_sweep_after_the_pause(world, store):
    pause(world)
    order_id = store.place_order()
    come_to_rest(world)

    resume(world)
    sweep(world)
    come_to_rest(world)

    assert replicated(world, order_id)


def test_an_order_that_was_shipped_during_the_pause_is_not_moved_after_it(world, store):
    pause(world)
    order_id = store.place_order()
    come_to_rest(world)
    store.ship(order_id)
    come_to_rest(world)

    resume(world)
    store.set_status(order_id, Status.AWAITING_FULFILLMENT)
    sweep(world)
    come_to_rest(world)

    assert moves(store, order_id) == []


def test_a_move_that_was_begun_before_the_pause_is_settled(world, store):
    order_id = store.place_order()
    world.deliver_webhooks()
    store.faults.add(Fault(route="PUT /orders/*", kind="drop_after"))
    world.drain()
    pause(world)

    come_to_rest(world)

    assert replicated(world, order_id)
    assert "move_unconfirmed" not in record(world, order_id)


def test_no_order_is_attempted_while_it_is_unknown_whether_moves_are_paused(world, store):
    send(world, store.place_order(via="api"))
    world.stack.dynamodb.delete_table(TableName=world.stack.name("jobs"))

    world.drain()

    assert store.requests["PUT /orders/{id}"] == 0
    assert len(world.messages()) == 1
