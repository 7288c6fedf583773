"""Packages the app for Terraform: `python -m ops.deploy.package --stage dev`.

Chalice writes chalice.tf.json and the two archives among the hand-written files: the folder is
the merge. Its export is made for Terraform below 1.4, so what current Terraform refuses is taken
out of it.
"""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import click

from ops.stages import chalice_stages

EXPORT = "chalice.tf.json"
ARCHIVES = ("deployment.zip", "layer-deployment.zip")

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html, bytes
ARCHIVE_LIMIT = 50 * 1024 * 1024
UNPACKED_LIMIT = 250 * 1024 * 1024


class PackagingError(click.ClickException):
    """Chalice did not make a package that can be deployed."""


def run_chalice(project: Path, stage: str, terraform: Path) -> None:
    """Writes Chalice's export and archives for a stage into the Terraform folder."""
    # Chalice takes an archive from here again when it believes that nothing has changed.
    shutil.rmtree(project / ".chalice" / "deployments", ignore_errors=True)
    # It packs bytecode that lies about, and two machines would then make two archives.
    for cache in (project / "chalicelib").rglob("__pycache__"):
        shutil.rmtree(cache)
    command = [str(Path(sys.executable).with_name("chalice")), "package"]
    command += ["--pkg-format", "terraform", "--stage", stage, str(terraform)]
    # Chalice insists on a region; nothing in the export comes from it.
    environment = {"AWS_DEFAULT_REGION": "us-east-1"} | os.environ
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    result = subprocess.run(  # noqa: S603 - no shell; the stage is one of config.json's
        command,
        cwd=project,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    # A dependency without a wheel is reported, left out, and the exit status is 0.
    if result.returncode or "Could not install dependencies" in result.stdout:
        raise PackagingError(f"chalice package --stage {stage} failed:\n{result.stdout.strip()}")


def for_current_terraform(export: dict[str, Any], stage: str) -> dict[str, Any]:
    """Chalice's export without what Terraform 1.11 refuses, and with its stage's name.

    Versions are pinned in terraform.tf. The null data source is read by nothing and would need a
    provider of its own. variables.tf compares the stage's name with the one deployed.
    """
    data = {kind: body for kind, body in export["data"].items() if kind != "null_data_source"}
    rest = {key: body for key, body in export.items() if key != "terraform"}
    return rest | {"data": data, "locals": export["locals"] | {"packaged_stage": stage}}


def unpacked_sizes(archive: Path) -> Counter[str]:
    """Bytes of each part of an archive once unpacked; a part is a package or a top-level file."""
    sizes: Counter[str] = Counter()
    with zipfile.ZipFile(archive) as package:
        for entry in package.infolist():
            parts = Path(entry.filename).parts
            # The layer holds everything below python/lib/python3.x/site-packages.
            start = parts.index("site-packages") + 1 if "site-packages" in parts else 0
            sizes[parts[start]] += entry.file_size
    return sizes


def check_limits(packed: dict[str, int], unpacked: int) -> None:
    """Raises PackagingError for what Lambda would refuse, with the sizes in bytes."""
    for name, size in packed.items():
        if size > ARCHIVE_LIMIT:
            raise PackagingError(f"{name} has {size} bytes, Lambda takes {ARCHIVE_LIMIT}")
    if unpacked > UNPACKED_LIMIT:
        raise PackagingError(f"unpacked {unpacked} bytes, Lambda takes {UNPACKED_LIMIT}")


def report(archive: Path, parts: int = 8) -> int:
    """Prints the size of an archive and of its largest parts; returns its unpacked bytes."""
    sizes = unpacked_sizes(archive)
    packed, unpacked = archive.stat().st_size, sizes.total()
    click.echo(f"{archive.name}: {packed / 1e6:.2f} MB, unpacked {unpacked / 1e6:.2f} MB")
    for name, size in sizes.most_common(parts):
        click.echo(f"  {size / 1e6:6.2f} MB  {name}")
    return unpacked


@click.command()
@click.option("--stage", required=True, help="Stage of .chalice/config.json.")
@click.option(
    "--project",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    default=Path(),
    help="Folder that holds app.py.",
)
@click.option(
    "--terraform",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="Folder to write to; the project's terraform/ by default.",
)
def main(stage: str, project: Path, terraform: Path | None) -> None:
    """Package the app for a stage into the Terraform folder."""
    if stage not in chalice_stages(project):
        raise click.BadParameter(
            f"one of {', '.join(chalice_stages(project))}", param_hint="--stage"
        )
    target = (terraform or project / "terraform").resolve()
    run_chalice(project.resolve(), stage, target)
    export = target / EXPORT
    document = for_current_terraform(json.loads(export.read_text()), stage)
    export.write_text(json.dumps(document, indent=2) + "\n")
    archives = [target / name for name in ARCHIVES if (target / name).exists()]
    unpacked = sum(report(archive) for archive in archives)
    check_limits({archive.name: archive.stat().st_size for archive in archives}, unpacked)


if __name__ == "__main__":
    main()
