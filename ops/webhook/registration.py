"""The webhooks that a stage needs at the store, and the problems of existing ones."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import click

from chalicelib.domain.callbacks import TOKEN_HEADER
from chalicelib.edges.bigcommerce import Rejected
from chalicelib.edges.bigcommerce_hooks import Hook, Hooks
from chalicelib.hook_check import destinations
from ops.deployment import Deployment
from ops.remedies import deploy, deploy_secret
from ops.store import create_hook

SecretState: TypeAlias = Literal["current", "outdated", "missing"]
Result: TypeAlias = Literal["registered", "updated", "nothing"]


class NotRegistrable(click.ClickException):
    """The stage cannot have webhooks: the problem and its fix."""

    def __init__(self, problem: str, fix: str) -> None:
        super().__init__(f"{problem}: {fix}")
        self.problem, self.fix = problem, fix


@dataclass(frozen=True)
class Registration:
    """The hooks that a stage needs: the URL of each scope, and the secret in their headers.

    `token` is empty where the stage has none; then the secret of a hook is not judged.
    """

    destinations: Mapping[str, str]
    token: str = field(repr=False)

    @classmethod
    def of(cls, deployment: Deployment) -> "Registration":
        """What can be registered. Raises NotRegistrable, AwsError and SettingsError."""
        settings = deployment.settings
        for name in ("webhook_url", "order_changed_url"):
            if not getattr(settings, name):
                raise NotRegistrable(
                    f"the stage has no webhook URL ({name.upper()} is empty)",
                    deploy(deployment.stage),
                )
        wanted = cls.known(deployment)
        if not wanted.token:
            raise NotRegistrable(
                "the webhook token is not set, so every callback would be rejected",
                deploy_secret(deployment.stage, "webhook_token"),
            )
        return wanted

    @classmethod
    def known(cls, deployment: Deployment) -> "Registration":
        """The same with what is known: URLs and token may be missing."""
        settings = deployment.settings
        token = deployment.secret(settings.webhook_token_parameter)
        return cls(destinations(settings.webhook_url, settings.order_changed_url), token)

    def here(self, hooks: Iterable[Hook]) -> dict[str, Hook]:
        """This stage's hooks, by scope."""
        return {hook.scope: hook for hook in hooks if self.is_here(hook)}

    def missing(self, hooks: Iterable[Hook]) -> list[str]:
        """The scopes for which no hook is registered, in the order of registration."""
        found = self.here(hooks)
        return [scope for scope in self.destinations if scope not in found]

    def is_here(self, hook: Hook) -> bool:
        return self.destinations.get(hook.scope) == hook.destination

    def is_left_behind(self, hook: Hook) -> bool:
        """Has our header and is not needed: a stage that was created again has other URLs."""
        return carries_a_token(hook) and not self.is_here(hook)

    def secret_state(self, hook: Hook) -> SecretState | None:
        """None where the stage has no secret to compare with."""
        token = _token(hook)
        if not self.token:
            return None
        if token is None:
            return "missing"
        return "current" if token == self.token else "outdated"

    def problems(self, hook: Hook) -> list[str]:
        """Why one of this stage's hooks does not work."""
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
    """Creates and changes the hooks of a stage. Raises StoreError and OutOfTime."""

    hooks: Hooks
    wanted: Registration

    def changes(self, found: Sequence[Hook]) -> tuple[list[str], list[Hook]]:
        """The scopes to register, and the hooks to update."""
        here = self.wanted.here(found).values()
        return self.wanted.missing(found), [hook for hook in here if self.wanted.problems(hook)]

    def register(self, scope: str, hook: Hook | None) -> tuple[Result, Hook]:
        """Register a scope, or make its hook work; leaves a hook that works."""
        if hook is None:
            return "registered", self._create(scope)
        if not self.wanted.problems(hook):
            return "nothing", hook
        return "updated", self._update(hook)

    def _create(self, scope: str) -> Hook:
        """Register the hook, or update it if it was registered in the meantime."""
        destination = self.wanted.destinations[scope]
        try:
            return create_hook(self.hooks, scope, destination, self.wanted.headers())
        except Rejected:
            made = self.wanted.here(self.hooks.all()).get(scope)
            if made is None:
                raise
            return self._update(made)

    def _update(self, hook: Hook) -> Hook:
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
