"""Registers, lists, removes and tests the store's webhooks for a stage."""

from typing import Any

import click
from rich.markup import escape

from chalicelib.edges.bigcommerce_hooks import Hook
from ops.cli import ORDER_ID, Operator, command, fail, main
from ops.remedies import run
from ops.store import delete_hook
from ops.webhook.emails import Notification
from ops.webhook.listing import Listing, facts, hooks_of, ours
from ops.webhook.plan import Plan
from ops.webhook.registration import Registration, Result
from ops.webhook.trial import render_trial, try_routes
from ops.wording import count

RESULTS: dict[Result, str] = {
    "registered": "registered; it may take a minute to become effective",
    "updated": "updated: it is active and sends the current secret",
    "nothing": "already registered; nothing was changed",
}
"""The results of `register`, in JSON and in text."""


@main.group()
def webhook() -> None:
    """Register, list, remove or test the webhooks through which the store calls this stage."""


@command(webhook, "webhook register", changes=True)
@click.option(
    "--email",
    help="Address that BigCommerce notifies of inactive webhooks. Default: the address that "
    "receives the alarms, where none is set.",
)
def register(operator: Operator, email: str | None) -> None:
    """Register a webhook for every scope that this stage needs.

    Idempotent: an existing webhook is activated if BigCommerce has deactivated it, and gets the
    stage's current secret.
    """
    plan = Plan.of(operator.deployment, email)
    if plan.changes:
        operator.authorize(plan.changes)
    done = []
    for result, hook in plan.apply():
        done.append({"did": result, **facts(hook, plan.wanted)})
        registered = escape(f"{hook.scope} to {hook.destination}")
        operator.print(f"Webhook {hook.id} {registered}: {RESULTS[result]}.")
    left_behind = [other for other in plan.found if plan.wanted.is_left_behind(other)]
    operator.print_json(
        {
            "hooks": done,
            "elsewhere": [other.id for other in left_behind],
            "emails": plan.notification.facts(),
        }
    )
    _print_notification(operator, plan.notification)
    for other in left_behind:
        operator.print(
            f"[yellow]Webhook {other.id} ({other.scope}) sends our header to "
            f"{other.destination}.[/] If it is not needed: "
            f"{run(operator.stage, f'webhook remove {other.id}')}"
        )


def _print_notification(operator: Operator, notification: Notification) -> None:
    if notification.added:
        operator.print(f"BigCommerce notifies {notification.added} of inactive webhooks.")
    elif not notification.emails:
        register = run(operator.stage, "webhook register --email ADDRESS")
        operator.print(f"[yellow]BigCommerce notifies nobody of inactive webhooks.[/] {register}")


@command(webhook, "webhook list", name="list")
def list_hooks(operator: Operator) -> None:
    """List the store's webhooks of our scopes. An API account sees only its own."""
    listing = Listing.of(operator.deployment)
    operator.print_json(listing.facts())
    for hook in listing.hooks:
        operator.print(_line(hook))
    for scope in listing.missing:
        operator.print(f"[red]missing[/]  {scope}")
    if not listing.is_complete:
        operator.print(f"  [bold]→ {run(operator.stage, 'webhook register')}[/]")
    elif not listing.hooks:
        operator.print("No webhook is registered.")


def _line(hook: dict[str, Any]) -> str:
    """A hook's facts; the URL is last and not shortened."""
    return (
        f"{hook['id']}  {'active  ' if hook['active'] else '[red]inactive[/]'}  "
        f"{'this stage ' if hook['ours'] else 'another URL'}  "
        f"{hook['secret'] or 'unknown':8} secret  {escape(hook['scope']):26}  "
        f"{escape(hook['destination'])}"
    )


@command(webhook, "webhook remove", changes=True)
@click.argument("hook_id", type=click.IntRange(1), required=False, metavar="[ID]")
def remove(operator: Operator, hook_id: int | None) -> None:
    """Remove this stage's webhooks, or the webhook with this ID."""
    selected = _selected(operator, hook_id)
    if selected:
        operator.authorize(f"remove {count(len(selected), 'webhook')} from the store")
    for hook in selected:
        delete_hook(hooks_of(operator.deployment), hook.id)
        removed = escape(f"{hook.scope} to {hook.destination}")
        operator.print(f"Webhook {hook.id} {removed} removed.")
    operator.print(
        "Polls still find all orders and changes."
        if selected
        else "No webhook is registered for this stage; nothing was removed."
    )
    operator.print_json({"removed": [hook.id for hook in selected]})


def _selected(operator: Operator, hook_id: int | None) -> list[Hook]:
    """The hooks to remove. Raises ClickException for an id that does not exist."""
    found = ours(operator.deployment)
    if hook_id is None:
        wanted = Registration.known(operator.deployment)
        return [hook for hook in found if wanted.is_here(hook)]
    selected = [hook for hook in found if hook.id == hook_id]
    if not selected:
        raise click.ClickException(
            f"webhook {hook_id} of our scopes does not exist; "
            f"to list the webhooks: {run(operator.stage, 'webhook list')}"
        )
    return selected


@command(webhook, "webhook test --order 118", name="test")
@click.option("--order", "order_id", type=ORDER_ID, help="Default: the store's newest order.")
def try_out(operator: Operator, order_id: int | None) -> None:
    """Send each route of the stage valid callbacks, and forged ones.

    The valid callbacks queue the order, which is safe: nothing is left to do for an order that is
    replicated. A callback with a wrong token must be rejected, and one without a signature if the
    stage requires one. A signature of an hour ago is valid, as in a callback that BigCommerce
    repeats. The webhooks that are registered at the store
    must exist, be active and send the current secret. The exit code is 1 if any of this fails.
    """
    trial = try_routes(operator.deployment, order_id)
    operator.print_json(trial.facts())
    operator.print(render_trial(operator.stage, trial))
    if not trial.is_passed:
        fail()
