"""What the README says is so: its settings, commands, files and examples."""

import json
import re
from pathlib import Path

import pytest

from chalicelib.settings import Settings
from sandbox.stack import Endpoint, Stack

PROJECT = Path(__file__).resolve().parents[2]
README = (PROJECT / "README.md").read_text()


def rows() -> dict[str, str]:
    """The table of settings: each name with its default."""
    table = README.split("## Settings")[1].split("\n## ")[0]
    found = {}
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 5 and cells[1].startswith("`"):
            found |= dict.fromkeys(re.findall(r"`([A-Z_]+)`", cells[1]), cells[2])
    return found


def test_every_setting_is_in_the_table_and_no_other():
    assert set(rows()) == {name.upper() for name in Settings.model_fields}


@pytest.mark.parametrize("name", Settings.model_fields)
def test_a_default_is_the_one_in_the_table(name):
    said = rows()[name.upper()].strip("`")
    field = Settings.model_fields[name]
    if field.is_required():
        assert said == ""
        return
    default = field.default
    as_text = {
        bool: lambda: str(default).lower(),
        tuple: lambda: ",".join(str(int(member)) for member in default),
        str: lambda: default,
    }.get(type(default), lambda: str(int(default)))()
    assert said == (as_text or "empty")


def test_every_make_target_it_names_exists():
    targets = set(re.findall(r"^([a-z]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|^)make ([a-z]+)", README, re.MULTILINE))
    assert named
    assert named <= targets


def test_every_make_target_has_a_line_of_help():
    makefile = (PROJECT / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    helped = re.findall(r"^([a-z]+):.*## .+$", makefile, re.MULTILINE)
    assert set(phony.split()) == set(helped)


def test_every_file_it_links_to_exists():
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert links
    assert [link for link in links if not (PROJECT / link).exists()] == []


def test_the_worked_example_is_the_one_that_is_tested():
    assert (PROJECT / "examples" / "send_to_erp.py").read_text().strip() in README


def test_every_json_example_is_json():
    blocks = re.findall(r"```json\n(.*?)```", README, re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        assert json.loads(block)


def test_the_local_stage_is_the_sandbox_on_its_default_ports():
    config = json.loads((PROJECT / ".chalice" / "config.json").read_text())
    stack = Stack(Endpoint("http://127.0.0.1:8102"), "local")

    environment = config["stages"]["local"]["environment_variables"]

    assert environment == stack.environment("http://127.0.0.1:8101", "sandbox")
