"""The example of a receiver, deployed to moto beside the stage dev."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.stack import Aws
from tests.availability import unavailable
from tests.infrastructure.conftest import PROJECT, Root, Stage, terraform_env
from tests.infrastructure.iam import as_list

pytestmark = [pytest.mark.exhaustive, pytest.mark.xdist_group("terraform")]

VALUES = {"region": "us-east-1", "stage": "dev", "erp_url": "https://erp.example.com"}


@pytest.fixture(scope="module")
def example(dev: Stage, aws: Aws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Root]:
    if not shutil.which("make"):
        unavailable("make is not on the PATH")
    folder: Path = tmp_path_factory.mktemp("example") / "send_to_erp"
    shutil.copytree(PROJECT / "examples" / "send_to_erp", folder)
    root = Root(folder, terraform_env(aws, VALUES))
    shutil.make_archive(str(folder / "handler"), "zip", folder, "handler.py")
    root.init()
    root.terraform("apply", "-auto-approve", "-input=false", "-no-color")
    yield root
    root.terraform("destroy", "-auto-approve", "-input=false", "-no-color")


def resources(root: Root) -> dict[str, dict[str, Any]]:
    found = root.show()["values"]["root_module"]["resources"]
    return {each["address"]: each["values"] for each in found}


def test_a_second_plan_changes_nothing(example):
    example.terraform("plan", "-out=second.plan", "-input=false")
    changed = {
        change["address"]
        for change in example.show("second.plan")["resource_changes"]
        if change["change"]["actions"] not in (["no-op"], ["read"])
    }

    # moto does not keep a redrive policy as it was written. The role's policy names the queue.
    assert changed <= {"aws_sqs_queue.queue", "aws_iam_role_policy.function"}


def test_the_role_has_named_actions_on_named_resources(example):
    policy = json.loads(resources(example)["aws_iam_role_policy.function"]["policy"])

    for statement in policy["Statement"]:
        for action in as_list(statement["Action"]):
            assert "*" not in action
        for resource in as_list(statement["Resource"]):
            assert "*" not in resource.removesuffix(":*")
            assert "send-to-erp-dev" in resource or resource.endswith(
                ("table/order-replication-dev-orders", "parameter/send-to-erp/dev/erp-key")
            )


def test_the_alarm_notifies_the_topic_of_the_stage(example, dev):
    alarm = resources(example)["aws_cloudwatch_metric_alarm.dead_letters"]

    topics = dev.deployed["module.alerts.aws_sns_topic.errors"]
    assert alarm["alarm_actions"] == [topics["arn"]]


def test_an_erp_without_tls_is_refused(example):
    refused = example.terraform("plan", "-var=erp_url=http://erp.example.com", check=False)

    assert refused.returncode == 1
    assert "erp_url must be an https URL" in refused.stderr
