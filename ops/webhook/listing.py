"""The webhooks of our scopes that are registered at the store, and what is missing."""

from dataclasses import dataclass
from typing import Any, Self

from chalicelib.domain.callbacks import CART_CONVERTED, CHANGE_SCOPES
from chalicelib.edges.bigcommerce_hooks import Hook, Hooks
from ops.deployment import Deployment
from ops.webhook.registration import Registration, carries_a_token

SCOPES = (CART_CONVERTED, *CHANGE_SCOPES)


@dataclass(frozen=True)
class Listing:
    """The facts of each hook, without its secret, and the scopes that have none."""

    hooks: list[dict[str, Any]]
    missing: list[str]

    @classmethod
    def of(cls, deployment: Deployment) -> Self:
        """Raises AwsError, StoreError and OutOfTime."""
        wanted = Registration.known(deployment)
        found = ours(deployment)
        return cls([facts(hook, wanted) for hook in found], wanted.missing(found))

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing, and all hooks of the stage work."""
        return not self.missing and all(works(hook) for hook in self.hooks if hook["ours"])

    def facts(self) -> dict[str, Any]:
        return {"hooks": self.hooks, "missing": self.missing}


def hooks_of(deployment: Deployment) -> Hooks:
    return Hooks.of(deployment.wiring.store)


def ours(deployment: Deployment) -> list[Hook]:
    """The hooks of the scopes that a stage needs, and those with our header."""
    hooks = hooks_of(deployment).all()
    return [hook for hook in hooks if hook.scope in SCOPES or carries_a_token(hook)]


def works(hook: dict[str, Any]) -> bool:
    """Whether a hook, by its facts, is active and sends the secret."""
    return bool(hook["active"]) and hook["secret"] in ("current", None)


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
