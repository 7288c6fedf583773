"""The result of `webhook test`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ops.remedies import run
from ops.webhook.callback import ACCEPTED, REJECTED, Answer


@dataclass(frozen=True)
class RouteTrial:
    """A route's responses to a valid and to a forged callback of a scope."""

    url: str
    scope: str
    genuine: Answer
    forged: Answer

    @property
    def is_passed(self) -> bool:
        return (self.genuine.status, self.forged.status) == (ACCEPTED, REJECTED)

    def facts(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "genuine": {**asdict(self.genuine), "expected": ACCEPTED},
            "forged": {**asdict(self.forged), "expected": REJECTED},
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


def render_trial(stage: str, trial: Trial) -> str:
    signed = "signed" if trial.signed else "not signed: the stage has no client secret"
    lines = [f"Callbacks for order {trial.order_id} ({signed})"]
    for route in trial.routes:
        lines += [
            f"{route.scope} to {route.url}",
            _response("valid callback", route.genuine, ACCEPTED),
            _response("callback with a wrong token", route.forged, REJECTED),
        ]
    lines.append("webhooks at the store")
    for scope, problems in trial.hook_problems.items():
        lines += [f"  [red]✘[/] {scope}: {problem}" for problem in problems]
    if trial.hook_problems:
        lines.append(f"    [bold]→ {run(stage, 'webhook register')}[/]")
    else:
        lines.append("  [green]✔[/] all registered and active, with the current secret")
    return "\n".join(lines)


def _response(callback: str, answer: Answer, expected: int) -> str:
    is_expected = answer.status == expected
    mark = "[green]✔[/]" if is_expected else "[red]✘[/]"
    suffix = "" if is_expected else f" (expected {expected})"
    return f"  {mark} {callback}: {answer.status}{suffix} after {answer.milliseconds} ms"
