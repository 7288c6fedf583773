"""The hook by which the store calls us: register it, look at it, remove it, try it."""

from dataclasses import asdict, dataclass
from typing import Any

import click

from chalicelib.domain.models import CART_CONVERTED, TOKEN_HEADER
from chalicelib.edges.bigcommerce import Rejected
from chalicelib.edges.bigcommerce_hooks import Hook, Hooks
from ops.cli import Operator, command, fail, main
from ops.poll.command import ORDER_ID
from ops.remedies import run
from ops.store import delete_hook, newest_order_id
from ops.webhook.callback import ADMITTED, REFUSED, Answer, Sender
from ops.webhook.registration import Registrar, Registration, carries_a_token

SAID = {
    "registered": "is registered; it may take a minute to work",
    "mended": "is switched on and carries the stage's secret",
    "nothing": "is well, and nothing was changed",
}
"""What `register` did, in words."""


@main.group()
def webhook() -> None:
    """Register, list, remove and test the hook by which the store calls this stage."""


@command(webhook, "python -m ops --stage prod webhook register", changes=True)
def register(operator: Operator) -> None:
    """Have the store call this stage for every cart that becomes an order.

    Harmless when the hook is there: one that BigCommerce has switched off is switched on again,
    and one without the stage's secret gets it.
    """
    wanted, hooks = Registration.of(operator.deployment), _hooks(operator)
    found = hooks.of_scope(CART_CONVERTED)
    here = next(filter(wanted.is_here, found), None)
    did, hook = _brought_about(operator, Registrar(hooks, wanted), here)
    elsewhere = [other for other in found if wanted.is_left_behind(other)]
    shown = facts(hook, wanted.destination)
    operator.answer({"did": did, "hook": shown, "elsewhere": [other.id for other in elsewhere]})
    operator.say(f"Hook {hook.id} {SAID[did]}: it leads to {hook.destination}")
    for other in elsewhere:
        operator.say(
            f"[yellow]Hook {other.id} carries our header to {other.destination}.[/] If that stage "
            f"is gone: {run(operator.stage, f'webhook remove {other.id}')}"
        )


def _brought_about(operator: Operator, registrar: Registrar, here: Hook | None) -> tuple[str, Hook]:
    """What was done, and the hook as it is now; asks before it does anything."""
    if here and not registrar.wanted.complaints(here):
        return "nothing", here
    operator.confirm("change the hook of the store" if here else "register a hook at the store")
    if here:
        return "mended", registrar.mend(here)
    try:
        return "registered", registrar.create()
    except Rejected as error:
        raise click.ClickException(
            f"the store refuses the hook ({error}): its URL must be HTTPS on port 443, and an "
            "account may have ten hooks of a scope; webhook list shows them"
        ) from None


@command(webhook, "python -m ops --stage prod webhook list", name="list")
def show(operator: Operator) -> None:
    """Show the store's hooks of our scope; a token sees only those that it made."""
    destination = operator.deployment.webhook_url
    shown = [facts(hook, destination) for hook in _hooks(operator).of_scope(CART_CONVERTED)]
    operator.answer(shown)
    if not shown:
        operator.say(f"There is no hook: {run(operator.stage, 'webhook register')}")
        return
    for hook in shown:
        operator.say(_line(hook))


def _line(hook: dict[str, Any]) -> str:
    """A hook as `facts` has it, its URL last and never shortened."""
    return (
        f"{hook['id']}  {'active  ' if hook['active'] else 'inactive'}  "
        f"{'ours    ' if hook['ours'] else 'not ours'}  "
        f"{'with' if hook['header'] else 'without'} {TOKEN_HEADER}  {hook['destination']}"
    )


@command(webhook, "python -m ops --stage prod webhook remove", changes=True)
@click.argument("hook_id", type=click.IntRange(1), required=False, metavar="[ID]")
def remove(operator: Operator, hook_id: int | None) -> None:
    """Remove a hook of our scope: the one that leads to this stage, or the one with this ID."""
    hooks = _hooks(operator)
    chosen = _chosen(hooks, operator.deployment.webhook_url, hook_id)
    if chosen is None:
        operator.say("No hook leads to this stage; nothing was removed.")
    else:
        operator.confirm(f"remove hook {chosen.id} to {chosen.destination}")
        delete_hook(hooks, chosen.id)
        operator.say(
            f"Hook {chosen.id} to {chosen.destination} is removed; "
            "the polls find orders all the same."
        )
    operator.answer({"removed": chosen and chosen.id})


def _chosen(hooks: Hooks, destination: str, hook_id: int | None) -> Hook | None:
    """The hook to remove. Raises ClickException for an id that is none of our scope's."""
    found = hooks.of_scope(CART_CONVERTED)
    if hook_id is None:
        return next((hook for hook in found if hook.destination == destination), None)
    chosen = next((hook for hook in found if hook.id == hook_id), None)
    if chosen is None:
        raise click.ClickException(
            f"there is no hook {hook_id} of scope {CART_CONVERTED}; webhook list shows them"
        )
    return chosen


@dataclass(frozen=True)
class Trial:
    """What a deployed webhook answered to a callback of ours and to a forged one."""

    order_id: int
    url: str
    signed: bool
    genuine: Answer
    forged: Answer

    @property
    def is_passed(self) -> bool:
        return (self.genuine.status, self.forged.status) == (ADMITTED, REFUSED)

    def facts(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "genuine": {**asdict(self.genuine), "expected": ADMITTED},
            "forged": {**asdict(self.forged), "expected": REFUSED},
            "passed": self.is_passed,
        }


@command(webhook, "python -m ops --stage prod webhook test --order 118", name="test")
@click.option("--order", "order_id", type=ORDER_ID, help="Another order than the store's newest.")
def try_out(operator: Operator, order_id: int | None) -> None:
    """Send the deployed webhook a callback, and a forged one.

    The first is authentic and queues an order, the store's newest unless another is named. That
    is harmless: an order that is not new is let go when its turn comes, and one that is new would
    have been replicated anyway. The second carries a wrong token and must be refused.
    """
    deployment = operator.deployment
    wanted, settings = Registration.of(deployment), deployment.settings
    secret = deployment.wiring.secret(settings.client_secret_parameter).value()
    order_id = order_id or newest_order_id(deployment.wiring.store)
    if order_id is None:
        raise click.ClickException("the store has no order yet; name one with --order")
    sender = Sender(wanted.destination, settings.bigcommerce_store_hash, wanted.token, secret)
    genuine, forged = sender.send(order_id), sender.forge(order_id)
    trial = Trial(order_id, wanted.destination, bool(secret), genuine, forged)
    operator.answer(trial.facts())
    operator.say(told(trial))
    if not trial.is_passed:
        fail()


def told(trial: Trial) -> str:
    """A trial in three lines."""
    signed = "signed" if trial.signed else "not signed, since there is no client secret"
    return "\n".join(
        (
            f"A callback for order {trial.order_id} ({signed}) to {trial.url}",
            _answered("our own", trial.genuine, ADMITTED),
            _answered("a wrong token", trial.forged, REFUSED),
        )
    )


def _answered(what: str, answer: Answer, expected: int) -> str:
    is_so = answer.status == expected
    mark, wrong = ("[green]✔[/]", "") if is_so else ("[red]✘[/]", f", not {expected}")
    return f"{mark} {what}: answered {answer.status}{wrong} after {answer.milliseconds} ms"


def facts(hook: Hook, destination: str) -> dict[str, Any]:
    """A hook for programs; its header's value stays out."""
    return {
        "id": hook.id,
        "active": hook.is_active,
        "destination": hook.destination,
        "ours": hook.destination == destination,
        "header": carries_a_token(hook),
    }


def _hooks(operator: Operator) -> Hooks:
    return Hooks.of(operator.deployment.wiring.store)
