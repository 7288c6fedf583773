"""The sandbox's world for each test: one AWS a run, and in it a stage of its own for each."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from sandbox.stack import Aws
from sandbox.store import Store
from sandbox.world import World

stages = itertools.count(1)


@pytest.fixture(scope="session")
def aws() -> Iterator[Aws]:
    with Aws() as running:
        yield running


@pytest.fixture
def new_world(aws: Aws) -> Iterator[Callable[..., World]]:
    """Make a world with these settings; it ends with the test."""
    with ExitStack() as worlds:
        yield lambda **settings: worlds.enter_context(World(aws, f"t{next(stages)}", **settings))


@pytest.fixture
def world(new_world: Callable[..., World]) -> World:
    return new_world()


@pytest.fixture
def store(world: World) -> Store:
    return world.store
