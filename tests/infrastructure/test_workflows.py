"""The permissions of the GitHub workflows, and the variables that they pass to Terraform."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from ops.deploy.layer import RUNTIME
from ops.stages import PROJECT, TERRAFORM, Stage, known_stages, parse

FILES = sorted((PROJECT / ".github" / "workflows").glob("*.yml"))
BRANCHES = {"dev": "dev", "staging": "staging", "main": "prod"}


def workflow(name: str) -> dict[str, Any]:
    loaded: dict[Any, Any] = yaml.safe_load((PROJECT / f".github/workflows/{name}.yml").read_text())
    # In YAML 1.1, the key `on` is a boolean.
    return {str(key).replace("True", "on"): value for key, value in loaded.items()}


CHECK, DEPLOY = workflow("check"), workflow("deploy")
JOBS = [
    pytest.param(job, id=f"{workflow['name']}-{name}")
    for workflow in (CHECK, DEPLOY)
    for name, job in workflow["jobs"].items()
]


def environment(job: dict[str, Any]) -> dict[str, str]:
    """The environment variables of a job and of its steps."""
    steps = [step.get("env", {}) for step in job["steps"]]
    return {name: str(value) for env in (job.get("env", {}), *steps) for name, value in env.items()}


def needed_variables() -> set[str]:
    """The required and the secret variables, except those in the stage's file."""
    blocks = parse(TERRAFORM / "variables.tf")["variable"]
    secret = {name for block in blocks for name, body in block.items() if body.get("ephemeral")}
    return {f"TF_VAR_{name}" for name in secret | set(Stage("prod").required()) - {"region"}}


def test_there_are_two_workflows():
    assert [file.stem for file in FILES] == ["check", "deploy"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_action_is_pinned_by_commit_with_its_version_as_a_comment(file):
    lines = [line for line in file.read_text().splitlines() if "uses:" in line]
    assert lines
    for line in lines:
        assert re.search(r"uses: [\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line


def test_an_action_has_the_same_version_in_all_workflows():
    pins = re.findall(r"uses: (\S+)@(\S+)", "".join(file.read_text() for file in FILES))
    assert len(set(pins)) == len({action for action, _ in pins})


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_no_workflow_runs_code_of_a_fork_with_write_access(file):
    assert "pull_request_target" not in file.read_text()
    assert "workflow_run" not in file.read_text()


@pytest.mark.parametrize("workflow", [CHECK, DEPLOY], ids=["check", "deploy"])
def test_a_workflow_grants_no_permissions_by_default(workflow):
    assert workflow["permissions"] == {}


@pytest.mark.parametrize(
    ("job", "permissions"),
    [
        (CHECK["jobs"]["test"], {"contents": "read"}),
        (CHECK["jobs"]["plan"], {"contents": "read", "id-token": "write"}),
        (CHECK["jobs"]["comment"], {"pull-requests": "write"}),
        (DEPLOY["jobs"]["test"], {"contents": "read"}),
        (DEPLOY["jobs"]["deploy"], {"contents": "read", "id-token": "write"}),
    ],
)
def test_a_job_has_minimal_permissions(job, permissions):
    assert job["permissions"] == permissions


def test_the_job_that_writes_comments_runs_no_code_of_the_pull_request():
    assert not any("uses" in step for step in CHECK["jobs"]["comment"]["steps"])


def test_a_fork_has_no_role():
    condition = CHECK["jobs"]["plan"]["if"]
    assert condition == "github.event.pull_request.head.repo.full_name == github.repository"
    assert CHECK["jobs"]["comment"]["needs"] == "plan"


def test_a_pull_request_is_planned_against_the_state_only():
    assert "--state-only" in CHECK["jobs"]["plan"]["steps"][-1]["run"]
    assert "--state-only" not in str(DEPLOY)


def test_a_pull_request_has_no_access_to_secrets():
    assert "secrets." not in str(CHECK)


@pytest.mark.parametrize("job", JOBS)
def test_a_job_that_assumes_a_role_has_an_environment_and_no_stored_key(job):
    assert ("id-token" in job["permissions"]) == ("environment" in job)
    assert "aws-access-key-id" not in str(job)


@pytest.mark.parametrize("job", [CHECK["jobs"]["plan"], DEPLOY["jobs"]["deploy"]])
def test_every_required_variable_is_passed(job):
    passed = {name for name in environment(job) if name.startswith("TF_VAR_")}
    # The deployment role can create no role without the boundary.
    assert passed == needed_variables() | {"TF_VAR_permissions_boundary"}


def test_only_the_step_that_deploys_has_access_to_the_secrets():
    steps = [step for step in DEPLOY["jobs"]["deploy"]["steps"] if "secrets." in str(step)]
    assert len(steps) == 1
    assert "uses" not in steps[0]
    assert "secrets." not in str({key: DEPLOY[key] for key in DEPLOY if key != "jobs"})


def test_the_placeholders_of_a_plan_are_valid_secrets():
    """The plan of every pull request would fail otherwise."""
    env = environment(CHECK["jobs"]["plan"])
    assert len(env["TF_VAR_webhook_token"]) >= 32
    assert env["TF_VAR_bigcommerce_access_token"]


def evaluate(expression: str, branch: str) -> str:
    """The value of a workflow's expression for a branch."""
    shape = r"\$\{\{ (github\.\w+) == '(\w+)' && '(\w+)' \|\| \1 \}\}"
    return re.sub(shape, lambda found: found[3] if branch == found[2] else branch, expression)


@pytest.mark.parametrize(("branch", "stage"), BRANCHES.items())
def test_a_branch_deploys_its_stage_with_the_environment_of_the_stage(branch, stage):
    job = DEPLOY["jobs"]["deploy"]
    assert branch in DEPLOY["on"]["push"]["branches"]
    assert evaluate(job["environment"], branch) == stage
    assert evaluate(job["env"]["STAGE"], branch) == stage
    assert stage in known_stages()


@pytest.mark.parametrize(("branch", "stage"), BRANCHES.items())
def test_a_pull_request_plans_the_stage_of_its_target_branch(branch, stage):
    job = CHECK["jobs"]["plan"]
    assert branch in CHECK["on"]["pull_request"]["branches"]
    assert evaluate(job["environment"], branch) == f"{stage}-plan"
    assert evaluate(job["env"]["STAGE"], branch) == stage
    assert evaluate(CHECK["jobs"]["comment"]["steps"][0]["env"]["STAGE"], branch) == stage


def test_deployments_of_a_stage_run_one_at_a_time():
    assert DEPLOY["concurrency"]["cancel-in-progress"] is False
    assert DEPLOY["concurrency"]["group"] == "deploy-${{ github.ref_name }}"


@pytest.mark.parametrize("job", JOBS)
def test_python_is_the_runtime_of_the_functions_and_the_version_of_terraform_is_pinned(job):
    given = {step["uses"].split("@")[0]: step["with"] for step in job["steps"] if "uses" in step}
    if given:
        assert given["actions/setup-python"] == {"python-version": RUNTIME.removeprefix("python")}
        assert given["hashicorp/setup-terraform"]["terraform_version"] == "1.11.4"
        # The wrapper changes the output of Terraform.
        assert given["hashicorp/setup-terraform"]["terraform_wrapper"] is False
        assert given["actions/checkout"]["persist-credentials"] is False


PLAN = "# a plan\n```\nwith `two` fences\n`````\n"
PROGRAMS = {
    ".venv/bin/python": "",
    "terraform": 'printf "%s" "$PLAN"',
    "gh": 'for each; do case "$each" in body=*) echo "${each#body=}" >> summary;; esac; done',
}


@pytest.mark.parametrize(
    "step",
    [
        CHECK["jobs"]["plan"]["steps"][-1],
        CHECK["jobs"]["comment"]["steps"][-1],
        DEPLOY["jobs"]["deploy"]["steps"][-1],
    ],
    ids=["plan", "comment", "deploy"],
)
def test_a_plan_cannot_end_the_code_block_around_it(tmp_path, step):
    for name, script in PROGRAMS.items():
        program = tmp_path / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    files = {"GITHUB_STEP_SUMMARY": "summary", "GITHUB_OUTPUT": "output"}
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    env = {"PATH": path, "STAGE": "dev", "PLAN": PLAN, **files}

    # As GitHub runs a step that names no shell.
    subprocess.run(["bash", "-e", "-c", step["run"]], cwd=tmp_path, env=env, check=True)  # noqa: S603, S607 - ours

    assert code_block(tmp_path / "summary").strip() == PLAN.strip()


def code_block(file: Path) -> str:
    """The content of the only code block of a Markdown file, which ends with it."""
    found = re.search(r"^(`{3,})text\n(.*?)^\1`*\s*\Z", file.read_text(), re.DOTALL | re.MULTILINE)
    assert found
    fence, content = found.groups()
    assert not re.search(rf"^ {{0,3}}{fence}`*\s*$", content, re.MULTILINE)
    return content


@pytest.mark.parametrize(
    ("workflow", "steps"),
    [(CHECK, ["make test", "make audit"]), (DEPLOY, ["make test"])],
    ids=["check", "deploy"],
)
def test_the_exhaustive_tests_have_an_hour(workflow, steps):
    job = workflow["jobs"]["test"]

    assert [step["run"] for step in job["steps"] if "run" in step] == steps
    assert job["timeout-minutes"] >= 60


def test_an_update_waits_until_its_release_is_a_week_old():
    updates = yaml.safe_load((PROJECT / ".github/dependabot.yml").read_text())["updates"]

    found = {each["package-ecosystem"] for each in updates}
    assert found == {"pip", "npm", "github-actions", "terraform"}
    assert all(each["cooldown"] == {"default-days": 7} for each in updates)


def test_every_file_has_an_owner():
    """A file in the root could replace a library in the deployment."""
    lines = (PROJECT / ".github/CODEOWNERS").read_text().splitlines()

    assert [line.split()[0] for line in lines if line[0] != "#"] == ["*"]


@pytest.mark.parametrize(("head", "code"), [("1f2e", 0), ("3d4c", 1)])
def test_an_outdated_commit_is_not_deployed_again(tmp_path, head, code):
    step = DEPLOY["jobs"]["deploy"]["steps"][0]
    (tmp_path / "gh").write_text(
        '#!/bin/sh\n[ "$2" = repos/Owner/name/commits/main ] && echo $HEAD'
    )
    (tmp_path / "gh").chmod(0o755)
    env = {
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "HEAD": head,
        "GITHUB_SHA": "1f2e",
        "GITHUB_REF_NAME": "main",
        "GITHUB_REPOSITORY": "Owner/name",
    }

    done = subprocess.run(["bash", "-e", "-c", step["run"]], env=env, cwd=tmp_path)  # noqa: S603, S607

    assert step["if"] == "github.run_attempt > 1"
    assert done.returncode == code
