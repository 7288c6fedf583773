"""Destinations of events: values that are refused, rules, roles, queues and connections."""

import json
import shutil
import uuid
from pathlib import Path
from typing import Any

import pytest
from moto.backends import get_backend
from moto.events.models import EventPattern

from ops.remedies import alarm_steps, for_alarm
from sandbox.stack import ACCOUNT, REGION, Aws
from tests.availability import unavailable
from tests.infrastructure.conftest import (
    DESTINATIONS,
    FIFO_QUEUE,
    PROJECT,
    QUEUE,
    SECRETS,
    VALUES,
    Root,
    Stage,
    terraform_env,
)
from tests.infrastructure.iam import is_allowed
from tests.infrastructure.test_terraform import KEY, of_type, refused_variables

pytestmark = pytest.mark.xdist_group("terraform")

PREFIX = "order-replication-dev-to-"
PLACEHOLDER = "not-authorized-yet"
TYPES = ["order.created", "order.changed", "order.moved", "order.archived", "order.forgotten"]

FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:erp"
BUS = f"arn:aws:events:eu-west-1:{ACCOUNT}:event-bus/orders"
API_KEY: dict[str, Any] = {"api_key": {"header": "X-Api-Key"}}
BASIC: dict[str, Any] = {"basic": {"username": "orders"}}
OAUTH: dict[str, Any] = {
    "oauth": {
        "token_url": "https://login.example.com/oauth/token",
        "client_id": "orders",
        "parameters": {"audience": "https://crm.example.com"},
    }
}


def https(url: str = "https://crm.example.com/orders", **settings: Any) -> dict[str, Any]:
    """A destination with an HTTPS endpoint, by default with an API key."""
    return {"https": {"url": url, **(settings or API_KEY)}}


@pytest.fixture(scope="module")
def variables(aws: Aws, tmp_path_factory: pytest.TempPathFactory) -> Root:
    """The variables of the root module alone, which are checked without the provider."""
    if not shutil.which("terraform"):
        unavailable("terraform is not on the PATH")
    folder: Path = tmp_path_factory.mktemp("variables")
    shutil.copy(PROJECT / "terraform" / "variables.tf", folder)
    (folder / "main.tf.json").write_text('{"locals": {"packaged_stage": "dev"}}')
    values = SECRETS | VALUES | {"stage": "dev", "region": REGION}
    root = Root(folder, terraform_env(aws, values))
    root.init()
    return root


def planned(root: Root, destinations: dict[str, Any], **values: str) -> Any:
    flags = [f"-var={name}={value}" for name, value in values.items()]
    flags += [f"-var=destinations={json.dumps(destinations)}", "-input=false", "-json"]
    return root.terraform("plan", *flags, check=False)


@pytest.mark.parametrize(
    "destinations",
    [
        {},
        DESTINATIONS,
        {20 * "a": {"lambda": FUNCTION}},
        {"a1-b2": {"lambda": f"{FUNCTION}:live"}},
        {"bus": {"event_bus": BUS}},
        {"crm": https(**BASIC)},
        {"crm": https(**OAUTH)},
        {"crm": https("https://198.51.100.7/orders")},
        {"crm": https("https://100.63.0.1")},
        {"crm": https("https://localhost.example.com/10.0.0.1/local")},
        {"erp": {"sqs": QUEUE, "sqs_kms_key_arn": KEY, "types": TYPES, "retry_attempts": 0}},
    ],
    ids=lambda each: json.dumps(each)[:60],
)
def test_a_destination_is_accepted(variables, destinations):
    accepted = planned(variables, destinations)

    assert accepted.returncode == 0, accepted.stdout


@pytest.mark.parametrize(
    ("reason", "destination"),
    [
        ("exactly one of sqs, https, lambda and event_bus", {}),
        ("exactly one of sqs, https, lambda and event_bus", {"sqs": QUEUE, "lambda": FUNCTION}),
        ("sqs must be the ARN of a queue", {"sqs": f"https://sqs.{REGION}.amazonaws.com/1/erp"}),
        ("sqs must be the ARN of a queue", {"sqs": QUEUE.replace(REGION, "eu-west-1")}),
        ("sqs must be the ARN of a queue", {"sqs": f"{QUEUE}.FIFO"}),
        ("sqs_kms_key_arn must be the ARN", {"sqs": QUEUE, "sqs_kms_key_arn": "alias/mine"}),
        ("sqs_kms_key_arn must be the ARN", {"lambda": FUNCTION, "sqs_kms_key_arn": KEY}),
        ("lambda must be the ARN of a function", {"lambda": "erp"}),
        ("lambda must be the ARN of a function", {"lambda": FUNCTION.replace(REGION, "eu-west-1")}),
        ("event_bus must be the ARN", {"event_bus": "default"}),
        (
            "the bus of the stage itself",
            {"event_bus": f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/order-replication-dev"},
        ),
        ("must be an https:// URL", https("http://crm.example.com/orders")),
        ("must be an https:// URL", https("https://user:secret@crm.example.com")),
        ("must be an https:// URL", https("https://crm.example.com/orders?key=secret")),
        ("must be an https:// URL", https("https://[2001:db8::1]/orders")),
        ("must be public", https("https://localhost/orders")),
        ("must be public", https("https://crm/orders")),
        ("must be public", https("https://crm.internal:8443/orders")),
        ("must be public", https("https://Printer.LOCAL")),
        ("must be public", https("https://127.0.0.1:8443/orders")),
        ("must be public", https("https://10.1.2.3/orders")),
        ("must be public", https("https://172.20.0.1/orders")),
        ("must be public", https("https://192.168.1.1/orders")),
        ("must be public", https("https://169.254.169.254/latest")),
        ("must be public", https("https://100.64.0.1/orders")),
        ("exactly one of api_key, basic and oauth", https(rate_per_second=1)),
        ("exactly one of api_key, basic and oauth", https(**API_KEY, **BASIC)),
        ("name of an HTTP header", https(api_key={"header": "X Api Key"})),
        ("name of an HTTP header", https(api_key={"header": "Host"})),
        ("must not be empty", https(basic={"username": ""})),
        ("token_url of oauth", https(oauth={**OAUTH["oauth"], "token_url": "login.example.com"})),
        (
            "must not contain a secret",
            https(oauth={**OAUTH["oauth"], "parameters": {"client_secret": "secret"}}),
        ),
        ("rate_per_second of https", https(rate_per_second=0.5, **API_KEY)),
        ("rate_per_second of https", https(rate_per_second=301, **API_KEY)),
        ("Change: order.deleted.", {"sqs": QUEUE, "types": ["order.moved", "order.deleted"]}),
        ("channel_ids must be whole numbers", {"sqs": QUEUE, "channel_ids": [0]}),
        ("status_ids must be BigCommerce", {"sqs": QUEUE, "status_ids": [15]}),
        ("retry_hours must be", {"sqs": QUEUE, "retry_hours": 25}),
        ("retry_hours must be", {"sqs": QUEUE, "retry_hours": 0}),
        ("retry_attempts must be", {"sqs": QUEUE, "retry_attempts": 186}),
    ],
    ids=str,
)
def test_a_wrong_destination_is_refused_with_a_reason(variables, reason, destination):
    refused = planned(variables, {"erp": destination})

    assert refused.returncode == 1
    assert refused_variables(refused.stdout) == {"destinations"}
    (message,) = details(refused.stdout)
    assert message.startswith("destinations: ")
    assert reason in message


def details(output: str) -> list[str]:
    """The reasons that Terraform reports, each once."""
    lines = [json.loads(line) for line in output.splitlines()]
    found = [line["diagnostic"]["detail"] for line in lines if line["type"] == "diagnostic"]
    return sorted({detail.split("\n\nThis was checked")[0] for detail in found})


@pytest.mark.parametrize("name", [21 * "a", "Erp", "erp_1", "1erp", "-erp", "erp-", "a--b"])
def test_a_name_that_cannot_be_part_of_a_resource_name_is_refused(variables, name):
    refused = planned(variables, {name: {"sqs": QUEUE}, "ok": {"sqs": QUEUE}})

    (message,) = details(refused.stdout)
    assert message.endswith(f"Change: {name}.")


def test_the_name_of_the_command_that_follows_events_is_refused(variables):
    (message,) = details(planned(variables, {"tail": {"sqs": QUEUE}}).stdout)

    assert "the name tail is not available" in message


def test_the_longest_names_are_within_the_limits():
    rule = f"order-replication-{16 * 's'}-to-{20 * 'd'}"

    assert len(rule) <= 64, "rules, roles, connections, API destinations"
    assert len(f"{rule}-undelivered") <= 80, "queues"


def test_a_channel_that_is_not_replicated_is_refused(variables):
    erp = {"erp": {"sqs": QUEUE, "channel_ids": [1, 2]}}

    assert planned(variables, erp, channel_ids="[1,2,3]").returncode == 0
    (message,) = details(planned(variables, erp, channel_ids="[1,3]").stdout)
    assert "must be among the channel_ids of the stage" in message


def event(type_: str = "order.created", **detail: Any) -> dict[str, Any]:
    """An event as EventBridge compares it with a pattern."""
    ids = {"order_id": 118, "channel_id": 1, "status_id": 11, "sequence": 1} | detail
    return {"source": "order-replication.dev", "detail-type": type_, "detail": ids}


@pytest.fixture(scope="module")
def patterns(dev: Stage) -> dict[str, EventPattern]:
    """The event patterns of the deployed rules, by destination."""
    return {
        name: EventPattern.load(rule["event_pattern"])
        for name in DESTINATIONS
        for rule in of_type(dev.deployed, "aws_cloudwatch_event_rule").values()
        if rule["name"] == f"{PREFIX}{name}"
    }


def receivers(patterns: dict[str, EventPattern], event: Any) -> set[str]:
    return {name for name, pattern in patterns.items() if pattern.matches_event(event)}


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (event(), {"erp", "erp-fifo", "crm"}),
        (event("order.moved"), {"erp", "erp-fifo", "crm"}),
        (event("order.changed"), {"erp-fifo", "crm"}),
        (event(channel_id=664177), {"erp", "erp-fifo", "crm"}),
        (event(channel_id=2), {"erp", "crm"}),
        (event(status_id=9), {"erp", "crm"}),
        (event("order.changed", status_id=9), {"crm"}),
        (event(replayed=True), {"erp", "erp-fifo", "crm"}),
        (event(only_for="erp"), {"erp"}),
        (event("order.changed", only_for="erp"), set()),
        (event() | {"source": "order-replication.prod"}, set()),
    ],
    ids=str,
)
def test_a_destination_receives_the_events_that_it_selects(patterns, sent, expected):
    assert receivers(patterns, sent) == expected


def test_an_event_on_the_bus_is_sent_to_a_standard_and_a_fifo_queue(dev, aws):
    sqs = aws.client("sqs")
    fifo = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    urls = [
        sqs.create_queue(QueueName=arn.rsplit(":", 1)[1], Attributes=attributes)["QueueUrl"]
        for arn, attributes in ((QUEUE, {}), (FIFO_QUEUE, fifo))
    ]
    sent = event(event_id=str(uuid.uuid4()))
    entry = {
        "EventBusName": dev.outputs["event_bus_name"],
        "Source": sent["source"],
        "DetailType": sent["detail-type"],
        "Detail": json.dumps(sent["detail"]),
    }

    # What the functions of the stage have published in other tests.
    aws.bus.forget()

    answer = aws.client("events").put_events(Entries=[entry])

    assert answer["FailedEntryCount"] == 0
    aws.bus.deliver()
    received = [
        sqs.receive_message(QueueUrl=url, AttributeNames=["MessageGroupId"])["Messages"][0]
        for url in urls
    ]
    assert [json.loads(each["Body"])["detail"] for each in received] == [sent["detail"]] * 2
    assert received[1]["Attributes"] == {"MessageGroupId": "orders"}
    for url in urls:
        sqs.delete_queue(QueueUrl=url)


def test_a_target_is_retried_and_has_a_dead_letter_queue(dev, aws):
    events = aws.client("events")
    for name, settings in DESTINATIONS.items():
        (target,) = events.list_targets_by_rule(
            Rule=f"{PREFIX}{name}", EventBusName=dev.outputs["event_bus_name"]
        )["Targets"]

        assert target["RetryPolicy"] == {
            "MaximumEventAgeInSeconds": 3600 * settings.get("retry_hours", 24),
            "MaximumRetryAttempts": 185,
        }
        assert target["DeadLetterConfig"]["Arn"].endswith(f":{PREFIX}{name}-undelivered")
        assert target["RoleArn"].endswith(f":role/{PREFIX}{name}")


def test_the_role_of_a_destination_sends_to_its_target_and_does_nothing_else(dev, aws):
    iam = aws.client("iam")
    statements = {}
    for name in DESTINATIONS:
        (policy,) = iam.list_role_policies(RoleName=f"{PREFIX}{name}")["PolicyNames"]
        found = iam.get_role_policy(RoleName=f"{PREFIX}{name}", PolicyName=policy)
        (statements[name],) = found["PolicyDocument"]["Statement"]

    allowed = {name: (each["Action"], each["Resource"]) for name, each in statements.items()}
    assert allowed.pop("erp") == ("sqs:SendMessage", QUEUE)
    assert allowed.pop("erp-fifo") == ("sqs:SendMessage", FIFO_QUEUE)
    action, resource = allowed.pop("crm")
    assert action == "events:InvokeApiDestination"
    assert f":api-destination/{PREFIX}crm/" in resource
    assert "*" not in resource


def rule_arn(name: str) -> str:
    bus = "order-replication-dev"
    return f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{bus}/{PREFIX}{name}"


def test_only_the_rule_of_a_destination_uses_its_role_and_its_queue(dev, aws):
    for name, output in dev.outputs["destinations"].items():
        role = aws.client("iam").get_role(RoleName=f"{PREFIX}{name}")["Role"]
        queue = aws.client("sqs").get_queue_attributes(
            QueueUrl=output["undelivered_queue_url"], AttributeNames=["All"]
        )["Attributes"]
        policy, arn = json.loads(queue["Policy"]), queue["QueueArn"]
        own, tls = {"aws:SourceArn": rule_arn(name)}, {"aws:SecureTransport": "true"}
        other = {"aws:SourceArn": rule_arn("other")}

        trust = [role["AssumeRolePolicyDocument"]]
        assert is_allowed(trust, "sts:AssumeRole", "*", own)
        assert not is_allowed(trust, "sts:AssumeRole", "*", other)
        assert is_allowed([policy], "sqs:SendMessage", arn, own | tls)
        assert not is_allowed([policy], "sqs:SendMessage", arn, other | tls)
        assert not is_allowed([policy], "sqs:SendMessage", arn, tls)
        assert not is_allowed(
            [policy], "sqs:SendMessage", arn, own | {"aws:SecureTransport": "false"}
        )
        assert not is_allowed([policy], "sqs:ReceiveMessage", arn, own | tls)
        assert queue["MessageRetentionPeriod"] == str(14 * 24 * 3600)
        assert queue["SqsManagedSseEnabled"] == "true"


def test_the_outputs_name_what_the_commands_need(dev):
    outputs = dev.outputs["destinations"]

    assert {name: each["kind"] for name, each in outputs.items()} == {
        "erp": "sqs",
        "erp-fifo": "sqs",
        "crm": "https",
    }
    assert {each["connection"] for each in outputs.values()} == {None, f"{PREFIX}crm"}
    for name, each in outputs.items():
        assert each["undelivered_queue_url"].endswith(f"/{PREFIX}{name}-undelivered")


def test_the_alarm_covers_events_in_the_queue_and_those_that_were_lost(dev):
    for name in DESTINATIONS:
        (alarm,) = [
            each
            for each in of_type(dev.deployed, "aws_cloudwatch_metric_alarm").values()
            if each["alarm_name"] == f"{PREFIX}{name}-undelivered"
        ]
        metrics = {
            metric["metric_name"]: metric["dimensions"]
            for query in alarm["metric_query"]
            for metric in query["metric"]
        }

        assert [each["label"] for each in alarm["metric_query"] if each["return_data"]] == [
            "UndeliveredEvents"
        ]
        assert metrics == {
            "ApproximateNumberOfMessagesVisible": {"QueueName": f"{PREFIX}{name}-undelivered"},
            "InvocationsFailedToBeSentToDlq": {
                "EventBusName": "order-replication-dev",
                "RuleName": f"{PREFIX}{name}",
            },
        }


def test_the_doctor_has_a_step_for_the_alarm_of_every_destination():
    assert for_alarm("dev", "to-erp-undelivered") == alarm_steps("dev")["undelivered"]


MODULE = "module.https_endpoint"


def changes(dev: Stage, crm: dict[str, Any], plan: str) -> dict[str, list[str]]:
    """What a plan does to the connection and the API destination of crm."""
    destinations = DESTINATIONS | {"crm": crm}
    dev.plan(
        "-refresh=false",
        f"-target={MODULE}",
        f"-var=destinations={json.dumps(destinations)}",
        f"-out={plan}",
    )
    return {
        change["type"]: change["change"]["actions"]
        for change in dev.show(plan)["resource_changes"]
        if change["address"].startswith(MODULE) and change["mode"] == "managed"
    }


CONNECTION = "aws_cloudwatch_event_connection"
API_DESTINATION = "aws_cloudwatch_event_api_destination"


def test_a_connection_is_never_updated_because_this_would_replace_its_secret(dev):
    other = https("https://crm2.example.com/orders", rate_per_second=6, **API_KEY)
    moved = changes(dev, other, "url.plan")
    other_header = changes(dev, https(api_key={"header": "Authorization"}), "header.plan")
    oauth = changes(dev, https(**OAUTH), "oauth.plan")

    assert (moved[CONNECTION], moved[API_DESTINATION]) == (["no-op"], ["update"])
    assert other_header[CONNECTION] == oauth[CONNECTION] == ["delete", "create"]
    assert oauth[API_DESTINATION] == ["update"]


def test_the_only_secret_of_a_connection_that_terraform_knows_is_a_placeholder(dev, aws):
    (planned,) = of_type(dev.planned(), CONNECTION).values()
    described = aws.client("events").describe_connection(Name=f"{PREFIX}crm")
    (api_key,) = planned["auth_parameters"][0]["api_key"]

    assert api_key == {"key": "X-Api-Key", "value": PLACEHOLDER}
    assert described["SecretArn"].split(":secret:")[1].startswith(f"events!connection/{PREFIX}crm/")


@pytest.mark.exhaustive
def test_the_secret_of_an_authorized_connection_is_kept_and_not_read(dev, aws):
    """As docs/deploying.md describes it."""
    events, secret = aws.client("events"), "a-key-that-only-the-receiver-knows"
    values = {"ApiKeyName": "X-Api-Key", "ApiKeyValue": secret}
    events.update_connection(Name=f"{PREFIX}crm", AuthParameters={"ApiKeyAuthParameters": values})

    flags = ["-input=false", "-no-color", f"-var-file=stages/{dev.name}.tfvars"]
    dev.terraform("apply", "-auto-approve", *flags, f"-target={MODULE}")

    # Read from moto itself, because no request returns a secret.
    connection = get_backend("events")[ACCOUNT][REGION].connections[f"{PREFIX}crm"]
    assert connection.auth_parameters == {"ApiKeyAuthParameters": values}
    kept = b"".join(path.read_bytes() for path in dev.folder.glob("*.tfstate*"))
    assert b"X-Api-Key" in kept
    assert secret.encode() not in kept


@pytest.fixture(scope="module")
def one_of_each(dev: Stage) -> dict[str, dict[str, Any]]:
    """A plan with destinations of every kind, and a customer-managed key."""
    destinations = {
        "queue": {"sqs": QUEUE, "sqs_kms_key_arn": KEY},
        "function": {"lambda": FUNCTION},
        "bus": {"event_bus": BUS},
        "basic": https(**BASIC),
        "oauth": https(**OAUTH),
    }
    dev.plan(
        "-refresh=false",
        f"-var=kms_key_arn={KEY}",
        f"-var=destinations={json.dumps(destinations)}",
        "-out=kinds.plan",
    )
    return dev.planned("kinds.plan")


def test_functions_and_buses_are_targets_with_a_role(one_of_each):
    targets = of_type(one_of_each, "aws_cloudwatch_event_target")
    policies = {
        name.removesuffix("destination"): json.loads(each["policy"])["Statement"]
        for name, each in of_type(one_of_each, "aws_iam_role_policy").items()
        if name.endswith("destination") and each.get("policy")
    }
    allowed = {
        name: [(each["Action"], each["Resource"]) for each in statements]
        for name, statements in policies.items()
    }

    assert targets["functiondestination"]["arn"] == FUNCTION
    assert targets["busdestination"]["arn"] == BUS
    assert allowed["function"] == [("lambda:InvokeFunction", FUNCTION)]
    assert allowed["bus"] == [("events:PutEvents", BUS)]
    assert allowed["queue"] == [
        ("sqs:SendMessage", QUEUE),
        (["kms:GenerateDataKey", "kms:Decrypt"], KEY),
    ]


def test_endpoints_are_authorized_by_password_or_oauth(one_of_each):
    connections = of_type(one_of_each, CONNECTION)
    basic, oauth = (
        connections[f"{name}https"]["auth_parameters"][0][name][0] for name in ("basic", "oauth")
    )

    assert basic == {"username": "orders", "password": PLACEHOLDER}
    assert oauth["authorization_endpoint"] == "https://login.example.com/oauth/token"
    assert oauth["client_parameters"] == [{"client_id": "orders", "client_secret": PLACEHOLDER}]
    (parameters,) = oauth["oauth_http_parameters"]
    assert {each["key"]: each["value"] for each in parameters["body"]} == {
        "grant_type": "client_credentials",
        "audience": "https://crm.example.com",
    }


def test_the_queues_and_the_bus_are_encrypted_with_the_key_of_the_stage(one_of_each):
    queues = of_type(one_of_each, "aws_sqs_queue")
    (bus,) = of_type(one_of_each, "aws_cloudwatch_event_bus").values()

    assert bus["kms_key_identifier"] == KEY
    assert {each["kms_master_key_id"] for each in queues.values()} == {KEY}
    assert {"queueundelivered", "unpublished"} <= set(queues)


@pytest.mark.exhaustive
def test_the_index_is_added_to_an_existing_table_in_place(aws, tmp_path_factory):
    if not shutil.which("terraform"):
        unavailable("terraform is not on the PATH")
    folder: Path = tmp_path_factory.mktemp("index")
    main = shutil.copytree(PROJECT / "terraform/modules/tables", folder / "tables") / "main.tf"
    new = main.read_text()
    start, end = new.index('  attribute {\n    name = "created_day"'), new.index("  # Disabled")
    main.write_text(new[:start] + new[end:])
    call: dict[str, Any] = {"source": "./tables", "name": "order-replication-index"}
    call |= {"kms_key_arn": None} | {"deletion_protection": False, "orders_expire": False}
    (folder / "main.tf.json").write_text(json.dumps({"module": {"tables": call}}))
    root = Root(folder, terraform_env(aws, {}))
    root.init()
    root.terraform("apply", "-auto-approve", "-input=false", "-no-color")

    main.write_text(new)
    root.terraform("plan", "-input=false", "-out=index.plan")
    (change,) = [
        each["change"]
        for each in root.show("index.plan")["resource_changes"]
        if each["change"]["actions"] != ["no-op"]
    ]
    root.terraform("apply", "-input=false", "-no-color", "index.plan")

    before, after = change["before"], change["after"]
    assert change["actions"] == ["update"]
    assert {name for name in after if before.get(name) != after[name]} == {
        "attribute",
        "global_secondary_index",
    }
    table = aws.client("dynamodb").describe_table(TableName="order-replication-index-orders")
    (index,) = table["Table"]["GlobalSecondaryIndexes"]
    assert (index["IndexName"], index["Projection"]) == ("by_day", {"ProjectionType": "KEYS_ONLY"})
