"""Writes the `--help` of every command into docs/operations.md: `python -m ops.reference`."""

from collections.abc import Iterator
from pathlib import Path

import click

from ops.__main__ import main as commands
from ops.remedies import PROGRAM
from ops.stages import PROJECT

PAGE = PROJECT / "docs" / "operations.md"
BEGIN = "<!-- commands: written by python -m ops.reference -->"
END = "<!-- end of commands -->"
WIDTH = 90
INVOCATION = f"{PROGRAM} --stage STAGE"


def command_helps() -> dict[str, str]:
    """The help text of every command and subcommand, by its full name."""
    root = click.Context(commands, info_name=INVOCATION)
    return {
        name: text
        for command in commands.list_commands(root)
        for name, text in _helps(commands.commands[command], root, command, command)
    }


def section() -> str:
    """The generated section, without its markers."""
    parts = ["## Commands"]
    for name, text in command_helps().items():
        parts += [f"### `{name}`", f"```text\n{text}\n```"]
    return "\n\n".join(parts)


def write(page: Path = PAGE) -> None:
    """Replace the section between the markers. Raises ValueError when a marker is missing."""
    before, rest = page.read_text().split(BEGIN)
    _, after = rest.split(END)
    page.write_text(f"{before}{BEGIN}\n\n{section()}\n\n{END}{after}")


def _helps(
    command: click.Command, parent: click.Context, info_name: str, name: str
) -> Iterator[tuple[str, str]]:
    """A command's full name and help; of a group, those of its subcommands instead."""
    context = click.Context(
        command, info_name=info_name, parent=parent, terminal_width=WIDTH, max_content_width=WIDTH
    )
    if isinstance(command, click.Group):
        for sub in command.list_commands(context):
            yield from _helps(command.commands[sub], context, sub, f"{name} {sub}")
    else:
        yield name, command.get_help(context).rstrip()


if __name__ == "__main__":
    write()
