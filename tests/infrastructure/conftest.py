"""One package and one real apply for all: Terraform and its provider start slowly."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sandbox.stack import CREDENTIALS, Aws
from sandbox.store import Store
from sandbox.swagger import take_swagger_as_openapi
from tests.availability import unavailable

PROJECT = Path(__file__).resolve().parents[2]
STAGES = ("dev", "prod")
SECRETS = {
    "bigcommerce_access_token": "sandbox-access-token",
    "bigcommerce_client_secret": "sandbox-client-secret",
    "webhook_token": "a-webhook-token-of-thirty-two-characters-or-more",
}
VALUES = {
    "bigcommerce_store_hash": "sandbox",
    "alert_email": "ops@example.com",
    "replicate_since": "2020-01-31T00:00:00Z",
    "redacted_fields": '["ip_address","billing_address.email"]',
}


@dataclass(frozen=True)
class Root:
    """A scratch copy of a Terraform root, with its state beside it."""

    folder: Path
    env: dict[str, str]

    def terraform(self, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(  # noqa: S603 - our own arguments, no shell
            ["terraform", f"-chdir={self.folder}", *args],  # noqa: S607 - the one on the PATH
            env=self.env,
            text=True,
            capture_output=True,
        )
        if check and done.returncode:
            raise AssertionError(f"terraform {' '.join(args)}\n{done.stdout}\n{done.stderr}")
        return done

    def show(self, *args: str) -> dict[str, Any]:
        shown: dict[str, Any] = json.loads(self.terraform("show", "-json", *args).stdout)
        return shown


@dataclass(frozen=True)
class Stage(Root):
    """One stage of the service."""

    name: str

    def plan(self, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        flags = ["-input=false", "-no-color", f"-var-file=stages/{self.name}.tfvars"]
        return self.terraform("plan", *flags, *args, check=check)

    def apply(self) -> str:
        self.plan("-out=first.plan")
        return self.terraform("apply", "-input=false", "-no-color", "first.plan").stdout

    def outputs(self) -> dict[str, Any]:
        answer = json.loads(self.terraform("output", "-json").stdout)
        return {name: output["value"] for name, output in answer.items()}

    def planned(self, plan: str = "first.plan") -> dict[str, dict[str, Any]]:
        """What a plan wants each resource to be, by address."""
        changes = self.show(plan)["resource_changes"]
        return {change["address"]: change["change"]["after"] for change in changes}

    def deployed(self) -> dict[str, dict[str, Any]]:
        """What each resource has become, by address."""
        modules = [self.show()["values"]["root_module"]]
        found = {}
        while modules:
            module = modules.pop()
            modules += module.get("child_modules", [])
            found |= {each["address"]: each["values"] for each in module.get("resources", [])}
        return found


@pytest.fixture(scope="session")
def aws() -> Iterator[Aws]:
    take_swagger_as_openapi()
    with Aws() as running:
        yield running


@pytest.fixture(scope="session")
def store() -> Iterator[Store]:
    with Store() as running:
        yield running


def package(stage: str, folder: Path, project: Path = PROJECT) -> None:
    """Package the app into a folder, as `make package` does."""
    command = [sys.executable, "-m", "ops.deploy.package", "--stage", stage]
    command += ["--project", str(project), "--terraform", str(folder)]
    done = subprocess.run(command, cwd=PROJECT, text=True, capture_output=True)  # noqa: S603 - ours
    assert done.returncode == 0, done.stdout + done.stderr


def terraform_env(aws: Aws, values: dict[str, str]) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    # A configuration file that is named but missing is a warning of its own.
    if not Path(env.get("TF_CLI_CONFIG_FILE", "")).is_file():
        env.pop("TF_CLI_CONFIG_FILE", None)
    env |= {"AWS_ENDPOINT_URL": aws.url, **CREDENTIALS, "CHECKPOINT_DISABLE": "1"}
    return env | {f"TF_VAR_{name}": value for name, value in values.items()}


@pytest.fixture(scope="session")
def stages(aws: Aws, store: Store, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Stage]:
    """Two stages, packaged and initialised, with their state in a scratch copy."""
    if not shutil.which("terraform"):
        unavailable("terraform is not on the PATH")
    return {name: _stage(name, tmp_path_factory.mktemp(name), aws, store) for name in STAGES}


def _stage(name: str, scratch: Path, aws: Aws, store: Store) -> Stage:
    folder = scratch / "terraform"
    ignored = shutil.ignore_patterns(".terraform*", "*.tfstate*", "*.zip", "chalice.tf.json")
    shutil.copytree(PROJECT / "terraform", folder, ignore=ignored)
    (folder / "backend_override.tf").write_text('terraform {\n  backend "local" {}\n}\n')
    package(name, folder)
    values = SECRETS | VALUES | {"bigcommerce_api_url": store.url}
    stage = Stage(folder, terraform_env(aws, values), name)
    initialised = stage.terraform("init", "-input=false", "-no-color", check=False)
    if initialised.returncode:
        unavailable(f"terraform init failed:\n{initialised.stderr}")
    return stage


@pytest.fixture(scope="session")
def applied(stages: dict[str, Stage]) -> dict[str, Stage]:
    """Both stages, deployed side by side into one account and region."""
    with ThreadPoolExecutor() as pool:
        for said in pool.map(Stage.apply, stages.values()):
            assert "Warning" not in said
    return stages


@pytest.fixture(scope="session")
def dev(applied: dict[str, Stage]) -> Stage:
    return applied["dev"]
