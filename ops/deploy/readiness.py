"""Checks the requirements of a command before Terraform runs; each problem comes with its fix.

All checks run before anything is printed, so that all problems are reported at once.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import click
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
)
from botocore.exceptions import ConnectionError as UnreachableError

from ops.deployment import client
from ops.stages import Stage, known_stages, steps_to_add

TERRAFORM_VERSION = (1, 11)
"""Required by write-only arguments and by the lock file of the S3 backend."""

ACCESS_TOKEN = "TF_VAR_bigcommerce_access_token"  # noqa: S105 - the name, not the token
WEBHOOK_TOKEN = "TF_VAR_webhook_token"  # noqa: S105 - the name, not the token
TOKEN_LENGTH = 32
"""Characters; the same minimum as in terraform/variables.tf."""


@dataclass(frozen=True)
class Problem:
    """A requirement that is not met: what it concerns, what is wrong, and how to fix it."""

    name: str
    text: str
    fix: str


@dataclass(frozen=True)
class Note:
    """Something to know before a deployment, which does not prevent it."""

    name: str
    text: str


class NotReady(click.ClickException):
    """Reports all problems at once."""

    def __init__(self, command: str, problems: list[Problem]) -> None:
        lines = [f"  - {each.name}: {each.text}\n      {each.fix}" for each in problems]
        super().__init__("\n".join([f"Cannot run {command}. Fix these problems first:", *lines]))


@dataclass(frozen=True)
class Account:
    """An AWS account and region."""

    id: str
    region: str

    @property
    def state_bucket(self) -> str:
        return f"order-replication-state-{self.id}-{self.region}"


def terraform_problems() -> Iterator[Problem]:
    required = ".".join(map(str, TERRAFORM_VERSION))
    install = "install it: https://developer.hashicorp.com/terraform/install"
    if not shutil.which("terraform"):
        yield Problem("terraform", "not found on the PATH", install)
        return
    found = terraform_version()
    if tuple(int(part) for part in re.findall(r"\d+", found)[:2]) < TERRAFORM_VERSION:
        text = f"version {found or 'unknown'} is installed, at least {required} required"
        yield Problem("terraform", text, install)


def terraform_version() -> str:
    """The version that terraform reports, or an empty string."""
    done = subprocess.run(
        ["terraform", "version", "-json"],  # noqa: S607 - the one on the PATH is meant
        text=True,
        capture_output=True,
        check=False,
    )
    try:
        return str(json.loads(done.stdout)["terraform_version"])
    except (ValueError, KeyError):
        return ""


def stage_problems(stage: Stage, command: str) -> Iterator[Problem]:
    names = known_stages(stage.terraform)
    if not stage.name:
        yield Problem("stage", "no stage given", f"run make {command} STAGE={'|'.join(names)}")
    elif not stage.is_known():
        text = f"unknown stage {stage.name}"
        fix = f"use one of {', '.join(names)}; {steps_to_add(stage.name)}"
        yield Problem("stage", text, fix)
    elif stage.value("stage") != stage.name:
        file = f"terraform/stages/{stage.name}.tfvars"
        text = f'{file} sets stage = "{stage.value("stage")}"'
        yield Problem("stage", text, f'set stage = "{stage.name}" in it')


def value_problems(stage: Stage) -> Iterator[Problem]:
    """Variables without a default that have no value."""
    file = f"terraform/stages/{stage.name or '<stage>'}.tfvars"
    # Of a stage without a file, only the values that no other stage's file sets are missing.
    examples = [] if stage.is_known() else known_stages(stage.terraform)
    for name in stage.required():
        if not any(
            Stage(example, stage.terraform).value(name) for example in examples or [stage.name]
        ):
            yield Problem(name, "no value", f"set it in {file}, or export TF_VAR_{name}=...")


def secret_problems() -> Iterator[Problem]:
    """Secrets that are not in the environment, or that Terraform would reject."""
    if not os.environ.get(ACCESS_TOKEN):
        text = "the access token of the store's API account is not set"
        yield Problem(ACCESS_TOKEN, text, f"export {ACCESS_TOKEN}=...")
    token = os.environ.get(WEBHOOK_TOKEN, "")
    generate = f'generate one and keep it: export {WEBHOOK_TOKEN}="$(openssl rand -hex 32)"'
    if not token:
        text = "the token that authenticates webhook callbacks is not set"
        yield Problem(WEBHOOK_TOKEN, text, generate)
    elif len(token) < TOKEN_LENGTH:
        text = f"too short: {len(token)} characters, at least {TOKEN_LENGTH} required"
        yield Problem(WEBHOOK_TOKEN, text, generate)


def account(region: str) -> Account | Problem:
    """The account of the credentials, or the reason why it cannot be determined."""
    try:
        # The account does not depend on the region.
        answer = client("sts", region=region or "us-east-1").get_caller_identity()
    except (BotoCoreError, ClientError) as exc:
        return aws_problem(exc)
    return Account(answer["Account"], region)


def aws_problem(exc: BotoCoreError | ClientError) -> Problem:
    if isinstance(exc, (HTTPClientError, UnreachableError)):
        return Problem("AWS", f"cannot connect: {exc}", "check the network connection")
    log_in = "run aws configure or aws sso login; to select a profile, export AWS_PROFILE=..."
    if isinstance(exc, NoCredentialsError):
        return Problem("AWS credentials", "not found", log_in)
    return Problem("AWS credentials", f"not valid: {exc}", log_in)


def bucket_exists(account: Account) -> bool:
    """Whether the state bucket exists.

    Raises ClientError if AWS does not tell, for example because the role cannot list the bucket, or
    because the bucket belongs to another account: names of buckets are global.
    """
    try:
        client("s3", region=account.region).head_bucket(
            Bucket=account.state_bucket, ExpectedBucketOwner=account.id
        )
    except ClientError as exc:
        if exc.response["Error"]["Code"] in {"404", "NoSuchBucket"}:
            return False
        raise
    return True


def bucket_problems(stage: Stage, account: Account) -> Iterator[Problem]:
    bucket = account.state_bucket
    try:
        if not bucket_exists(account):
            fix = f"run make bootstrap STAGE={stage.name}"
            yield Problem("state bucket", f"{bucket} does not exist", fix)
    except (BotoCoreError, ClientError) as exc:
        fix = "use credentials with read access to it (policy: terraform/github/policies.tf)"
        yield Problem("state bucket", f"cannot access {bucket}: {exc}", fix)


def protection_problems(stage: Stage, account: Account) -> Iterator[Problem]:
    """Deletion protection of the Orders table.

    Checked in advance, because Terraform would fail only after it had destroyed everything else.
    """
    table = f"order-replication-{stage.name}-orders"
    try:
        answer = client("dynamodb", region=account.region).describe_table(TableName=table)
    except (BotoCoreError, ClientError):
        # The table does not exist, or access is denied: Terraform reports it.
        return
    if answer["Table"].get("DeletionProtectionEnabled"):
        yield Problem(
            "deletion_protection",
            f"enabled for {table}, which contains the replicated orders",
            f"to delete the orders: set deletion_protection = false in terraform/stages/"
            f"{stage.name}.tfvars, run make deploy STAGE={stage.name}, then run destroy again",
        )
