"""Every call of every journey fails once in every way, and the world comes to rest correctly.

Each journey is run with lists that are requested one by one; one in which a consumer reads orders
is also run with embedded lists. `make test` runs a fixed sample of these 2,100 runs: with requested
lists the kind `fails` on every fourth call, and each other kind on every eighth call, starting with
a different call for each kind; with embedded lists half as many. `--exhaustive` and CI=true run all
of them.
"""

import pytest

from sandbox.gate import Call
from sandbox.stack import Aws
from tests.simulation.faults import KINDS, Single, applies, has_effect
from tests.simulation.journeys import JOURNEYS, Journey
from tests.simulation.oracle import state, violations
from tests.simulation.rest import come_to_rest, once_more
from tests.simulation.world import SimulatedWorld

CALLS_OF_THE_SERVICE = {
    "ssm GetParameter",
    "dynamodb PutItem jobs",
    "dynamodb Query jobs",
    "dynamodb DeleteItem jobs",
    "dynamodb GetItem jobs",
    "dynamodb BatchGetItem jobs",
    "dynamodb BatchGetItem orders",
    "dynamodb Query orders",
    "dynamodb PutItem orders",
    "dynamodb UpdateItem orders",
    "dynamodb PutItem webhooks",
    "sqs SendMessageBatch",
    "sqs GetQueueAttributes",
    "sqs ChangeMessageVisibilityBatch",
    "sns Publish",
    "events PutEvents",
    "store GET /hooks",
    "store PUT /hooks/{id}",
    "store GET /orders/count",
    "store GET /orders",
    "store GET /orders/{id}",
    "store GET /orders/{id}/products",
    "store GET /orders/{id}/shipping_addresses",
    "store GET /orders/{id}/coupons",
    "store GET /orders/{id}/fees",
    "store GET /orders/{id}/consignments",
    "store GET /orders/{id}/shipments",
    "store GET /orders/payment_actions/refunds",
    "store PUT /orders/{id}",
}


WAYS = {"requested": "false", "embedded": "true"}
"""How lists are read, and the value of EMBEDDED_READS."""

RUNS = [
    pytest.param(journey, way, id=f"{journey.name}-{way}")
    for journey in JOURNEYS
    for way in WAYS
    if way == "requested" or journey.consumes
]

fault_free: dict[tuple[str, str], list[Call]] = {}


def run(
    aws: Aws, journey: Journey, way: str, script: Single | None = None
) -> tuple[list[Call], list[str]]:
    """Run a journey once: the calls of its faulty part, and the violations in the end."""
    with SimulatedWorld(aws, EMBEDDED_READS=WAYS[way]) as world:
        prepared = journey.prepare(world)
        poison = prepared if journey.is_poisoned else frozenset()
        world.history.note()
        before = len(world.gate.calls)
        if script:
            world.gate.script = script
        journey.act(world)
        calls = [call for call, _ in world.gate.calls[before:]]
        wrong = come_to_rest(world, poison)
        at_rest = state(world)
        wrong += once_more(world, poison)
        wrong += violations(world, poison, dead=poison)
        if state(world) != at_rest:
            wrong.append("a second round changed something")
    return calls, wrong


def calls_of(aws: Aws, journey: Journey, way: str) -> list[Call]:
    """The calls of a run without a fault, which must end without violations."""
    if (journey.name, way) not in fault_free:
        calls, wrong = run(aws, journey, way)
        assert wrong == []
        fault_free[journey.name, way] = calls
    return fault_free[journey.name, way]


def sample(kind: str, way: str, numbers: list[int]) -> list[int]:
    """The calls of `make test`: more of the first kind, and of requested lists."""
    start = list(KINDS).index(kind)
    step = 8 if start else 4
    return numbers[start :: step if way == "requested" else 2 * step]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("journey", "way"), RUNS)
def test_any_call_may_fail_in_any_way(aws, journey, way, kind, exhaustive, record_property):
    calls = calls_of(aws, journey, way)
    possible = [n for n, call in enumerate(calls, start=1) if applies(kind, call)]
    numbers = possible if exhaustive else sample(kind, way, possible)
    found = {}

    for number in numbers:
        script = Single(kind, number)
        _, wrong = run(aws, journey, way, script)
        assert script.struck is not None
        if wrong:
            found[f"{number} {script.struck.name}"] = wrong

    assert found == {}
    assert possible or not any(map(has_effect, calls))
    record_property("single faults", len(numbers))


def test_the_journeys_make_every_call_that_the_service_makes(aws):
    made = {call.name for journey in JOURNEYS for call in calls_of(aws, journey, "requested")}

    assert made == CALLS_OF_THE_SERVICE
