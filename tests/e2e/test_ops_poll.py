"""`poll`: a poll that takes longer than the command waits for the answer of its function."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.config import Config

from ops.cli import Operator
from ops.clock import OperatorClock
from ops.deployment import POLL_CLIENT
from ops.poll.command import Result, run_poll
from sandbox.world import World

KEY = {"store_hash": {"S": "sandbox"}, "started_at": {"S": "lease"}}
IMPATIENT = POLL_CLIENT.merge(Config(read_timeout=0.2))


class SlowPoll:
    """A poll_orders that answers only at the end of the test.

    It holds the lease until the command waits for the first time, and polls then.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.finish: Callable[[], object] = world.pump.poll
        self._over = threading.Event()
        world.function("poll_orders").call = self.invoke

    def invoke(self, event: dict[str, Any]) -> None:
        until = int(self.world.clock.time()) + 960
        self.world.stack.dynamodb.put_item(
            TableName=self.world.stack.name("jobs"),
            Item={**KEY, "held_by": {"S": "slow"}, "held_until": {"N": str(until)}},
        )
        self._over.wait(30)

    def on_sleep(self, seconds: float) -> None:
        self.world.stack.dynamodb.delete_item(TableName=self.world.stack.name("jobs"), Key=KEY)
        self.finish()

    def run(self) -> Result:
        clock = OperatorClock(self.world.clock)
        clock.on_sleep = self.on_sleep
        return run_poll(Operator(self.world.stack.stage, clock), sweep=False, config=IMPATIENT)

    def end(self) -> None:
        self._over.set()


@pytest.fixture
def slow(world: World) -> Iterator[SlowPoll]:
    poll = SlowPoll(world)
    yield poll
    poll.end()


def test_a_poll_without_an_answer_is_followed_until_it_ends(slow, store):
    store.place_order(via="api")

    done = slow.run()

    assert done.is_done
    assert [job.outcome for job in done.jobs] == ["succeeded", "succeeded"]


def test_a_poll_without_an_answer_that_fails_is_reported_with_its_error(slow, world, store):
    store.revoke_token()
    slow.finish = world.pump.poll

    done = slow.run()

    assert not done.is_done
    assert done.error
    assert "Unauthorized" in done.error


def test_a_poll_that_was_killed_is_waited_for_until_its_lease_expires(slow, world):
    slow.on_sleep = lambda _: None
    began = world.clock.time()

    done = slow.run()

    assert not done.is_done
    assert 960 <= world.clock.time() - began < 1000
