"""The progress of a command that reads a store."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from ops.backfill.command import StoreColumn
from ops.cli import Operator
from ops.rehearse.connection import Connection


class Update(Protocol):
    """Shows how far the command has come, in words and as a number of the total."""

    def __call__(self, description: str, completed: int | None = None) -> None: ...


@contextmanager
def store_progress(
    operator: Operator, connection: Connection, description: str, total: int | None = None
) -> Iterator[Update]:
    """Shows a bar, and the store's quota or how long it is waited for."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        StoreColumn(connection.pacer, operator.clock),
    )
    with Progress(*columns, console=operator.console, disable=operator.as_json) as bar:
        task = bar.add_task(description, total=total)

        def update(description: str, completed: int | None = None) -> None:
            bar.update(task, description=description, completed=completed)

        yield update
