"""Lists what operators have changed."""

from datetime import datetime, timedelta

import click
from rich.markup import escape

from ops.cli import Moment, Operator, command, main
from ops.history.actions import Action, actions_since
from ops.wording import listed

DEFAULT_DAYS = 30


@command(main, "history --since 2026-11-01")
@click.option(
    "--since", type=Moment(), help=f"From this date on. Default: {DEFAULT_DAYS} days ago."
)
def history(operator: Operator, since: datetime | None) -> None:
    """List what operators have changed: when, who, with which command, and why.

    Each command records a change before it makes it. The records do not expire.
    """
    since = since or operator.clock.now() - timedelta(days=DEFAULT_DAYS)
    actions = list(actions_since(operator.deployment, since))
    operator.print_json({"actions": [action.facts() for action in actions]})
    for action in actions:
        operator.print(described(action))
    if not actions:
        operator.print(f"Nothing was changed since {since:%Y-%m-%d %H:%M}.")


def described(action: Action) -> str:
    """An action in a few lines."""
    by = escape(action.by or "unknown")
    lines = [
        f"{action.at:%Y-%m-%d %H:%M:%S}  [bold]{escape(action.command)}[/]  by {by}",
        f"    {escape(action.what)}",
    ]
    if action.order_ids:
        lines.append(f"    orders {listed(action.order_ids)}")
    if action.reason:
        lines.append(f"    reason: {escape(action.reason)}")
    return "\n".join(lines)
