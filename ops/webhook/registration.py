"""The webhook that a stage needs at the store, and the problems of an existing one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import click

from chalicelib.domain.models import CART_CONVERTED, TOKEN_HEADER
from chalicelib.edges.bigcommerce import Rejected
from chalicelib.edges.bigcommerce_hooks import Hook, Hooks
from ops.deployment import Deployment
from ops.remedies import deploy, deploy_secret
from ops.store import create_hook

SecretState: TypeAlias = Literal["current", "outdated", "missing"]


class NotRegistrable(click.ClickException):
    """The stage cannot have a webhook: the problem and its fix."""

    def __init__(self, problem: str, fix: str) -> None:
        super().__init__(f"{problem}: {fix}")
        self.problem, self.fix = problem, fix


@dataclass(frozen=True)
class Registration:
    """The hook that a stage needs: its destination, and the secret in its headers."""

    destination: str
    token: str = field(repr=False)

    @classmethod
    def of(cls, deployment: Deployment) -> "Registration":
        """Raises NotRegistrable, AwsError and SettingsError."""
        if not deployment.webhook_url:
            raise NotRegistrable(
                "the stage has no webhook URL (WEBHOOK_URL is empty)",
                deploy(deployment.stage),
            )
        token = deployment.wiring.secret(deployment.settings.webhook_token_parameter).value()
        if not token:
            raise NotRegistrable(
                "the webhook token is not set, so the webhook would reject every callback",
                deploy_secret(deployment.stage, "webhook_token"),
            )
        return cls(deployment.webhook_url, token)

    def is_here(self, hook: Hook) -> bool:
        return hook.destination == self.destination

    def is_left_behind(self, hook: Hook) -> bool:
        """Has our header but another URL: a stage that was created again has a new one."""
        return carries_a_token(hook) and not self.is_here(hook)

    def secret_state(self, hook: Hook) -> SecretState:
        token = _token(hook)
        if token is None:
            return "missing"
        return "current" if token == self.token else "outdated"

    def problems(self, hook: Hook) -> list[str]:
        """Why a hook with this destination does not work."""
        problems = [] if hook.is_active else ["it is inactive"]
        match self.secret_state(hook):
            case "missing":
                problems.append(f"it does not send {TOKEN_HEADER}")
            case "outdated":
                problems.append(f"it sends an outdated {TOKEN_HEADER}")
        return problems

    def headers(self, hook: Hook | None = None) -> dict[str, str]:
        """The headers to register; other headers of an existing hook are kept."""
        return {**_others(hook.headers if hook else {}), TOKEN_HEADER: self.token}


@dataclass(frozen=True)
class Registrar:
    """Creates and changes the hook of a stage. Raises StoreError and OutOfTime."""

    hooks: Hooks
    wanted: Registration

    def create(self) -> Hook:
        """Register the hook, or update it if it was registered in the meantime."""
        try:
            return create_hook(
                self.hooks, CART_CONVERTED, self.wanted.destination, self.wanted.headers()
            )
        except Rejected:
            registered = self.hooks.of_scope(CART_CONVERTED)
            made = next(filter(self.wanted.is_here, registered), None)
            if made is None:
                raise
            return self.update(made)

    def update(self, hook: Hook) -> Hook:
        """Activate a hook and set its secret, where necessary."""
        if not self.wanted.problems(hook):
            return hook
        return self.hooks.change(hook.id, is_active=True, headers=self.wanted.headers(hook))


def carries_a_token(hook: Hook) -> bool:
    """Whether a hook has our header, with any value."""
    return _token(hook) is not None


def _token(hook: Hook) -> str | None:
    """The value of our header; header names are case-insensitive."""
    ours = TOKEN_HEADER.lower()
    return next((value for name, value in hook.headers.items() if name.lower() == ours), None)


def _others(headers: Mapping[str, str]) -> dict[str, str]:
    return {n: value for n, value in headers.items() if n.lower() != TOKEN_HEADER.lower()}
