"""What `webhook register` does at the store."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import click

from chalicelib.edges.bigcommerce import Rejected
from chalicelib.edges.bigcommerce_hooks import Hook, Hooks
from ops.deployment import Deployment
from ops.remedies import run
from ops.webhook.emails import Notification
from ops.webhook.listing import hooks_of
from ops.webhook.registration import Registrar, Registration, Result
from ops.wording import count


@dataclass(frozen=True)
class Plan:
    """The webhooks that a stage needs, those that the store has, and whom BigCommerce notifies."""

    stage: str
    hooks: Hooks
    wanted: Registration
    found: list[Hook]
    notification: Notification

    @classmethod
    def of(cls, deployment: Deployment, email: str | None = None) -> Self:
        """Raises NotRegistrable, AwsError, StoreError and OutOfTime."""
        hooks, wanted = hooks_of(deployment), Registration.of(deployment)
        found = hooks.all()
        return cls(
            deployment.stage, hooks, wanted, found, Notification.plan(deployment, hooks, email)
        )

    @property
    def changes(self) -> str:
        """What it changes, in words; empty if nothing is to be changed."""
        missing, broken = self._registrar.changes(self.found)
        changes = [f"register {count(len(missing), 'webhook')}"] if missing else []
        changes += [f"change {count(len(broken), 'webhook')}"] if broken else []
        if self.notification.added:
            changes.append(f"notify {self.notification.added} of inactive ones")
        return f"{', '.join(changes)} at the store" if changes else ""

    def apply(self) -> Iterator[tuple[Result, Hook]]:
        """The hook of every scope, with what was done. Raises StoreError and ClickException."""
        here = self.wanted.here(self.found)
        for scope in self.wanted.destinations:
            yield self._register(scope, here.get(scope))
        self.notification.apply(self.hooks)

    def _register(self, scope: str, hook: Hook | None) -> tuple[Result, Hook]:
        try:
            return self._registrar.register(scope, hook)
        except Rejected as error:
            raise click.ClickException(
                f"the store rejects the webhook {scope} ({error}): its URL must be HTTPS on port "
                "443, and an API account may have ten webhooks of a scope; "
                f"to list them: {run(self.stage, 'webhook list')}"
            ) from None

    @property
    def _registrar(self) -> Registrar:
        return Registrar(self.hooks, self.wanted)
