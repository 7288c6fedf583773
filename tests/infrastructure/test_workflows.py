"""What the workflows in .github may do, and what they hand to Terraform."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[2]
FILES = sorted((PROJECT / ".github" / "workflows").glob("*.yml"))
BRANCHES = {"dev": "dev", "staging": "staging", "main": "prod"}


def workflow(name: str) -> dict[str, Any]:
    loaded: dict[Any, Any] = yaml.safe_load((PROJECT / f".github/workflows/{name}.yml").read_text())
    # YAML 1.1 reads the key `on` as a truth.
    return {str(key).replace("True", "on"): value for key, value in loaded.items()}


CHECK, DEPLOY = workflow("check"), workflow("deploy")
JOBS = [
    pytest.param(job, id=f"{workflow['name']}-{name}")
    for workflow in (CHECK, DEPLOY)
    for name, job in workflow["jobs"].items()
]


def environment(job: dict[str, Any]) -> dict[str, str]:
    """Every variable of a job, wherever in it it is set."""
    steps = [step.get("env", {}) for step in job["steps"]]
    return {name: str(value) for env in (job.get("env", {}), *steps) for name, value in env.items()}


def needed_variables() -> set[str]:
    """Variables that have no default, or are secret; make's stage and its file give the rest."""
    blocks = re.findall(
        r'^variable "(\w+)" \{\n(.*?)^\}',
        (PROJECT / "terraform" / "variables.tf").read_text(),
        re.MULTILINE | re.DOTALL,
    )
    needed = {
        name
        for name, body in blocks
        if "ephemeral" in body or not re.search("^  default", body, re.M)
    }
    return {f"TF_VAR_{name}" for name in needed - {"stage", "region"}}


def test_there_are_the_two_workflows():
    assert [file.stem for file in FILES] == ["check", "deploy"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_action_is_pinned_by_its_commit_and_says_its_version(file):
    lines = [line for line in file.read_text().splitlines() if "uses:" in line]
    assert lines
    for line in lines:
        assert re.search(r"uses: [\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line


def test_an_action_has_one_version_in_all_workflows():
    pins = re.findall(r"uses: (\S+)@(\S+)", "".join(file.read_text() for file in FILES))
    assert len(set(pins)) == len({action for action, _ in pins})


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_code_of_strangers_never_runs_with_our_rights(file):
    assert "pull_request_target" not in file.read_text()
    assert "workflow_run" not in file.read_text()


@pytest.mark.parametrize("workflow", [CHECK, DEPLOY], ids=["check", "deploy"])
def test_a_job_has_no_right_that_it_does_not_name(workflow):
    assert workflow["permissions"] == {}


@pytest.mark.parametrize(
    ("job", "rights"),
    [
        (CHECK["jobs"]["test"], {"contents": "read"}),
        (CHECK["jobs"]["plan"], {"contents": "read", "id-token": "write"}),
        (CHECK["jobs"]["comment"], {"pull-requests": "write"}),
        (DEPLOY["jobs"]["test"], {"contents": "read"}),
        (DEPLOY["jobs"]["deploy"], {"contents": "read", "id-token": "write"}),
    ],
)
def test_the_rights_of_a_job_are_the_fewest(job, rights):
    assert job["permissions"] == rights


def test_the_job_that_writes_comments_runs_no_code_of_the_pull_request():
    assert not any("uses" in step for step in CHECK["jobs"]["comment"]["steps"])


def test_a_fork_gets_no_role():
    condition = CHECK["jobs"]["plan"]["if"]
    assert condition == "github.event.pull_request.head.repo.full_name == github.repository"
    assert CHECK["jobs"]["comment"]["needs"] == "plan"


def test_a_pull_request_sees_no_secret():
    assert "secrets." not in str(CHECK)


@pytest.mark.parametrize("job", JOBS)
def test_a_job_that_may_sign_in_has_an_environment_and_no_stored_key(job):
    assert ("id-token" in job["permissions"]) == ("environment" in job)
    assert "aws-access-key-id" not in str(job)


@pytest.mark.parametrize("job", [CHECK["jobs"]["plan"], DEPLOY["jobs"]["deploy"]])
def test_each_variable_that_the_configuration_needs_is_passed(job):
    passed = {name for name in environment(job) if name.startswith("TF_VAR_")}
    assert passed == needed_variables()


def test_only_the_step_that_deploys_sees_the_secrets():
    steps = [step for step in DEPLOY["jobs"]["deploy"]["steps"] if "secrets." in str(step)]
    assert len(steps) == 1
    assert "uses" not in steps[0]
    assert "secrets." not in str({key: DEPLOY[key] for key in DEPLOY if key != "jobs"})


def test_the_placeholders_of_a_plan_pass_for_secrets():
    """Whatever the configuration refuses would make every pull request fail."""
    env = environment(CHECK["jobs"]["plan"])
    assert len(env["TF_VAR_webhook_token"]) >= 32
    assert env["TF_VAR_bigcommerce_access_token"]


def evaluate(expression: str, branch: str) -> str:
    """The stage that a workflow's expression makes of a branch."""
    shape = r"\$\{\{ (github\.\w+) == '(\w+)' && '(\w+)' \|\| \1 \}\}"
    return re.sub(shape, lambda found: found[3] if branch == found[2] else branch, expression)


@pytest.mark.parametrize(("branch", "stage"), BRANCHES.items())
def test_a_branch_deploys_its_stage_through_its_environment(branch, stage):
    job = DEPLOY["jobs"]["deploy"]
    assert branch in DEPLOY["on"]["push"]["branches"]
    assert evaluate(job["environment"], branch) == stage
    assert evaluate(job["env"]["STAGE"], branch) == stage
    assert (PROJECT / f"terraform/stages/{stage}.tfvars").exists()


@pytest.mark.parametrize(("branch", "stage"), BRANCHES.items())
def test_a_pull_request_plans_the_stage_of_its_target(branch, stage):
    job = CHECK["jobs"]["plan"]
    assert branch in CHECK["on"]["pull_request"]["branches"]
    assert evaluate(job["environment"], branch) == f"{stage}-plan"
    assert evaluate(job["env"]["STAGE"], branch) == stage
    assert evaluate(CHECK["jobs"]["comment"]["steps"][0]["env"]["STAGE"], branch) == stage


def test_deployments_of_a_stage_wait_for_each_other():
    assert DEPLOY["concurrency"]["cancel-in-progress"] is False
    assert DEPLOY["concurrency"]["group"] == "deploy-${{ github.ref_name }}"


@pytest.mark.parametrize("job", JOBS)
def test_python_and_terraform_are_the_ones_this_is_made_with(job):
    given = {step["uses"].split("@")[0]: step["with"] for step in job["steps"] if "uses" in step}
    if given:
        assert given["actions/setup-python"] == {"python-version": "3.11"}
        assert given["hashicorp/setup-terraform"]["terraform_version"] == "1.11.4"
        # Its wrapper would stand between us and what Terraform prints.
        assert given["hashicorp/setup-terraform"]["terraform_wrapper"] is False
        assert given["actions/checkout"]["persist-credentials"] is False


def test_the_roles_trust_the_environments_that_the_workflows_name():
    trust = (PROJECT / "terraform" / "github" / "main.tf").read_text()
    assert '"repo:${var.repository}:environment:${each.key}"' in trust
    assert '{ (stage) = stage, "${stage}-plan" = stage }' in trust
