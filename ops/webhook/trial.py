"""The result of `webhook test`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import click

from chalicelib.domain.callbacks import CART_CONVERTED, ORDER_UPDATED
from chalicelib.edges.bigcommerce_hooks import Hook
from ops.deployment import Deployment
from ops.remedies import run
from ops.store import newest_order_id
from ops.webhook.callback import Answer, Sender
from ops.webhook.listing import hooks_of
from ops.webhook.registration import Registration

TESTED = (CART_CONVERTED, ORDER_UPDATED)
"""A scope of each route."""

ACCEPTED, REJECTED = 200, 401
"""Expected responses to a callback."""


@dataclass(frozen=True)
class Response:
    """The response to one kind of callback, and the status that is expected."""

    callback: str
    answer: Answer
    expected: int

    @property
    def is_expected(self) -> bool:
        return self.answer.status == self.expected


@dataclass(frozen=True)
class RouteTrial:
    """A route's responses to callbacks of a scope, by their kind."""

    url: str
    scope: str
    responses: Mapping[str, Response]

    @classmethod
    def run(cls, sender: Sender, order_id: int, *, require_signature: bool) -> "RouteTrial":
        """Send callbacks of every kind; those about signatures only if the stage verifies them.

        Raises NoResponse.
        """
        responses = {"genuine": Response("valid callback", sender.send(order_id), ACCEPTED)}
        if sender.client_secret:
            unsigned = REJECTED if require_signature else ACCEPTED
            responses |= {
                "late": Response("signature of an hour ago", sender.send_late(order_id), ACCEPTED),
                "unsigned": Response("no signature", sender.send_unsigned(order_id), unsigned),
            }
        responses["forged"] = Response("wrong token", sender.forge(order_id), REJECTED)
        return cls(sender.url, sender.scope, responses)

    @property
    def is_passed(self) -> bool:
        return all(response.is_expected for response in self.responses.values())

    def facts(self) -> dict[str, Any]:
        return {
            "url": self.url,
            "scope": self.scope,
            **{
                kind: {**asdict(response.answer), "expected": response.expected}
                for kind, response in self.responses.items()
            },
        }


@dataclass(frozen=True)
class Trial:
    """The responses of all routes, and the problems of the registered hooks by scope."""

    order_id: int
    signed: bool
    routes: tuple[RouteTrial, ...]
    hook_problems: Mapping[str, Sequence[str]]

    @property
    def is_passed(self) -> bool:
        return all(route.is_passed for route in self.routes) and not self.hook_problems

    def facts(self) -> dict[str, Any]:
        return {
            "order_id": self.order_id,
            "signed": self.signed,
            "routes": [route.facts() for route in self.routes],
            "hook_problems": {scope: list(found) for scope, found in self.hook_problems.items()},
            "passed": self.is_passed,
        }


def try_routes(deployment: Deployment, order_id: int | None) -> Trial:
    """Send callbacks about an order, the store's newest by default, to each route.

    Raises NoResponse, NotRegistrable, AwsError, StoreError and OutOfTime.
    """
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
            clock=deployment.clock,
        )
        routes.append(
            RouteTrial.run(sender, order_id, require_signature=settings.require_signature)
        )
    problems = hook_problems(wanted, hooks_of(deployment).all())
    return Trial(order_id, bool(secret), tuple(routes), problems)


def hook_problems(wanted: Registration, hooks: list[Hook]) -> dict[str, list[str]]:
    """The problems of the hooks that are registered at the store, by scope."""
    problems = {scope: ["it is not registered at the store"] for scope in wanted.missing(hooks)}
    for scope, hook in wanted.here(hooks).items():
        if found := wanted.problems(hook):
            problems[scope] = found
    return problems


def render_trial(stage: str, trial: Trial) -> str:
    signed = "signed" if trial.signed else "not signed: the stage has no client secret"
    lines = [f"Callbacks for order {trial.order_id} ({signed})"]
    for route in trial.routes:
        lines.append(f"{route.scope} to {route.url}")
        lines += map(_line, route.responses.values())
    lines.append("webhooks at the store")
    for scope, problems in trial.hook_problems.items():
        lines += [f"  [red]✘[/] {scope}: {problem}" for problem in problems]
    if trial.hook_problems:
        lines.append(f"    [bold]→ {run(stage, 'webhook register')}[/]")
    else:
        lines.append("  [green]✔[/] all registered and active, with the current secret")
    return "\n".join(lines)


def _line(response: Response) -> str:
    answer = response.answer
    mark = "[green]✔[/]" if response.is_expected else "[red]✘[/]"
    suffix = "" if response.is_expected else f" (expected {response.expected})"
    return f"  {mark} {response.callback}: {answer.status}{suffix} after {answer.milliseconds} ms"
