"""The sandbox's control API around the store: time."""

import threading
from typing import Any

import pytest
import requests
from rich.console import Console

from sandbox.live import Sandbox
from sandbox.store.clock import ShiftedClock
from sandbox.world import World


def control(world: World, path: str, **fields: Any) -> requests.Response:
    return requests.post(f"{world.store.url}/sandbox/{path}", json=fields, timeout=5)


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
