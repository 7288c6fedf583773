"""The commands' section of docs/operations.md is their `--help`."""

import re

import pytest

from ops.reference import BEGIN, END, PAGE, command_helps, section, write
from ops.stages import PROJECT

README = (PROJECT / "README.md").read_text()


def test_the_section_is_up_to_date():
    text = PAGE.read_text().split(BEGIN)[1].split(END)[0].strip()

    assert text == section(), "run: python -m ops.reference"


def test_writing_the_section_keeps_the_rest_of_the_page(tmp_path):
    page = tmp_path / "operations.md"
    page.write_text(f"# Operations\n\n{BEGIN}\nan older section\n{END}\n\n## Runbook\n")

    write(page)

    assert page.read_text() == f"# Operations\n\n{BEGIN}\n\n{section()}\n\n{END}\n\n## Runbook\n"


@pytest.mark.parametrize("name", command_helps())
def test_every_command_has_an_example_and_json(name):
    text = command_helps()[name]

    assert f"python -m ops --stage prod {name}" in text.split("Example:")[1]
    assert "--json" in text


def test_every_command_in_the_readme_exists():
    named = set(re.findall(r"python -m ops --stage \w+ ([a-z-]+)", README))

    assert named <= {name.split()[0] for name in command_helps()}
