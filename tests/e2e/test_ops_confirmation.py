"""Commands that change something ask for confirmation, in every stage but dev and local."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from sandbox.stack import Aws
from sandbox.world import World
from tests.e2e.conftest import Ops

CHANGES = [
    ("poll",),
    ("replay", "100"),
    ("retry", "100"),
    ("pause", "--reason", "a test"),
    ("audit", "--fix", "--wait", "0"),
    ("backfill", "--since", "2019-01-01", "--until", "2100-01-01"),
    ("forget", "--order", "100"),
]
QUERIES = [("status",), ("audit", "--wait", "0"), ("forget", "--order", "100", "--dry-run")]


@pytest.fixture(scope="module")
def stages() -> Iterator[dict[str, Ops]]:
    """The commands by stage, which ask."""
    with Aws() as aws, ExitStack() as worlds:
        found = {name: worlds.enter_context(World(aws, name)) for name in ("dev", "acme")}
        yield {name: Ops(world, asks=True) for name, world in found.items()}


@pytest.fixture(scope="module")
def prod(stages: dict[str, Ops]) -> Ops:
    """A stage in production that is not named prod, such as a second store's."""
    ops = stages["acme"]
    ops.world.store.place_order(via="api")
    return ops


def test_a_change_to_a_stage_for_development_needs_no_confirmation(stages):
    assert "[y/N]" not in stages["dev"]("replay", "100").output


@pytest.mark.parametrize("stage", ["dev", "acme"])
def test_a_change_that_cannot_be_undone_needs_confirmation_in_every_stage(stages, stage):
    refused = stages[stage]("forget", "--order", "100", answer="n\n")

    assert refused.exit_code == 1
    assert refused.stderr.count("[y/N]") == 1


@pytest.mark.parametrize("command", CHANGES, ids=lambda command: command[0])
def test_a_change_to_any_other_stage_needs_confirmation(prod, command):
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
