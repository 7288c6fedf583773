"""Builds the Lambda layer: the libraries of requirements.lock, for the runtime of the functions.

pip downloads wheels for Lambda, whatever Python and machine it runs on. Chalice would build for the
Python that runs it, and cannot check hashes.
"""

import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path

import click

from ops.deploy import archive

RUNTIME = "python3.13"
"""The runtime of the functions and of the layer, for packaging, Terraform and the workflows."""

SUPPORTED_UNTIL = date(2029, 6, 30)
"""When Lambda deprecates the runtime; months later it refuses to create and to update functions
(https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html)."""

MACHINES = {"arm64": "aarch64", "x86_64": "x86_64"}

GLIBC = 34
"""The minor version of glibc 2 in Amazon Linux 2023, the system of the runtimes since 3.12."""


class LayerError(click.ClickException):
    """The libraries could not be downloaded as wheels for Lambda."""


def build(lock: Path, target: Path, architecture: str, runtime: str = RUNTIME) -> None:
    """Writes the layer of an architecture of Lambda. Raises LayerError."""
    folder = f"python/lib/{runtime}/site-packages"
    with tempfile.TemporaryDirectory() as wheels:
        download(lock, Path(wheels), MACHINES[architecture], runtime.removeprefix("python"))
        files = {
            f"{folder}/{name}": file
            for wheel in Path(wheels).iterdir()
            for name, file in archive.read(wheel).items()
        }
    if misplaced := [name for name in files if ".data/" in name]:
        # Installing such a wheel moves these files. No wheel of the layer has any.
        raise LayerError(f"unsupported files in wheels: {', '.join(sorted(misplaced))}")
    archive.write(target, files)


def download(lock: Path, folder: Path, machine: str, version: str) -> None:
    """Downloads the wheels of a lock file; pip checks their hashes."""
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in range(17, GLIBC + 1)]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--require-hashes", "--no-deps", "--only-binary=:all:", "--implementation=cp"]
    command += [f"--python-version={version}", f"--abi=cp{version.replace('.', '')}"]
    command += [f"--platform={each}" for each in (*platforms, f"manylinux2014_{machine}")]
    command += [f"--dest={folder}", f"--requirement={lock}"]
    done = subprocess.run(command, text=True, capture_output=True, check=False)  # noqa: S603 - ours
    if done.returncode:
        raise LayerError(f"pip could not download the libraries of {lock}:\n{done.stderr.strip()}")
