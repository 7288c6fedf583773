"""A stage gets a customer-managed key, another one, and none: module by module, on moto."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from sandbox.stack import Aws
from tests.availability import unavailable
from tests.infrastructure.conftest import PROJECT, Root, terraform_env

pytestmark = [pytest.mark.exhaustive, pytest.mark.xdist_group("encryption")]

TOPIC = "arn:aws:sns:us-east-1:123456789012:alarms"
MODULES: dict[str, dict[str, Any]] = {
    "tables": {"deletion_protection": False, "orders_expire": False},
    "secrets": {"path": "/order-replication/keys", "region": "us-east-1"},
    "order_queue": {
        "region": "us-east-1",
        "queue": "orders",
        "alarm": "dead-letters",
        "consumer_timeout": 180,
        "max_receive_count": 20,
        "runbook_url": "docs/operations.md",
        "alarm_topic_arn": TOPIC,
    },
    "alerts": {"region": "us-east-1", "email": "ops@example.com", "subscriptions": []},
    "events": {
        "region": "us-east-1",
        "runbook_url": "docs/operations.md",
        "alarm_topic_arn": TOPIC,
    },
    "destination": {
        "name": "order-replication-keys-to-erp",
        "destination": "erp",
        "region": "us-east-1",
        "bus_name": "${module.events.bus_name}",
        "event_source": "order-replication.keys",
        **{key: [] for key in ("types", "channel_ids", "status_ids")},
        **dict.fromkeys(("target_kms_key_arn", "message_group_id", "permissions_boundary")),
        "target_arn": "arn:aws:sqs:us-east-1:123456789012:erp",
        "action": "sqs:SendMessage",
        "retry_hours": 24,
        "retry_attempts": 185,
        "runbook_url": "docs/operations.md",
        "alarm_topic_arn": TOPIC,
    },
}
"""The modules that take a key, with their other arguments."""

TOKEN = "a-webhook-token-of-thirty-two-characters-or-more"
SECRETS = (
    *("bigcommerce-access-token", "bigcommerce-client-secret"),
    *("webhook-token", "webhook-token-previous"),
)


def configuration() -> dict[str, Any]:
    """A root module that calls the modules, with a key and the version of the secrets."""
    secret = {"type": "string", "ephemeral": True, "sensitive": True, "default": TOKEN}
    secrets: dict[str, Any] = {
        "access_token": "${var.secret}",
        "client_secret": "${var.secret}",
        "webhook_token": "${var.secret}",
        "webhook_token_previous": "${var.secret}",
        "secrets_version": "${var.secrets_version}",
    }
    calls = {
        name: {
            "source": f"./modules/{name}",
            "kms_key_arn": "${var.kms_key_arn}",
            **(secrets if name == "secrets" else {"name": "order-replication-keys"}),
            **arguments,
        }
        for name, arguments in MODULES.items()
    }
    return {
        "variable": {
            "kms_key_arn": {"type": "string", "default": None},
            "secrets_version": {"type": "number", "default": 1},
            "secret": secret,
        },
        "module": calls,
    }


@pytest.fixture(scope="module")
def root(aws: Aws, tmp_path_factory: pytest.TempPathFactory) -> Root:
    if not shutil.which("terraform"):
        unavailable("terraform is not on the PATH")
    folder: Path = tmp_path_factory.mktemp("keys")
    shutil.copytree(PROJECT / "terraform" / "modules", folder / "modules")
    (folder / "main.tf.json").write_text(json.dumps(configuration()))
    root = Root(folder, terraform_env(aws, {}))
    done = root.terraform("init", "-input=false", "-no-color", check=False)
    if done.returncode:
        unavailable(f"terraform init failed:\n{done.stderr}")
    return root


def apply(root: Root, key: str | None, version: int = 1) -> None:
    given = [f"-var=secrets_version={version}", *([f"-var=kms_key_arn={key}"] if key else [])]
    root.terraform("apply", "-auto-approve", "-input=false", "-no-color", *given)


def keys(aws: Aws) -> dict[str, str | None]:
    """The customer-managed key of each resource, None where it is encrypted by AWS."""
    tables, sqs, sns = (aws.client(service) for service in ("dynamodb", "sqs", "sns"))
    found: dict[str, str | None] = {}
    for name in ("orders", "jobs", "webhooks", "erasures"):
        table = tables.describe_table(TableName=f"order-replication-keys-{name}")["Table"]
        described = table.get("SSEDescription", {})
        found[name] = (
            described.get("KMSMasterKeyArn") if described.get("Status") == "ENABLED" else None
        )
    for name in ("orders", "orders-dead-letters", "unpublished-events", "to-erp-undelivered"):
        url = sqs.get_queue_url(QueueName=f"order-replication-keys-{name}")["QueueUrl"]
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        found[f"queue {name}"] = attributes.get("KmsMasterKeyId") or None
    bus = aws.client("events").describe_event_bus(Name="order-replication-keys")
    found["bus"] = bus.get("KmsKeyIdentifier")
    for topic in sns.list_topics()["Topics"]:
        arn = topic["TopicArn"]
        if "order-replication-keys" in arn:
            attributes = sns.get_topic_attributes(TopicArn=arn)["Attributes"]
            found[arn.rpartition("-")[2]] = attributes.get("KmsMasterKeyId") or None
    return found


def secrets(aws: Aws) -> dict[str, tuple[str, str, int]]:
    """The value, the key and the version of each secret, by its name without the suffix."""
    ssm = aws.client("ssm")
    described = ssm.describe_parameters(
        ParameterFilters=[{"Key": "Path", "Values": ["/order-replication/keys"]}]
    )["Parameters"]
    found = {
        re.sub("-[0-9a-f]{8}$", "", each["Name"].rpartition("/")[2]): (
            ssm.get_parameter(Name=each["Name"], WithDecryption=True)["Parameter"]["Value"],
            each["KeyId"],
            each["Version"],
        )
        for each in described
    }
    assert len(found) == len(described)
    return found


def test_a_key_is_given_rotated_changed_and_taken_back(root, aws):
    one, other = (aws.client("kms").create_key()["KeyMetadata"]["Arn"] for _ in range(2))
    default = "alias/aws/ssm"

    apply(root, None)
    assert set(keys(aws).values()) == {None}
    assert secrets(aws) == {name: (TOKEN, default, 1) for name in SECRETS}
    apply(root, None, version=2)
    assert secrets(aws) == {name: (TOKEN, default, 2) for name in SECRETS}

    for key, version in ((one, 2), (one, 3), (other, 3)):
        apply(root, key, version)
        assert keys(aws) == dict.fromkeys(keys(aws), key)
        # Version 1: the parameter was created, which sends the key; an update would not.
        assert secrets(aws) == {name: (TOKEN, key, 1) for name in SECRETS}

    apply(root, None, version=3)
    assert set(keys(aws).values()) == {None}
    assert secrets(aws) == {name: (TOKEN, default, 1) for name in SECRETS}


def test_a_plan_after_it_changes_nothing_of_a_secret_or_a_table(root):
    root.terraform("plan", "-out=again.plan", "-input=false", "-var=secrets_version=3")
    changed = {
        change["type"]
        for change in root.show("again.plan")["resource_changes"]
        if change["change"]["actions"] not in (["no-op"], ["read"])
    }

    assert changed <= {"aws_sqs_queue"}, "white space of policies in moto"
