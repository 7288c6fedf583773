"""The policies for operators: every call of every command is allowed by the documented ones.

The commands run against a sandbox stage, and boto3 records the calls that they make.
"""

import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest

from chalicelib.domain.failing import FailingOrder
from chalicelib.domain.order_fields import FieldChange, OrderFields
from chalicelib.edges.dynamodb_jobs import EMBEDDED_OFF, ORDER_FIELDS
from ops.clock import OperatorClock
from ops.console.app import create_app
from ops.console.console import Console
from ops.deployment import Deployment
from ops.reference import command_helps
from ops.tables import JobsItem
from sandbox.bus import Answer
from sandbox.stack import ACCOUNT, CONSUMED, REGION, TABLES, Aws
from sandbox.store.clock import SystemClock
from sandbox.world import World
from tests.e2e.conftest import Ops
from tests.e2e.journeys import send
from tests.infrastructure.conftest import PROJECT, Root, Stage, terraform_env
from tests.infrastructure.iam import Policy, as_list, is_allowed
from tests.infrastructure.test_docs import OPERATIONS, table
from tests.infrastructure.test_terraform import KEY, OLD_KEY

pytestmark = pytest.mark.xdist_group("terraform")

STAGE = "operators"
RANGE = ("--since", "2020-01-01", "--until", "2030-01-01")

ACTIONS = {
    "lambda:Invoke": "lambda:InvokeFunction",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:SendMessageBatch": "sqs:SendMessage",
}
"""Operations whose IAM action has another name
(https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsqs.html)."""

ON_BEHALF = {
    f"secretsmanager:{action}"
    for action in ("DescribeSecret", "GetSecretValue", "PutSecretValue", "UpdateSecret")
}
"""Actions of EventBridge that the caller of UpdateConnection needs
(https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-target-connection-auth.html)."""

WITHOUT_PERMISSION = {"sts:GetCallerIdentity"}
"""https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html"""

CHANGING = ("Create", "Delete", "Invoke", "Publish", "Purge", "Put", "Send", "Update")
"""The beginnings of the names of actions that change something."""

Call = tuple[str, str]
"""An IAM action and the ARN of its resource."""


@dataclass
class Recorder:
    """The calls of the clients that are made while it is installed."""

    calls: set[Call] = field(default_factory=set)

    def __call__(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        operation = f"{model.service_model.service_name}:{model.name}"
        if operation not in WITHOUT_PERMISSION:
            action = ACTIONS.get(operation, operation)
            self.calls |= {(action, arn) for arn in resources(action, params)}


def resources(action: str, params: dict[str, Any]) -> list[str]:
    """The ARNs of the resources that a call names, or * for an action without any."""
    place = f"{REGION}:{ACCOUNT}"
    match action.split(":")[0], params:
        case "dynamodb", {"TableName": name, "IndexName": index}:
            return [f"arn:aws:dynamodb:{place}:table/{name}/index/{index}"]
        case "dynamodb", {"TableName": name}:
            return [f"arn:aws:dynamodb:{place}:table/{name}"]
        case "dynamodb", {"RequestItems": items}:
            return [f"arn:aws:dynamodb:{place}:table/{name}" for name in items]
        case "sqs", {"QueueUrl": url}:
            return [f"arn:aws:sqs:{place}:{url.rsplit('/', 1)[1]}"]
        case "sqs", {"QueueName": name}:
            return [f"arn:aws:sqs:{place}:{name}"]
        case "sns", {"TopicArn": arn}:
            return [arn]
        case "ssm", {"Name": name}:
            return [f"arn:aws:ssm:{place}:parameter{name}"]
        case "events", {"Entries": entries}:
            return [
                f"arn:aws:events:{place}:event-bus/{entry['EventBusName']}" for entry in entries
            ]
        case "events", {"Name": name} if "Connection" in action:
            return [f"arn:aws:events:{place}:connection/{name}/0123"]
        case "events", {"Rule": name, "EventBusName": bus} | {"Name": name, "EventBusName": bus}:
            return [f"arn:aws:events:{place}:rule/{bus}/{name}"]
        case "events", {"NamePrefix": _}:
            return ["*"]
        case "events", {"Name": name}:
            return [f"arn:aws:events:{place}:rule/{name}"]
        case "logs", {"logGroupName": name}:
            return [f"arn:aws:logs:{place}:log-group:{name}:*"]
        case "lambda", {"FunctionName": name} if action != "lambda:ListEventSourceMappings":
            return [f"arn:aws:lambda:{place}:function:{name}"]
        case (("cloudwatch" | "lambda"), _):
            return ["*"]
    raise ValueError(f"unknown resource of {action}: {params}")


@pytest.fixture(scope="module")
def world(dev: Stage, aws: Aws) -> Iterator[World]:
    """A stage with orders and callbacks. It comes after dev, since it sets moto's clock."""
    with World(aws, STAGE) as world:
        world.stack.add_destination("crm", url="https://crm.example.com")
        world.bus.receivers["https://crm.example.com"] = lambda event: Answer(400)
        world.store.place_orders(3)
        world.deliver_webhooks()
        world.poll()
        world.settle()
        yield world
    aws.follow(SystemClock())


def prepared(world: World, ops: Ops, command: str) -> list[str]:
    """The arguments of a command, and what it needs to make all its calls."""
    order_id = world.store.place_order(via="api")
    deployment = Deployment.find(STAGE, ops.world.clock)
    jobs = deployment.wiring.jobs
    match command:
        case "audit" | "audit --fix":
            return [*command.split(), "--wait", "0"]
        case "backfill":
            return [command, *RANGE]
        case "embedded-reads" | "embedded-reads when the lists are off":
            item = JobsItem(deployment, EMBEDDED_OFF)
            item.write({"order_id": order_id}) if "off" in command else item.remove()
            return ["embedded-reads", "--orders", "2"]
        case "fields" | "fields --accept":
            now = world.clock.now()
            changes = (FieldChange("new", "tier", ("string",), now),)
            JobsItem(deployment, ORDER_FIELDS).remove()
            jobs.write_order_fields(OrderFields({}, now, 1, changes, revision=1))
        case "expire" | "expire --dry-run":
            world.deliver_webhooks()
            world.settle()
            world.stack.dynamodb.update_item(
                TableName=world.stack.name("orders"),
                Key={"id": {"N": str(order_id)}},
                UpdateExpression="SET expires_at = :never",
                ExpressionAttributeValues={":never": {"N": "9999999999"}},
            )
        case "events replay":
            return [*command.split(), "--since", f"{world.clock.now().date()}"]
        case "explain":
            return [command, str(order_id)]
        case "events tail":
            return [*command.split(), "--minutes", "1", "--destination", "crm"]
        case "events undelivered" | "events redrive" | "events drop":
            world.deliver_webhooks()
            world.settle()
            world.publish()
            world.deliver_events()
            return [*command.split(), *([] if command == "events undelivered" else ["--all"])]
        case "destinations authorize":
            return [*command.split(), "crm", "--yes"]
        case "forget" | "forget --dry-run" | "forget --again":
            world.deliver_webhooks()
            world.settle()
            if command != "forget --again":
                return [*command.split(), "--order", str(order_id)]
            ops("forget", "--order", str(order_id))
            world.stack.dynamodb.delete_item(
                TableName=world.stack.name("orders"), Key={"id": {"N": str(order_id)}}
            )
        case "dead-letters list" | "dead-letters redrive" | "dead-letters drop" | "retry":
            send(world, order_id, queue="orders-dead-letters")
            since = world.clock.now() - timedelta(hours=1)
            jobs.write_failing(FailingOrder(order_id, since, 20, "Unavailable", "503", since))
            ids = [] if command == "dead-letters list" else [str(order_id)]
            return [*command.split(), *ids, *(["118"] if command == "retry" else [])]
        case "pause":
            return [command, "--reason", "a test"]
        case "replay":
            return [command, str(order_id)]
        case "resume":
            ops("pause", "--reason", "a test")
        case "webhook register":
            world.store.callbacks.remove(next(iter(world.store.callbacks.hooks)))
    return command.split()


def visit(world: World) -> None:
    """Follow the links of the console, which runs until it is stopped: one page of each kind."""
    console = Console(STAGE, OperatorClock(world.clock))
    app = create_app(console)
    client, routes = app.test_client(), app.url_map.bind("127.0.0.1:1")
    rest, seen = [f"/?token={console.guard.token}"], set()
    while rest:
        path = rest.pop()
        answer = client.get(path, base_url="http://127.0.0.1:1", follow_redirects=True)
        assert answer.status_code == 200, (path, answer.text)
        for link in map(html.unescape, re.findall(r'href="(/[^"#]*)"', answer.text)):
            address = urlsplit(link)
            kind = (routes.match(address.path)[0], tuple(parse_qs(address.query)))
            if kind not in seen and kind[0] != "static":
                seen.add(kind)
                rest.append(link)
    assert {kind for kind, _ in seen} >= {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if rule.methods and "GET" in rule.methods and rule.endpoint not in ("static", "start")
    }


COMMANDS = list(table(OPERATIONS, "command"))


@pytest.fixture(scope="module")
def recorded(world: World) -> dict[str, set[Call]]:
    """The calls of every documented command.

    The functions have made their clients before, so that their calls are not recorded.
    """
    ops, found = Ops(world), {}
    ops("poll")
    ops("webhook", "test")
    for command in COMMANDS:
        arguments = prepared(world, ops, command)
        recorder = Recorder()
        boto3.setup_default_session()
        assert boto3.DEFAULT_SESSION
        boto3.DEFAULT_SESSION.events.register("provide-client-params", recorder)
        if command == "console":
            visit(world)
        else:
            result = ops(*arguments, answer="a secret\n" if "authorize" in command else "")
            ended = result.exception is None or isinstance(result.exception, SystemExit)
            assert ended, result.output
        boto3.setup_default_session()
        found[command] = recorder.calls
    return found


@pytest.fixture(scope="module")
def policies(dev: Stage) -> dict[str, Policy]:
    """The policies of the stage dev, with the name of the stage that the commands run against."""
    return {
        name: json.loads(
            text.replace("replication-dev", f"replication-{STAGE}").replace(
                "replication/dev/", f"replication/{STAGE}/"
            )
        )
        for name, text in dev.outputs["operate_policies"].items()
    }


def allows(granted: list[Policy], call: Call) -> bool:
    action, resource = call
    name = resource.rsplit("/", 1)[-1]
    # The target of a tail's rule is the queue of its name.
    context = {"events:TargetArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"}
    return is_allowed(granted, action, resource, context)


def documented(command: str) -> list[str]:
    """The policies that the documentation names for a command."""
    named = table(OPERATIONS, "command")[command][0].replace("`", "")
    return [] if named == "none" else named.split(", ")


def test_every_command_is_documented_with_its_policies():
    assert {command.split(" --")[0].split(" when")[0] for command in COMMANDS} == set(
        command_helps()
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_every_call_of_a_command_is_allowed(recorded, policies, command):
    granted = [policies[name] for name in documented(command)]

    refused = {call for call in recorded[command] if not allows(granted, call)}

    assert bool(recorded[command]) == bool(granted)
    assert refused == set()


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_is_documented_with_a_policy_that_it_does_not_need(recorded, policies, command):
    for name in documented(command):
        others = [policies[other] for other in documented(command) if other != name]
        assert any(not allows(others, call) for call in recorded[command]), name


def test_no_policy_has_an_action_that_its_commands_do_not_call(recorded, policies):
    for name, policy in policies.items():
        called = {
            action
            for command, calls in recorded.items()
            if name in documented(command)
            for action, arn in calls
        }
        allowed = {action for each in policy["Statement"] for action in as_list(each["Action"])}
        assert allowed - called - ON_BEHALF == set(), name


def test_read_changes_nothing(policies):
    actions = {
        action for each in policies["read"]["Statement"] for action in as_list(each["Action"])
    }

    assert not {each for each in actions if each.split(":")[1].startswith(CHANGING)}
    # Listing a dead-letter queue hides its messages for seconds. It must not touch the others.
    assert {each for each in actions if "Message" in each} == {
        "sqs:ChangeMessageVisibility",
        "sqs:ReceiveMessage",
    }
    assert not is_allowed([policies["read"]], "sqs:ReceiveMessage", queue("orders"), {})


def arn(service: str, resource: str, stage: str = STAGE) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource.replace('STAGE', stage)}"


def queue(name: str, stage: str = STAGE) -> str:
    return arn("sqs", f"order-replication-STAGE-{name}", stage)


def item_table(name: str = "orders", stage: str = STAGE) -> str:
    return arn("dynamodb", f"table/order-replication-STAGE-{name}", stage)


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("dynamodb:DeleteItem", item_table()),
        ("dynamodb:DeleteItem", item_table("webhooks")),
        ("dynamodb:PutItem", item_table("erasures")),
        ("dynamodb:DeleteItem", item_table("erasures")),
        ("dynamodb:DeleteTable", item_table()),
        ("sqs:DeleteMessage", queue("orders")),
        ("sqs:PurgeQueue", queue("orders-dead-letters")),
        ("sqs:SendMessage", queue("orders-dead-letters")),
        ("sqs:DeleteQueue", queue("orders")),
        (
            "events:PutRule",
            arn("events", "rule/order-replication-STAGE/order-replication-STAGE-to-crm"),
        ),
        ("events:DeleteRule", arn("events", "rule/order-replication-STAGE-poll-orders")),
        ("ssm:PutParameter", arn("ssm", "parameter/order-replication/STAGE/webhook-token")),
        (
            "lambda:UpdateFunctionCode",
            arn("lambda", "function:order-replication-STAGE-poll-orders"),
        ),
    ],
)
def test_an_operator_cannot_forget_an_order_or_change_the_stage(policies, action, resource):
    assert not is_allowed([policies["read"], policies["operate"]], action, resource, {})


def test_the_rule_of_a_tail_sends_to_the_queue_of_a_tail_only(policies):
    rule = arn("events", "rule/order-replication-STAGE/order-replication-STAGE-tail-1-a")
    targets = {"tail-1-a": True, "orders": False, "to-crm-undelivered": False}

    for name, expected in targets.items():
        context = {"events:TargetArn": queue(name)}
        assert is_allowed([policies["operate"]], "events:PutTargets", rule, context) == expected
    assert not is_allowed([policies["operate"]], "events:PutTargets", rule, {})


@pytest.mark.parametrize("name", ["read", "operate", "erase"])
def test_a_policy_is_restricted_to_the_resources_of_its_stage(policies, recorded, name):
    other = {
        (action, resource.replace(STAGE, "prod"))
        for calls in recorded.values()
        for action, resource in calls
        if resource != "*"
    }

    assert not {call for call in other if allows([policies[name]], call)}


@pytest.fixture(scope="module")
def with_keys(aws: Aws, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Policy]:
    """The policies of a stage with a key and a retired one, and with the longest names.

    Planned from the module alone: a key replaces the parameters, so that a plan of the stage does
    not know their ARNs.
    """
    folder: Path = tmp_path_factory.mktemp("operators")
    stage = 16 * "s"
    call = {
        "source": str(PROJECT / "terraform" / "modules" / "operators"),
        "region": REGION,
        "function_arns": [arn("lambda", f"function:{24 * 'f'}-STAGE-{n}", stage) for n in range(4)],
        "poll_function_arn": arn("lambda", "function:order-replication-STAGE-poll-orders", stage),
        "schedule_arn": arn("events", "rule/order-replication-STAGE-poll-orders", stage),
        "event_bus_arn": arn("events", "event-bus/order-replication-STAGE", stage),
        **{f"{name}_table_arn": item_table(name, stage) for name in TABLES},
        "log_group_arns": [
            arn("logs", f"log-group:/aws/lambda/{24 * 'f'}-STAGE-{n}", stage) for n in range(5)
        ],
        "queue_arns": [queue(name, stage) for name in CONSUMED],
        "dead_letter_queue_arns": [queue(f"{name}-dead-letters", stage) for name in CONSUMED],
        "topic_arns": [arn("sns", f"order-replication-STAGE-{n}", stage) for n in range(2)],
        "parameter_arns": [arn("ssm", f"parameter/{60 * 'p'}{n}", stage) for n in range(4)],
        "kms_key_arns": [KEY, OLD_KEY],
    }
    configuration = {
        "module": {"operators": call},
        "output": {"policies": {"value": "${module.operators.policies}"}},
    }
    (folder / "main.tf.json").write_text(json.dumps(configuration))
    root = Root(folder, terraform_env(aws, {}))
    root.init()
    root.terraform("plan", "-input=false", "-out=keys.plan")
    after = root.show("keys.plan")["output_changes"]["policies"]["after"]
    return {name: json.loads(text) for name, text in after.items()}


def test_a_customer_managed_key_is_used_through_the_services_of_the_stage(with_keys):
    via = {"kms:ViaService": f"ssm.{REGION}.amazonaws.com"}

    for key in (KEY, OLD_KEY):
        for policy in with_keys.values():
            assert is_allowed([policy], "kms:Decrypt", key, via)
            assert not is_allowed([policy], "kms:Decrypt", key, {})
        assert not is_allowed([with_keys["read"]], "kms:GenerateDataKey", key, via)
        assert is_allowed([with_keys["operate"]], "kms:GenerateDataKey", key, via)


def test_a_policy_is_within_the_limit_of_iam(with_keys):
    for policy in with_keys.values():
        assert len(json.dumps(policy, separators=(",", ":"))) <= 6144
