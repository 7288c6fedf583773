"""Deploys a stage: `python -m ops.deploy plan|deploy|destroy --stage prod`, after `bootstrap` once.

Each command first reports everything that is missing, then packages the app and runs Terraform.
"""

import json
import os
import signal
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import click
from botocore.exceptions import BotoCoreError, ClientError

from ops.deploy import package, readiness
from ops.deploy.next_steps import after_bootstrap, after_deploy
from ops.deploy.readiness import Account, Note, NotReady, Problem
from ops.deploy.surroundings import surroundings
from ops.stages import PROJECT, TERRAFORM, Stage, known_stages

PLACEHOLDERS = {
    "TF_VAR_bigcommerce_access_token": "not-needed-to-destroy",
    "TF_VAR_webhook_token": "not-needed-to-destroy-" + 16 * "x",
}
"""Terraform requires a value for every variable, even if it does not use the value."""

STATE_ONLY = ("-refresh=false", "-lock=false")
"""Options of a plan that calls no service of AWS except STS, and S3 to read the state."""

LOCK_TIMEOUT = "-lock-timeout=5m"
"""How long to wait while another plan or deployment holds the lock of the stage's state."""


@dataclass(frozen=True)
class Root:
    """A Terraform root folder, and additional environment variables for its commands."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *arguments: str) -> None:
        """Runs Terraform with its output visible. Raises ClickException if it fails."""
        environment = os.environ | self.environment
        process = subprocess.Popen(self._command(arguments), env=environment)  # noqa: S603 - no shell
        # Terraform receives Ctrl-C as well, and stops after it has released the lock of its state.
        handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            failed = process.wait()
        finally:
            signal.signal(signal.SIGINT, handler)
        if failed:
            raise click.ClickException(f"terraform {arguments[0]} failed (see the output above)")

    def init(self, **backend: str) -> None:
        """Initialize with the locked providers only: Terraform also installs those that a state
        names, and a deployment role may write the state of its stage.
        """
        settings = [f"-backend-config={name}={value}" for name, value in backend.items()]
        self.run("init", "-reconfigure", "-input=false", "-lockfile=readonly", *settings)

    def outputs(self) -> dict[str, str]:
        done = subprocess.run(  # noqa: S603 - our own arguments, no shell
            self._command(["output", "-json"]), stdout=subprocess.PIPE, text=True, check=False
        )
        if done.returncode:
            raise click.ClickException("terraform output failed (see the output above)")
        return {name: output["value"] for name, output in json.loads(done.stdout).items()}

    def _command(self, arguments: Iterable[str]) -> list[str]:
        return ["terraform", f"-chdir={self.folder}", *arguments]


def ready(command: str, stage: Stage) -> Account:
    """The account to deploy to. Raises NotReady with all problems."""
    problems = [*readiness.stage_problems(stage, command), *readiness.terraform_problems()]
    problems += readiness.value_problems(stage)
    if command != "destroy":
        problems += readiness.secret_problems()
    account = readiness.account(stage.value("region"))
    if isinstance(account, Problem):
        problems.append(account)
    elif account.region:
        problems += readiness.bucket_problems(stage, account)
        if command == "destroy" and stage.is_known():
            problems += readiness.protection_problems(stage, account)
    if problems or isinstance(account, Problem):
        raise NotReady(command, problems)
    return account


def ready_to_deploy(stage: Stage) -> Account:
    """The account to deploy to, after the notes were printed. Raises NotReady with all problems."""
    account = ready("deploy", stage)
    found = list(surroundings(stage, account))
    if problems := [each for each in found if isinstance(each, Problem)]:
        raise NotReady("deploy", problems)
    for each in found:
        if isinstance(each, Note):
            click.echo(f"{each.name}: {each.text}")
    return account


def prepare(stage: Stage, account: Account, **environment: str) -> Root:
    """Terraform, initialized with the state of the stage."""
    root = Root(stage.terraform, environment)
    root.init(
        bucket=account.state_bucket,
        region=account.region,
        key=f"order-replication/{stage.name}.tfstate",
    )
    return root


def package_for(stage: Stage) -> None:
    package.package(stage.name, PROJECT, stage.terraform)


@click.group()
def main() -> None:
    """Deploy a stage of the service to AWS."""


folder = click.option(
    "--terraform",
    type=click.Path(file_okay=False, exists=True, resolve_path=True, path_type=Path),
    default=TERRAFORM,
    help="Folder of the Terraform configuration. Default: terraform/ of this project.",
)
stage_name = click.option("--stage", "name", default="", help="Name of a file in terraform/stages.")
yes = click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
plan_file = click.Path(dir_okay=False, resolve_path=True, path_type=Path)


@main.command()
@stage_name
@click.option("--out", type=plan_file, help="File to write the plan to, for deploy --plan.")
@click.option(
    "--state-only",
    is_flag=True,
    help="Compare the configuration with the state, which needs read access to the state only."
    " Changes that were made outside of Terraform are not shown.",
)
@folder
def plan(name: str, out: Path | None, state_only: bool, terraform: Path) -> None:
    """Show what a deployment would change."""
    stage = Stage(name, terraform)
    account = ready("plan", stage)
    package_for(stage)
    options = [*(STATE_ONLY if state_only else [LOCK_TIMEOUT]), *([f"-out={out}"] if out else [])]
    root = prepare(stage, account)
    root.run("plan", "-input=false", f"-var-file={stage.file}", *options)


@main.command()
@stage_name
@yes
@click.option(
    "--plan", "planned", type=plan_file, help="Apply the plan in this file, written by plan --out."
)
@folder
def deploy(name: str, yes: bool, planned: Path | None, terraform: Path) -> None:
    """Deploy the stage, and print the remaining steps."""
    stage = Stage(name, terraform)
    account = ready_to_deploy(stage)
    if planned:
        if not planned.is_file():
            raise click.ClickException(f"{planned} does not exist; create it with plan --out")
        # The plan refers to the archives in the folder, so the app is not packaged again.
        root = prepare(stage, account)
        root.run("apply", "-input=false", LOCK_TIMEOUT, str(planned))
    else:
        package_for(stage)
        root = prepare(stage, account)
        root.run("apply", LOCK_TIMEOUT, f"-var-file={stage.file}", *approval(yes))
    outputs = root.outputs()
    click.echo(after_deploy(stage, outputs["webhook_url"], outputs["order_changed_url"]))


@main.command()
@stage_name
@yes
@folder
def destroy(name: str, yes: bool, terraform: Path) -> None:
    """Delete the stage with all replicated orders."""
    stage = Stage(name, terraform)
    account = ready("destroy", stage)
    click.echo(
        f"This deletes the stage {stage.name} in account {account.id}, region {account.region},"
        " with all replicated orders. DynamoDB keeps a backup of Orders and Erasures for 35 days."
    )
    if (
        not yes
        and click.prompt("To confirm, enter the name of the stage", default="") != stage.name
    ):
        raise click.ClickException("the name does not match; nothing was deleted")
    package_for(stage)
    unset = {key: value for key, value in PLACEHOLDERS.items() if not os.environ.get(key)}
    root = prepare(stage, account, **unset)
    root.run("destroy", LOCK_TIMEOUT, f"-var-file={stage.file}", *approval(True))
    click.echo(
        f"Deleted {stage.name}. Not deleted: its state in {account.state_bucket}, e-mail"
        " subscriptions that were never confirmed (AWS deletes them), and the store's webhooks."
    )


@main.command()
@stage_name
@yes
@folder
def bootstrap(name: str, yes: bool, terraform: Path) -> None:
    """Create the bucket for Terraform's state, once per account and region."""
    region = bootstrap_region(name, terraform)
    problems = list(readiness.terraform_problems())
    problems += [region] if isinstance(region, Problem) else []
    account = readiness.account("" if isinstance(region, Problem) else region)
    if isinstance(account, Problem):
        raise NotReady("bootstrap", [*problems, account])
    if problems:
        raise NotReady("bootstrap", problems)
    try:
        exists = readiness.bucket_exists(account)
    except (BotoCoreError, ClientError) as exc:
        raise click.ClickException(f"cannot access {account.state_bucket}: {exc}") from exc
    root = Root(terraform / "bootstrap")
    # One clone can be used for several accounts and regions.
    root.init(path=f"{account.id}-{account.region}.tfstate")
    values = [f"-var=region={account.region}", f"-var=bucket_exists={str(exists).lower()}"]
    root.run("apply", *values, *approval(yes))
    click.echo(after_bootstrap(account.state_bucket, name))


def bootstrap_region(name: str, terraform: Path) -> str | Problem:
    """The region of a stage, or the one that all stages share."""
    stages = known_stages(terraform)
    if name and name not in stages:
        return next(readiness.stage_problems(Stage(name, terraform), "bootstrap"))
    wanted = [name] if name else stages
    regions = {Stage(stage, terraform).value("region") for stage in wanted} - {""}
    if len(regions) == 1:
        return regions.pop()
    text = f"stages have different regions ({', '.join(sorted(regions))})" if regions else "not set"
    return Problem("region", text, f"run make bootstrap STAGE={'|'.join(stages)}")


def approval(yes: bool) -> list[str]:
    return ["-auto-approve", "-input=false"] if yes else []


if __name__ == "__main__":
    main()
