"""The comparison of the orders' fields may fail in any way: the poll before it ends the same."""

from typing import Any

from sandbox.gate import PASSES, Call
from tests.simulation.faults import KINDS, Single, applies
from tests.simulation.world import SimulatedWorld

SWEEP = 3700.0

OF_A_COMPARISON = [
    "dynamodb GetItem jobs",
    *7 * ["dynamodb Query orders"],
    "dynamodb BatchGetItem orders",
    "dynamodb PutItem jobs",
]

VARYING = ("started_at", "began_at", "finished_at", "since", "due", "expires_at")


def place(world: SimulatedWorld, **fields: Any) -> None:
    """Place an order, and let it be stored and confirmed by a poll."""
    world.store.place_order(via="api", lines=1, coupons=0, fees=0, **fields)
    for _ in range(2):
        sweep(world)
        world.settle()


def sweep(world: SimulatedWorld) -> tuple[Exception | None, list[Call], list[dict[str, Any]]]:
    """A poll that sweeps: its error, its calls from the end of the lease on, and its jobs."""
    world.advance(SWEEP)
    calls, items = len(world.gate.calls), len(world.items("jobs"))
    error = world.fire()
    made = [call for call, _ in world.gate.calls[calls:]]
    lease_ended = [call.name for call in made].index("dynamodb DeleteItem jobs")
    jobs = [
        {name: value for name, value in item.items() if name not in VARYING}
        for item in world.items("jobs")[items:]
    ]
    return error, made[lease_ended + 1 :], jobs


def test_a_poll_is_the_same_whatever_fails_in_the_comparison_after_it(aws):
    with SimulatedWorld(aws, SWEEP_HOURS="1") as world:
        place(world)
        place(world, tier="gold")
        _, calls, expected = sweep(world)
        assert [call.name for call in calls] == OF_A_COMPARISON
        assert [(job["mode"], job["outcome"]) for job in expected] == [
            ("changes", "succeeded"),
            ("sweep", "succeeded"),
        ]

        for kind in KINDS:
            for number, call in enumerate(calls, start=1):
                if not applies(kind, call):
                    continue
                script = Single(kind, number)
                started = False

                def fail(call: Call, script: Single = script) -> Any:
                    nonlocal started
                    if started:
                        return script(call)
                    started = call.name == "dynamodb DeleteItem jobs"
                    return PASSES

                world.gate.script = fail
                error, _, jobs = sweep(world)

                assert script.struck is not None
                assert script.struck.name == call.name
                assert (error is None) == (kind != "dies after it")
                assert jobs == expected
