"""Histories that the simulation has found, or that its judge once judged wrongly."""

from sandbox.gate import ANSWER_LOST, PASSES, Call
from sandbox.store.faults import Fault
from sandbox.store.statuses import Status
from tests.simulation.oracle import violations
from tests.simulation.rest import come_to_rest, once_more
from tests.simulation.world import SimulatedWorld


def at_the_end(world) -> list[str]:
    """What is wrong when the world has come to rest."""
    world.history.note()
    wrong = come_to_rest(world)
    return wrong + once_more(world) + violations(world)


def test_a_decision_between_a_lost_answer_and_its_retry_is_respected(aws):
    """The move took effect and its answer was lost; then the merchant took the order back."""
    with SimulatedWorld(aws) as world:
        order_id = world.store.place_order()
        world.history.note()
        world.deliver_webhooks()
        world.clock.advance(2)
        puts = []

        def script(call):
            if not call.name.startswith("store PUT"):
                return PASSES
            puts.append(call)
            return ANSWER_LOST

        world.gate.script = script
        world.deliver()
        world.clock.advance(2)
        world.store.set_status(order_id, Status.AWAITING_FULFILLMENT)

        assert at_the_end(world) == []
        assert len(puts) == 1
        assert world.store.order(order_id)["status_id"] == Status.AWAITING_FULFILLMENT


def test_a_decision_in_the_second_of_a_move_with_a_lost_answer_is_respected(aws):
    """The order was placed, moved and set to another status in one second: one version in all."""
    with SimulatedWorld(aws) as world:
        order_id = world.store.place_order()
        world.history.note()
        world.deliver_webhooks()

        def script(call):
            return ANSWER_LOST if call.name.startswith("store PUT") else PASSES

        world.gate.script = script
        world.deliver()
        world.store.set_status(order_id, Status.PENDING)

        moves = [change.after for change in world.store.status_changes if change.by == "api"]
        assert moves == [Status.AWAITING_SHIPMENT]
        assert {int(change.at) for change in world.store.status_changes} == {
            int(world.clock.time())
        }
        assert at_the_end(world) == []
        assert world.item(order_id)["replication"]["move_unconfirmed"]


def test_a_move_is_judged_by_the_reads_of_its_own_delivery(aws):
    """A second delivery reads the merchant's decision while the first one sends its move."""
    with SimulatedWorld(aws) as world:
        order_id = world.store.place_order()
        world.history.note()
        world.deliver_webhooks()
        body = world.messages("orders")[0]
        meanwhile: list[Call] = []

        def script(call):
            if call.name.startswith("store PUT") and not meanwhile:
                meanwhile.append(call)
                world.store.set_status(order_id, Status.CANCELLED)
                world.history.note()
                world.stack.sqs.send_message(QueueUrl=world.stack.queue_url, MessageBody=body)
                world.deliver("replicate 2")
            return PASSES

        world.gate.script = script
        world.deliver()

        assert meanwhile
        assert at_the_end(world) == []


def test_a_move_that_the_store_makes_late_is_judged_by_when_it_was_sent(aws):
    """The store works for 90 seconds, and the client has given up after 30."""
    with SimulatedWorld(aws) as world:
        order_id = world.store.place_order()
        world.history.note()
        world.deliver_webhooks()
        world.clock.advance(2)
        world.store.faults.add(Fault(route="PUT /orders/*", kind="slow", seconds=90.0))
        began = world.clock.time()
        world.deliver()

        assert world.clock.time() - began < 60
        world.store.edit(order_id, staff_notes="while the store works")
        assert at_the_end(world) == []
        assert world.store.order(order_id)["status_id"] == Status.AWAITING_SHIPMENT


def test_a_move_without_an_answer_is_made_once_however_long_the_store_takes(aws):
    with SimulatedWorld(aws) as world:
        world.store.place_order()
        world.history.note()
        world.deliver_webhooks()
        world.store.faults.add(Fault(route="PUT /orders/*", kind="slow", seconds=120.0))
        world.deliver()

        assert at_the_end(world) == []
        assert len(world.store.status_changes) == 1
