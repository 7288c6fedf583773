"""The lock files agree with the requirements, and are valid on every machine."""

import re
import subprocess
import sys
from importlib.metadata import packages_distributions

import pytest

from ops.stages import PROJECT

PIN = re.compile(r"^([\w.-]+)(?:\[.*\])?==(\S+)(.*)", re.MULTILINE)


def pins(file: str) -> set[tuple[str, str]]:
    """The packages of a file, and their versions."""
    found = PIN.findall((PROJECT / file).read_text())
    return {(re.sub(r"[-_.]+", "-", name).lower(), version) for name, version, _ in found}


@pytest.mark.parametrize("name", sorted(file.stem for file in PROJECT.glob("requirements*.txt")))
def test_a_lock_holds_the_required_versions(name):
    """Otherwise the lock is out of date: run `make lock`."""
    assert pins(f"{name}.txt")
    assert pins(f"{name}.txt") <= pins(f"{name}.lock")


def test_the_tests_run_with_the_libraries_that_ship():
    assert pins("requirements.lock") <= pins("requirements-deploy.lock")
    assert pins("requirements-deploy.lock") <= pins("requirements-dev.lock")


def test_a_deployment_uses_nothing_but_what_is_installed_for_it():
    """The deploying job installs no test library, with which it would share its credentials."""
    loaded = "import sys, ops.deploy.__main__; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run(  # noqa: S603 - our own arguments, no shell
        [sys.executable, "-c", loaded], cwd=PROJECT, text=True, capture_output=True, check=True
    )
    packages = packages_distributions()
    used = {
        re.sub(r"[-_.]+", "-", package).lower()
        for name in done.stdout.split()
        for package in packages.get(name, [])
    }

    assert "boto3" in used
    assert used <= {name for name, _ in pins("requirements-deploy.lock")}


def test_every_library_that_ships_does_so_under_all_conditions():
    """pip would evaluate a condition for the Python that packages, not for that of Lambda."""
    text = (PROJECT / "requirements.lock").read_text()
    conditions = {rest.strip(" \\") for _, _, rest in PIN.findall(text)}

    assert conditions == {""}


@pytest.mark.parametrize("file", sorted(PROJECT.glob("requirements*.lock")), ids=lambda f: f.name)
def test_a_lock_names_no_package_index(file):
    assert "://" not in file.read_text()
    assert "-index" not in file.read_text()
