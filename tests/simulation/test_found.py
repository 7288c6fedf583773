"""What the simulation has found: each mistake as the history it stands for."""

from sandbox.gate import ANSWER_LOST, PASSES
from sandbox.store.statuses import Status
from tests.simulation.oracle import complaints
from tests.simulation.rest import come_to_rest, once_more
from tests.simulation.world import SimulatedWorld


def test_seed_12_a_decision_between_a_lost_answer_and_its_retry_stands(aws):
    """The move worked and its answer was lost; seconds later the merchant took the order back."""
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

        assert wrong + complaints(world) == []
        assert world.store.order(order_id)["status_id"] == Status.AWAITING_FULFILLMENT
