"""A sandbox world for each test: one AWS per run, and in it one stage per test."""

import gc
import itertools
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import click
import pytest
from click.testing import CliRunner, Result
from playwright.sync_api import Browser

from ops.__main__ import main
from sandbox.logs import Logs
from sandbox.metrics import Metrics
from sandbox.stack import Aws, Stack
from sandbox.store import Store
from sandbox.world import World
from tests.e2e.browser import Visitor, visiting

stages = itertools.count(1)

H = TypeVar("H", bound=logging.Handler)


@pytest.fixture(scope="session")
def aws() -> Iterator[Aws]:
    with Aws() as running:
        Stack(running, "first").create()
        # A fifth of the time went into collecting what moto and botocore keep forever.
        gc.collect()
        gc.freeze()
        yield running
        gc.unfreeze()


@pytest.fixture
def new_world(aws: Aws) -> Iterator[Callable[..., World]]:
    """Make a world with these settings, which ends with the test.

    A consumer handles one order after the other: the waits of all threads advance the same clock,
    so that with several the outcome would depend on their order.
    """

    def make(**settings: Any) -> World:
        settings = {"MAX_IN_FLIGHT": "1"} | settings
        return worlds.enter_context(World(aws, f"t{next(stages)}", **settings))

    with ExitStack() as worlds:
        yield make


@pytest.fixture
def world(new_world: Callable[..., World]) -> World:
    return new_world()


@pytest.fixture
def store(world: World) -> Store:
    return world.store


@dataclass(frozen=True)
class Ops:
    """The operator's command line, run against a world's stage and clock."""

    world: World
    asks: bool = False
    """Whether a command that changes something asks first; otherwise it is given --yes."""

    def __call__(self, *arguments: str, answer: str = "", stage: str = "") -> Result:
        """The output and exit code of a command; `answer` is typed at its prompt, if it has one."""
        given = ["--stage", stage or self.world.stack.stage, *arguments]
        if not (self.asks or answer or stage) and _may_ask(arguments):
            given.append("--yes")
        return CliRunner().invoke(main, given, input=answer, obj=self.world.clock)

    def json(self, *arguments: str, code: int = 0) -> Any:
        """The JSON output of a command."""
        result = self(*arguments, "--json")
        assert result.exit_code == code, result.output
        return json.loads(result.stdout)


def _may_ask(arguments: tuple[str, ...]) -> bool:
    """Whether a command has the option that skips its prompt."""
    command: click.Command = main
    for name in arguments:
        if not isinstance(command, click.Group):
            break
        command = command.commands[name]
    return any(parameter.name == "yes" for parameter in command.params)


@pytest.fixture
def ops(world: World) -> Ops:
    return Ops(world)


@contextmanager
def listening(handler: H) -> Iterator[H]:
    """The handler gets what the service logs."""
    logger = logging.getLogger("chalicelib")
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield handler
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


@pytest.fixture
def logs(world: World) -> Iterator[Logs]:
    """CloudWatch Logs of the functions during the test."""
    with listening(Logs(world.stack, world.pump, world.clock)) as logs:
        yield logs


@pytest.fixture
def metrics(world: World) -> Iterator[Metrics]:
    """CloudWatch's metric filters, counting during the test."""
    with listening(Metrics(world.stack, world.clock)) as metrics:
        yield metrics


@pytest.fixture
def visitor(browser: Browser, world: World) -> Iterator[Visitor]:
    """Visits the console of the world's stage, which may change something."""
    with visiting(browser, world) as visitor:
        yield visitor
