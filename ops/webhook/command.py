"""Registers, lists, removes and tests the store's webhooks for a stage."""

from collections.abc import Sequence
from typing import Any

import click
from rich.markup import escape

from chalicelib.domain.callbacks import CART_CONVERTED, CHANGE_SCOPES, ORDER_UPDATED
from chalicelib.edges.bigcommerce import Rejected
from chalicelib.edges.bigcommerce_hooks import Hook, Hooks
from ops.cli import ORDER_ID, Operator, command, fail, main
from ops.remedies import run
from ops.store import delete_hook, newest_order_id
from ops.webhook.callback import Sender
from ops.webhook.emails import Notification
from ops.webhook.registration import (
    Registrar,
    Registration,
    Result,
    carries_a_token,
)
from ops.webhook.trial import RouteTrial, Trial, render_trial
from ops.wording import count

RESULTS: dict[Result, str] = {
    "registered": "registered; it may take a minute to become effective",
    "updated": "updated: it is active and sends the current secret",
    "nothing": "already registered; nothing was changed",
}
"""The results of `register`, in JSON and in text."""

SCOPES = (CART_CONVERTED, *CHANGE_SCOPES)
TESTED = (CART_CONVERTED, ORDER_UPDATED)
"""A scope of each route."""


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
    deployment, hooks = operator.deployment, _hooks(operator)
    wanted = Registration.of(deployment)
    found = hooks.all()
    notification = Notification.plan(deployment, hooks, email)
    registrar = Registrar(hooks, wanted)
    _confirm(operator, *registrar.changes(found), notification)
    done = [_register(operator, registrar, scope, found) for scope in wanted.destinations]
    notification.apply(hooks)
    left_behind = [other for other in found if wanted.is_left_behind(other)]
    operator.print_json(
        {
            "hooks": [{"did": result, **facts(hook, wanted)} for result, hook in done],
            "elsewhere": [other.id for other in left_behind],
            "emails": notification.facts(),
        }
    )
    _print_notification(operator, notification)
    for other in left_behind:
        operator.print(
            f"[yellow]Webhook {other.id} ({other.scope}) sends our header to "
            f"{other.destination}.[/] If it is not needed: "
            f"{run(operator.stage, f'webhook remove {other.id}')}"
        )


def _confirm(
    operator: Operator, missing: list[str], broken: list[Hook], notification: Notification
) -> None:
    """Ask before a change; not if there is none."""
    changes = [f"register {count(len(missing), 'webhook')}"] if missing else []
    changes += [f"change {count(len(broken), 'webhook')}"] if broken else []
    changes += [f"notify {notification.added} of inactive ones"] if notification.added else []
    if changes:
        operator.authorize(f"{', '.join(changes)} at the store")


def _register(
    operator: Operator, registrar: Registrar, scope: str, found: Sequence[Hook]
) -> tuple[Result, Hook]:
    try:
        result, hook = registrar.register(scope, registrar.wanted.here(found).get(scope))
    except Rejected as error:
        raise click.ClickException(
            f"the store rejects the webhook {scope} ({error}): its URL must be HTTPS on port 443, "
            "and an API account may have ten webhooks of a scope; "
            f"to list them: {run(operator.stage, 'webhook list')}"
        ) from None
    registered = escape(f"{scope} to {hook.destination}")
    operator.print(f"Webhook {hook.id} {registered}: {RESULTS[result]}.")
    return result, hook


def _print_notification(operator: Operator, notification: Notification) -> None:
    if notification.added:
        operator.print(f"BigCommerce notifies {notification.added} of inactive webhooks.")
    elif not notification.emails:
        register = run(operator.stage, "webhook register --email ADDRESS")
        operator.print(f"[yellow]BigCommerce notifies nobody of inactive webhooks.[/] {register}")


@command(webhook, "webhook list", name="list")
def list_hooks(operator: Operator) -> None:
    """List the store's webhooks of our scopes. An API account sees only its own."""
    wanted = Registration.known(operator.deployment)
    found = _ours(operator)
    missing = wanted.missing(found)
    hooks = [facts(hook, wanted) for hook in found]
    operator.print_json({"hooks": hooks, "missing": missing})
    for hook in hooks:
        operator.print(_line(hook))
    for scope in missing:
        operator.print(f"[red]missing[/]  {scope}")
    if missing or any(hook["ours"] and not _works(hook) for hook in hooks):
        operator.print(f"  [bold]→ {run(operator.stage, 'webhook register')}[/]")
    elif not hooks:
        operator.print("No webhook is registered.")


def _ours(operator: Operator) -> list[Hook]:
    """The hooks of the scopes that a stage needs, and those with our header."""
    hooks = _hooks(operator).all()
    return [hook for hook in hooks if hook.scope in SCOPES or carries_a_token(hook)]


def _works(hook: dict[str, Any]) -> bool:
    return bool(hook["active"]) and hook["secret"] in ("current", None)


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
        delete_hook(_hooks(operator), hook.id)
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
    found = _ours(operator)
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
    deployment = operator.deployment
    wanted, settings = Registration.of(deployment), deployment.settings
    secret = deployment.secret(settings.client_secret_parameter)
    order_id = order_id or newest_order_id(deployment.wiring.store)
    if order_id is None:
        raise click.ClickException("the store has no orders; name one with --order")
    routes = []
    for scope in TESTED:
        url = wanted.destinations[scope]
        sender = Sender(
            *(url, scope, settings.bigcommerce_store_hash, wanted.token, secret),
            clock=operator.clock,
        )
        routes.append(
            RouteTrial.run(sender, order_id, require_signature=settings.require_signature)
        )
    problems = hook_problems(wanted, _hooks(operator).all())
    trial = Trial(order_id, bool(secret), tuple(routes), problems)
    operator.print_json(trial.facts())
    operator.print(render_trial(operator.stage, trial))
    if not trial.is_passed:
        fail()


def hook_problems(wanted: Registration, hooks: list[Hook]) -> dict[str, list[str]]:
    """The problems of the hooks that are registered at the store, by scope."""
    problems = {scope: ["it is not registered at the store"] for scope in wanted.missing(hooks)}
    for scope, hook in wanted.here(hooks).items():
        if found := wanted.problems(hook):
            problems[scope] = found
    return problems


def facts(hook: Hook, wanted: Registration) -> dict[str, Any]:
    """For JSON; without the secret."""
    return {
        "id": hook.id,
        "scope": hook.scope,
        "active": hook.is_active,
        "destination": hook.destination,
        "ours": wanted.is_here(hook),
        "header": carries_a_token(hook),
        "secret": wanted.secret_state(hook),
    }


def _hooks(operator: Operator) -> Hooks:
    return Hooks.of(operator.deployment.wiring.store)
