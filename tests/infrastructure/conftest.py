"""One package, one apply of the stage dev and one of the roles for GitHub: Terraform is slow.

Tests that apply anything else are marked `exhaustive`.
"""

import functools
import json
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from moto.events.responses import EventsHandler

from ops.deploy import layer
from sandbox.rest_apis import patch_rest_apis
from sandbox.stack import CREDENTIALS, Aws
from sandbox.store import Store
from tests.availability import unavailable

PROJECT = Path(__file__).resolve().parents[2]
SECRETS = {
    "bigcommerce_access_token": "sandbox-access-token",
    "bigcommerce_client_secret": "sandbox-client-secret",
    "webhook_token": "a-webhook-token-of-thirty-two-characters-or-more",
}
QUEUE, FIFO_QUEUE = (f"arn:aws:sqs:us-east-1:123456789012:erp{end}" for end in ("", ".fifo"))
DESTINATIONS: dict[str, dict[str, Any]] = {
    "erp": {"sqs": QUEUE, "types": ["order.created", "order.moved"], "retry_hours": 2},
    "erp-fifo": {"sqs": FIFO_QUEUE, "channel_ids": [1, 664177], "status_ids": [11]},
    "crm": {
        "https": {
            "url": "https://crm.example.com:8443/orders",
            "rate_per_second": 5,
            "api_key": {"header": "X-Api-Key"},
        }
    },
}
"""Receivers of the stage's events."""

GITHUB = {
    "repository": "Owner/name",
    "owner_id": "1001",
    "repository_id": "2002",
    "destination_arns": json.dumps({"dev": [QUEUE, FIFO_QUEUE]}),
}
VALUES = {
    "bigcommerce_store_hash": "sandbox",
    "alert_email": "ops@example.com",
    "replicate_since": "2020-01-31T00:00:00Z",
    "redacted_fields": '["ip_address","billing_address.email"]',
    "destinations": json.dumps(DESTINATIONS),
}


@dataclass(frozen=True)
class Root:
    """A scratch copy of a Terraform root folder, with a local state."""

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

    def init(self) -> None:
        done = self.terraform("init", "-input=false", "-no-color", check=False)
        if done.returncode:
            unavailable(f"terraform init failed:\n{done.stderr}")

    def show(self, *args: str) -> dict[str, Any]:
        shown: dict[str, Any] = json.loads(self.terraform("show", "-json", *args).stdout)
        return shown

    @functools.cached_property
    def outputs(self) -> dict[str, Any]:
        answer = json.loads(self.terraform("output", "-json").stdout)
        return {name: output["value"] for name, output in answer.items()}

    def planned(self, plan: str = "first.plan") -> dict[str, dict[str, Any]]:
        """The planned values of each resource, by address."""
        changes = self.show(plan)["resource_changes"]
        return {change["address"]: change["change"]["after"] for change in changes}


@dataclass(frozen=True)
class Stage(Root):
    """One stage of the service."""

    name: str

    def plan(self, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        flags = ["-input=false", "-no-color", f"-var-file=stages/{self.name}.tfvars"]
        return self.terraform("plan", *flags, *args, check=check)

    def apply(self) -> None:
        self.plan("-out=first.plan")
        output = self.terraform("apply", "-input=false", "-no-color", "first.plan").stdout
        assert "Warning" not in output

    @functools.cached_property
    def deployed(self) -> dict[str, dict[str, Any]]:
        """The values of each resource in the state, by address."""
        modules = [self.show()["values"]["root_module"]]
        found: dict[str, dict[str, Any]] = {}
        while modules:
            module = modules.pop()
            modules += module.get("child_modules", [])
            found |= {each["address"]: each["values"] for each in module.get("resources", [])}
        return found


def update_event_bus(handler: Any) -> str:
    """UpdateEventBus, which moto does not have."""
    bus = handler.events_backend.describe_event_bus(handler._get_param("Name"))
    bus.kms_key_identifier = handler._get_param("KmsKeyIdentifier")
    return json.dumps({"Arn": bus.arn, "Name": bus.name})


@pytest.fixture(scope="session")
def aws() -> Iterator[Aws]:
    patch_rest_apis()
    type.__setattr__(EventsHandler, "update_event_bus", update_event_bus)
    with Aws(services=None) as running:
        yield running


@pytest.fixture(scope="session")
def store() -> Iterator[Store]:
    with Store() as running:
        yield running


def terraform_env(aws: Aws, values: dict[str, str]) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    # Terraform prints a warning if the named configuration file does not exist.
    if not Path(env.get("TF_CLI_CONFIG_FILE", "")).is_file():
        env.pop("TF_CLI_CONFIG_FILE", None)
    env |= {"AWS_ENDPOINT_URL": aws.url, **CREDENTIALS, "CHECKPOINT_DISABLE": "1"}
    return env | {f"TF_VAR_{name}": value for name, value in values.items()}


def package(stage: str, folder: Path, project: Path = PROJECT, umask: int = -1) -> str:
    """Package the app into a folder, as `make package` does; returns what it prints."""
    command = [sys.executable, "-m", "ops.deploy.package", "--stage", stage]
    command += ["--project", str(project), "--terraform", str(folder)]
    done = subprocess.run(  # noqa: S603 - our own arguments, no shell
        command, cwd=PROJECT, text=True, capture_output=True, umask=umask
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the package of the stage dev was written to."""
    folder = tmp_path_factory.mktemp("packaged")
    package("dev", folder)
    return folder


@dataclass(frozen=True)
class Python:
    """A Python, and a folder with the libraries of the layer for it and for this machine."""

    path: str
    libraries: Path


def lambda_python() -> str | None:
    """A Python of the version of Lambda's runtime, on the PATH or installed by pyenv."""
    installed = Path("~/.pyenv/versions").expanduser().glob(f"*/bin/{layer.RUNTIME}")
    for path in (shutil.which(layer.RUNTIME), *map(str, installed)):
        # A shim of pyenv is on the PATH even if no selected Python has this version.
        if path and not subprocess.run([path, "-c", ""], capture_output=True).returncode:  # noqa: S603
            return path
    return None


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Python:
    """The Python of Lambda if this machine has it, otherwise the one that runs the tests."""
    if sys.platform != "linux":
        unavailable("the wheels of the layer run on Linux only")
    found = lambda_python()
    runtime = layer.RUNTIME if found else "python{}.{}".format(*sys.version_info)
    architecture = "arm64" if platform.machine() == "aarch64" else "x86_64"
    folder = tmp_path_factory.mktemp("layer")
    layer.build(PROJECT / "requirements.lock", folder / "layer.zip", architecture, runtime)
    with zipfile.ZipFile(folder / "layer.zip") as archive:
        archive.extractall(folder)
    return Python(found or sys.executable, folder / "python/lib" / runtime / "site-packages")


def copied(scratch: Path) -> Path:
    """A scratch copy of the configuration, as in a fresh clone."""
    if not shutil.which("terraform"):
        unavailable("terraform is not on the PATH")
    ignored = shutil.ignore_patterns(".terraform", "*.tfstate*", "*.zip", "chalice.tf.json")
    copy: Path = shutil.copytree(PROJECT / "terraform", scratch / "terraform", ignore=ignored)
    return copy


def initialized(name: str, scratch: Path, package: Path, aws: Aws, store: Store) -> Stage:
    """A packaged stage in a scratch copy of the configuration."""
    folder = copied(scratch)
    shutil.copytree(package, folder, dirs_exist_ok=True)
    (folder / "backend_override.tf").write_text('terraform {\n  backend "local" {}\n}\n')
    values = SECRETS | VALUES | {"bigcommerce_api_url": store.url}
    stage = Stage(folder, terraform_env(aws, values), name)
    stage.init()
    return stage


@pytest.fixture(scope="session")
def dev(aws: Aws, store: Store, packaged: Path, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """The stage dev, deployed."""
    stage = initialized("dev", tmp_path_factory.mktemp("dev"), packaged, aws, store)
    stage.apply()
    return stage


@pytest.fixture(scope="session")
def github(aws: Aws, tmp_path_factory: pytest.TempPathFactory) -> Root:
    """The roles for GitHub, created."""
    root = Root(copied(tmp_path_factory.mktemp("github")) / "github", terraform_env(aws, GITHUB))
    root.init()
    root.terraform("apply", "-auto-approve", "-input=false", "-no-color")
    return root
