"""What happens in the middle of a delivery: another of the same order, or a merchant's decision."""

import pytest

from sandbox.gate import PASSES
from sandbox.store.statuses import Status
from tests.simulation.oracle import complaints, state
from tests.simulation.rest import come_to_rest, once_more
from tests.simulation.world import SimulatedWorld

CALLS_TO_THE_STORE = 5
"""Of a consumer with one order. Before its put the last of them is as good a moment as any."""

DECISIONS = (None, Status.AWAITING_FULFILLMENT, Status.CANCELLED)


@pytest.mark.parametrize("decision", DECISIONS)
@pytest.mark.parametrize("number", range(1, CALLS_TO_THE_STORE + 1))
def test_a_second_delivery_in_the_middle_of_the_first_moves_nothing_twice(aws, number, decision):
    with SimulatedWorld(aws) as world:
        order_id = world.store.place_order()
        world.history.note()
        world.deliver_webhooks()
        (body,) = world.messages()
        seen = []

        def script(call):
            if call.name.startswith("store") and call.function == "replicate_orders":
                seen.append(call)
                if len(seen) == number:
                    world.stack.sqs.send_message(QueueUrl=world.stack.queue_url, MessageBody=body)
                    world.deliver("replicate 2")
                    if decision is not None:
                        world.store.set_status(order_id, decision)
                        world.history.note()
            return PASSES

        world.gate.script = script
        world.deliver()
        assert len(seen) > number or number == CALLS_TO_THE_STORE
        wrong = come_to_rest(world)
        once_more(world)
        at_rest = state(world)
        once_more(world)

        assert wrong + complaints(world) == []
        assert state(world) == at_rest


@pytest.mark.parametrize("decision", DECISIONS[1:])
@pytest.mark.parametrize("number", range(2, CALLS_TO_THE_STORE))
def test_a_decision_during_a_long_wait_is_not_overruled(aws, number, decision):
    """Half a minute passes before a call, and in it a merchant changes the order.

    Only the move itself, once it has been sent, nobody can call back.
    """
    with SimulatedWorld(aws) as world:
        order_id = world.store.place_order(status=Status.AWAITING_PAYMENT)
        world.history.note()
        world.deliver_webhooks()
        waits = iter([PASSES] * (number - 1))

        def script(call):
            is_ours = call.name.startswith("store") and call.function == "replicate_orders"
            if is_ours and next(waits, None) is None and not decided:
                decided.append(decision)
                world.store.set_status(order_id, decision)
                world.history.note()
                world.clock.advance(30)
            return PASSES

        decided = []
        world.gate.script = script
        world.deliver()
        wrong = come_to_rest(world)
        once_more(world)

        assert decided
        assert wrong + complaints(world) == []
        if decision == Status.CANCELLED:
            assert world.store.order(order_id)["status_id"] == Status.CANCELLED
