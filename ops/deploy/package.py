"""Packages the app for Terraform: `python -m ops.deploy.package --stage dev`.

Chalice writes chalice.tf.json and the code into the Terraform folder, next to the hand-written
files, and `layer` the libraries; Terraform reads all of them. Chalice exports for Terraform before
1.4, so the parts that current Terraform rejects are removed from the export.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from ops.deploy import archive, layer
from ops.stages import PROJECT, TERRAFORM, known_stages, steps_to_add

EXPORT = "chalice.tf.json"
CODE = "deployment.zip"
LAYER = "layer-deployment.zip"

PACKAGED = ("app.py", "chalicelib", "vendor")
"""What Chalice reads of a project, besides its configuration: without requirements, only code."""

DEPLOYED = "deployed"
"""The entry of .chalice/config.json that every stage in AWS is packaged with."""

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html, bytes
ARCHIVE_LIMIT = 50 * 1024 * 1024
UNPACKED_LIMIT = 250 * 1024 * 1024


class PackagingError(click.ClickException):
    """Chalice did not create a package that can be deployed."""


def package(stage: str, project: Path, target: Path) -> None:
    """Writes the export and the archives of a stage into a folder, and prints their sizes."""
    target = target.resolve()
    with tempfile.TemporaryDirectory() as scratch:
        copy_project(project, Path(scratch), stage)
        run_chalice(Path(scratch), stage, target)
    export = target / EXPORT
    document = for_current_terraform(json.loads(export.read_text()), stage)
    export.write_text(json.dumps(document, indent=2) + "\n")
    archives = [target / CODE, target / LAYER]
    archive.write(target / CODE, archive.read(target / CODE))
    config = json.loads((project / ".chalice" / "config.json").read_text())
    layer.build(project / "requirements.lock", target / LAYER, config["lambda_architecture"])
    unpacked = sum(report(each) for each in archives)
    check_limits({each.name: each.stat().st_size for each in archives}, unpacked)
    click.echo(f"Packaged {stage}:")
    for file in (export, *archives):
        click.echo(f"  {shown(file)}")


def copy_project(project: Path, copy: Path, stage: str) -> None:
    """Copies the packaged files, with one Chalice stage: all stages share one configuration.

    The copy has no bytecode and no earlier archives, so that the same sources always make the same
    package.
    """
    ignored = shutil.ignore_patterns("__pycache__")
    for name in PACKAGED:
        if (project / name).is_dir():
            shutil.copytree(project / name, copy / name, ignore=ignored)
        elif (project / name).exists():
            shutil.copy2(project / name, copy / name)
    config = json.loads((project / ".chalice" / "config.json").read_text())
    config["stages"] = {stage: config["stages"][DEPLOYED]}
    (copy / ".chalice").mkdir()
    (copy / ".chalice" / "config.json").write_text(json.dumps(config))


def run_chalice(project: Path, stage: str, target: Path) -> None:
    """Writes Chalice's export and archives of a stage into the target folder."""
    command = [str(Path(sys.executable).with_name("chalice")), "package"]
    command += ["--pkg-format", "terraform", "--stage", stage, str(target)]
    # Chalice requires a region; the export does not depend on it.
    environment = {"AWS_DEFAULT_REGION": "us-east-1"} | os.environ
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    result = subprocess.run(  # noqa: S603 - our own arguments, no shell
        command,
        cwd=project,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if result.returncode:
        raise PackagingError(f"chalice package --stage {stage} failed:\n{result.stdout.strip()}")


def for_current_terraform(export: dict[str, Any], stage: str) -> dict[str, Any]:
    """Chalice's export without what current versions reject, and with its stage and runtime.

    - terraform.tf has the versions. The null data source is not used and would require another
      provider.
    - Chalice exports the version of the Python that runs it as the runtime.
    - Version 6 of the AWS provider rejects the stage of a deployment, even if it is null, and has
      no URL of a deployment.
    - No route receives or returns binary content.
    - variables.tf compares the packaged stage with the deployed one.
    """
    for function in export["resource"]["aws_lambda_function"].values():
        function["runtime"] = layer.RUNTIME
    (api,) = export["resource"]["aws_api_gateway_rest_api"].values()
    del api["binary_media_types"]
    swagger = json.loads(export["locals"]["chalice_api_swagger"])
    del swagger["x-amazon-apigateway-binary-media-types"]
    (deployment,) = export["resource"]["aws_api_gateway_deployment"].values()
    del deployment["stage_name"], deployment["stage_description"]
    del export["output"]["EndpointURL"]
    data = {kind: body for kind, body in export["data"].items() if kind != "null_data_source"}
    rest = {key: body for key, body in export.items() if key != "terraform"}
    names = {"chalice_api_swagger": json.dumps(swagger), "packaged_stage": stage}
    return rest | {"data": data, "locals": export["locals"] | names}


def unpacked_sizes(file: Path) -> Counter[str]:
    """Unpacked bytes of each part of an archive; a part is a package or a top-level file."""
    sizes: Counter[str] = Counter()
    with zipfile.ZipFile(file) as opened:
        for entry in opened.infolist():
            parts = Path(entry.filename).parts
            # The layer holds everything below python/lib/python3.x/site-packages.
            start = parts.index("site-packages") + 1 if "site-packages" in parts else 0
            sizes[parts[start]] += entry.file_size
    return sizes


def check_limits(packed: dict[str, int], unpacked: int) -> None:
    """Raises PackagingError if Lambda would reject the package; sizes in bytes."""
    for name, size in packed.items():
        if size > ARCHIVE_LIMIT:
            raise PackagingError(f"{name} has {size} bytes, the limit is {ARCHIVE_LIMIT}")
    if unpacked > UNPACKED_LIMIT:
        raise PackagingError(f"{unpacked} bytes unpacked, the limit is {UNPACKED_LIMIT}")


def report(file: Path, parts: int = 8) -> int:
    """Prints the size of an archive and of its largest parts; returns its unpacked bytes."""
    sizes = unpacked_sizes(file)
    packed, unpacked = file.stat().st_size, sizes.total()
    click.echo(f"{file.name}: {packed / 1e6:.2f} MB, unpacked {unpacked / 1e6:.2f} MB")
    for name, size in sizes.most_common(parts):
        click.echo(f"  {size / 1e6:6.2f} MB  {name}")
    return unpacked


def shown(file: Path) -> Path:
    """A path as short as the current folder allows."""
    return file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file


def check_stage(name: str, known: Iterable[str]) -> None:
    """Raises UsageError for a stage that has no file in terraform/stages."""
    names = list(known)
    if not name:
        raise click.UsageError(f"no stage given; stages: {', '.join(names)}")
    if name not in names:
        raise click.UsageError(
            f"unknown stage {name}; stages: {', '.join(names)}; {steps_to_add(name)}"
        )


@click.command()
@click.option("--stage", required=True, help="Name of a file in terraform/stages.")
@click.option(
    "--project",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    default=PROJECT,
    help="Folder of app.py. Default: this project.",
)
@click.option(
    "--terraform",
    "target",
    type=click.Path(file_okay=False, path_type=Path),
    default=TERRAFORM,
    help="Folder to write to. Default: terraform/ of this project.",
)
def main(stage: str, project: Path, target: Path) -> None:
    """Package the app for a stage into the Terraform folder."""
    check_stage(stage, known_stages())
    package(stage, project, target)


if __name__ == "__main__":
    main()
