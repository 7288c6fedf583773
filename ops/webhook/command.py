"""Registers, lists, removes and tests the store's webhook for a stage."""

from typing import Any

import click

from chalicelib.domain.models import CART_CONVERTED
from chalicelib.edges.bigcommerce import Rejected
from chalicelib.edges.bigcommerce_hooks import Hook, Hooks
from ops.cli import ORDER_ID, Operator, command, fail, main
from ops.remedies import run
from ops.store import delete_hook, newest_order_id
from ops.webhook.callback import Sender
from ops.webhook.registration import NotRegistrable, Registrar, Registration, carries_a_token
from ops.webhook.trial import Trial, render_trial

RESULTS = {
    "registered": "registered; it may take a minute to become effective",
    "updated": "updated: it is active and sends the current secret",
    "nothing": "already registered; nothing was changed",
}
"""The results of `register`, in JSON and in text."""


@main.group()
def webhook() -> None:
    """Register, list, remove or test the webhook through which the store calls this stage."""


@command(webhook, "webhook register", changes=True)
def register(operator: Operator) -> None:
    """Register the webhook for every cart that becomes an order.

    Idempotent: an existing webhook is activated if BigCommerce has deactivated it, and gets the
    stage's current secret.
    """
    wanted, hooks = Registration.of(operator.deployment), _hooks(operator)
    found = hooks.of_scope(CART_CONVERTED)
    here = next(filter(wanted.is_here, found), None)
    result, hook = _register(operator, Registrar(hooks, wanted), here)
    left_behind = [other for other in found if wanted.is_left_behind(other)]
    operator.print_json(
        {
            "did": result,
            "hook": facts(hook, wanted.destination, wanted),
            "elsewhere": [other.id for other in left_behind],
        }
    )
    operator.print(f"Webhook {hook.id} to {hook.destination}: {RESULTS[result]}.")
    for other in left_behind:
        operator.print(
            f"[yellow]Webhook {other.id} sends our header to {other.destination}.[/] If that stage "
            f"no longer exists: {run(operator.stage, f'webhook remove {other.id}')}"
        )


def _register(operator: Operator, registrar: Registrar, here: Hook | None) -> tuple[str, Hook]:
    """The result and the hook; asks for confirmation before a change."""
    if here and not registrar.wanted.problems(here):
        return "nothing", here
    operator.confirm("change the store's webhook" if here else "register a webhook at the store")
    if here:
        return "updated", registrar.update(here)
    try:
        return "registered", registrar.create()
    except Rejected as error:
        raise click.ClickException(
            f"the store rejects the webhook ({error}): its URL must be HTTPS on port 443, and an "
            "API account may have ten webhooks of a scope; "
            f"to list them: {run(operator.stage, 'webhook list')}"
        ) from None


@command(webhook, "webhook list", name="list")
def list_hooks(operator: Operator) -> None:
    """List the store's webhooks of our scope. An API account sees only its own."""
    destination, wanted = operator.deployment.webhook_url, _registration(operator)
    found = [facts(hook, destination, wanted) for hook in _hooks(operator).of_scope(CART_CONVERTED)]
    operator.print_json(found)
    register = run(operator.stage, "webhook register")
    if not found:
        operator.print(f"No webhook is registered. To register one: {register}")
    for hook in found:
        operator.print(_line(hook))
        if hook["ours"] and (not hook["active"] or hook["secret"] in ("outdated", "missing")):
            operator.print(f"  [bold]→ {register}[/]")


def _line(hook: dict[str, Any]) -> str:
    """A hook's facts; the URL is last and not shortened."""
    return (
        f"{hook['id']}  {'active  ' if hook['active'] else '[red]inactive[/]'}  "
        f"{'this stage ' if hook['ours'] else 'another URL'}  "
        f"{hook['secret'] or 'unknown'} secret  {hook['destination']}"
    )


@command(webhook, "webhook remove", changes=True)
@click.argument("hook_id", type=click.IntRange(1), required=False, metavar="[ID]")
def remove(operator: Operator, hook_id: int | None) -> None:
    """Remove this stage's webhook, or the webhook of our scope with this ID."""
    hooks = _hooks(operator)
    selected = _selected(operator, hooks, hook_id)
    if selected is None:
        operator.print("No webhook is registered for this stage; nothing was removed.")
    else:
        operator.confirm(f"remove webhook {selected.id} to {selected.destination}")
        delete_hook(hooks, selected.id)
        operator.print(
            f"Webhook {selected.id} to {selected.destination} removed. Polls still find all orders."
        )
    operator.print_json({"removed": selected and selected.id})


def _selected(operator: Operator, hooks: Hooks, hook_id: int | None) -> Hook | None:
    """The hook to remove. Raises ClickException for an id that our scope does not have."""
    found = hooks.of_scope(CART_CONVERTED)
    if hook_id is None:
        destination = operator.deployment.webhook_url
        return next((hook for hook in found if hook.destination == destination), None)
    selected = next((hook for hook in found if hook.id == hook_id), None)
    if selected is None:
        raise click.ClickException(
            f"webhook {hook_id} of scope {CART_CONVERTED} does not exist; "
            f"to list the webhooks: {run(operator.stage, 'webhook list')}"
        )
    return selected


@command(webhook, "webhook test --order 118", name="test")
@click.option("--order", "order_id", type=ORDER_ID, help="Default: the store's newest order.")
def try_out(operator: Operator, order_id: int | None) -> None:
    """Send the deployed webhook a valid callback and one with a wrong token.

    The valid callback queues the order, which is safe: an order that is not new is skipped. The
    other callback must be rejected. The webhook that is registered at the store must exist, be
    active and send the current secret. The exit code is 1 if any of this fails.
    """
    deployment = operator.deployment
    wanted, settings = Registration.of(deployment), deployment.settings
    secret = deployment.wiring.secret(settings.client_secret_parameter).value()
    order_id = order_id or newest_order_id(deployment.wiring.store)
    if order_id is None:
        raise click.ClickException("the store has no orders; name one with --order")
    sender = Sender(wanted.destination, settings.bigcommerce_store_hash, wanted.token, secret)
    trial = Trial(
        order_id,
        wanted.destination,
        bool(secret),
        sender.send(order_id),
        sender.forge(order_id),
        hook_problems(wanted, _hooks(operator).of_scope(CART_CONVERTED)),
    )
    operator.print_json(trial.facts())
    operator.print(render_trial(operator.stage, trial))
    if not trial.is_passed:
        fail()


def hook_problems(wanted: Registration, hooks: list[Hook]) -> list[str]:
    """The problems of the hook that is registered at the store."""
    here = next(filter(wanted.is_here, hooks), None)
    return ["it is not registered at the store"] if here is None else wanted.problems(here)


def facts(hook: Hook, destination: str, wanted: Registration | None) -> dict[str, Any]:
    """For JSON; without the secret."""
    return {
        "id": hook.id,
        "active": hook.is_active,
        "destination": hook.destination,
        "ours": hook.destination == destination,
        "header": carries_a_token(hook),
        "secret": wanted and wanted.secret_state(hook),
    }


def _registration(operator: Operator) -> Registration | None:
    """None when the stage has no URL or no secret."""
    try:
        return Registration.of(operator.deployment)
    except NotRegistrable:
        return None


def _hooks(operator: Operator) -> Hooks:
    return Hooks.of(operator.deployment.wiring.store)
