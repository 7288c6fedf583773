"""What must be there before Terraform is run, and the command that mends each lack.

Everything is looked at before anything is said, so that nobody mends one thing to hear of the next.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import click
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
)
from botocore.exceptions import ConnectionError as UnreachableError

from ops.stages import Stage, known_stages

TERRAFORM_VERSION = (1, 11)
"""Write-only arguments and the lock file of the S3 backend came with it."""

ACCESS_TOKEN = "TF_VAR_bigcommerce_access_token"  # noqa: S105 - the name, not the token
WEBHOOK_TOKEN = "TF_VAR_webhook_token"  # noqa: S105 - the name, not the token
SHORTEST_TOKEN = 32
"""Characters; variables.tf asks for as many."""

# Seconds and tries: a network that is not there must not take minutes to say so.
AWS = Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 2})


@dataclass(frozen=True)
class Lack:
    """Something that is not as it must be, and what to do about it."""

    what: str
    mend: str


class NotReady(click.ClickException):
    """Names everything that is missing at once."""

    def __init__(self, command: str, lacks: list[Lack]) -> None:
        lines = [f"  - {lack.what}\n      {lack.mend}" for lack in lacks]
        super().__init__("\n".join([f"{command} needs what is not there yet:", *lines]))


@dataclass(frozen=True)
class Account:
    """An AWS account that answered, in one region."""

    id: str
    region: str

    @property
    def state_bucket(self) -> str:
        return f"order-replication-state-{self.id}-{self.region}"


def terraform_lacks() -> Iterator[Lack]:
    """Terraform itself."""
    wanted = ".".join(map(str, TERRAFORM_VERSION))
    install = "install it: https://developer.hashicorp.com/terraform/install"
    if not shutil.which("terraform"):
        yield Lack("terraform is not on the PATH", install)
        return
    found = terraform_version()
    if tuple(int(part) for part in re.findall(r"\d+", found)[:2]) < TERRAFORM_VERSION:
        yield Lack(f"terraform is {found or 'unknown'}; {wanted} or later is needed", install)


def terraform_version() -> str:
    """The version that terraform says it is, or an empty string."""
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


def stage_lacks(stage: Stage, command: str) -> Iterator[Lack]:
    """The stage's name, in Terraform and in Chalice."""
    names = known_stages(stage.terraform)
    if not stage.name:
        yield Lack("no stage is named", f"make {command} STAGE={'|'.join(names)}")
    elif not stage.is_known():
        yield Lack(
            f"no stage is called {stage.name}: there are {', '.join(names)}",
            f"name one of these, or add terraform/stages/{stage.name}.tfvars",
        )
    elif not stage.is_packaged():
        yield Lack(
            f"{stage.name} is no stage of .chalice/config.json",
            "copy the stage prod there and give the copy its name",
        )


def value_lacks(stage: Stage) -> Iterator[Lack]:
    """Values of the stage that have no default."""
    file = f"terraform/stages/{stage.name or '<stage>'}.tfvars"
    # What every stage sets is no lack of one that has no file yet.
    examples = [] if stage.is_known() else known_stages(stage.terraform)
    for name in stage.required():
        if not any(
            Stage(example, stage.terraform).value(name) for example in examples or [stage.name]
        ):
            yield Lack(f"{name} has no value", f"set it in {file}, or: export TF_VAR_{name}=...")


def secret_lacks() -> Iterator[Lack]:
    """The secrets, which are in the environment and in no file."""
    if not os.environ.get(ACCESS_TOKEN):
        yield Lack(
            "the access token of the store's API account is not in the environment",
            f"export {ACCESS_TOKEN}=...",
        )
    token = os.environ.get(WEBHOOK_TOKEN, "")
    make = f'make one and keep it: export {WEBHOOK_TOKEN}="$(openssl rand -hex 32)"'
    if not token:
        yield Lack("the secret that our webhook carries is not in the environment", make)
    elif len(token) < SHORTEST_TOKEN:
        yield Lack(
            f"{WEBHOOK_TOKEN} has {len(token)} characters, {SHORTEST_TOKEN} are the fewest", make
        )


def account(region: str) -> Account | Lack:
    """The account that the credentials lead to, or why there is none."""
    try:
        # Where no region is known yet, the account can be told all the same.
        answer = client("sts", region or "us-east-1").get_caller_identity()
    except (BotoCoreError, ClientError) as exc:
        return aws_lack(exc)
    return Account(answer["Account"], region)


def aws_lack(exc: BotoCoreError | ClientError) -> Lack:
    if isinstance(exc, (HTTPClientError, UnreachableError)):
        return Lack(f"AWS cannot be reached: {exc}", "look at the network, and try again")
    log_in = "aws configure, or: aws sso login; export AWS_PROFILE=... names a profile"
    if isinstance(exc, NoCredentialsError):
        return Lack("there are no AWS credentials", log_in)
    return Lack(f"AWS refuses the credentials: {exc}", log_in)


def bucket_exists(account: Account) -> bool:
    """Whether the bucket for the state is there.

    Raises ClientError when AWS does not say, as it does to a role that may not list the bucket.
    """
    try:
        client("s3", account.region).head_bucket(Bucket=account.state_bucket)
    except ClientError as exc:
        if exc.response["Error"]["Code"] in {"404", "NoSuchBucket"}:
            return False
        raise
    return True


def bucket_lacks(account: Account) -> Iterator[Lack]:
    """The bucket for the state."""
    bucket = account.state_bucket
    try:
        if not bucket_exists(account):
            yield Lack(f"there is no bucket {bucket} for Terraform's state", "run make bootstrap")
    except (BotoCoreError, ClientError) as exc:
        yield Lack(
            f"the bucket {bucket} for Terraform's state cannot be looked at: {exc}",
            "use credentials that may read it (terraform/github has the policy)",
        )


def protection_lacks(stage: Stage, account: Account) -> Iterator[Lack]:
    """The table of orders, which AWS keeps until its protection is off.

    Looked at before anything is destroyed: Terraform would take down all the rest and then fail.
    """
    table = f"order-replication-{stage.name}-orders"
    try:
        answer = client("dynamodb", account.region).describe_table(TableName=table)
    except (BotoCoreError, ClientError):
        # No such table, or none that these credentials may see: Terraform will say.
        return
    if answer["Table"].get("DeletionProtectionEnabled"):
        yield Lack(
            f"deletion_protection keeps {table}, and with it every replicated order",
            f"to lose them: set deletion_protection = false in terraform/stages/{stage.name}.tfvars"
            f", run make deploy STAGE={stage.name}, then destroy",
        )


def client(service: str, region: str) -> Any:
    return boto3.client(service, region_name=region, config=AWS)  # type: ignore[call-overload]  # a name that is no literal
