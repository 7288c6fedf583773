"""The hook by which the store is to call a stage: what it must look like, and what is no good."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import click

from chalicelib.domain.models import CART_CONVERTED, TOKEN_HEADER
from chalicelib.edges.bigcommerce import Rejected
from chalicelib.edges.bigcommerce_hooks import Hook, Hooks
from ops.deployment import Deployment
from ops.remedies import deploy, deploy_secret
from ops.store import create_hook


class NotRegistrable(click.ClickException):
    """The stage lacks what a hook needs: what, and the commands that mend it."""

    def __init__(self, lacks: str, mend: str) -> None:
        super().__init__(f"{lacks}: {mend}")
        self.lacks, self.mend = lacks, mend


@dataclass(frozen=True)
class Registration:
    """What the hook of a stage is to be: where it leads, and the secret that it carries."""

    destination: str
    token: str = field(repr=False)

    @classmethod
    def of(cls, deployment: Deployment) -> "Registration":
        """Raises NotRegistrable, AwsError and SettingsError."""
        if not deployment.webhook_url:
            raise NotRegistrable(
                "the stage does not know its own URL (WEBHOOK_URL is empty)",
                deploy(deployment.stage),
            )
        token = deployment.wiring.secret(deployment.settings.webhook_token_parameter).value()
        if not token:
            raise NotRegistrable(
                "the webhook token is not set, so every callback would be refused",
                deploy_secret(deployment.stage, "webhook_token"),
            )
        return cls(deployment.webhook_url, token)

    def is_here(self, hook: Hook) -> bool:
        return hook.destination == self.destination

    def is_left_behind(self, hook: Hook) -> bool:
        """Ours by its header, but led to another URL: a stage made anew has a new one."""
        return carries_a_token(hook) and not self.is_here(hook)

    def complaints(self, hook: Hook) -> list[str]:
        """What is wrong with a hook that leads here."""
        token = _token(hook)
        return [
            complaint
            for complaint, holds in (
                ("it is switched off", not hook.is_active),
                (f"it carries no {TOKEN_HEADER}", token is None),
                (
                    f"its {TOKEN_HEADER} is not the stage's secret",
                    token not in (None, self.token),
                ),
            )
            if holds
        ]

    def headers(self, hook: Hook | None = None) -> dict[str, str]:
        """The headers to register; those that somebody has added to a hook stay."""
        return {**_others(hook.headers if hook else {}), TOKEN_HEADER: self.token}


@dataclass(frozen=True)
class Registrar:
    """Brings a store's hooks to what a registration asks for. Raises StoreError and OutOfTime."""

    hooks: Hooks
    wanted: Registration

    def here(self) -> Hook | None:
        return next(filter(self.wanted.is_here, self.hooks.of_scope(CART_CONVERTED)), None)

    def create(self) -> Hook:
        """Register the hook; one that somebody else has just made is brought into shape."""
        try:
            return create_hook(
                self.hooks, CART_CONVERTED, self.wanted.destination, self.wanted.headers()
            )
        except Rejected:
            made = self.here()
            if made is None:
                raise
            return self.mend(made)

    def mend(self, hook: Hook) -> Hook:
        """Switch a hook on and have it carry the secret, if it does not already."""
        if not self.wanted.complaints(hook):
            return hook
        return self.hooks.change(hook.id, is_active=True, headers=self.wanted.headers(hook))


def carries_a_token(hook: Hook) -> bool:
    """Whether a hook has our header, whatever its value."""
    return _token(hook) is not None


def _token(hook: Hook) -> str | None:
    """What a hook carries in our header; the case of a header's name does not matter."""
    ours = TOKEN_HEADER.lower()
    return next((value for name, value in hook.headers.items() if name.lower() == ours), None)


def _others(headers: Mapping[str, str]) -> dict[str, str]:
    return {n: value for n, value in headers.items() if n.lower() != TOKEN_HEADER.lower()}
