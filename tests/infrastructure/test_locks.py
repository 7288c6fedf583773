"""The lock files agree with the requirements, and are valid on every machine."""

import re

import pytest

from ops.stages import PROJECT

PIN = re.compile(r"^([\w.-]+)(?:\[.*\])?==(\S+)(.*)", re.MULTILINE)


def pins(file: str) -> set[tuple[str, str]]:
    """The packages of a file, and their versions."""
    found = PIN.findall((PROJECT / file).read_text())
    return {(re.sub(r"[-_.]+", "-", name).lower(), version) for name, version, _ in found}


@pytest.mark.parametrize("name", ["requirements", "requirements-dev", "requirements-scan"])
def test_a_lock_holds_the_required_versions(name):
    """Otherwise the lock is out of date: run `make lock`."""
    assert pins(f"{name}.txt")
    assert pins(f"{name}.txt") <= pins(f"{name}.lock")


def test_the_tests_run_with_the_libraries_that_ship():
    assert pins("requirements.lock") <= pins("requirements-dev.lock")


def test_every_library_that_ships_does_so_under_all_conditions():
    """pip would evaluate a condition for the Python that packages, not for that of Lambda."""
    text = (PROJECT / "requirements.lock").read_text()
    conditions = {rest.strip(" \\") for _, _, rest in PIN.findall(text)}

    assert conditions == {""}


@pytest.mark.parametrize("file", sorted(PROJECT.glob("requirements*.lock")), ids=lambda f: f.name)
def test_a_lock_names_no_package_index(file):
    assert "://" not in file.read_text()
    assert "-index" not in file.read_text()
