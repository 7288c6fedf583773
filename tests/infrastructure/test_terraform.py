"""The Terraform configuration, applied to moto."""

import json
import re
import zipfile
from typing import Any

import pytest

from chalicelib.settings import Settings
from ops.deploy.__main__ import STATE_ONLY
from ops.deploy.layer import RUNTIME
from ops.deployment import HANDLERS
from sandbox.stack import (
    CONSUMED,
    EXPIRING_TABLES,
    MAX_RECEIVE_COUNT,
    TABLES,
    VISIBILITY_TIMEOUT,
    Stack,
)
from sandbox.stream import RETRIES
from tests.infrastructure.conftest import (
    DESTINATIONS,
    PROJECT,
    SECRETS,
    Stage,
    initialized,
    package,
)
from tests.infrastructure.iam import Policy, as_list, is_allowed

pytestmark = pytest.mark.xdist_group("terraform")

UNDELIVERED = {f"to-{name}-undelivered" for name in DESTINATIONS}
ALARMS = {
    "changes-dead-letters",
    "changes-message-age",
    "consumer-errors",
    "dead-letters",
    "embedded-differs",
    "event-age",
    "failing-orders",
    "follower-errors",
    "hooks-missing",
    "message-age",
    "missing-orders",
    "order-fields-changed",
    "polls-missing",
    "publisher-errors",
    "requests",
    "stale-orders",
    *UNDELIVERED,
    "unauthorized",
    "unconfirmed-moves",
    "unpublished-events",
    "webhook-failures",
    "webhooks-refused",
}
DEAD_LETTERS = {*CONSUMED.values(), *UNDELIVERED, "unpublished-events"}
"""The alarms on queues of messages that failed."""

LOG_METRIC_FILTER = "aws_cloudwatch_log_metric_filter"
KEY = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
OLD_KEY = "arn:aws:kms:us-east-1:123456789012:key/99999999-12ab-34cd-56ef-1234567890ab"
WEB_ACL = "arn:aws:wafv2:us-east-1:123456789012:regional/webacl/edge/1234abcd"
SUBSCRIPTIONS = [
    {"protocol": "https", "endpoint": "https://events.example.com/integration/1/enqueue"},
    {"protocol": "sqs", "endpoint": "arn:aws:sqs:us-east-1:123456789012:alerts"},
]
BOUNDARY = "arn:aws:iam::123456789012:policy/github/order-replication-dev-boundary"
RUNBOOK = "https://example.com/runbook"
DEV_ORDERS = "order-replication-dev-orders"

MOTO_DOES_NOT_KEEP = {
    ("aws_lambda_function", "logging_config"),
    ("aws_sqs_queue", "redrive_policy"),
}


@pytest.fixture(scope="module")
def planned(dev: Stage) -> dict[str, dict[str, Any]]:
    return dev.planned()


@pytest.fixture(scope="module")
def planned_with_options(dev: Stage) -> dict[str, dict[str, Any]]:
    """A plan with optional variables set."""
    dev.plan(
        "-refresh=false",
        "-var=access_logs=true",
        f"-var=web_acl_arn={WEB_ACL}",
        f"-var=retired_kms_key_arns={json.dumps([OLD_KEY])}",
        f"-var=allowed_source_cidrs={json.dumps(['192.0.2.0/24'])}",
        "-var=webhook_concurrency=5",
        f"-var=alert_subscriptions={json.dumps(SUBSCRIPTIONS)}",
        f"-var=permissions_boundary={BOUNDARY}",
        f"-var=kms_key_arn={KEY}",
        f"-var=runbook_url={RUNBOOK}",
        "-var=polling_interval=1440",
        "-var=orders_retention_days=365",
        "-var=alert_on_field_changes=true",
        "-out=options.plan",
    )
    return dev.planned("options.plan")


def of_type(planned: dict[str, dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    """The planned resources of a type, by name; before it the key of a module that has one."""
    return {
        "".join(re.findall(r'^module\.\w+\["([\w-]+)"\]', address)) + address.split(".")[-1]: after
        for address, after in planned.items()
        if f".{kind}." in f".{address}" and after
    }


def test_the_configuration_is_valid_without_warnings(dev):
    report = json.loads(dev.terraform("validate", "-json").stdout)

    assert report["valid"]
    assert report["diagnostics"] == []


def test_the_configuration_is_formatted(dev):
    assert dev.terraform("fmt", "-check", "-recursive", check=False).stdout == ""


def test_every_name_contains_the_stage(planned):
    named = {
        address: after[key]
        for address, after in planned.items()
        for key in ("name", "function_name", "alarm_name", "dashboard_name", "layer_name")
        if after and isinstance(after.get(key), str)
    }
    without = {address for address, name in named.items() if "dev" not in name}

    assert len(named) > 40
    # Inline policies are part of a role whose name contains the stage.
    assert {address for address in without if "aws_iam_role_policy" not in address} <= {
        "module.api.aws_api_gateway_stage.api"
    }


@pytest.mark.exhaustive
def test_a_second_plan_differs_only_where_moto_does(dev):
    dev.plan("-out=second.plan")

    differing = set()
    for resource in dev.show("second.plan")["resource_changes"]:
        change = resource["change"]
        if change["actions"] in (["no-op"], ["read"]):
            continue
        before, after = change["before"], change["after"]
        differing |= {
            (resource["type"], name)
            for name in before.keys() | after.keys()
            if before.get(name) != after.get(name) and not change["after_unknown"].get(name)
        }
    assert differing <= MOTO_DOES_NOT_KEEP


def test_no_secret_is_in_state_plan_or_environment(dev, aws):
    shown = json.dumps(dev.show()) + json.dumps(dev.show("first.plan"))
    kept = b"".join(path.read_bytes() for path in dev.folder.glob("*.tfstate*"))
    with zipfile.ZipFile(dev.folder / "first.plan") as plan:
        kept += b"".join(plan.read(name) for name in plan.namelist())
    environments = json.dumps([each["Environment"] for each in functions(aws, dev).values()])

    assert b"ops@example.com" in kept
    for secret in SECRETS.values():
        assert secret not in shown + environments
        assert secret.encode() not in kept


def test_a_plan_does_not_show_the_alert_address(dev):
    shown = dev.terraform("show", "-no-color", "first.plan").stdout

    assert "aws_sns_topic_subscription" in shown
    assert "ops@example.com" not in shown


def test_a_plan_of_the_state_only_calls_no_service_but_sts(dev, aws):
    unreachable = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_MAX_ATTEMPTS": "1"}
    env = dev.env | unreachable | {"AWS_ENDPOINT_URL_STS": aws.url}

    Stage(dev.folder, env, dev.name).plan(*STATE_ONLY)


def test_the_secrets_are_in_ssm_encrypted(dev, aws):
    answer = aws.client("ssm").get_parameters_by_path(
        Path=f"/order-replication/{dev.name}", WithDecryption=True
    )
    # The previous webhook token is not set.
    assert {each["Value"] for each in answer["Parameters"]} == {*SECRETS.values(), "unset"}
    assert {each["Type"] for each in answer["Parameters"]} == {"SecureString"}


def functions(aws, stage: Stage) -> dict[str, dict[str, Any]]:
    """The deployed functions' configurations, by handler."""
    client = aws.client("lambda")
    return {
        handler: client.get_function_configuration(FunctionName=name)
        for handler, name in stage.outputs["function_names"].items()
    }


def test_the_functions_run_as_they_are_configured(dev, aws):
    deployed = functions(aws, dev)

    assert {handler: each["Timeout"] for handler, each in deployed.items()} == {
        "poll_orders": 900,
        "cart_converted": 29,
        "replicate_orders": 180,
        "follow_orders": 180,
        "publish_changes": 60,
    }
    for each in deployed.values():
        assert each["Architectures"] == ["arm64"]
        assert each["Environment"]["Variables"]["STAGE"] == dev.name
        assert each["Environment"]["Variables"]["RUNBOOK_URL"] == "docs/operations.md"
        assert "${" not in json.dumps(each["Environment"])
    assert len({each["Role"] for each in deployed.values()}) == 5


def test_the_layer_is_for_the_runtime_and_architecture_of_the_functions(planned):
    (layer,) = of_type(planned, "aws_lambda_layer_version").values()
    functions = of_type(planned, "aws_lambda_function").values()

    assert layer["compatible_runtimes"] == [RUNTIME]
    assert {each["runtime"] for each in functions} == {RUNTIME}
    assert all(each["architectures"] == layer["compatible_architectures"] for each in functions)


def test_the_event_sources_take_batches_and_report_failed_messages(planned):
    mappings = of_type(planned, "aws_lambda_event_source_mapping")

    batches = {
        name: (mapping["batch_size"], mapping["maximum_batching_window_in_seconds"])
        for name, mapping in mappings.items()
    }
    # A new order does not wait for others. Lambda requires a window for a batch of more than ten.
    assert batches == {
        "replicate_orders-sqs-event-source": (10, 0),
        "follow_orders-sqs-event-source": (20, 1),
        "publish_changes-dynamodb-event-source": (100, 1),
    }
    for mapping in mappings.values():
        assert mapping["function_response_types"] == ["ReportBatchItemFailures"]
    assert {name: mapping["scaling_config"] for name, mapping in mappings.items()} == {
        "replicate_orders-sqs-event-source": [{"maximum_concurrency": 3}],
        "follow_orders-sqs-event-source": [{"maximum_concurrency": 2}],
        "publish_changes-dynamodb-event-source": [],
    }


def test_a_change_that_cannot_be_published_is_given_up_before_the_stream_loses_it(dev):
    mappings = of_type(dev.deployed, "aws_lambda_event_source_mapping")
    stream = mappings["publish_changes-dynamodb-event-source"]
    ((destination,),) = [each["on_failure"] for each in stream["destination_config"]]
    queue = dev.outputs["unpublished_events_queue_url"].rsplit("/", 1)[1]

    assert stream["event_source_arn"] == dev.outputs["orders_stream_arn"]
    assert stream["starting_position"] == "TRIM_HORIZON"
    assert stream["bisect_batch_on_function_error"]
    assert stream["parallelization_factor"] == 1
    assert stream["maximum_retry_attempts"] == RETRIES
    assert stream["maximum_record_age_in_seconds"] <= 24 * 3600 / 2
    assert destination["destination_arn"].endswith(f":{queue}")
    assert queue == "order-replication-dev-unpublished-events"


def test_changes_that_could_not_be_published_are_kept_for_14_days(dev, aws):
    attributes = aws.client("sqs").get_queue_attributes(
        QueueUrl=dev.outputs["unpublished_events_queue_url"], AttributeNames=["All"]
    )["Attributes"]
    (statement,) = json.loads(attributes["Policy"])["Statement"]

    assert attributes["MessageRetentionPeriod"] == str(14 * 24 * 3600)
    assert attributes["SqsManagedSseEnabled"] == "true"
    assert (statement["Effect"], statement["Condition"]) == (
        "Deny",
        {"Bool": {"aws:SecureTransport": "false"}},
    )


def test_the_functions_have_the_bus_of_the_stage(dev, aws):
    environment = functions(aws, dev)["publish_changes"]["Environment"]["Variables"]

    assert environment["EVENT_BUS_NAME"] == dev.outputs["event_bus_name"] == "order-replication-dev"
    assert (environment["EVENT_CONTENT"], environment["PUBLISH_FIRST_FILL"]) == ("ids", "false")


def test_concurrency_of_the_webhooks_is_reserved_on_request(planned, planned_with_options):
    reserved = [
        {
            function["function_name"].removeprefix("order-replication-dev-"): function[
                "reserved_concurrent_executions"
            ]
            for function in of_type(plan, "aws_lambda_function").values()
        }
        for plan in (planned, planned_with_options)
    ]

    assert set(reserved[0].values()) == {-1}
    assert reserved[1] == reserved[0] | {"cart-converted": 5}


def test_every_log_group_is_created_with_a_retention_before_its_function(planned):
    groups = {name["name"] for name in planned.values() if name and "retention_in_days" in name}

    for function in of_type(planned, "aws_lambda_function").values():
        (logging,) = function["logging_config"]
        assert logging["log_format"] == "JSON"
        assert logging["log_group"] in groups
    assert all(
        after["retention_in_days"]
        for after in planned.values()
        if after and "retention_in_days" in after
    )


def test_the_tables_are_those_of_the_sandbox(planned):
    tables = of_type(planned, "aws_dynamodb_table")

    assert set(tables) == set(TABLES)
    for name, table in tables.items():
        described = TABLES[name]
        keys = {key["KeyType"]: key["AttributeName"] for key in described["KeySchema"]}
        assert (table["hash_key"], table.get("range_key")) == (keys["HASH"], keys.get("RANGE"))
        assert {(each["name"], each["type"]) for each in table["attribute"]} == {
            (each["AttributeName"], each["AttributeType"])
            for each in described["AttributeDefinitions"]
        }
        stream = described.get("StreamSpecification", {})
        assert table.get("stream_view_type") == stream.get("StreamViewType")
        indexes = [
            {key: each[key] for key in ("name", "hash_key", "range_key", "projection_type")}
            for each in table.get("global_secondary_index") or []
        ]
        assert indexes == [
            {
                "name": index["IndexName"],
                "hash_key": index["KeySchema"][0]["AttributeName"],
                "range_key": index["KeySchema"][1]["AttributeName"],
                "projection_type": index["Projection"]["ProjectionType"],
            }
            for index in described.get("GlobalSecondaryIndexes", [])
        ]
        expires = [ttl["attribute_name"] for ttl in table.get("ttl") or [] if ttl["enabled"]]
        assert expires == (["expires_at"] if name in EXPIRING_TABLES else [])
    assert tables["orders"]["point_in_time_recovery"][0]["enabled"]


@pytest.mark.parametrize("queue", CONSUMED)
def test_each_queue_has_the_timeout_and_the_redrive_policy_of_the_sandbox(dev, aws, queue):
    stack = Stack(aws, "dev")
    attributes = aws.client("sqs").get_queue_attributes(
        QueueUrl=dev.outputs[f"{queue}_queue_url"], AttributeNames=["All"]
    )["Attributes"]
    redrive = json.loads(attributes["RedrivePolicy"])

    assert attributes["VisibilityTimeout"] == str(VISIBILITY_TIMEOUT)
    assert redrive["maxReceiveCount"] == MAX_RECEIVE_COUNT
    assert redrive["deadLetterTargetArn"].endswith(f":{stack.name(queue)}-dead-letters")


def test_the_names_of_the_resources_are_those_of_the_sandbox(dev, aws):
    stack = Stack(aws, "dev")
    outputs = dev.outputs

    assert outputs["orders_queue_url"] == stack.queue_url
    assert outputs["dead_letter_queue_url"] == stack.dead_letter_queue_url
    assert outputs["changes_queue_url"] == stack.changes_queue_url
    assert outputs["changes_dead_letter_queue_url"] == stack.changes_dead_letter_queue_url
    assert outputs["errors_topic_arn"] == stack.errors_topic_arn
    assert outputs["dead_letters_topic_arn"] == stack.dead_letters_topic_arn
    assert outputs["orders_table"] == stack.name("orders")
    assert f"table/{stack.name('orders')}/stream/" in outputs["orders_stream_arn"]


def test_the_poll_is_configured_with_the_urls_of_both_webhooks(dev, aws):
    given = functions(aws, dev)["poll_orders"]["Environment"]["Variables"]
    outputs = dev.outputs

    assert given["WEBHOOK_URL"] == outputs["webhook_url"]
    assert given["ORDER_CHANGED_URL"] == outputs["order_changed_url"]
    assert outputs["order_changed_url"].endswith("/order-changed")


def test_a_default_of_terraform_is_the_default_of_its_setting(dev, aws):
    given = functions(aws, dev)["replicate_orders"]["Environment"]["Variables"]
    settings = Settings.from_environment(given)
    differing = {
        name
        for name, field in Settings.model_fields.items()
        if not field.is_required() and getattr(settings, name) != field.default
    }

    # Names of resources, and what the tests set.
    assert differing == {
        "bigcommerce_api_url",
        "client_secret_parameter",
        "redacted_fields",
        "webhook_token_previous_parameter",
    }


def test_the_environment_of_the_functions_is_that_of_the_sandbox(dev, aws, store):
    stack = Stack(aws, "dev")
    expected = stack.environment(store.url, "sandbox")

    for function in functions(aws, dev).values():
        given = function["Environment"]["Variables"]
        ours = {name: value for name, value in expected.items() if not name.startswith("AWS_")}
        assert set(ours) <= set(given)
        differing = {name for name, value in ours.items() if given[name] != value}
        assert differing == {"REPLICATE_SINCE"}


def alarms(planned: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The planned alarms, by the suffix of their names."""
    prefix = "order-replication-dev-"
    return {
        each["alarm_name"].removeprefix(prefix): each
        for address, each in planned.items()
        if ".aws_cloudwatch_metric_alarm." in address
    }


def test_missing_data_is_breaching_for_missing_polls_only(planned):
    found = alarms(planned)

    assert set(found) == ALARMS
    for name in DEAD_LETTERS:
        dead = found[name]
        periods = {dead["period"]} | {
            metric["period"] for query in dead["metric_query"] for metric in query["metric"]
        }
        assert (dead["threshold"], dead["evaluation_periods"]) == (1, 1)
        assert periods - {None} == {60}
    breaching = {name for name, each in found.items() if each["treat_missing_data"] == "breaching"}
    assert breaching == {"polls-missing"}


def test_the_alarms_on_queues_and_consumers_watch_their_own(dev):
    watched = {
        name: next(iter(each["dimensions"].values()))
        for name, each in alarms(dev.deployed).items()
        if each["namespace"] in ("AWS/SQS", "AWS/Lambda")
    }
    watched |= {
        name: metric["dimensions"]["QueueName"]
        for name in ("message-age", "changes-message-age")
        for query in alarms(dev.deployed)[name]["metric_query"]
        for metric in query["metric"]
        if metric["namespace"] == "AWS/SQS"
    }

    assert watched == {
        "consumer-errors": "order-replication-dev-replicate-orders",
        "follower-errors": "order-replication-dev-follow-orders",
        "message-age": "order-replication-dev-orders",
        "changes-message-age": "order-replication-dev-changes",
        "dead-letters": "order-replication-dev-orders-dead-letters",
        "changes-dead-letters": "order-replication-dev-changes-dead-letters",
        "publisher-errors": "order-replication-dev-publish-changes",
        "event-age": "order-replication-dev-publish-changes",
        "unpublished-events": "order-replication-dev-unpublished-events",
    }


@pytest.mark.parametrize(
    ("name", "metric"),
    [("message-age", "OldestNewOrder"), ("changes-message-age", "OldestChange")],
)
def test_the_alarm_on_the_oldest_message_covers_orders_that_are_retried(planned, name, metric):
    """SQS's own metric leaves out messages that were received three times."""
    alarm = alarms(planned)[name]
    metrics = [each for query in alarm["metric_query"] for each in query["metric"]]

    assert {each["metric_name"] for each in metrics} == {"ApproximateAgeOfOldestMessage", metric}
    assert {each["stat"] for each in metrics} == {"Maximum"}
    assert alarm["datapoints_to_alarm"] == 1
    # A retry is at most an hour away, and delays are lengthened by up to a tenth.
    assert {each["period"] * alarm["evaluation_periods"] > 3600 * 1.1 for each in metrics} == {True}


def test_the_alarm_on_requests_is_below_the_throttling_limit(planned):
    alarm = alarms(planned)["requests"]
    (method,) = of_type(planned, "aws_api_gateway_method_settings").values()
    (settings,) = method["settings"]

    assert alarm["threshold"] == 0.8 * settings["throttling_rate_limit"] * alarm["period"]
    # Metrics per method are charged, and used by nothing.
    assert not settings["metrics_enabled"]


def test_a_web_acl_is_optional(planned, planned_with_options):
    (association,) = of_type(planned_with_options, "aws_wafv2_web_acl_association").values()

    assert of_type(planned, "aws_wafv2_web_acl_association") == {}
    assert association["web_acl_arn"] == WEB_ACL


@pytest.mark.exhaustive
def test_a_list_of_addresses_is_set_and_taken_back_in_place(dev, aws):
    (api,) = of_type(dev.deployed, "aws_api_gateway_rest_api").values()
    blocks = ["192.0.2.0/24"]
    targets = ["-target=aws_api_gateway_rest_api_policy.rest_api"]

    for given in (blocks, []):
        dev.plan(f"-var=allowed_source_cidrs={json.dumps(given)}", "-out=addresses.plan", *targets)
        dev.terraform("apply", "-input=false", "-no-color", "addresses.plan")

        found = aws.client("apigateway").get_rest_api(restApiId=api["id"])
        # AWS returns it as the content of a JSON string.
        (statement,) = json.loads(json.loads(f'"{found["policy"]}"'))["Statement"]
        condition = {"Condition": {"IpAddress": {"aws:SourceIp": blocks}}} if given else {}
        assert statement == condition | {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "execute-api:Invoke",
            "Resource": f"{api['execution_arn']}/*",
        }


def test_another_policy_of_the_api_makes_a_new_deployment(dev, planned_with_options):
    (before,) = of_type(dev.deployed, "aws_api_gateway_deployment").values()
    (after,) = of_type(planned_with_options, "aws_api_gateway_deployment").values()

    assert before["triggers"] != after["triggers"]


def test_alerts_are_sent_to_additional_subscriptions_of_both_topics(planned_with_options):
    found = [
        (each["protocol"], each["endpoint"], each["endpoint_auto_confirms"])
        for address, each in planned_with_options.items()
        if ".aws_sns_topic_subscription.additional" in address
    ]

    wanted = [
        (each["protocol"], each["endpoint"], each["protocol"] == "https") for each in SUBSCRIPTIONS
    ]
    assert sorted(found) == sorted(wanted * 2)


def test_only_its_own_queue_moves_messages_to_a_dead_letter_queue(dev, aws):
    for queue in CONSUMED:
        url = dev.outputs[
            "dead_letter_queue_url" if queue == "orders" else f"{queue}_dead_letter_queue_url"
        ]
        attributes = aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        allowed = json.loads(attributes["Attributes"]["RedriveAllowPolicy"])

        assert allowed["redrivePermission"] == "byQueue"
        (source,) = allowed["sourceQueueArns"]
        assert source.endswith(f":{Stack(aws, 'dev').name(queue)}")


def test_the_roles_may_use_a_retired_key(planned_with_options):
    policies = [
        each["policy"]
        for address, each in planned_with_options.items()
        if "module.roles.aws_iam_role_policy.keys" in address
    ]

    assert len(policies) == len(HANDLERS)
    for policy in policies:
        statement = json.loads(policy)["Statement"]
        assert set(as_list(statement)[0]["Resource"]) == {KEY, OLD_KEY}


def test_the_alarm_on_failing_orders_covers_the_time_between_two_retries(planned):
    alarm = alarms(planned)["failing-orders"]

    assert alarm["datapoints_to_alarm"] == 1
    # A retry is at most an hour away, and delays are lengthened by up to a tenth.
    assert alarm["period"] * alarm["evaluation_periods"] > 3600 * 1.1


def test_every_alarm_but_those_of_dead_letter_queues_is_in_the_monitoring_module(planned):
    modules = {
        after["alarm_name"].removeprefix("order-replication-dev-"): address.split(".")[1]
        for address, after in planned.items()
        if ".aws_cloudwatch_metric_alarm." in address
    }

    assert modules.pop("dead-letters") == "order_queue"
    assert modules.pop("changes-dead-letters") == "changes_queue"
    assert modules.pop("unpublished-events") == "events"
    assert {modules.pop(name).split("[")[0] for name in UNDELIVERED} == {"destination"}
    assert set(modules.values()) == {"monitoring"}


def test_every_alarm_notifies_a_topic(dev):
    outputs = dev.outputs

    for name, each in alarms(dev.deployed).items():
        topic = "dead_letters_topic_arn" if name in DEAD_LETTERS else "errors_topic_arn"
        assert each["alarm_actions"] == each["ok_actions"] == [outputs[topic]]


@pytest.mark.parametrize(
    ("plan", "runbook"),
    [
        ("planned", "docs/operations.md"),
        pytest.param("planned_with_options", RUNBOOK, marks=pytest.mark.exhaustive),
    ],
)
def test_every_alarm_links_to_its_heading_in_the_runbook(request, plan, runbook):
    found = alarms(request.getfixturevalue(plan))

    for name, each in found.items():
        heading = "undelivered" if name in UNDELIVERED else name
        assert each["alarm_description"].endswith(f" Runbook: {runbook}#{heading}")


@pytest.mark.parametrize(
    ("plan", "minutes", "longest"),
    [("planned", 15, 86_400), ("planned_with_options", 1440, 604_800)],
)
def test_the_alarm_on_missing_polls_is_within_the_limits_of_cloudwatch(
    request, plan, minutes, longest
):
    alarm = alarms(request.getfixturevalue(plan))["polls-missing"]

    metrics = [each for query in alarm["metric_query"] for each in query["metric"]]
    (period,) = {each["period"] for each in metrics}
    window = period * alarm["evaluation_periods"]

    # A poll takes up to 15 minutes until it reports its end, and a period begins before it.
    assert window >= (2 * minutes + 15) * 60 + 300
    assert window - period < (2 * minutes + 20) * 60
    assert window <= longest
    assert (period >= 3600) == (longest > 86_400)


def test_a_poll_that_stops_at_its_time_limit_counts_as_a_sign_of_life(planned):
    alarm = alarms(planned)["polls-missing"]
    metrics = {each["metric_name"] for query in alarm["metric_query"] for each in query["metric"]}

    assert metrics == {"PollsSucceeded", "PollsStopped"}


def test_every_metric_filter_matches_an_event_that_the_functions_log(planned):
    sources = [PROJECT / "app.py", *(PROJECT / "chalicelib").rglob("*.py")]
    code = "".join(source.read_text() for source in sources)
    patterns = [each["pattern"] for each in of_type(planned, LOG_METRIC_FILTER).values()]

    events = {event for pattern in patterns for event in re.findall(r'event = "(\w+)"', pattern)}

    assert len(events) > 5
    assert {event for event in events if f'"event": "{event}"' not in code} == set()


def test_the_reasons_why_embedded_lists_are_not_used_are_a_dimension(planned):
    dimensions = {
        metric["name"]: metric["dimensions"]
        for each in of_type(planned, LOG_METRIC_FILTER).values()
        for metric in each["metric_transformation"]
    }

    assert {name: each for name, each in dimensions.items() if each} == {
        "EmbeddedNotUsed": {"Reason": "$.reason"}
    }


def test_a_difference_of_embedded_lists_raises_its_alarm(planned):
    alarm = alarms(planned)["embedded-differs"]

    assert (alarm["namespace"], alarm["metric_name"], alarm["statistic"]) == (
        "order-replication/dev",
        "EmbeddedDifferences",
        "Sum",
    )
    assert (alarm["threshold"], alarm["period"], alarm["evaluation_periods"]) == (1, 300, 1)


@pytest.mark.parametrize(("plan", "notifies"), [("planned", False), ("planned_with_options", True)])
def test_the_alarm_on_changed_fields_notifies_by_choice(request, plan, notifies):
    found = alarms(request.getfixturevalue(plan))

    by_choice = found.pop("order-fields-changed")
    assert by_choice["actions_enabled"] == notifies
    assert {alarm["actions_enabled"] for alarm in found.values()} == {True}


def test_the_metrics_of_embedded_lists_count_the_lines_of_both_consumers(planned):
    counted = {
        (metric["name"], re.sub(r".*/order-replication-dev-", "", each["log_group_name"]))
        for each in of_type(planned, LOG_METRIC_FILTER).values()
        for metric in each["metric_transformation"]
        if metric["name"].startswith("Embedded")
    }

    assert counted == {
        (name, function)
        for name in ("EmbeddedNotUsed", "EmbeddedDifferences")
        for function in ("replicate-orders", "follow-orders")
    }


REGION_PATTERN = re.compile(r'regex\("(\^\[a-z\][^"]+-\[0-9\]\$)"')


@pytest.mark.parametrize("root", ["", "bootstrap", "github"])
def test_the_regions_of_every_partition_are_accepted(root):
    text = (PROJECT / "terraform" / root / "variables.tf").read_text()
    (pattern,) = REGION_PATTERN.findall(text)
    regions = {"eu-west-1", "ap-southeast-6", "cn-north-1", "us-gov-west-1", "eusc-de-east-1"}

    assert {region for region in regions if not re.search(pattern, region)} == set()
    assert not re.search(pattern, "eu-west-1a")


def test_every_wrong_value_is_refused(dev):
    wrong = {
        "stage": "prod",
        "polling_interval": "45",
        "alert_email": "nobody",
        "bigcommerce_store_hash": "stores/abc",
        "replicate_since": "yesterday",
        "webhook_token": "short",
        "consumer_concurrency": "1",
        "ignored_status_ids": "[11]",
        "channel_ids": "[0]",
        "sweep_days": "91",
        "quota_reserved_for_new_orders": "1",
        "pickup_status_id": "11",
        "physical_status_id": "11",
        "digital_status_id": "15",
        "bigcommerce_api_url": "http://api.bigcommerce.com",
        "kms_key_arn": "alias/mine",
        "retired_kms_key_arns": '["alias/mine"]',
        "alert_subscriptions": '[{protocol="https",endpoint="http://example.com"}]',
        "webhook_rate_limit": "0",
        "webhook_burst_limit": "0",
        "webhook_concurrency": "0",
        "web_acl_arn": "webacl",
        "allowed_source_cidrs": '["192.0.2"]',
        "permissions_boundary": "",
        "bigcommerce_access_token": "",
        "redacted_fields": '["a..b"]',
        "log_retention_days": "2",
        "runbook_url": "runbook#dead-letters",
        "event_content": "all",
    }
    flags = [f"-var={name}={value}" for name, value in wrong.items()]

    refused = dev.plan("-refresh=false", "-json", *flags, check=False)

    assert refused.returncode == 1
    assert refused_variables(refused.stdout) == set(wrong)


@pytest.mark.parametrize(("sweep_days", "days"), [(60, 60), (7, 29), (7, 7301), (7, -1), (7, 30.5)])
def test_orders_are_kept_for_longer_than_sweeps_compare_them(dev, sweep_days, days):
    """Terraform does not validate it while sweep_days is invalid."""
    flags = [f"-var=sweep_days={sweep_days}", f"-var=orders_retention_days={days}"]

    refused = dev.plan("-refresh=false", "-json", *flags, check=False)

    assert refused.returncode == 1
    assert refused_variables(refused.stdout) == {"orders_retention_days"}


def ttl_changes(dev: Stage, plan: str) -> list[tuple[str, bool, bool]]:
    """The tables that a plan changes in place, each with its TTL before and after."""
    found = []
    for resource in dev.show(plan)["resource_changes"]:
        change = resource["change"]
        if resource["type"] == "aws_dynamodb_table" and change["actions"] != ["no-op"]:
            before, after = change["before"], change["after"]
            assert change["actions"] == ["update"]
            assert {n for n in after if before.get(n) != after.get(n)} == {"ttl"}
            enabled = (each["ttl"][0]["enabled"] for each in (before, after))
            found.append((resource["name"], *enabled))
    return found


@pytest.mark.exhaustive
def test_a_retention_of_orders_is_set_and_taken_back_in_place(dev, aws):
    """TTL is disabled with the retention: otherwise items would still be deleted."""
    for days, is_on in (("365", True), ("0", False)):
        flags = ["-target=module.tables", f"-var=orders_retention_days={days}"]
        dev.plan(*flags, "-out=ttl.plan")
        assert ttl_changes(dev, "ttl.plan") == [("orders", not is_on, is_on)]
        dev.terraform("apply", "-input=false", "-no-color", "ttl.plan")

        table = aws.client("dynamodb").describe_time_to_live(TableName=DEV_ORDERS)
        assert (table["TimeToLiveDescription"]["TimeToLiveStatus"] == "ENABLED") is is_on
        dev.plan(*flags, "-out=again.plan")
        assert ttl_changes(dev, "again.plan") == []


def test_the_functions_have_the_retention_of_orders(planned_with_options):
    functions = of_type(planned_with_options, "aws_lambda_function").values()

    given = {each["environment"][0]["variables"]["ORDERS_RETENTION_DAYS"] for each in functions}
    assert given == {"365"}


def refused_variables(output: str) -> set[str]:
    """The variables whose values Terraform reports as invalid."""
    lines = [json.loads(line) for line in output.splitlines()]
    found = [line["diagnostic"] for line in lines if line["type"] == "diagnostic"]
    assert {each["summary"] for each in found} == {"Invalid value for variable"}
    return {each["snippet"]["code"].split('"')[1] for each in found}


def test_a_customer_managed_key_encrypts_everything_that_is_stored(planned_with_options):
    encrypted = {
        address for address, after in planned_with_options.items() if KEY in json.dumps(after)
    }

    kinds = {address.split(".")[-2].split("[")[0] for address in encrypted}
    assert kinds >= {
        "aws_cloudwatch_event_bus",
        "aws_cloudwatch_log_group",
        "aws_dynamodb_table",
        "aws_sns_topic",
        "aws_sqs_queue",
        "aws_ssm_parameter",
    }


def test_the_functions_may_use_a_key_before_anything_is_encrypted_with_it(dev):
    graph = dev.terraform("graph", "-type=plan").stdout
    edges: dict[str, set[str]] = {}
    for source, target in re.findall(r'"(?:\[root\] )?([^"]+)" -> "(?:\[root\] )?([^"]+)"', graph):
        edges.setdefault(source.split()[0], set()).add(target.split()[0])
    keys = "module.roles.aws_iam_role_policy.keys"

    def needs(resource: str, seen: set[str]) -> set[str]:
        for other in edges.get(resource, set()) - seen:
            seen |= {other}
            needs(other, seen)
        return seen

    for resource in (
        "module.tables.aws_dynamodb_table.orders",
        "module.order_queue.aws_sqs_queue.queue",
        "module.alerts.aws_sns_topic.errors",
        "module.secrets.aws_ssm_parameter.webhook_token",
    ):
        assert any(each.startswith(keys) for each in needs(resource, set())), resource


def test_access_logs_are_optional(planned, planned_with_options):
    (without,) = of_type(planned, "aws_api_gateway_stage").values()
    (stage,) = of_type(planned_with_options, "aws_api_gateway_stage").values()

    assert without["access_log_settings"] == []
    assert len(stage["access_log_settings"]) == 1


def test_each_role_allows_named_actions_on_named_resources(dev):
    policies = of_type(dev.deployed, "aws_iam_role_policy")

    assert len(policies) == 5 + len(DESTINATIONS)
    for name, policy in policies.items():
        if name.endswith("destination"):
            continue  # The receivers are not resources of the stage: see test_destinations.py.
        for statement in json.loads(policy["policy"])["Statement"]:
            for action in as_list(statement["Action"]):
                assert "*" not in action
            for resource in as_list(statement["Resource"]):
                assert "order-replication" in resource
                # Lambda chooses the names of the log streams in the function's log group, and a
                # parameter with a customer-managed key has a suffix.
                suffix = "*" if ":parameter/" in resource else ":*"
                assert "*" not in resource.removesuffix(suffix)


def test_every_role_has_the_permissions_boundary(planned, planned_with_options):
    without = of_type(planned, "aws_iam_role").values()
    roles = of_type(planned_with_options, "aws_iam_role").values()

    assert {role["permissions_boundary"] for role in without} == {None}
    assert {role["permissions_boundary"] for role in roles} == {BOUNDARY}
    assert len(roles) == 5 + len(DESTINATIONS)


def test_the_permissions_boundary_allows_what_the_roles_allow(
    dev, planned_with_options, github, aws
):
    version = aws.client("iam").get_policy_version(PolicyArn=BOUNDARY, VersionId="v1")
    policies = [
        each["policy"]
        for planned in (dev.deployed, planned_with_options)
        for each in of_type(planned, "aws_iam_role_policy").values()
    ]
    requests = {
        request
        for policy in policies
        for statement in json.loads(policy)["Statement"]
        for request in requested(statement)
    }

    assert github.outputs["permissions_boundary_arns"]["dev"] == BOUNDARY
    assert len(requests) > 25
    assert {
        (action, resource, service)
        for action, resource, service in requests
        if not is_allowed(
            [version["PolicyVersion"]["Document"]], action, resource, {"kms:ViaService": service}
        )
    } == set()


def requested(statement: Policy) -> set[tuple[str, str, str]]:
    """Every action, resource and calling service that a statement of a role allows."""
    services = statement.get("Condition", {}).get("StringEquals", {}).get("kms:ViaService", "")
    return {
        (action, resource.replace("*", "any"), service)
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
        for service in as_list(services)
    }


@pytest.mark.exhaustive
def test_a_second_stage_is_created_beside_the_first_and_destroyed_alone(
    dev, aws, store, tmp_path_factory
):
    packaged = tmp_path_factory.mktemp("packaged-prod")
    package("prod", packaged)
    prod = initialized("prod", tmp_path_factory.mktemp("prod"), packaged, aws, store)
    before = resources_of("dev", aws)

    prod.apply()

    assert resources_of("prod", aws) == before
    assert {
        each["Environment"]["Variables"]["STAGE"] for each in functions(aws, prod).values()
    } == {"prod"}

    flags = ["-auto-approve", "-input=false", "-no-color", "-var-file=stages/prod.tfvars"]
    refused = prod.terraform("destroy", *flags, "-target=module.tables", check=False)
    assert refused.returncode
    assert "order-replication-prod-orders" in aws.client("dynamodb").list_tables()["TableNames"]

    flags += ["-var=deletion_protection=false"]
    prod.terraform("apply", *flags)
    prod.terraform("destroy", *flags)
    assert not prod.show().get("values")
    assert {k: v for k, v in resources_of("prod", aws).items() if v} == {}
    assert resources_of("dev", aws) == before

    prod.apply()
    assert resources_of("prod", aws) == before


LISTS = {
    ("lambda", "list_functions", "Functions"),
    ("lambda", "list_layers", "Layers"),
    ("lambda", "list_event_source_mappings", "EventSourceMappings"),
    ("sqs", "list_queues", "QueueUrls"),
    ("sns", "list_topics", "Topics"),
    ("dynamodb", "list_tables", "TableNames"),
    ("ssm", "describe_parameters", "Parameters"),
    ("iam", "list_roles", "Roles"),
    ("logs", "describe_log_groups", "logGroups"),
    ("events", "list_rules", "Rules"),
    ("events", "list_event_buses", "EventBuses"),
    ("events", "list_connections", "Connections"),
    ("events", "list_api_destinations", "ApiDestinations"),
    ("apigateway", "get_rest_apis", "items"),
    ("cloudwatch", "describe_alarms", "MetricAlarms"),
    ("cloudwatch", "list_dashboards", "DashboardEntries"),
}


def resources_of(stage: str, aws) -> dict[str, int]:
    """How many resources of each kind are named for the stage."""
    return {key: named_for(stage, aws, service, listing, key) for service, listing, key in LISTS}


def named_for(stage: str, aws, service: str, listing: str, key: str) -> int:
    names = [f"order-replication{sign}{stage}" for sign in "-/"]
    client = aws.client(service)
    is_paged = client.can_paginate(listing)
    pages = client.get_paginator(listing).paginate() if is_paged else [getattr(client, listing)()]
    found = [each for page in pages for each in page.get(key, [])]
    # The roles for GitHub belong to the account and not to the stage.
    found = [str(each) for each in found if "/github/" not in str(each)]
    return sum(any(name in each for name in names) for each in found)
