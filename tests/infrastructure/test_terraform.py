"""The real, whole configuration, applied to moto as two stages side by side."""

import json
import zipfile
from typing import Any

import pytest

from sandbox.stack import EXPIRING_TABLES, MAX_RECEIVE_COUNT, TABLES, VISIBILITY_TIMEOUT, Stack
from tests.infrastructure.conftest import SECRETS, STAGES, Stage

pytestmark = pytest.mark.xdist_group("terraform")

MOTO_DOES_NOT_KEEP = {
    ("aws_api_gateway_rest_api", "binary_media_types"),
    ("aws_lambda_function", "logging_config"),
    ("aws_sqs_queue", "redrive_policy"),
}


@pytest.fixture(scope="module")
def planned(dev: Stage) -> dict[str, dict[str, Any]]:
    return dev.planned()


def of_type(planned: dict[str, dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    """The planned resources of a type, by name."""
    return {
        address.split(".")[-1]: after
        for address, after in planned.items()
        if f".{kind}." in f".{address}" and after
    }


def test_nothing_in_it_is_worth_a_warning(dev):
    report = json.loads(dev.terraform("validate", "-json").stdout)

    assert report["valid"]
    assert report["diagnostics"] == []


def test_it_is_formatted(dev):
    assert dev.terraform("fmt", "-check", "-recursive", check=False).stdout == ""


def test_two_stages_live_side_by_side(applied, aws):
    functions = aws.client("lambda").list_functions()["Functions"]
    rules = aws.client("events").list_rules()["Rules"]
    apis = aws.client("apigateway").get_rest_apis()["items"]
    tables = of_our_stages(aws, "dynamodb", "list_tables", "TableNames")

    assert len(functions) == 3 * len(STAGES)
    assert {rule["Name"] for rule in rules} == {
        f"order-replication-{s}-poll-orders" for s in STAGES
    }
    assert {api["name"] for api in apis} == {f"order-replication-{stage}" for stage in STAGES}
    assert len(tables) == 3 * len(STAGES)


def test_every_name_carries_its_stage(planned):
    named = {
        address: after[key]
        for address, after in planned.items()
        for key in ("name", "function_name", "alarm_name", "dashboard_name", "layer_name")
        if after and isinstance(after.get(key), str)
    }
    without = {address for address, name in named.items() if "dev" not in name}

    assert len(named) > 40
    # A statement's or policy's own name, within a role that carries the stage.
    assert {address for address in without if "aws_iam_role_policy" not in address} <= {
        "module.api.aws_api_gateway_stage.api"
    }


def test_a_second_plan_differs_only_where_moto_does(applied):
    for stage in applied.values():
        stage.plan("-out=second.plan")
        differing = set()
        for resource in stage.show("second.plan")["resource_changes"]:
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


def test_no_secret_is_in_state_plan_or_environment(applied, aws):
    for stage in applied.values():
        said = json.dumps(stage.show()) + json.dumps(stage.show("first.plan"))
        kept = b"".join(path.read_bytes() for path in stage.folder.glob("*.tfstate*"))
        with zipfile.ZipFile(stage.folder / "first.plan") as plan:
            kept += b"".join(plan.read(name) for name in plan.namelist())
        environments = json.dumps(
            [function["Environment"] for function in functions(aws, stage).values()]
        )
        assert b"ops@example.com" in kept
        for secret in SECRETS.values():
            assert secret not in said + environments
            assert secret.encode() not in kept


def test_the_secrets_are_in_ssm_encrypted(applied, aws):
    for name in STAGES:
        answer = aws.client("ssm").get_parameters_by_path(
            Path=f"/order-replication/{name}", WithDecryption=True
        )
        assert {each["Value"] for each in answer["Parameters"]} == set(SECRETS.values())
        assert {each["Type"] for each in answer["Parameters"]} == {"SecureString"}


def functions(aws, stage: Stage) -> dict[str, dict[str, Any]]:
    """The deployed functions' configurations, by handler."""
    client = aws.client("lambda")
    return {
        handler: client.get_function_configuration(FunctionName=name)
        for handler, name in stage.outputs()["function_names"].items()
    }


def test_the_functions_run_as_they_are_configured(applied, aws):
    for name, stage in applied.items():
        deployed = functions(aws, stage)
        assert {handler: each["Timeout"] for handler, each in deployed.items()} == {
            "poll_orders": 900,
            "cart_converted": 29,
            "replicate_orders": 180,
        }
        for each in deployed.values():
            assert each["Architectures"] == ["arm64"]
            assert each["Environment"]["Variables"]["STAGE"] == name
            assert "${" not in json.dumps(each["Environment"])
        assert len({each["Role"] for each in deployed.values()}) == 3


def test_the_event_source_takes_batches_of_ten_and_hands_back_single_records(planned):
    (mapping,) = of_type(planned, "aws_lambda_event_source_mapping").values()

    assert mapping["batch_size"] == 10
    assert mapping["function_response_types"] == ["ReportBatchItemFailures"]
    assert mapping["scaling_config"] == [{"maximum_concurrency": 3}]


def test_no_concurrency_is_reserved_since_a_new_account_has_none_to_spare(planned):
    for function in of_type(planned, "aws_lambda_function").values():
        assert function["reserved_concurrent_executions"] == -1


def test_every_log_group_is_there_before_its_function_and_forgets(planned):
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
        expires = [ttl["attribute_name"] for ttl in table.get("ttl") or [] if ttl["enabled"]]
        assert expires == (["expires_at"] if name in EXPIRING_TABLES else [])
        assert table["server_side_encryption"][0]["enabled"]
    assert tables["orders"]["point_in_time_recovery"][0]["enabled"]


def test_the_queues_and_topics_are_those_of_the_sandbox(planned, applied, aws):
    stack = Stack(aws, "dev")
    queue = of_type(planned, "aws_sqs_queue")["orders"]
    outputs = applied["dev"].outputs()

    assert queue["visibility_timeout_seconds"] == VISIBILITY_TIMEOUT
    redrive = json.loads(
        aws.client("sqs").get_queue_attributes(
            QueueUrl=outputs["orders_queue_url"], AttributeNames=["RedrivePolicy"]
        )["Attributes"]["RedrivePolicy"]
    )
    assert redrive["maxReceiveCount"] == MAX_RECEIVE_COUNT
    assert outputs["orders_queue_url"] == stack.queue_url
    assert outputs["dead_letter_queue_url"] == stack.dead_letter_queue_url
    assert outputs["errors_topic_arn"] == stack.errors_topic_arn
    assert outputs["dead_letters_topic_arn"] == stack.dead_letters_topic_arn
    assert outputs["orders_table"] == stack.name("orders")


def test_the_functions_environment_is_the_sandboxs(applied, aws, store):
    stack = Stack(aws, "dev")
    expected = stack.environment(store.url, "sandbox")

    for function in functions(aws, applied["dev"]).values():
        given = function["Environment"]["Variables"]
        ours = {name: value for name, value in expected.items() if not name.startswith("AWS_")}
        assert set(ours) <= set(given)
        differing = {name for name, value in ours.items() if given[name] != value}
        assert differing == {"REPLICATE_SINCE"}


def test_every_alarm_tells_somebody_and_silence_is_read_rightly(planned):
    alarms = of_type(planned, "aws_cloudwatch_metric_alarm")

    assert set(alarms) == {
        "consumer_errors",
        "dead_letters",
        "message_age",
        "missing_orders",
        "polls_missing",
        "unauthorized",
        "unconfirmed_moves",
        "webhook_failures",
    }
    dead = alarms["dead_letters"]
    assert (dead["threshold"], dead["period"], dead["evaluation_periods"]) == (1, 60, 1)
    silent = {name for name, alarm in alarms.items() if alarm["treat_missing_data"] == "breaching"}
    assert silent == {"polls_missing"}


@pytest.mark.parametrize("minutes", [15, 480, 1440])
def test_the_alarm_on_missing_polls_stays_within_what_cloudwatch_takes(dev, minutes):
    dev.plan("-refresh=false", f"-var=polling_interval={minutes}", f"-out=polls-{minutes}.plan")
    alarm = of_type(dev.planned(f"polls-{minutes}.plan"), "aws_cloudwatch_metric_alarm")

    window = alarm["polls_missing"]["period"] * alarm["polls_missing"]["evaluation_periods"]

    assert window == 2 * minutes * 60
    assert window <= (604_800 if alarm["polls_missing"]["period"] >= 3600 else 86_400)


def test_every_wrong_value_is_refused_with_its_reason(dev):
    wrong = {
        "stage": ("prod", "packaged"),
        "polling_interval": ("45", "15, 30, 60"),
        "alert_email": ("nobody", "e-mail"),
        "bigcommerce_store_hash": ("stores/abc", "stores/"),
        "replicate_since": ("yesterday", "RFC 3339"),
        "webhook_token": ("short", "32"),
        "consumer_concurrency": ("1", "2 to 1000"),
        "new_status_ids": ("[9]", "new again"),
        "bigcommerce_api_url": ("http://api.bigcommerce.com", "https"),
        "kms_key_arn": ("alias/mine", "ARN"),
        "bigcommerce_access_token": ("", "empty"),
        "redacted_fields": ('["a..b"]', "dotted"),
        "log_retention_days": ("2", "CloudWatch"),
    }
    flags = [f"-var={name}={value}" for name, (value, _) in wrong.items()]

    refused = dev.plan("-refresh=false", *flags, check=False)
    said = " ".join(refused.stderr.replace("│", " ").split())

    assert refused.returncode == 1
    for name, (_, reason) in wrong.items():
        assert name in said
        assert reason in said, name


def test_switching_on_a_live_store_must_be_decided(dev):
    env = {name: value for name, value in dev.env.items() if name != "TF_VAR_replicate_since"}

    refused = Stage(dev.folder, env, dev.name).plan("-refresh=false", check=False)

    assert refused.returncode == 1
    assert "replicate_since" in refused.stderr


def test_a_customer_managed_key_and_access_logs_can_be_had(dev):
    key = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    dev.plan("-refresh=false", "-var=access_logs=true", f"-var=kms_key_arn={key}", "-out=key.plan")
    planned = dev.planned("key.plan")

    encrypted = {address for address, after in planned.items() if key in json.dumps(after)}

    kinds = {address.split(".")[-2].split("[")[0] for address in encrypted}
    assert {"aws_dynamodb_table", "aws_sqs_queue", "aws_sns_topic", "aws_ssm_parameter"} <= kinds


def test_each_role_may_do_what_is_named_on_what_is_named(dev):
    policies = of_type(dev.deployed(), "aws_iam_role_policy")

    assert len(policies) == 3
    for policy in policies.values():
        for statement in json.loads(policy["policy"])["Statement"]:
            actions = statement["Action"]
            for action in [actions] if isinstance(actions, str) else actions:
                assert "*" not in action
            resources = statement["Resource"]
            for resource in [resources] if isinstance(resources, str) else resources:
                assert "order-replication" in resource
                # Only the streams within the function's own log group have names made by Lambda.
                assert "*" not in resource.removesuffix(":*")


def test_the_zz_end_a_protected_table_stays_and_destroy_leaves_nothing(applied, aws):
    flags = ["-auto-approve", "-input=false", "-no-color"]
    applied["dev"].terraform("destroy", *flags, "-var-file=stages/dev.tfvars")
    assert len(aws.client("lambda").list_functions()["Functions"]) == 3

    prod = applied["prod"]
    refused = prod.terraform(
        "destroy", *flags, "-var-file=stages/prod.tfvars", "-target=module.tables", check=False
    )
    assert refused.returncode
    assert "rotect" in refused.stderr
    off = ["-var-file=stages/prod.tfvars", "-var=deletion_protection=false"]
    prod.terraform("apply", *flags, *off)
    prod.terraform("destroy", *flags, *off)
    assert left_in(aws) == {}
    assert not prod.show().get("values")


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
    ("apigateway", "get_rest_apis", "items"),
    ("cloudwatch", "describe_alarms", "MetricAlarms"),
    ("cloudwatch", "list_dashboards", "DashboardEntries"),
}


def left_in(aws) -> dict[str, list[Any]]:
    """Everything of our stages that is in the account, by kind."""
    found = {key: of_our_stages(aws, service, listing, key) for service, listing, key in LISTS}
    return {key: left for key, left in found.items() if left}


def of_our_stages(aws, service: str, listing: str, key: str) -> list[Any]:
    """What names one of our stages: other tests leave theirs in the same moto."""
    names = [f"order-replication{sign}{stage}" for stage in STAGES for sign in "-/"]
    pages = aws.client(service).get_paginator(listing).paginate()
    return [
        each
        for page in pages
        for each in page.get(key, [])
        if any(name in str(each) for name in names)
    ]
