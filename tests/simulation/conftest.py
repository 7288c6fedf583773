"""One AWS a run, emptied for every world, and the seeds that are to be lived through."""

from collections.abc import Iterator

import pytest

from sandbox.stack import Aws

SEEDS = 40
"""Histories in `make test`: a number, not a time, so that every machine tests the same."""


@pytest.fixture(scope="session")
def aws() -> Iterator[Aws]:
    with Aws() as running:
        yield running


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        runs, first = metafunc.config.getoption("runs"), metafunc.config.getoption("seed")
        number = runs or (SEEDS if first is None else 1)
        metafunc.parametrize("seed", range(first or 0, (first or 0) + number))
