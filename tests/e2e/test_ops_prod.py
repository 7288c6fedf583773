"""Commands that change something ask for confirmation in the stage prod."""

from collections.abc import Iterator

import pytest

from sandbox.stack import Aws
from sandbox.world import World
from tests.e2e.conftest import Ops

CHANGES = [
    ("poll",),
    ("replay", "100"),
    ("audit", "--fix", "--wait", "0"),
    ("backfill", "--since", "2019-01-01", "--until", "2100-01-01"),
    ("forget", "--order", "100"),
]
QUERIES = [("status",), ("audit", "--wait", "0"), ("forget", "--order", "100", "--dry-run")]


@pytest.fixture(scope="module")
def prod() -> Iterator[Ops]:
    """A stage named prod, in an AWS of its own."""
    with Aws() as aws, World(aws, "prod") as world:
        world.store.place_order(via="api")
        yield Ops(world)


@pytest.mark.parametrize("command", CHANGES, ids=lambda command: command[0])
def test_a_change_to_prod_needs_confirmation(prod, command):
    before = prod.world.items("orders"), prod.world.messages(), prod.world.items("jobs")

    refused = prod(*command, answer="n\n")

    assert refused.exit_code == 1
    assert refused.stderr.count("[y/N]") == 1
    assert before == (prod.world.items("orders"), prod.world.messages(), prod.world.items("jobs"))


@pytest.mark.parametrize("command", CHANGES, ids=lambda command: command[0])
def test_yes_skips_the_confirmation(prod, command):
    assert "[y/N]" not in prod(*command, "--yes").output


@pytest.mark.parametrize("command", QUERIES, ids=lambda command: command[0])
def test_a_query_needs_no_confirmation(prod, command):
    assert "[y/N]" not in prod(*command).output
