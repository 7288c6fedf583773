"""Events in the middle of a delivery: a second delivery of the order, or a merchant's decision."""

import pytest

from sandbox.gate import PASSES, Call
from sandbox.store.statuses import Status
from tests.simulation.oracle import state, violations
from tests.simulation.rest import come_to_rest, once_more
from tests.simulation.world import SimulatedWorld

CALLS_TO_THE_STORE = 5
"""The calls of a consumer with one new order."""

DECISIONS = (None, Status.AWAITING_FULFILLMENT, Status.CANCELLED)


@pytest.mark.parametrize("decision", DECISIONS)
@pytest.mark.parametrize("number", range(1, CALLS_TO_THE_STORE + 1))
def test_a_second_delivery_in_the_middle_of_the_first_moves_nothing_twice(aws, number, decision):
    with SimulatedWorld(aws) as world:
        order_id = world.store.place_order()
        world.history.note()
        world.deliver_webhooks()
        body = world.messages("orders")[0]
        calls: list[Call] = []

        def script(call):
            if call.name.startswith("store") and call.function == "replicate_orders":
                calls.append(call)
                if len(calls) == number:
                    world.stack.sqs.send_message(QueueUrl=world.stack.queue_url, MessageBody=body)
                    world.deliver("replicate 2")
                    if decision is not None:
                        world.store.set_status(order_id, decision)
                        world.history.note()
            return PASSES

        world.gate.script = script
        world.deliver()
        assert len(calls) > number or number == CALLS_TO_THE_STORE
        wrong = come_to_rest(world)
        at_rest = state(world)
        wrong += once_more(world)

        assert wrong + violations(world) == []
        assert state(world) == at_rest


@pytest.mark.parametrize("decision", DECISIONS[1:])
@pytest.mark.parametrize("number", range(2, CALLS_TO_THE_STORE))
def test_a_decision_during_a_long_wait_is_not_overwritten(aws, number, decision):
    """30 seconds pass before a call, in which a merchant changes the order.

    A move that has been sent cannot be revoked.
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

        decided: list[Status] = []
        world.gate.script = script
        world.deliver()
        wrong = come_to_rest(world)
        once_more(world)

        assert decided
        assert wrong + violations(world) == []
        if decision == Status.CANCELLED:
            assert world.store.order(order_id)["status_id"] == Status.CANCELLED
