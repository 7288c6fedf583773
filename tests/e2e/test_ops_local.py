"""Commands against the stage local, which is the sandbox."""

import json
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from ops.__main__ import main
from ops.remedies import END_FAULTS, RESTART_SANDBOX
from sandbox.stack import Aws
from sandbox.store.clock import SimulatedClock
from sandbox.world import World
from tests.e2e.conftest import Ops


@pytest.fixture(scope="module")
def clock() -> SimulatedClock:
    return SimulatedClock()


@pytest.fixture(scope="module")
def local(clock: SimulatedClock) -> Iterator[Ops]:
    """moto keeps its state by the process, so a worker can create this stage only once."""
    with Aws() as aws, World(aws, "local", clock=clock) as world:
        yield Ops(world)


def test_callbacks_accepted_by_chalice_local_are_counted(local, clock):
    """No metric counts them: `chalice local` is another process than the sandbox."""
    local.world.store.place_order()
    sent = len(local.world.deliver_webhooks())
    now = local.json("status")
    clock.advance(25 * 3600)
    later = local.json("status")

    assert now["webhooks_in_24_hours"] == {"accepted": sent, "refused": 0}
    assert later["webhooks_in_24_hours"] == {"accepted": 0, "refused": 0}


def test_a_command_in_another_terminal_uses_the_sandboxs_clock(local, clock):
    def webhooks() -> int:
        result = CliRunner().invoke(main, ["--stage", "local", "status", "--json"])
        return int(json.loads(result.stdout)["webhooks_in_24_hours"]["accepted"])

    local.world.store.place_order()
    sent = len(local.world.deliver_webhooks())
    assert webhooks() == sent > 0

    clock.advance(25 * 3600)
    assert webhooks() == 0


def test_the_fixes_for_a_running_sandbox_do_not_start_another_one(local):
    """A second `make sandbox` fails, and AWS's own commands do not reach the sandbox."""
    world = local.world
    world.poll()
    world.store.revoke_token()
    world.stack.ssm.delete_parameter(Name=world.stack.parameter("webhook_token"))
    world.stack.dynamodb.delete_table(TableName=world.stack.name("webhooks"))
    world.stack.aws.client("events").disable_rule(Name=world.stack.name("poll-orders"))

    found = local.json("doctor", code=1)["findings"]

    fixes = {f["name"]: f["fix"] for f in found if f["mark"] == "fault"}
    restarted = dict.fromkeys(("schedule", "table webhooks", "webhook token"), RESTART_SANDBOX)
    assert fixes == {**restarted, "token": END_FAULTS}
