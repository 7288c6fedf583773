"""The roles for GitHub: who can assume them, and what they allow."""

import json
import subprocess
from typing import Any

import pytest

from sandbox.stack import ACCOUNT
from tests.infrastructure.conftest import Root
from tests.infrastructure.iam import Policy, is_allowed

pytestmark = pytest.mark.xdist_group("terraform")

ISSUER = "token.actions.githubusercontent.com"
MUTABLE, IMMUTABLE = "repo:Owner/name", "repo:Owner@1001/name@2002"
LONGEST, LONGEST_STAGE = f"{39 * 'o'}/{100 * 'n'}", 16 * "s"
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
    bucket = f"arn:aws:s3:::order-replication-state-{ACCOUNT}-us-east-1"

    allowed = {(each["Effect"], each["Action"], each["Resource"]) for each in policy["Statement"]}
    assert allowed == {
        ("Allow", "s3:ListBucket", bucket),
        ("Allow", "s3:GetObject", f"{bucket}/order-replication/dev.tfstate"),
    }
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
    )
    return github.planned("other.plan")


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


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("refused", "values"),
    [
        ("repository", {"repository": "Owner/*"}),
        ("owner_id", {"owner_id": "*"}),
        ("repository_id", {"repository_id": "*"}),
        ("owner_id and repository_id", {"owner_id": None}),
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
