"""Deploys a stage: `python -m ops.deploy plan|deploy|destroy --stage prod`, after `bootstrap` once.

Each command first says all that is missing, then packages the app and runs Terraform.
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
from ops.deploy.readiness import Account, Lack, NotReady
from ops.stages import PROJECT, TERRAFORM, Stage, known_stages

PLACEHOLDERS = {
    "TF_VAR_bigcommerce_access_token": "not-needed-to-destroy",
    "TF_VAR_webhook_token": "not-needed-to-destroy-" + 16 * "x",
}
"""Terraform wants a value for every variable, even where it will use none."""

PATIENCE = "-lock-timeout=5m"
"""Whoever else plans or deploys the stage has its state locked for that long at most, as a rule."""


@dataclass(frozen=True)
class Root:
    """A folder of Terraform, and what its processes find in the environment besides ours."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *arguments: str) -> None:
        """Runs Terraform before the user's eyes; raises ClickException when it fails."""
        environment = os.environ | self.environment
        process = subprocess.Popen(self._command(arguments), env=environment)  # noqa: S603 - no shell
        # Ctrl-C reaches Terraform itself, which then ends in good order and unlocks its state.
        handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            failed = process.wait()
        finally:
            signal.signal(signal.SIGINT, handler)
        if failed:
            raise click.ClickException(f"terraform {arguments[0]} failed; it says why above")

    def init(self, **backend: str) -> None:
        settings = [f"-backend-config={name}={value}" for name, value in backend.items()]
        self.run("init", "-reconfigure", "-input=false", *settings)

    def outputs(self) -> dict[str, str]:
        done = subprocess.run(  # noqa: S603 - our own arguments, no shell
            self._command(["output", "-json"]), stdout=subprocess.PIPE, text=True, check=False
        )
        if done.returncode:
            raise click.ClickException("terraform output failed; it says why above")
        return {name: output["value"] for name, output in json.loads(done.stdout).items()}

    def _command(self, arguments: Iterable[str]) -> list[str]:
        return ["terraform", f"-chdir={self.folder}", *arguments]


def ready(command: str, stage: Stage) -> Account:
    """The account to work in; raises NotReady with all that keeps the command from running."""
    lacks = [*readiness.stage_lacks(stage, command), *readiness.terraform_lacks()]
    lacks += readiness.value_lacks(stage)
    if command != "destroy":
        lacks += readiness.secret_lacks()
    found = readiness.account(stage.value("region"))
    if isinstance(found, Lack):
        lacks.append(found)
    elif found.region:
        lacks += readiness.bucket_lacks(found)
        if command == "destroy" and stage.is_known():
            lacks += readiness.protection_lacks(stage, found)
    if lacks or isinstance(found, Lack):
        raise NotReady(command, lacks)
    return found


def prepare(stage: Stage, account: Account, **environment: str) -> Root:
    """Terraform with the stage's own state."""
    root = Root(stage.terraform, environment)
    root.init(
        bucket=account.state_bucket,
        region=account.region,
        key=f"order-replication/{stage.name}.tfstate",
    )
    return root


def pack(stage: Stage) -> None:
    click.get_current_context().invoke(
        package.main, stage=stage.name, project=PROJECT, terraform=stage.terraform
    )


@click.group()
def main() -> None:
    """Deploy a stage of the service to AWS."""


folder = click.option(
    "--terraform",
    type=click.Path(file_okay=False, exists=True, resolve_path=True, path_type=Path),
    default=TERRAFORM,
    help="Folder of the Terraform configuration; the project's by default.",
)
stage_name = click.option("--stage", "name", default="", help="A file in terraform/stages.")
yes = click.option("--yes", is_flag=True, help="Ask nothing.")
plan_file = click.Path(dir_okay=False, resolve_path=True, path_type=Path)


@main.command()
@stage_name
@click.option("--out", type=plan_file, help="Where to keep the plan, for deploy --plan.")
@folder
def plan(name: str, out: Path | None, terraform: Path) -> None:
    """Show what a deployment would change."""
    stage = Stage(name, terraform)
    account = ready("plan", stage)
    pack(stage)
    options = [f"-out={out}"] if out else []
    root = prepare(stage, account)
    root.run("plan", "-input=false", PATIENCE, f"-var-file={stage.file}", *options)


@main.command()
@stage_name
@yes
@click.option("--plan", "planned", type=plan_file, help="Apply what plan --out kept in this file.")
@folder
def deploy(name: str, yes: bool, planned: Path | None, terraform: Path) -> None:
    """Deploy the stage, and say what remains to be done by hand."""
    stage = Stage(name, terraform)
    account = ready("deploy", stage)
    if planned:
        if not planned.is_file():
            raise click.ClickException(f"there is no plan {planned}; plan --out makes one")
        # The archives are those the plan was made with, in the same folder.
        root = prepare(stage, account)
        root.run("apply", "-input=false", PATIENCE, str(planned))
    else:
        pack(stage)
        root = prepare(stage, account)
        root.run("apply", PATIENCE, f"-var-file={stage.file}", *unasked(yes))
    click.echo(after_deploy(stage, root.outputs()["webhook_url"]))


@main.command()
@stage_name
@yes
@folder
def destroy(name: str, yes: bool, terraform: Path) -> None:
    """Remove the stage and every order in its table."""
    stage = Stage(name, terraform)
    account = ready("destroy", stage)
    click.echo(
        f"This removes {stage.name} in account {account.id}, {account.region}, all orders included."
    )
    if not yes and click.prompt(f"Its name, to go on ({stage.name})", default="") != stage.name:
        raise click.ClickException("nothing was destroyed: that is not the stage's name")
    pack(stage)
    unset = {key: value for key, value in PLACEHOLDERS.items() if not os.environ.get(key)}
    root = prepare(stage, account, **unset)
    root.run("destroy", PATIENCE, f"-var-file={stage.file}", *unasked(True))
    click.echo(
        f"{stage.name} is gone. What is left: its state in {account.state_bucket}, e-mail"
        " subscriptions that were never confirmed (they lapse), and the store's webhook."
    )


@main.command()
@stage_name
@yes
@folder
def bootstrap(name: str, yes: bool, terraform: Path) -> None:
    """Make the bucket for Terraform's state, once for each account and region."""
    found = bootstrap_region(name, terraform)
    lacks = [*readiness.terraform_lacks(), *([found] if isinstance(found, Lack) else [])]
    account = readiness.account("" if isinstance(found, Lack) else found)
    if isinstance(account, Lack):
        raise NotReady("bootstrap", [*lacks, account])
    if lacks:
        raise NotReady("bootstrap", lacks)
    try:
        exists = readiness.bucket_exists(account)
    except (BotoCoreError, ClientError) as exc:
        raise click.ClickException(f"{account.state_bucket} cannot be looked at: {exc}") from exc
    root = Root(terraform / "bootstrap")
    # One clone may serve several accounts and regions.
    root.init(path=f"{account.id}-{account.region}.tfstate")
    values = [f"-var=region={account.region}", f"-var=bucket_exists={str(exists).lower()}"]
    root.run("apply", *values, *unasked(yes))
    click.echo(after_bootstrap(account.state_bucket, name))


def bootstrap_region(name: str, terraform: Path) -> str | Lack:
    """The region of a stage, or the one that all stages share."""
    stages = known_stages(terraform)
    if name and name not in stages:
        return next(readiness.stage_lacks(Stage(name, terraform), "bootstrap"))
    wanted = [name] if name else stages
    regions = {Stage(stage, terraform).value("region") for stage in wanted} - {""}
    if len(regions) == 1:
        return regions.pop()
    where = "lie in " + ", ".join(sorted(regions)) if regions else "name no region"
    return Lack(f"the stages {where}", f"make bootstrap STAGE={'|'.join(stages)}")


def unasked(yes: bool) -> list[str]:
    return ["-auto-approve", "-input=false"] if yes else []


if __name__ == "__main__":
    main()
