"""`fields`, and what `status` and `doctor` show of changed fields."""

from typing import Any

import pytest

from chalicelib.domain.order_fields import OrderFields, compare, find
from chalicelib.edges.aws import ConditionFailed
from ops.deployment import Deployment
from sandbox.world import World
from tests.e2e.conftest import Ops

BEFORE = {"id": 118, "total": "5.00", "customer": {"id": 1}}
AFTER = {"id": 118, "total": 5, "customer": {"id": 1, "tier": "gold"}}
CHANGES = [("new", "customer.tier"), ("retyped", "total")]


def stored(world: World, *orders: dict[str, Any]) -> OrderFields:
    """The fields as comparisons of these orders, one after the other, have kept them."""
    jobs = Deployment.find(world.stack.stage, world.clock).wiring.jobs
    known = jobs.order_fields()
    for order in orders:
        found = find([order], known.fields if known else ())
        known, _ = compare(known, found, world.clock.now())
        jobs.write_order_fields(known)
    assert known is not None
    return known


def listed(found: dict[str, Any]) -> list[tuple[str, str]]:
    return [(change["kind"], change["path"]) for change in found["changes"]]


def finding(ops: Ops) -> list[dict[str, Any]]:
    result = ops.json("doctor")
    return [each for each in result["findings"] if each["name"] == "order fields"]


def test_a_stage_without_a_comparison_has_no_fields(ops: Ops, world: World):
    found = ops.json("fields", "--accept")

    assert (found["compared_at"], found["changes"], found["accepted"]) == (None, [], False)
    assert ops.json("status")["field_changes"] == []
    assert ops.json("history")["actions"] == []


def test_the_changes_and_all_fields_are_listed(ops: Ops, world: World):
    stored(world, BEFORE, AFTER)

    found = ops.json("fields")

    assert listed(found) == CHANGES
    assert found["changes"][1]["before"] == ["string"]
    assert found["fields"]["total"] == ["number", "string"]
    assert not found["accepted"]


def test_accepted_changes_are_not_shown_again_and_the_fields_are_kept(ops: Ops, world: World):
    known = stored(world, BEFORE, AFTER)

    accepted = ops.json("fields", "--accept", "--reason", "the ERP ignores them")

    assert (listed(accepted), accepted["accepted"]) == (CHANGES, True)
    assert listed(ops.json("fields")) == []
    assert ops.json("status")["field_changes"] == []
    assert stored(world).fields == known.fields
    (action,) = ops.json("history")["actions"]
    assert (action["command"], action["reason"]) == ("fields", "the ERP ignores them")
    # The next comparison continues with what was accepted.
    assert [change.path for change in stored(world, {**AFTER, "more": 1}).changes] == ["more"]


def test_a_refused_prompt_accepts_nothing(world: World):
    stored(world, BEFORE, AFTER)

    assert Ops(world, asks=True)("fields", "--accept", answer="n").exit_code == 1

    assert len(stored(world).changes) == 2


def test_without_changes_nothing_is_accepted(ops: Ops, world: World):
    stored(world, BEFORE)

    assert not ops.json("fields", "--accept")["accepted"]
    assert ops.json("history")["actions"] == []


def test_status_and_doctor_name_the_changes_and_the_command(ops: Ops, world: World):
    stored(world, BEFORE, AFTER)
    world.poll()

    shown = ops("status").stdout
    changes = ops.json("status")["field_changes"]
    (note,) = finding(ops)

    assert "1 new, 1 retyped since" in shown
    assert [change["path"] for change in changes] == ["customer.tier", "total"]
    assert note["mark"] == "note"
    assert "customer.tier, total" in note["found"]
    assert note["fix"].endswith("fields")


def test_fields_as_before_are_no_finding_of_doctor(ops: Ops, world: World):
    world.poll()
    assert finding(ops) == []
    stored(world, BEFORE)

    (found,) = finding(ops)

    assert found["mark"] == "ok"


def test_changes_that_a_sweep_has_added_to_meanwhile_are_not_accepted(world: World):
    known = stored(world, BEFORE, AFTER)
    stored(world, {**AFTER, "more": 1})

    with pytest.raises(ConditionFailed):
        Deployment.find(world.stack.stage, world.clock).wiring.jobs.write_order_fields(
            known.accepted()
        )

    assert len(stored(world).changes) == 3


@pytest.mark.parametrize("notifies", [True, False])
def test_an_alarm_without_notifications_by_choice_is_no_finding(
    ops: Ops, world: World, notifies: bool
):
    world.poll()
    name = world.stack.name("order-fields-changed")
    world.stack.cloudwatch.put_metric_alarm(
        AlarmName=name,
        ActionsEnabled=notifies,
        Namespace="test",
        MetricName="OrderFieldsChanged",
        Statistic="Sum",
        Period=300,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
    )
    world.stack.cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a test")

    result = ops.json("doctor", code=1 if notifies else 0)

    found = [each for each in result["findings"] if each["name"].startswith("alarm ")]
    assert [each["name"] for each in found] == ["alarm order-fields-changed"] * notifies
    assert not [each for each in result["findings"] if "disabled actions" in each["found"]]


def test_many_changes_are_counted(ops: Ops, world: World):
    stored(world, BEFORE, {**BEFORE, **{f"f{n}": 1 for n in range(8)}})

    assert "8 new since" in ops("status").stdout
    assert "f4 and 3 more" in ops("status").stdout
