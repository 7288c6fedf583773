"""Runs the packaged functions as Lambda does, with the environment and resources of the stage dev.

The layer is built for this machine.
"""

import json
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from moto.backends import get_backend

from ops.__main__ import main
from sandbox.container import function_of
from sandbox.stack import ACCOUNT, CREDENTIALS, REGION
from tests.infrastructure.conftest import SECRETS, Python, Stage

pytestmark = pytest.mark.xdist_group("terraform")

# The libraries of Lambda's Python runtime.
RUNTIME = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six.py", "urllib3")
RUNTIME_SCRIPT = Path(__file__).with_name("lambda_runtime.py")


@dataclass(frozen=True)
class Function:
    """A deployed function with its unpacked package."""

    python: str
    handler: str
    folders: list[Path]
    env: dict[str, str]

    def invoke(self, event: dict[str, Any]) -> Any:
        request = json.dumps({"handler": self.handler, "event": event})
        done = subprocess.run(  # noqa: S603 - our own script, no shell
            [self.python, "-I", "-S", str(RUNTIME_SCRIPT), *map(str, self.folders)],
            input=request,
            env=self.env,
            text=True,
            capture_output=True,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def called(self) -> set[str]:
        """The AWS operations called so far, for example dynamodb:PutItem."""
        return set(Path(self.env["CALLS"]).read_text().split())


@pytest.fixture(scope="module")
def folders(packaged: Path, python: Python, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Folders with the code, the layer and the libraries of the Lambda runtime."""
    code, runtime = tmp_path_factory.mktemp("code"), tmp_path_factory.mktemp("runtime")
    with zipfile.ZipFile(packaged / "deployment.zip") as archive:
        archive.extractall(code)
    installed = Path(pytest.__file__).parents[1]
    for name in RUNTIME:
        (runtime / name).symlink_to(installed / name)
    return [code, python.libraries, runtime]


@pytest.fixture
def unmapped(dev: Stage, aws) -> Iterator[None]:
    """Disables the event source mappings: moto would invoke Lambda itself, which needs Docker.

    It does so for a stream even if the mapping is disabled.
    """
    client = aws.client("lambda")
    mappings = client.list_event_source_mappings()["EventSourceMappings"]
    for mapping in mappings:
        client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    dynamodb: Any = get_backend("dynamodb")
    orders = dynamodb[ACCOUNT][REGION].tables[dev.outputs["orders_table"]]
    orders.lambda_event_source_mappings.clear()
    yield
    for mapping in mappings:
        client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)


@pytest.fixture
def deployed(
    dev: Stage, aws, python: Python, folders: list[Path], unmapped: None, tmp_path: Path
) -> dict[str, Function]:
    client = aws.client("lambda")
    found = {}
    for handler, name in dev.outputs["function_names"].items():
        function = client.get_function_configuration(FunctionName=name)
        env = function["Environment"]["Variables"] | {
            "AWS_ENDPOINT_URL": aws.url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
            "CALLS": str(tmp_path / handler),
        }
        found[handler] = Function(python.path, function["Handler"], folders, env)
    return found


def scheduled() -> dict[str, Any]:
    return {
        "version": "0",
        "id": "1",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "123456789012",
        "time": "2026-11-23T00:00:00Z",
        "region": "us-east-1",
        "resources": [],
        "detail": {},
    }


def callback(store, order_id: int, route: str = "/cart-converted") -> dict[str, Any]:
    body = store.callback_body(order_id)
    headers = {"X-Replication-Token": SECRETS["webhook_token"], **store.sign(body)}
    return {
        "requestContext": {
            "httpMethod": "POST",
            "resourcePath": route,
            "path": f"/api{route}",
            "identity": {"sourceIp": "192.0.2.1"},
        },
        "headers": {"content-type": "application/json", **headers},
        "pathParameters": {},
        "stageVariables": {},
        "multiValueQueryStringParameters": None,
        "body": body.decode(),
        "isBase64Encoded": False,
    }


def delivered(aws, url: str) -> dict[str, Any]:
    """The messages in the queue, as an SQS event."""
    messages = aws.client("sqs").receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"]
    )["Messages"]
    return {
        "Records": [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
            }
            for message in messages
        ]
    }


def allowed(dev: Stage, handler: str) -> set[str]:
    """The actions that the role of the function allows."""
    address = f'module.roles.aws_iam_role_policy.function["{handler}"]'
    granted: set[str] = set()
    for statement in json.loads(dev.deployed[address]["policy"])["Statement"]:
        actions = statement["Action"]
        granted |= {actions} if isinstance(actions, str) else set(actions)
    return granted


def test_the_deployed_functions_replicate_an_order_with_the_permissions_of_their_roles(
    dev, deployed, aws, store
):
    polled = store.place_order(via="api")
    bought = store.place_order(via="api")
    store.set_status(bought, 1)
    deployed["poll_orders"].invoke(scheduled())
    store.set_status(bought, 11)
    answer = deployed["cart_converted"].invoke(callback(store, bought))
    outputs = dev.outputs

    result = deployed["replicate_orders"].invoke(delivered(aws, outputs["orders_queue_url"]))

    assert answer["statusCode"] == 200
    assert result == {"batchItemFailures": []}
    for order_id in (polled, bought):
        item = aws.client("dynamodb").get_item(
            TableName=outputs["orders_table"], Key={"id": {"N": str(order_id)}}
        )["Item"]
        assert item["replication"]["M"]["moved_to"] == {"N": "9"}
        assert "email" not in item["billing_address"]["M"]
        assert store.order(order_id)["status_id"] == 9
    table = aws.client("dynamodb").scan(TableName=outputs["webhooks_table"])
    assert [item["order_id"]["N"] for item in table["Items"]] == [str(bought)]
    for handler in ("poll_orders", "cart_converted", "replicate_orders"):
        assert_role_covers(deployed[handler].called(), allowed(dev, handler))


def test_a_change_is_replicated_with_the_permissions_of_its_consumer(dev, deployed, aws, store):
    order_id = store.place_order(via="api")
    url = dev.outputs["changes_queue_url"]
    body = {"order_id": order_id, "source": "webhook", "queued_at": "2026-01-31T00:00:00+00:00"}
    aws.client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps(body))

    result = deployed["follow_orders"].invoke(delivered(aws, url))

    assert result == {"batchItemFailures": []}
    item = aws.client("dynamodb").get_item(
        TableName=dev.outputs["orders_table"], Key={"id": {"N": str(order_id)}}
    )["Item"]
    assert item["replication"]["M"]["source"] == {"S": "webhook"}
    assert_role_covers(deployed["follow_orders"].called(), allowed(dev, "follow_orders"))


def test_a_change_is_published_with_the_permissions_of_its_function(dev, deployed, aws, store):
    item = {
        "id": {"N": "118"},
        "status_id": {"N": "9"},
        "replication": {
            "M": {
                "source": {"S": "webhook"},
                "version": {"N": "1795457118"},
                "digest": {"S": "d"},
                "replicated_at": {"S": "2026-11-23T18:05:18+00:00"},
                "sequence": {"N": "1795457118857"},
            }
        },
    }
    change = {"Keys": {"id": item["id"]}, "NewImage": item, "SequenceNumber": "1"}

    result = deployed["publish_changes"].invoke(
        {"Records": [{"eventName": "INSERT", "dynamodb": change}]}
    )

    assert result == {"batchItemFailures": []}
    assert deployed["publish_changes"].called() == {"events:PutEvents"}
    assert "events:PutEvents" in allowed(dev, "publish_changes")


# IAM authorizes a batch operation by the action of the single operation.
ACTIONS = {
    "sqs:SendMessageBatch": "sqs:SendMessage",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
}


def assert_role_covers(called: set[str], granted: set[str]) -> None:
    assert called
    assert {ACTIONS.get(operation, operation) for operation in called} <= granted


def test_the_role_of_the_consumer_allows_what_a_rejected_token_requires(dev, deployed, aws, store):
    store.place_order(via="api")
    deployed["poll_orders"].invoke(scheduled())
    event = delivered(aws, dev.outputs["orders_queue_url"])
    store.revoke_token()

    result = deployed["replicate_orders"].invoke(event)

    store.restore_token()
    assert len(result["batchItemFailures"]) == len(event["Records"])
    called = deployed["replicate_orders"].called()
    assert {"sns:Publish", "sqs:ChangeMessageVisibilityBatch"} <= called
    assert_role_covers(called, allowed(dev, "replicate_orders"))


@pytest.mark.parametrize("route", ["/cart-converted", "/order-changed"])
def test_the_deployed_function_rejects_a_forged_callback(deployed, store, route):
    event = callback(store, store.place_order(via="api"), route)
    event["headers"]["X-Replication-Token"] = "guessed"

    assert deployed["cart_converted"].invoke(event)["statusCode"] == 401


def test_the_sandbox_calls_the_deployed_handlers(deployed):
    from sandbox.container import Container
    from sandbox.store.clock import SystemClock

    sources: Any = Container(SystemClock()).app.event_sources
    declared = {function_of(source) for source in sources}

    assert declared == {"poll_orders", "replicate_orders", "follow_orders", "publish_changes"}
    assert {function.handler for function in deployed.values()} == {
        "app.poll_orders",
        "app.app",
        "app.replicate_orders",
        "app.follow_orders",
        "app.publish_changes",
    }


def test_the_operators_commands_find_the_resources_of_the_stage(dev, aws, monkeypatch):
    """moto does not find the event source mapping by the function's name, and runs no schedule."""
    for name, value in {"AWS_ENDPOINT_URL": aws.url, **CREDENTIALS}.items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str) -> Any:
        result = CliRunner().invoke(main, ["--stage", "dev", *arguments, "--json"])
        assert result.stdout.startswith("{"), result.output
        return json.loads(result.stdout)

    registered = run("webhook", "register")
    findings = {each["name"]: each for each in run("doctor")["findings"]}

    assert dev.outputs["webhook_url"] in json.dumps(registered)
    faults = {name for name, each in findings.items() if each["mark"] == "fault"}
    consumers = {
        f"consumer {name}" for name in ("replicate-orders", "follow-orders", "publish-changes")
    }
    # Terraform has created the connection of this destination with a placeholder.
    assert faults - {*consumers, "polls"} == {"destination crm"}
    assert "destinations authorize crm" in findings["destination crm"]["fix"]
    assert {"queue orders", "queue changes", "schedule"} <= set(findings)
