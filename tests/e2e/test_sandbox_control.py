"""The sandbox's control API around the store: faults of AWS, and time."""

import threading
from typing import Any

import pytest
import requests
from rich.console import Console

from sandbox.aws_faults import OUTCOMES
from sandbox.live import Sandbox
from sandbox.store.clock import ShiftedClock
from sandbox.world import World
from tests.e2e.conftest import Ops

PUT = "dynamodb PutItem orders"


def control(world: World, path: str, **fields: Any) -> requests.Response:
    return requests.post(f"{world.store.url}/sandbox/{path}", json=fields, timeout=5)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_call_to_aws_fails_and_its_order_is_retried(world: World, outcome: str) -> None:
    """Without an answer it is two calls: botocore repeats such a call once."""
    times = 2 if "lost" in outcome else 1
    order_id = world.store.place_order()
    world.poll()
    assert control(world, "aws-faults", operation=PUT, outcome=outcome, times=times).ok

    world.drain()

    assert (world.item(order_id) is not None) == OUTCOMES[outcome].has_effect
    assert len(world.messages("orders")) == 1
    assert world.aws_faults.active == []
    world.settle()
    assert (world.item(order_id) or {})["replication"]["moved_at"]


def test_a_fault_of_aws_counts_its_calls_until_it_is_ended(world: World, ops: Ops) -> None:
    control(world, "aws-faults", operation="*", outcome="refused", times=None)
    world.store.place_order()

    assert world.poll() is not None
    assert "SandboxRefusal" in ops("status").output
    assert world.aws_faults.active[0].failed >= 2

    requests.delete(f"{world.store.url}/sandbox/aws-faults", timeout=5)
    assert world.poll() is None


def test_the_calls_of_the_sandbox_itself_do_not_fail(world: World) -> None:
    control(world, "aws-faults", operation="*", outcome="refused", times=None)

    assert world.order_fields() is None
    assert world.aws_faults.active[0].failed == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"operation": "s3 PutObject", "outcome": "refused"},
        {"operation": PUT, "outcome": "unknown"},
        {"operation": PUT, "outcome": "refused", "times": 0},
        {"operation": PUT, "outcome": "refused", "times": "all"},
        {"operation": PUT, "outcome": "refused", "failed": 1},
    ],
    ids=str,
)
def test_a_fault_that_aws_cannot_have_is_refused(world: World, fields: dict[str, Any]) -> None:
    assert control(world, "aws-faults", **fields).status_code == 400
    assert world.aws_faults.active == []


def test_time_passes_for_all_of_the_sandbox(world: World) -> None:
    before = world.clock.time()

    assert control(world, "clock", advance=86400).ok

    assert 86400 <= world.clock.time() - before < 86460
    answer = requests.head(world.stack.aws.url, timeout=5)
    ahead = float(answer.headers["X-Sandbox-Ahead"])
    assert ahead == pytest.approx(world.seconds_ahead, abs=60)


@pytest.mark.parametrize("seconds", [-1, 1e12, "NaN", None, "a day"])
def test_time_passes_forward_by_a_year_at_most(world: World, seconds: object) -> None:
    before = world.clock.time()

    assert control(world, "clock", advance=seconds).status_code == 400

    assert world.clock.time() - before < 60


def test_a_poll_that_is_due_after_a_jump_runs_once(new_world: Any) -> None:
    world = new_world(clock=ShiftedClock())
    sandbox = Sandbox(world, Console(quiet=True), poll_every=3600)

    def modes() -> list[str]:
        sandbox.poll_if_due()
        sandbox.poll_if_due()
        return [job["mode"] for job in world.items("jobs")]

    once = ["changes", "sweep"]
    assert modes() == once

    world.advance(86400)
    assert modes() == once + once


def test_an_advanced_clock_ends_the_sleeps_that_are_over() -> None:
    clock = ShiftedClock()
    before = clock.time()
    sleeper = threading.Thread(target=clock.sleep, args=(86400.0,))
    sleeper.start()

    while sleeper.is_alive():
        clock.advance(86400)
        sleeper.join(0.01)

    assert clock.time() - before >= 86400
