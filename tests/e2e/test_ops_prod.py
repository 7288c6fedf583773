"""What every command does about a stage called prod, and about what goes wrong on the way."""

import itertools

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
QUESTIONS = [("status",), ("audit", "--wait", "0"), ("forget", "--order", "100", "--dry-run")]


@pytest.fixture(scope="module")
def prod() -> "itertools.chain[Ops]":
    """A stage of that name, in an AWS of its own."""
    with Aws() as aws, World(aws, "prod") as world:
        world.store.place_order(via="api")
        yield Ops(world)


@pytest.mark.parametrize("command", CHANGES, ids=lambda command: command[0])
def test_a_change_to_prod_is_asked_about_and_a_no_is_a_no(prod, command):
    before = prod.world.items("orders"), prod.world.messages(), prod.world.items("jobs")

    refused = prod(*command, answer="n\n")

    assert refused.exit_code == 1
    assert "in prod. Go on?" in refused.output
    assert before == (prod.world.items("orders"), prod.world.messages(), prod.world.items("jobs"))


@pytest.mark.parametrize("command", CHANGES, ids=lambda command: command[0])
def test_yes_asks_nothing(prod, command):
    assert "Go on?" not in prod(*command, "--yes").output


@pytest.mark.parametrize("command", QUESTIONS, ids=lambda command: command[0])
def test_a_question_is_answered_unasked(prod, command):
    assert "Go on?" not in prod(*command).output
