"""The roles for GitHub: who can assume them, and what they allow."""

import json
import subprocess
from typing import Any

import pytest

from sandbox.stack import ACCOUNT
from tests.infrastructure.conftest import FIFO_QUEUE, QUEUE, Root
from tests.infrastructure.iam import Context, Policy, is_allowed

pytestmark = pytest.mark.xdist_group("terraform")

ISSUER = "token.actions.githubusercontent.com"
MUTABLE, IMMUTABLE = "repo:Owner/name", "repo:Owner@1001/name@2002"
LONGEST, LONGEST_STAGE = f"{39 * 'o'}/{100 * 'n'}", 16 * "s"
KEY = f"arn:aws:kms:ap-southeast-1:{ACCOUNT}:key/mrk-1234abcd12ab34cd56ef1234567890ab"
BUCKET = f"arn:aws:s3:::order-replication-state-{ACCOUNT}-us-east-1"
STATE = f"{BUCKET}/order-replication/dev.tfstate"
OWN = {"aws:ResourceAccount": ACCOUNT}
BRANCHES = {"dev": "dev", "staging": "staging", "prod": "main"}


def deployment(stage: str = "prod", prefix: str = IMMUTABLE, **claims: str) -> dict[str, str]:
    """The claims of the token of a deployment."""
    ref = f"refs/heads/{BRANCHES[stage]}"
    return {
        "aud": "sts.amazonaws.com",
        "sub": f"{prefix}:environment:{stage}",
        "ref": ref,
        "repository_id": "2002",
        "job_workflow_ref": f"Owner/name/.github/workflows/deploy.yml@{ref}",
    } | claims


def pull_request(stage: str = "prod", prefix: str = IMMUTABLE, **claims: str) -> dict[str, str]:
    """The claims of the token of a plan for a pull request."""
    ref = "refs/pull/7/merge"
    return {
        "aud": "sts.amazonaws.com",
        "sub": f"{prefix}:environment:{stage}-plan",
        "ref": ref,
        "repository_id": "2002",
        "job_workflow_ref": f"Owner/name/.github/workflows/check.yml@{ref}",
    } | claims


def trusts(role: Policy, claims: dict[str, str]) -> bool:
    """Whether a role with this trust policy can be assumed with a token of GitHub."""
    context = {f"{ISSUER}:{name}": value for name, value in claims.items()}
    return is_allowed([role], "sts:AssumeRoleWithWebIdentity", "*", context)


@pytest.fixture(scope="module")
def trust(github: Root, aws: Any) -> dict[str, Policy]:
    """The trust policies of the created roles, by the name of the role after its prefix."""
    roles = aws.client("iam").list_roles(PathPrefix="/github/")["Roles"]
    return {
        role["RoleName"].removeprefix("order-replication-"): role["AssumeRolePolicyDocument"]
        for role in roles
    }


def plan(github: Root, check: bool = True, **values: Any) -> subprocess.CompletedProcess[str]:
    """Plans with other values of the variables; writes other.plan."""
    file = github.folder / "other.tfvars.json"
    file.write_text(json.dumps(values))
    flags = ["-input=false", "-refresh=false", f"-var-file={file.name}", "-out=other.plan"]
    return github.terraform("plan", "-json", *flags, check=check)


def planned_trust(planned: dict[str, dict[str, Any]], stage: str) -> Policy:
    """The trust policy of the role that deploys the stage."""
    role: Policy = json.loads(planned[f'aws_iam_role.deploy["{stage}"]']["assume_role_policy"])
    return role


@pytest.mark.parametrize("stage", BRANCHES)
def test_a_deployment_and_a_pull_request_get_the_roles_of_their_stage(trust, stage):
    assert {name for name, role in trust.items() if trusts(role, deployment(stage))} == {
        f"{stage}-deploy"
    }
    assert {name for name, role in trust.items() if trusts(role, pull_request(stage))} == {
        f"{stage}-plan"
    }


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "https://github.com/Owner"},
        {"sub": f"{MUTABLE}:environment:prod"},
        {"sub": "repo:owner@1001/name@2002:environment:prod"},
        {"sub": "repo:Owner@1001/name@2003:environment:prod"},
        {"sub": f"{IMMUTABLE}:environment:dev"},
        {"sub": f"{IMMUTABLE}:ref:refs/heads/main"},
        {"ref": "refs/heads/dev"},
        {"ref": "refs/heads/main2"},
        {"ref": "refs/tags/main"},
        {"repository_id": "2003"},
        {"job_workflow_ref": "Owner/name/.github/workflows/other.yml@refs/heads/main"},
        {"job_workflow_ref": "Owner/name/.github/workflows/deploy.yml@refs/heads/dev"},
        {"job_workflow_ref": "Other/name/.github/workflows/deploy.yml@refs/heads/main"},
    ],
    ids=str,
)
def test_a_token_with_another_claim_cannot_deploy(trust, claims):
    assert not trusts(trust["prod-deploy"], deployment(**claims))


def test_only_a_pull_request_can_plan(trust):
    assert not trusts(trust["prod-plan"], pull_request(ref="refs/heads/topic"))
    assert not trusts(trust["prod-plan"], pull_request(repository_id="2003"))


def test_a_plan_role_can_read_the_state_of_its_stage_and_nothing_else(github, aws):
    iam, role = aws.client("iam"), "order-replication-dev-plan"
    policy = iam.get_role_policy(RoleName=role, PolicyName="plan")["PolicyDocument"]

    allowed = {(each["Effect"], each["Action"], each["Resource"]) for each in policy["Statement"]}
    assert allowed == {
        ("Allow", "s3:ListBucket", BUCKET),
        ("Allow", "s3:GetObject", STATE),
    }
    assert is_allowed([policy], "s3:GetObject", STATE, OWN)
    assert not is_allowed([policy], "s3:GetObject", STATE, {"aws:ResourceAccount": "210987654321"})
    assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == []


def test_a_repository_without_ids_is_trusted_by_its_name(github):
    plan(github, owner_id=None, repository_id=None)
    role = planned_trust(github.planned("other.plan"), "prod")

    assert trusts(role, deployment(prefix=MUTABLE, repository_id="any"))
    assert not trusts(role, deployment())
    assert not trusts(role, deployment(prefix=MUTABLE, ref="refs/heads/topic"))


@pytest.fixture(scope="module")
def largest(github: Root) -> dict[str, dict[str, Any]]:
    """The planned resources with the longest names, a customer-managed key, and both subjects."""
    plan(
        github,
        repository=LONGEST,
        owner_id=12 * "1",
        repository_id=12 * "2",
        trust_mutable_subject=True,
        stages={LONGEST_STAGE: "ap-southeast-1"},
        kms_key_arns={LONGEST_STAGE: [KEY]},
        destination_arns={LONGEST_STAGE: [arn("sqs", f"{78 * 'q'}{n}") for n in range(10, 30)]},
    )
    planned = github.planned("other.plan")
    return {address: after for address, after in planned.items() if after}


def test_both_subjects_are_trusted_while_a_repository_migrates(largest):
    role = planned_trust(largest, LONGEST_STAGE)
    ref = f"refs/heads/{LONGEST_STAGE}"
    owner, name = LONGEST.split("/")
    claims = {
        "ref": ref,
        "repository_id": 12 * "2",
        "job_workflow_ref": f"{LONGEST}/.github/workflows/deploy.yml@{ref}",
    }
    immutable = f"repo:{owner}@{12 * '1'}/{name}@{12 * '2'}:environment:{LONGEST_STAGE}"
    mutable = f"repo:{LONGEST}:environment:{LONGEST_STAGE}"

    assert trusts(role, deployment(sub=immutable, **claims))
    assert trusts(role, deployment(sub=mutable, **claims))
    assert not trusts(role, deployment(sub=mutable, **claims | {"repository_id": "2003"}))


def test_a_trust_policy_is_within_the_limit_of_iam(largest):
    role = planned_trust(largest, LONGEST_STAGE)

    assert len(json.dumps(role, separators=(",", ":"))) <= 2048


def test_the_permissions_are_within_the_limits_of_iam(largest):
    policies = [each["policy"] for each in largest.values() if "policy" in each]

    assert len(policies) == 6
    for policy in policies:
        assert len(json.dumps(json.loads(policy), separators=(",", ":"))) <= 6144


def arn(service: str, resource: str, region: str = "us-east-1") -> str:
    return f"arn:aws:{service}:{region}:{ACCOUNT}:{resource}"


def role(name: str) -> str:
    return arn("iam", f"role/{name}", region="")


def api(path: str) -> str:
    return f"arn:aws:apigateway:us-east-1::{path}"


def boundary(stage: str) -> Context:
    policy = f"policy/github/order-replication-{stage}-boundary"
    return {"iam:PermissionsBoundary": arn("iam", policy, region="")}


def policy_document(aws: Any, policy_arn: str) -> Policy:
    iam = aws.client("iam")
    version = iam.get_policy(PolicyArn=policy_arn)["Policy"]["DefaultVersionId"]
    found = iam.get_policy_version(PolicyArn=policy_arn, VersionId=version)
    document: Policy = found["PolicyVersion"]["Document"]
    return document


@pytest.fixture(scope="module")
def deploy_dev(github: Root, aws: Any) -> list[Policy]:
    """The policies of the role that deploys dev."""
    attached = aws.client("iam").list_attached_role_policies(
        RoleName="order-replication-dev-deploy"
    )
    arns = [each["PolicyArn"] for each in attached["AttachedPolicies"]]
    assert sorted(arns) == sorted(github.outputs["deploy_policy_arns"]["dev"])
    return [policy_document(aws, each) for each in arns]


FUNCTION_ROLE = role("order-replication-dev-poll-orders")
DEV, PROD, OTHER = (
    {"aws:ResourceTag/stage": "dev"},
    {"aws:ResourceTag/stage": "prod"},
    {"aws:RequestTag/stage": "prod"},
)


API_DESTINATIONS = {"iam:AWSServiceName": "apidestinations.events.amazonaws.com"}
API_DESTINATIONS_ROLE = role(
    "aws-service-role/apidestinations.events.amazonaws.com/"
    "AWSServiceRoleForAmazonEventBridgeApiDestinations"
)


def destination_rule(stage: str) -> str:
    return arn("events", f"rule/order-replication-{stage}/order-replication-{stage}-to-erp")


def connection_secret(stage: str) -> str:
    """The secret of a connection, with the characters that Secrets Manager appends."""
    name = f"events!connection/order-replication-{stage}-to-crm/1234abcd/auth"
    return arn("secretsmanager", f"secret:{name}-a1b2c3")


@pytest.mark.parametrize("bounded", [{}, boundary("prod")], ids=["none", "other"])
@pytest.mark.parametrize(
    "action",
    [
        "iam:CreateRole",
        "iam:DeleteRole",
        "iam:DeleteRolePolicy",
        "iam:PutRolePermissionsBoundary",
        "iam:PutRolePolicy",
        "iam:UpdateAssumeRolePolicy",
        "iam:UpdateRole",
        "iam:UpdateRoleDescription",
    ],
)
def test_roles_without_the_boundary_of_the_stage_cannot_be_changed(deploy_dev, action, bounded):
    assert is_allowed(deploy_dev, action, FUNCTION_ROLE, boundary("dev"))
    assert not is_allowed(deploy_dev, action, FUNCTION_ROLE, bounded)


@pytest.mark.parametrize(
    ("action", "resource", "context"),
    [
        ("iam:DeleteRolePermissionsBoundary", FUNCTION_ROLE, boundary("dev")),
        ("iam:AttachRolePolicy", FUNCTION_ROLE, boundary("dev")),
        ("iam:PutRolePolicy", role("order-replication-prod-poll-orders"), boundary("dev")),
        ("iam:PutRolePolicy", role("github/order-replication-dev-deploy"), boundary("dev")),
        ("iam:CreatePolicyVersion", boundary("dev")["iam:PermissionsBoundary"], {}),
        ("iam:DeletePolicy", boundary("dev")["iam:PermissionsBoundary"], {}),
        ("iam:PassRole", FUNCTION_ROLE, {"iam:PassedToService": "ec2.amazonaws.com"}),
        (
            "iam:PassRole",
            role("order-replication-prod-poll-orders"),
            {"iam:PassedToService": "lambda.amazonaws.com"},
        ),
        ("apigateway:POST", api("/restapis"), {}),
        ("apigateway:POST", api("/restapis"), OTHER),
        ("apigateway:DELETE", api("/restapis/abc"), {}),
        ("apigateway:DELETE", api("/restapis/abc"), PROD),
        ("apigateway:PATCH", api("/restapis/abc/resources/x/methods/POST/integration"), PROD),
        ("apigateway:PUT", api("/tags/abc"), OTHER),
        ("sns:SetSubscriptionAttributes", arn("sns", "order-replication-prod-errors:1"), {}),
        ("ssm:GetParameter", arn("ssm", "parameter/order-replication/prod/webhook-token"), {}),
        ("lambda:UpdateFunctionCode", arn("lambda", "function:order-replication-prod-x"), {}),
        ("kms:DescribeKey", arn("kms", "key/1"), {"kms:ResourceAliases": "alias/mine"}),
        ("logs:CreateLogDelivery", "*", {}),
        (
            "events:PutTargets",
            arn("events", "rule/order-replication-dev-poll-orders"),
            {"events:TargetArn": arn("sqs", "payments")},
        ),
        ("s3:PutObject", STATE, {"aws:ResourceAccount": "210987654321"}),
        (
            "cloudwatch:PutMetricAlarm",
            arn("cloudwatch", "alarm:order-replication-dev-x"),
            {"cloudwatch:AlarmActions": "arn:aws:automate:us-east-1:ec2:stop"},
        ),
        (
            "cloudwatch:PutMetricAlarm",
            arn("cloudwatch", "alarm:order-replication-dev-x"),
            {"cloudwatch:AlarmActions": arn("sns", "order-replication-prod-errors")},
        ),
        ("events:PutRule", destination_rule("prod"), {}),
        ("events:PutTargets", arn("events", "rule/other/order-replication-dev-to-erp"), {}),
        ("events:DeleteEventBus", arn("events", "event-bus/order-replication-prod"), {}),
        ("events:DeleteEventBus", arn("events", "event-bus/default"), {}),
        ("events:PutEvents", arn("events", "event-bus/order-replication-dev"), {}),
        ("events:CreateConnection", arn("events", "connection/order-replication-prod-to-crm"), {}),
        ("events:UpdateConnection", arn("events", "connection/order-replication-dev-to-crm/1"), {}),
        ("secretsmanager:GetSecretValue", connection_secret("prod"), {}),
        ("secretsmanager:GetSecretValue", arn("secretsmanager", "secret:mine-a1b2c3"), {}),
        ("iam:PassRole", FUNCTION_ROLE, {"iam:PassedToService": "events.amazonaws.com"}),
        (
            "iam:PassRole",
            role("order-replication-prod-to-erp"),
            {"iam:PassedToService": "events.amazonaws.com"},
        ),
        ("iam:CreateServiceLinkedRole", API_DESTINATIONS_ROLE, {"iam:AWSServiceName": "x"}),
        ("iam:CreateServiceLinkedRole", role("aws-service-role/x/y"), API_DESTINATIONS),
    ],
)
def test_a_deployment_cannot_extend_its_permissions(deploy_dev, action, resource, context):
    assert not is_allowed(deploy_dev, action, resource, context)


@pytest.mark.parametrize(
    ("action", "resource", "context"),
    [
        ("iam:GetRole", FUNCTION_ROLE, {}),
        ("iam:DeleteRole", FUNCTION_ROLE, boundary("dev")),
        ("iam:PassRole", FUNCTION_ROLE, {"iam:PassedToService": "lambda.amazonaws.com"}),
        ("apigateway:POST", api("/restapis"), {"aws:RequestTag/stage": "dev"}),
        ("apigateway:PUT", api("/restapis/abc"), DEV),
        ("apigateway:POST", api("/restapis/abc/deployments"), DEV),
        ("apigateway:PATCH", api("/restapis/abc/stages/api"), DEV),
        ("apigateway:DELETE", api("/restapis/abc"), DEV),
        ("apigateway:GET", api("/restapis/abc"), {}),
        ("apigateway:PUT", api("/tags/abc"), {"aws:RequestTag/stage": "dev"}),
        ("kms:DescribeKey", arn("kms", "key/1"), {"kms:ResourceAliases": "alias/aws/dynamodb"}),
        ("s3:PutObject", f"{STATE}.tflock", OWN),
        ("s3:DeleteObject", f"{STATE}.tflock", OWN),
        ("s3:GetObject", STATE, OWN),
        ("s3:PutObject", STATE, OWN),
        ("sns:Unsubscribe", "*", {}),
        ("ssm:PutParameter", arn("ssm", "parameter/order-replication/dev/webhook-token"), {}),
        ("dynamodb:CreateTable", arn("dynamodb", "table/order-replication-dev-orders"), {}),
        ("sqs:CreateQueue", arn("sqs", "order-replication-dev-orders"), {}),
        ("lambda:UpdateFunctionCode", arn("lambda", "function:order-replication-dev-x"), {}),
        (
            "lambda:CreateEventSourceMapping",
            "*",
            {"lambda:FunctionArn": arn("lambda", "function:order-replication-dev-x")},
        ),
        ("cloudwatch:PutMetricAlarm", arn("cloudwatch", "alarm:order-replication-dev-x"), {}),
        (
            "cloudwatch:PutMetricAlarm",
            arn("cloudwatch", "alarm:order-replication-dev-x"),
            {"cloudwatch:AlarmActions": arn("sns", "order-replication-dev-errors")},
        ),
        ("wafv2:GetWebACL", arn("wafv2", "regional/webacl/mine/1"), {}),
        ("events:PutRule", arn("events", "rule/order-replication-dev-poll-orders"), {}),
        (
            "events:PutTargets",
            arn("events", "rule/order-replication-dev-poll-orders"),
            {"events:TargetArn": arn("lambda", "function:order-replication-dev-poll-orders")},
        ),
        ("logs:CreateLogGroup", arn("logs", "log-group:/aws/lambda/order-replication-dev-x"), {}),
        ("events:CreateEventBus", arn("events", "event-bus/order-replication-dev"), {}),
        ("events:TagResource", arn("events", "event-bus/order-replication-dev"), {}),
        ("events:PutRule", destination_rule("dev"), {}),
        ("events:PutTargets", destination_rule("dev"), {}),
        ("events:TagResource", destination_rule("dev"), {}),
        ("events:CreateConnection", arn("events", "connection/order-replication-dev-to-crm"), {}),
        ("events:DeleteConnection", arn("events", "connection/order-replication-dev-to-crm/1"), {}),
        (
            "events:CreateApiDestination",
            arn("events", "api-destination/order-replication-dev-to-crm"),
            {},
        ),
        (
            "events:CreateApiDestination",
            arn("events", "connection/order-replication-dev-to-crm/1"),
            {},
        ),
        ("secretsmanager:CreateSecret", connection_secret("dev"), {}),
        ("secretsmanager:DeleteSecret", connection_secret("dev"), {}),
        ("sqs:CreateQueue", arn("sqs", "order-replication-dev-to-crm-undelivered"), {}),
        ("iam:CreateRole", role("order-replication-dev-to-crm"), boundary("dev")),
        (
            "iam:PassRole",
            role("order-replication-dev-to-crm"),
            {"iam:PassedToService": "events.amazonaws.com"},
        ),
        ("iam:CreateServiceLinkedRole", API_DESTINATIONS_ROLE, API_DESTINATIONS),
    ],
)
def test_a_deployment_can_change_its_stage(deploy_dev, action, resource, context):
    assert is_allowed(deploy_dev, action, resource, context)


def test_a_customer_managed_key_is_used_through_the_services_of_the_stage(largest):
    policies = [
        json.loads(each["policy"])
        for address, each in largest.items()
        if address.startswith("aws_iam_policy.deploy")
    ]
    via = {"kms:ViaService": "dynamodb.ap-southeast-1.amazonaws.com"}

    for action in ("Decrypt", "Encrypt", "GenerateDataKeyWithoutPlaintext"):
        assert is_allowed(policies, f"kms:{action}", KEY, via)
        assert not is_allowed(policies, f"kms:{action}", KEY, {})
    # What ops.deploy checks before Terraform runs.
    for action in ("DescribeKey", "GenerateDataKey"):
        assert is_allowed(policies, f"kms:{action}", KEY, {})
    assert is_allowed(policies, "kms:ReEncryptFrom", KEY, via)
    assert is_allowed(policies, "kms:CreateGrant", KEY, {"kms:GrantIsForAWSResource": "true"})
    assert not is_allowed(policies, "kms:CreateGrant", KEY, {"kms:GrantIsForAWSResource": "false"})


@pytest.mark.parametrize(
    ("action", "resource", "context"),
    [
        ("dynamodb:GetItem", arn("dynamodb", "table/order-replication-prod-orders"), {}),
        ("dynamodb:DeleteTable", arn("dynamodb", "table/order-replication-dev-orders"), {}),
        ("ssm:GetParameter", arn("ssm", "parameter/order-replication/prod/webhook-token"), {}),
        ("sqs:SendMessage", arn("sqs", "order-replication-prod-orders"), {}),
        ("lambda:UpdateFunctionCode", arn("lambda", "function:order-replication-dev-x"), {}),
        ("iam:PutRolePolicy", FUNCTION_ROLE, boundary("dev")),
        ("sts:AssumeRole", role("admin"), {}),
        ("kms:Decrypt", arn("kms", "key/1"), {}),
        ("kms:Decrypt", arn("kms", "key/1"), {"kms:ViaService": "s3.us-east-1.amazonaws.com"}),
        ("sqs:SendMessage", arn("sqs", "a-queue-that-is-not-listed"), {}),
        ("lambda:InvokeFunction", arn("lambda", "function:order-replication-dev-x"), {}),
        ("events:PutEvents", arn("events", "event-bus/order-replication-prod"), {}),
        (
            "events:InvokeApiDestination",
            arn("events", "api-destination/order-replication-prod-to-crm/1"),
            {},
        ),
    ],
)
def test_a_function_cannot_use_anything_but_the_data_of_its_stage(
    github, aws, action, resource, context
):
    limit = policy_document(aws, github.outputs["permissions_boundary_arns"]["dev"])

    assert not is_allowed([limit], action, resource, context)


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("events:PutEvents", arn("events", "event-bus/order-replication-dev")),
        (
            "events:InvokeApiDestination",
            arn("events", "api-destination/order-replication-dev-to-crm/1"),
        ),
        ("sqs:SendMessage", QUEUE),
        ("sqs:SendMessage", FIFO_QUEUE),
    ],
)
def test_events_can_be_sent_to_the_bus_and_the_listed_receivers(github, aws, action, resource):
    limits = github.outputs["permissions_boundary_arns"]

    assert is_allowed([policy_document(aws, limits["dev"])], action, resource, {})
    assert not is_allowed([policy_document(aws, limits["prod"])], action, resource, {})


def test_a_function_can_read_the_streams_of_its_stage(github, aws):
    limit = policy_document(aws, github.outputs["permissions_boundary_arns"]["dev"])
    stream = arn("dynamodb", "table/order-replication-dev-orders/stream/2026-11-25T00:00:00.000")

    for action in ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams"):
        assert is_allowed([limit], f"dynamodb:{action}", stream, {})


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("refused", "values"),
    [
        ("repository", {"repository": "Owner/*"}),
        ("owner_id", {"owner_id": "*"}),
        ("repository_id", {"repository_id": "*"}),
        ("owner_id and repository_id", {"owner_id": None}),
        ("destination_arns", {"destination_arns": {"dev": [arn("sqs", "*")]}}),
        (
            "trust_mutable_subject",
            {"owner_id": None, "repository_id": None, "trust_mutable_subject": False},
        ),
    ],
)
def test_values_that_trust_nobody_or_too_many_are_refused(github, refused, values):
    planned = plan(github, check=False, **values)

    assert planned.returncode == 1
    assert f'"Invalid value for variable","detail":"{refused} ' in planned.stdout
