"""The result of `webhook test`."""

from dataclasses import asdict, dataclass
from typing import Any

from ops.remedies import run
from ops.webhook.callback import ACCEPTED, REJECTED, Answer


@dataclass(frozen=True)
class Trial:
    """The webhook's responses to a valid and to a forged callback, and the hook's problems."""

    order_id: int
    url: str
    signed: bool
    genuine: Answer
    forged: Answer
    hook_problems: list[str]

    @property
    def is_passed(self) -> bool:
        statuses = (self.genuine.status, self.forged.status)
        return statuses == (ACCEPTED, REJECTED) and not self.hook_problems

    def facts(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "genuine": {**asdict(self.genuine), "expected": ACCEPTED},
            "forged": {**asdict(self.forged), "expected": REJECTED},
            "passed": self.is_passed,
        }


def render_trial(stage: str, trial: Trial) -> str:
    signed = "signed" if trial.signed else "not signed: the stage has no client secret"
    lines = [
        f"Callback for order {trial.order_id} ({signed}) to {trial.url}",
        _response("valid callback", trial.genuine, ACCEPTED),
        _response("callback with a wrong token", trial.forged, REJECTED),
    ]
    lines += [f"[red]✘[/] webhook at the store: {problem}" for problem in trial.hook_problems]
    if trial.hook_problems:
        lines.append(f"  [bold]→ {run(stage, 'webhook register')}[/]")
    else:
        lines.append("[green]✔[/] webhook at the store: active, current secret")
    return "\n".join(lines)


def _response(callback: str, answer: Answer, expected: int) -> str:
    is_expected = answer.status == expected
    mark = "[green]✔[/]" if is_expected else "[red]✘[/]"
    suffix = "" if is_expected else f" (expected {expected})"
    return f"{mark} {callback}: {answer.status}{suffix} after {answer.milliseconds} ms"
