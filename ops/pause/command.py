"""Pauses and resumes moves; orders are stored all the same."""

import click
from rich.markup import escape

from ops.cli import Operator, command, fail, main
from ops.pause.pause import Pause, remove
from ops.poll.command import print_result, run_poll
from ops.remedies import run


@command(main, "pause --reason 'the warehouse is closed'", changes=True)
@click.option("--reason", required=True, help="Shown by status, doctor and explain.")
def pause(operator: Operator, reason: str) -> None:
    """Pause moves: orders are stored, and no status is changed in the store.

    Takes effect within a minute, without a deployment. Orders that are new stay unmoved until moves
    are resumed. Repeating it replaces the reason.
    """
    if not reason.strip():
        raise click.UsageError("--reason is empty")
    deployment = operator.deployment
    before = Pause.read(deployment)
    action = operator.authorize("pause all moves")
    paused = Pause.begin(deployment, reason, action.by)
    operator.print_json({"pause": paused.facts(), "was_paused": before is not None})
    operator.print(
        f"Moves are paused: {escape(paused.reason)}\n"
        "Orders are still stored. A batch that is under way may move orders for one more minute.\n"
        f"To allow moves again: [bold]{run(operator.stage, 'resume')}[/]"
    )


@command(main, "resume", changes=True)
def resume(operator: Operator) -> None:
    """Allow moves again, and run a sweep, which queues the orders that were not moved.

    Waits until the sweep ends (15 minutes at most).
    """
    deployment = operator.deployment
    before = Pause.read(deployment)
    if before is None:
        operator.print_json({"pause": None, "jobs": [], "error": None})
        return operator.print("Moves are not paused; nothing was changed.")
    operator.authorize("allow moves again and run a sweep of the store")
    remove(deployment)
    operator.print("Moves are allowed again. A sweep queues the orders that were not moved.")
    result = run_poll(operator, sweep=True)
    operator.print_json({"pause": before.facts(), **result.facts()})
    print_result(operator, result)
    return None if result.is_done else fail()
