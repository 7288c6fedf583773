"""The deploy command as its user sees it: what it asks for, and the bucket that bootstrap makes."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import requests

from ops.__main__ import main
from ops.deploy.next_steps import after_deploy
from ops.stages import Stage
from sandbox.stack import ACCOUNT, CREDENTIALS, REGION, Endpoint
from tests.availability import unavailable
from tests.infrastructure.conftest import PROJECT

BUCKET = f"order-replication-state-{ACCOUNT}-{REGION}"
COMMANDS = ("plan", "deploy", "destroy")

VALUES = {
    "TF_VAR_bigcommerce_store_hash": "sandbox",
    "TF_VAR_alert_email": "ops@example.com",
    "TF_VAR_replicate_since": "2026-01-31T00:00:00Z",
}
SECRETS = {
    "TF_VAR_bigcommerce_access_token": "sandbox-access-token",
    "TF_VAR_webhook_token": 32 * "x",
}


class Operator:
    """Somebody at a shell, with an environment and a folder of Terraform."""

    def __init__(self, folder: Path, aws: Endpoint, path: str) -> None:
        self.terraform = folder
        self.env = {
            name: text for name, text in os.environ.items() if name[:3] not in {"AWS", "TF_"}
        }
        for kept in ("TF_CLI_ARGS_init", "TF_PLUGIN_CACHE_DIR"):
            self.env |= {kept: os.environ[kept]} if kept in os.environ else {}
        self.env |= {"AWS_ENDPOINT_URL": aws.url, **CREDENTIALS, **VALUES, **SECRETS, "PATH": path}
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

    def lacks(self, command: str, *options: str) -> str:
        """What the command says before it does anything."""
        done = self.run(command, *options)
        assert done.returncode == 1, done.stdout + done.stderr
        assert "Initializing" not in done.stdout
        return done.stderr


@pytest.fixture(scope="module")
def server() -> Iterator[Endpoint]:
    """An AWS in a process of its own, so that no other test's resources are in it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox.stack"],
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
    """A new account."""
    requests.post(f"{server.url}/moto-api/reset", timeout=30).raise_for_status()
    return server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A scratch copy of the configuration, as it is in a fresh clone."""
    ignored = shutil.ignore_patterns(".terraform*", "*.tfstate*", "*.zip", "chalice.tf.json")
    copy: Path = shutil.copytree(PROJECT / "terraform", tmp_path / "terraform", ignore=ignored)
    return copy


@pytest.fixture
def operator(folder: Path, aws: Endpoint, tmp_path: Path) -> Operator:
    """Everything is there but the bucket; the terraform on the PATH can only tell its version."""
    return Operator(folder, aws, f"{stub(tmp_path, '1.11.4')}{os.pathsep}{os.environ['PATH']}")


def stub(folder: Path, version: str) -> Path:
    """A terraform of any version, which fails at all else."""
    programs = folder / f"bin-{version}"
    programs.mkdir()
    program = programs / "terraform"
    answer = f'{{"terraform_version": "{version}"}}'
    program.write_text(f"#!/bin/sh\n[ \"$1\" = version ] && echo '{answer}'\n")
    program.chmod(0o755)
    return programs


def test_what_is_left_to_do_names_commands_that_exist_and_no_secret(monkeypatch):
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)

    said = after_deploy(Stage("dev"), "https://example.com/cart-converted")

    lines = re.findall(r"python -m ops --stage dev (.*)", said)
    assert [line.split() for line in lines] == [["webhook", "register"], ["poll"], ["doctor"]]
    for line in lines:
        command: click.Command = main
        for word in line.split():
            assert isinstance(command, click.Group)
            command = command.commands[word]
    assert not any(secret in said for secret in SECRETS.values())


def make_bucket(aws: Endpoint) -> None:
    aws.client("s3").create_bucket(Bucket=BUCKET)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_stage_must_be_named(operator, command):
    said = operator.lacks(command)
    assert "no stage is named" in said
    assert f"make {command} STAGE=dev|prod|staging" in said


@pytest.mark.parametrize("command", [*COMMANDS, "bootstrap"])
def test_a_stage_must_exist(operator, command):
    said = operator.lacks(command, "--stage", "production")
    assert "no stage is called production: there are dev, prod, staging" in said


def test_a_stage_must_be_one_that_chalice_packages(operator, folder):
    (folder / "stages" / "qa.tfvars").write_text('stage = "qa"\nregion = "us-east-1"\n')
    assert "qa is no stage of .chalice/config.json" in operator.lacks("plan", "--stage", "qa")


@pytest.mark.parametrize("command", [*COMMANDS, "bootstrap"])
def test_terraform_must_be_on_the_path(operator, command):
    operator.env["PATH"] = ""
    said = operator.lacks(command, "--stage", "dev")
    assert "terraform is not on the PATH" in said
    assert "https://developer.hashicorp.com/terraform/install" in said


@pytest.mark.parametrize("command", [*COMMANDS, "bootstrap"])
@pytest.mark.parametrize("version", ["1.10.5", "0.15.0"])
def test_terraform_must_not_be_older_than_the_configuration(operator, tmp_path, command, version):
    operator.env["PATH"] = str(stub(tmp_path, version))
    said = operator.lacks(command, "--stage", "dev")
    assert f"terraform is {version}; 1.11 or later is needed" in said


@pytest.mark.parametrize("command", [*COMMANDS, "bootstrap"])
def test_there_must_be_credentials(operator, command):
    operator.without("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    said = operator.lacks(command, "--stage", "dev")
    assert "there are no AWS credentials" in said
    assert "aws configure" in said


def test_a_profile_must_exist(operator):
    operator.without("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY").env["AWS_PROFILE"] = "nobody"
    said = operator.lacks("plan", "--stage", "dev")
    assert "nobody" in said
    assert "AWS_PROFILE" in said


@pytest.mark.parametrize("command", [*COMMANDS, "bootstrap"])
def test_a_network_that_is_not_there_is_named(operator, command):
    operator.env["AWS_ENDPOINT_URL"] = "http://127.0.0.1:1"
    assert "AWS cannot be reached" in operator.lacks(command, "--stage", "dev")


@pytest.mark.parametrize("command", COMMANDS)
def test_there_must_be_a_bucket_for_the_state(operator, command):
    said = operator.lacks(command, "--stage", "dev")
    assert f"there is no bucket {BUCKET} for Terraform's state\n      run make bootstrap" in said


@pytest.mark.parametrize("command", ["plan", "deploy"])
def test_the_secrets_must_be_in_the_environment(operator, command):
    said = operator.without(*SECRETS).lacks(command, "--stage", "dev")
    assert "export TF_VAR_bigcommerce_access_token=..." in said
    assert 'export TF_VAR_webhook_token="$(openssl rand -hex 32)"' in said


def test_a_short_webhook_token_is_refused(operator):
    operator.env["TF_VAR_webhook_token"] = 31 * "x"
    said = operator.lacks("plan", "--stage", "dev")
    assert "TF_VAR_webhook_token has 31 characters, 32 are the fewest" in said


def test_to_destroy_takes_no_secret(operator):
    said = operator.without(*SECRETS).lacks("destroy", "--stage", "dev")
    assert "token" not in said


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", VALUES)
def test_a_value_without_default_must_be_given(operator, command, name):
    said = operator.without(name).lacks(command, "--stage", "dev")
    variable = name.removeprefix("TF_VAR_")
    assert f"{variable} has no value\n      set it in terraform/stages/dev.tfvars" in said
    assert f"export {name}=..." in said


@pytest.mark.parametrize("file", ["stages/dev.tfvars", "terraform.tfvars", "all.auto.tfvars"])
def test_a_value_may_be_given_in_a_file(operator, folder, file):
    with (folder / file).open("a") as values:
        values.write('\nalert_email = "ops@example.com" # who is on call\n')
    assert "alert_email" not in operator.without("TF_VAR_alert_email").lacks(
        "plan", "--stage", "dev"
    )


def test_a_value_that_is_empty_is_none(operator, folder):
    with (folder / "stages" / "dev.tfvars").open("a") as values:
        values.write('\nalert_email = ""\n')
    assert "alert_email has no value" in operator.lacks("plan", "--stage", "dev")


def test_the_region_is_the_one_of_the_stage(operator, folder):
    file = folder / "stages" / "dev.tfvars"
    file.write_text(file.read_text().replace("us-east-1", "eu-west-1"))
    assert f"order-replication-state-{ACCOUNT}-eu-west-1" in operator.lacks(
        "plan", "--stage", "dev"
    )


def test_all_that_is_missing_is_said_at_once(operator):
    operator.without(*VALUES, *SECRETS, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    operator.env["PATH"] = ""
    said = operator.lacks("deploy", "--stage", "dev")
    assert said.count("\n  - ") == 1 + len(VALUES) + len(SECRETS) + 1


def test_a_protected_table_keeps_the_stage_from_being_destroyed(operator, aws):
    make_bucket(aws)
    aws.client("dynamodb").create_table(
        TableName="order-replication-prod-orders",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "N"}],
        BillingMode="PAY_PER_REQUEST",
        DeletionProtectionEnabled=True,
    )
    said = operator.lacks("destroy", "--stage", "prod", "--yes")
    assert "deletion_protection keeps order-replication-prod-orders" in said
    assert "set deletion_protection = false in terraform/stages/prod.tfvars" in said


@pytest.mark.parametrize("typed", ["", "yes\n", "prod\n"])
def test_nothing_is_destroyed_without_the_name_of_the_stage(operator, aws, typed):
    make_bucket(aws)
    done = operator.run("destroy", "--stage", "dev", typed=typed)
    assert done.returncode == 1
    assert "all orders included" in done.stdout
    assert "packaging" not in done.stdout
    assert "Initializing" not in done.stdout


def test_a_plan_that_is_not_there_cannot_be_deployed(operator, aws):
    make_bucket(aws)
    done = operator.run("deploy", "--stage", "dev", "--plan", "none.plan")
    assert done.returncode == 1
    assert "there is no plan" in done.stderr


def test_terraform_failing_is_said_in_a_sentence(operator, aws):
    make_bucket(aws)
    done = operator.run("plan", "--stage", "dev")
    assert done.returncode == 1
    assert done.stderr.endswith("Error: terraform init failed; it says why above\n")


def test_stages_in_several_regions_need_a_bucket_each(operator, folder):
    file = folder / "stages" / "dev.tfvars"
    file.write_text(file.read_text().replace("us-east-1", "eu-west-1"))
    said = operator.lacks("bootstrap")
    assert "the stages lie in eu-west-1, us-east-1" in said
    assert "make bootstrap STAGE=dev|prod|staging" in said


@pytest.fixture
def with_terraform(folder: Path, aws: Endpoint) -> Operator:
    """Everything is there, Terraform and its provider included."""
    operator = Operator(folder, aws, os.environ["PATH"])
    if not shutil.which("terraform"):
        unavailable("terraform is not on the PATH")
    done = subprocess.run(  # noqa: S603 - our own arguments, no shell
        ["terraform", f"-chdir={folder / 'bootstrap'}", "init", "-input=false", "-no-color"],  # noqa: S607 - the one on the PATH
        env=operator.env,
        text=True,
        capture_output=True,
    )
    if done.returncode:
        unavailable(f"terraform init failed:\n{done.stderr}")
    return operator


@pytest.mark.terraform
def test_bootstrap_is_harmless_again_and_from_a_fresh_clone(with_terraform, aws, folder):
    first = with_terraform.run("bootstrap", "--yes")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "0 changed, 0 destroyed" in first.stdout
    assert f"is kept in {BUCKET}" in first.stdout
    assert "make deploy STAGE=" in first.stdout
    s3 = aws.client("s3")
    assert s3.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
    assert "aws:SecureTransport" in s3.get_bucket_policy(Bucket=BUCKET)["Policy"]

    again = with_terraform.run("bootstrap", "--yes")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "Resources: 0 added, 0 changed, 0 destroyed" in again.stdout

    for state in (folder / "bootstrap").glob("*.tfstate*"):
        state.unlink()
    fresh = with_terraform.run("bootstrap", "--yes")
    assert fresh.returncode == 0, fresh.stdout + fresh.stderr
    assert "1 imported" in fresh.stdout
    assert "0 destroyed" in fresh.stdout


@pytest.mark.terraform
def test_a_plan_is_made_with_the_state_in_the_bucket(with_terraform, aws, tmp_path):
    make_bucket(aws)
    out = tmp_path / "dev.plan"
    done = with_terraform.run("plan", "--stage", "dev", "--out", str(out))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "to add, 0 to change, 0 to destroy" in done.stdout
    assert out.is_file()
    assert SECRETS["TF_VAR_webhook_token"] not in done.stdout


@pytest.mark.terraform
def test_the_roles_for_github_are_made_for_each_stage(with_terraform, folder):
    env = with_terraform.env | {"TF_VAR_repository": "owner/name"}

    def terraform(*arguments: str) -> str:
        done = subprocess.run(  # noqa: S603 - our own arguments, no shell
            ["terraform", f"-chdir={folder / 'github'}", *arguments],  # noqa: S607 - the one on the PATH
            env=env,
            text=True,
            capture_output=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    terraform("init", "-input=false")
    terraform("apply", "-input=false", "-auto-approve")
    terraform("plan", "-input=false", "-detailed-exitcode")
    outputs = json.loads(terraform("output", "-json"))

    stages = {file.stem for file in (folder / "stages").glob("*.tfvars")}
    assert set(outputs["deploy_role_arns"]["value"]) == stages
    assert set(outputs["plan_role_arns"]["value"]) == stages
    # IAM holds 10240 characters of a role's inline policies, blanks not counted.
    for policy in outputs["deploy_policies"]["value"].values():
        assert len("".join(policy.split())) <= 10240
