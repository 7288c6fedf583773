"""Defects that the simulation has found, each as the history that revealed it."""

from sandbox.gate import ANSWER_LOST, PASSES
from sandbox.store.statuses import Status
from tests.simulation.oracle import violations
from tests.simulation.rest import come_to_rest, once_more
from tests.simulation.world import SimulatedWorld


def test_a_decision_between_a_lost_answer_and_its_retry_is_respected(aws):
    """The move took effect and its answer was lost; then the merchant took the order back."""
    with SimulatedWorld(aws) as world:
        order_id = world.store.place_order()
        world.deliver_webhooks()
        puts = []

        def script(call):
            if not call.name.startswith("store PUT"):
                return PASSES
            puts.append(call)
            if len(puts) == 1:
                return ANSWER_LOST
            world.store.set_status(order_id, Status.AWAITING_FULFILLMENT)
            return PASSES

        world.gate.script = script
        world.deliver()
        if len(puts) == 1:
            world.store.set_status(order_id, Status.AWAITING_FULFILLMENT)
        world.history.note()
        wrong = come_to_rest(world)
        once_more(world)

        assert wrong + violations(world) == []
        assert world.store.order(order_id)["status_id"] == Status.AWAITING_FULFILLMENT
