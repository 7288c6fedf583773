"""The page of each operator's command is what the command says of itself."""

import re

import pytest

from ops.reference import FOLDER, PROJECT, pages

README = (PROJECT / "README.md").read_text()


def test_every_command_has_its_page_and_no_page_is_of_a_command_that_is_gone():
    assert {path.stem for path in FOLDER.glob("*.md")} == set(pages())


@pytest.mark.parametrize("name", pages())
def test_a_page_says_what_help_says(name):
    assert (FOLDER / f"{name}.md").read_text() == pages()[name], "run: python -m ops.reference"


@pytest.mark.parametrize("name", pages())
def test_every_command_has_an_example_json_and_a_link(name):
    page = pages()[name]
    helps = [block for block in page.split("```text") if "Usage:" in block]
    for block in helps:
        if "Commands:" not in block:
            assert "Example:" in block
            assert f"python -m ops --stage prod {name}" in block
            assert "--json" in block
    assert f"(docs/commands/{name}.md)" in README


def test_every_command_that_the_readme_names_exists():
    named = set(re.findall(r"python -m ops --stage \w+ ([a-z-]+)", README))
    assert named
    assert named <= set(pages())
