"""The deploy commands: what they require, and what they run."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import requests

from ops.__main__ import main
from ops.deploy.__main__ import LOCK_TIMEOUT, STATE_ONLY
from ops.deploy.next_steps import after_bootstrap, after_deploy
from ops.stages import InvalidFile, Stage
from sandbox.stack import ACCOUNT, CREDENTIALS, REGION, Endpoint
from tests.availability import unavailable
from tests.infrastructure.conftest import PROJECT

URLS = ("https://example.com/cart-converted", "https://example.com/order-changed")
BUCKET = f"order-replication-state-{ACCOUNT}-{REGION}"
COMMANDS = [
    "plan",
    *(pytest.param(name, marks=pytest.mark.exhaustive) for name in ("deploy", "destroy")),
]

VALUES = {
    "TF_VAR_bigcommerce_store_hash": "sandbox",
    "TF_VAR_alert_email": "ops@example.com",
    "TF_VAR_replicate_since": "2026-01-31T00:00:00Z",
}
SECRETS = {
    "TF_VAR_bigcommerce_access_token": "sandbox-access-token",
    "TF_VAR_webhook_token": 32 * "x",
}
NO_VALUES = {name.removeprefix("TF_VAR_") for name in VALUES}


class Operator:
    """A user with a shell environment and a Terraform folder."""

    def __init__(self, folder: Path, aws: Endpoint, path: str) -> None:
        self.terraform = folder
        self.env = {
            name: text for name, text in os.environ.items() if name[:3] not in {"AWS", "TF_"}
        }
        for kept in ("TF_CLI_ARGS_init", "TF_PLUGIN_CACHE_DIR"):
            self.env |= {kept: os.environ[kept]} if kept in os.environ else {}
        self.env |= {"AWS_ENDPOINT_URL": aws.url, **CREDENTIALS, **VALUES, **SECRETS, "PATH": path}
        # No store: that it is not reached is a note.
        self.env["TF_VAR_bigcommerce_api_url"] = "http://127.0.0.1:1"
        self.env |= {
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "CHECKPOINT_DISABLE": "1",
        }

    def without(self, *names: str) -> "Operator":
        for name in names:
            del self.env[name]
        return self

    def run(self, command: str, *options: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "ops.deploy", command, "--terraform", str(self.terraform)]
        done = subprocess.run(  # noqa: S603 - our own arguments, no shell
            [*line, *options],
            cwd=PROJECT,
            env=self.env,
            text=True,
            input=typed,
            capture_output=True,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def report(self, command: str, *options: str) -> str:
        """The problems that keep the command from running, as they are printed."""
        done = self.run(command, *options)
        assert done.returncode == 1, done.stdout + done.stderr
        assert done.stdout == ""
        return done.stderr

    def problems(self, command: str, *options: str) -> set[str]:
        """The names of the problems that keep the command from running."""
        return set(re.findall(r"^  - (.+?): ", self.report(command, *options), re.MULTILINE))


@pytest.fixture(scope="module")
def server() -> Iterator[Endpoint]:
    """AWS in a separate process, without the resources of other tests."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox.stack", "--all-services"],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    yield Endpoint(json.loads(process.stdout.readline())["AWS_ENDPOINT_URL"])
    process.stdin.close()
    process.wait()
    process.stdout.close()


@pytest.fixture
def aws(server: Endpoint) -> Endpoint:
    """An empty account."""
    requests.post(f"{server.url}/moto-api/reset", timeout=30).raise_for_status()
    return server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A scratch copy of the Terraform configuration, as in a fresh clone."""
    ignored = shutil.ignore_patterns(".terraform", "*.tfstate*", "*.zip", "chalice.tf.json")
    copy: Path = shutil.copytree(PROJECT / "terraform", tmp_path / "terraform", ignore=ignored)
    return copy


@pytest.fixture
def operator(folder: Path, aws: Endpoint, tmp_path: Path) -> Operator:
    """Everything but the state bucket is present; terraform can only report its version."""
    return Operator(folder, aws, f"{stub(tmp_path, '1.11.4')}{os.pathsep}{os.environ['PATH']}")


def stub(folder: Path, version: str) -> Path:
    """The folder of a terraform that reports a version and fails otherwise."""
    programs = folder / f"bin-{version}"
    programs.mkdir()
    program = programs / "terraform"
    answer = f'{{"terraform_version": "{version}"}}'
    program.write_text(f"#!/bin/sh\n[ \"$1\" = version ] && echo '{answer}'\n")
    program.chmod(0o755)
    return programs


def make_bucket(aws: Endpoint) -> None:
    aws.client("s3").create_bucket(Bucket=BUCKET)


def append(file: Path, line: str) -> None:
    with file.open("a") as opened:
        opened.write(f"\n{line}\n")


def test_the_text_of_the_commands(operator, monkeypatch, snapshot):
    monkeypatch.setenv("TF_VAR_alert_email", "ops@example.com")
    operator.without(*VALUES, "TF_VAR_bigcommerce_access_token")
    operator.without("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    operator.env |= {"PATH": "", "TF_VAR_webhook_token": 31 * "x"}

    assert operator.report("deploy", "--stage", "qa") == snapshot(name="problems")
    assert after_deploy(Stage("dev"), *URLS) == snapshot(name="after deploy")
    assert after_bootstrap(BUCKET, "dev") == snapshot(name="after bootstrap")


@pytest.mark.parametrize(
    ("values", "mentioned"),
    [
        ({}, {"move_unpaid"}),
        ({"move_unpaid": "false"}, set()),
        ({"move_status": "false"}, {"move_status"}),
        ({"move_status": "false", "move_unpaid": "false"}, {"move_status"}),
    ],
)
def test_the_next_steps_name_the_variable_that_decides_about_moves(monkeypatch, values, mentioned):
    for name, value in values.items():
        monkeypatch.setenv(f"TF_VAR_{name}", value)

    printed = after_deploy(Stage("dev"), *URLS)

    assert set(re.findall(r"move_\w+", printed)) == mentioned


def test_the_next_steps_name_commands_that_exist_and_no_secret(monkeypatch):
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)

    printed = after_deploy(Stage("dev"), *URLS)

    lines = re.findall(r"python -m ops --stage dev (.*)", printed)
    assert [line.split() for line in lines] == [["webhook", "register"], ["poll"], ["doctor"]]
    for line in lines:
        command: click.Command = main
        for word in line.split():
            assert isinstance(command, click.Group)
            command = command.commands[word]
    assert not any(secret in printed for secret in SECRETS.values())


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("plan", {"terraform", "AWS credentials", *NO_VALUES, *SECRETS}),
        ("deploy", {"terraform", "AWS credentials", *NO_VALUES, *SECRETS}),
        # To destroy a stage takes no secret.
        ("destroy", {"terraform", "AWS credentials", *NO_VALUES}),
        ("bootstrap", {"terraform", "AWS credentials"}),
    ],
)
def test_all_problems_are_reported_at_once(operator, command, expected):
    operator.without(*VALUES, *SECRETS, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    operator.env["PATH"] = ""

    assert operator.problems(command, "--stage", "dev") == expected


@pytest.mark.parametrize("command", COMMANDS)
def test_the_stage_is_required(operator, command):
    assert "stage" in operator.problems(command)


@pytest.mark.parametrize("command", [*COMMANDS, "bootstrap"])
def test_an_unknown_stage_is_reported_with_the_file_to_add(operator, command):
    report = operator.report(command, "--stage", "production")

    assert "  - stage: " in report
    assert "terraform/stages/production.tfvars" in report


@pytest.mark.parametrize(("stage", "expected"), [("qa", set()), ("dev", {"stage"})])
def test_a_copied_file_adds_a_stage_once_it_has_the_name_of_the_stage(
    operator, folder, stage, expected
):
    copied = (folder / "stages" / "dev.tfvars").read_text()
    (folder / "stages" / "qa.tfvars").write_text(copied.replace('"dev"', f'"{stage}"'))

    assert operator.problems("plan", "--stage", "qa") == {"state bucket"} | expected


@pytest.mark.parametrize("version", ["1.10.5", "0.15.0"])
@pytest.mark.parametrize("command", ["plan", "bootstrap"])
def test_an_older_terraform_is_refused(operator, tmp_path, command, version):
    operator.env["PATH"] = str(stub(tmp_path, version))

    assert "terraform" in operator.problems(command, "--stage", "dev")


def test_a_profile_must_exist(operator):
    operator.without("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY").env["AWS_PROFILE"] = "nobody"

    assert operator.problems("plan", "--stage", "dev") == {"AWS credentials"}


@pytest.mark.parametrize("command", ["plan", "bootstrap"])
def test_an_unreachable_network_is_reported(operator, command):
    operator.env["AWS_ENDPOINT_URL"] = "http://127.0.0.1:1"

    assert operator.problems(command, "--stage", "dev") == {"AWS"}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_state_bucket_must_exist(operator, command):
    report = operator.report(command, "--stage", "dev")

    assert f"  - state bucket: {BUCKET} " in report
    assert "make bootstrap" in report


def test_the_state_bucket_is_in_the_region_of_the_stage(operator, folder):
    file = folder / "stages" / "dev.tfvars"
    file.write_text(file.read_text().replace("us-east-1", "eu-west-1"))

    report = operator.report("plan", "--stage", "dev")

    assert f"  - state bucket: order-replication-state-{ACCOUNT}-eu-west-1 " in report


def test_a_short_webhook_token_is_refused(operator, aws):
    make_bucket(aws)
    operator.env["TF_VAR_webhook_token"] = 31 * "x"

    assert operator.problems("plan", "--stage", "dev") == {"TF_VAR_webhook_token"}


@pytest.mark.parametrize("file", ["stages/dev.tfvars", "terraform.tfvars", "all.auto.tfvars"])
@pytest.mark.parametrize("value", ["ops@example.com", ""])
def test_a_value_in_a_file_has_precedence_over_the_environment(folder, monkeypatch, file, value):
    monkeypatch.setenv("TF_VAR_alert_email", "other@example.com")
    append(folder / file, f'alert_email = "{value}" # on call')

    assert Stage("dev", folder).value("alert_email") == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('"#1"', "#1"),
        ("null", ""),
        ("15", "15"),
        ("false", "false"),
        ('[\n  "ip_address",\n  "staff_notes",\n]', '["ip_address", "staff_notes"]'),
    ],
)
def test_a_value_is_the_text_that_the_environment_would_have(folder, text, value):
    append(folder / "stages" / "dev.tfvars", f"alert_email = {text}")

    assert Stage("dev", folder).value("alert_email") == value


def test_a_file_that_cannot_be_parsed_is_reported(folder):
    (folder / "stages" / "dev.tfvars").write_text('stage = "dev"\nregion = us east\n')

    with pytest.raises(InvalidFile, match=r"dev\.tfvars"):
        Stage("dev", folder).value("region")


def test_the_required_variables_have_no_default():
    assert set(Stage("dev").required()) == {"region", *NO_VALUES}


def test_deletion_protection_is_reported_before_anything_is_destroyed(operator, aws):
    make_bucket(aws)
    aws.client("dynamodb").create_table(
        TableName="order-replication-prod-orders",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "N"}],
        BillingMode="PAY_PER_REQUEST",
        DeletionProtectionEnabled=True,
    )

    assert operator.problems("destroy", "--stage", "prod", "--yes") == {"deletion_protection"}


@pytest.mark.parametrize("typed", ["", "yes\n", "prod\n"])
def test_nothing_is_destroyed_unless_the_name_of_the_stage_is_entered(operator, aws, typed):
    make_bucket(aws)

    done = operator.run("destroy", "--stage", "dev", typed=typed)

    assert done.returncode == 1
    assert "Packaged" not in done.stdout
    assert "terraform init" not in done.stderr


def test_a_plan_that_does_not_exist_cannot_be_deployed(operator, aws):
    make_bucket(aws)

    done = operator.run("deploy", "--stage", "dev", "--plan", "none.plan")

    assert done.returncode == 1
    assert "none.plan" in done.stderr


def test_a_key_that_does_not_exist_is_reported_before_anything_is_deployed(operator, aws):
    make_bucket(aws)
    operator.env["TF_VAR_kms_key_arn"] = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd"

    assert operator.problems("deploy", "--stage", "dev") == {"kms_key_arn"}


def test_what_cannot_be_checked_is_printed_and_prevents_no_deployment(operator, aws):
    make_bucket(aws)

    done = operator.run("deploy", "--stage", "dev", "--plan", "none.plan")

    assert [line.split(":")[0] for line in done.stdout.splitlines()] == ["concurrency", "store"]


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("options", "passed"), [([], {LOCK_TIMEOUT}), (["--state-only"], {*STATE_ONLY})]
)
def test_a_plan_locks_and_refreshes_the_state_unless_it_only_reads_it(
    operator, aws, tmp_path, options, passed
):
    make_bucket(aws)
    calls = tmp_path / "calls"
    terraform = stub(tmp_path, "1.12.0") / "terraform"
    terraform.write_text(f'{terraform.read_text()}echo "$@" >> {calls}\n')
    operator.env["PATH"] = f"{terraform.parent}{os.pathsep}{operator.env['PATH']}"

    assert operator.run("plan", "--stage", "dev", *options).returncode == 0

    lines = [line.split() for line in calls.read_text().splitlines()]
    (planned,) = [line for line in lines if "plan" in line]
    assert set(planned) & {LOCK_TIMEOUT, *STATE_ONLY} == passed
    # A state can name a provider that is in no configuration, and Terraform would install it.
    (initialized,) = [line for line in lines if "init" in line]
    assert "-lockfile=readonly" in initialized


@pytest.mark.exhaustive
def test_a_failure_of_terraform_is_an_error_without_a_traceback(operator, aws):
    make_bucket(aws)

    done = operator.run("plan", "--stage", "dev")

    assert done.returncode == 1
    assert "Packaged dev" in done.stdout
    assert done.stderr.startswith("Error: terraform init failed")


def test_stages_in_several_regions_need_a_bucket_each(operator, folder):
    file = folder / "stages" / "dev.tfvars"
    file.write_text(file.read_text().replace("us-east-1", "eu-west-1"))

    assert operator.problems("bootstrap") == {"region"}


@pytest.fixture
def with_terraform(folder: Path, aws: Endpoint) -> Operator:
    """Everything but the state bucket is present, including Terraform and its provider."""
    operator = Operator(folder, aws, os.environ["PATH"])
    if not shutil.which("terraform"):
        unavailable("terraform is not on the PATH")
    done = terraform(operator, "bootstrap", "init", "-input=false", "-no-color", check=False)
    if done.returncode:
        unavailable(f"terraform init failed:\n{done.stderr}")
    return operator


def terraform(
    operator: Operator, root: str, *arguments: str, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Terraform in another root folder of the configuration."""
    done = subprocess.run(  # noqa: S603 - our own arguments, no shell
        ["terraform", f"-chdir={operator.terraform / root}", *arguments],  # noqa: S607 - the one on the PATH
        env=operator.env,
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0 or not check, done.stdout + done.stderr
    return done


def applied(done: subprocess.CompletedProcess[str]) -> dict[str, int]:
    """The summary of an apply: resources imported, added, changed and destroyed."""
    assert done.returncode == 0, done.stdout + done.stderr
    (summary,) = re.findall(r"^.*Resources: (.+)\.", done.stdout, re.MULTILINE)
    return {what: int(count) for count, what in re.findall(r"(\d+) (\w+)", summary)}


@pytest.mark.terraform
@pytest.mark.exhaustive
def test_bootstrap_is_idempotent_and_works_from_a_fresh_clone(with_terraform, aws, folder):
    first = applied(with_terraform.run("bootstrap", "--yes"))
    assert first["added"] > 0
    assert (first["changed"], first["destroyed"]) == (0, 0)
    s3 = aws.client("s3")
    assert s3.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
    assert "aws:SecureTransport" in s3.get_bucket_policy(Bucket=BUCKET)["Policy"]

    again = applied(with_terraform.run("bootstrap", "--yes"))
    assert set(again.values()) == {0}

    for state in (folder / "bootstrap").glob("*.tfstate*"):
        state.unlink()
    fresh = applied(with_terraform.run("bootstrap", "--yes"))
    assert fresh["imported"] == 1
    assert fresh["destroyed"] == 0


@pytest.mark.terraform
@pytest.mark.exhaustive
def test_a_new_stage_can_be_planned_after_one_file_was_added(with_terraform, aws, folder, tmp_path):
    make_bucket(aws)
    copied = (folder / "stages" / "dev.tfvars").read_text()
    (folder / "stages" / "qa.tfvars").write_text(copied.replace('"dev"', '"qa"'))
    out = tmp_path / "qa.plan"

    done = with_terraform.run("plan", "--stage", "qa", "--out", str(out))

    assert done.returncode == 0, done.stdout + done.stderr
    assert SECRETS["TF_VAR_webhook_token"] not in done.stdout
    plan = json.loads(terraform(with_terraform, ".", "show", "-json", str(out)).stdout)
    assert plan["variables"]["stage"]["value"] == "qa"
    changes = [each for each in plan["resource_changes"] if each["mode"] == "managed"]
    assert {tuple(each["change"]["actions"]) for each in changes} == {("create",)}
    names = [str((each["change"]["after"] or {}).get("name", "")) for each in changes]
    assert "order-replication-qa-orders" in names


@pytest.mark.terraform
@pytest.mark.exhaustive
def test_the_roles_for_github_are_created_for_each_stage(with_terraform, folder):
    with_terraform.env["TF_VAR_repository"] = "owner/name"

    terraform(with_terraform, "github", "init", "-input=false")
    terraform(with_terraform, "github", "apply", "-input=false", "-auto-approve")
    terraform(with_terraform, "github", "plan", "-input=false", "-detailed-exitcode")
    outputs: dict[str, Any] = json.loads(
        terraform(with_terraform, "github", "output", "-json").stdout
    )

    stages = {file.stem for file in (folder / "stages").glob("*.tfvars")}
    assert len(outputs) == 4
    assert [set(output["value"]) for output in outputs.values()] == 4 * [stages]
