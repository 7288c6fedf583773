"""One stage in AWS for the run, which is emptied for every world, and the seeds to simulate."""

import gc
from collections.abc import Iterator

import pytest

from sandbox.stack import Aws, Stack
from tests.simulation.world import STAGE

SEEDS, ALL_SEEDS = 10, 40
"""Random histories in `make test`, and in an exhaustive run. A fixed number, not a time limit, so
that every machine runs the same."""


def is_exhaustive(config: pytest.Config) -> bool:
    """Whether to run everything, as with `--exhaustive` or CI=true."""
    return bool(config.getoption("exhaustive"))


@pytest.fixture(scope="session")
def aws() -> Iterator[Aws]:
    with Aws() as running:
        Stack(running, STAGE).create()
        # A fifth of the time went into collecting what moto and botocore keep forever.
        gc.collect()
        gc.freeze()
        yield running
        gc.unfreeze()


@pytest.fixture
def exhaustive(pytestconfig: pytest.Config) -> bool:
    return is_exhaustive(pytestconfig)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        runs, first = metafunc.config.getoption("runs"), metafunc.config.getoption("seed")
        default = ALL_SEEDS if is_exhaustive(metafunc.config) else SEEDS
        number = runs if runs is not None else (default if first is None else 1)
        metafunc.parametrize("seed", range(first or 0, (first or 0) + number))
