"""Writes a page for each operator's command from its help: `python -m ops.reference`."""

from collections.abc import Iterator
from pathlib import Path

import click

from ops.__main__ import main as commands
from ops.stages import PROJECT

FOLDER = PROJECT / "docs" / "commands"
WIDTH = 90
INVOCATION = "python -m ops --stage STAGE"


def pages() -> dict[str, str]:
    """Each page's text by the name of its command."""
    root = click.Context(commands, info_name=INVOCATION)
    return {
        name: _page(name, commands.commands[name], root) for name in commands.list_commands(root)
    }


def write(folder: Path = FOLDER) -> None:
    """Bring the folder up to date, and remove the pages of commands that are gone."""
    folder.mkdir(parents=True, exist_ok=True)
    found = pages()
    for path in folder.glob("*.md"):
        if path.stem not in found:
            path.unlink()
    for name, text in found.items():
        (folder / f"{name}.md").write_text(text)


def _page(name: str, command: click.Command, root: click.Context) -> str:
    parts = [f"# {name}"]
    for title, text in _helps(command, root, name):
        parts += [f"## {title}"] if title != name else []
        parts += [f"```text\n{text}\n```"]
    return "\n\n".join(parts) + "\n"


def _helps(command: click.Command, parent: click.Context, name: str) -> Iterator[tuple[str, str]]:
    """The command's title and help, then those of its subcommands."""
    context = click.Context(
        command, info_name=name, parent=parent, terminal_width=WIDTH, max_content_width=WIDTH
    )
    yield name, command.get_help(context).rstrip()
    if isinstance(command, click.Group):
        for sub in command.list_commands(context):
            for title, text in _helps(command.commands[sub], context, sub):
                yield f"{name} {title}", text


if __name__ == "__main__":
    write()
