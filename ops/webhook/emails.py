"""The e-mail addresses that BigCommerce notifies when it deactivates a hook."""

from dataclasses import dataclass
from typing import Any

from chalicelib.edges.aws import AwsError
from chalicelib.edges.bigcommerce_hooks import Hooks
from ops.deployment import Deployment
from ops.doctor.alerts import confirmed_emails
from ops.store import administration, notify


@dataclass(frozen=True)
class Notification:
    """The addresses as they are set, and the address to add, if any."""

    emails: tuple[str, ...]
    added: str | None = None

    @classmethod
    def plan(cls, deployment: Deployment, hooks: Hooks, given: str | None) -> "Notification":
        """The given address is added; without one, that of the alarms, where none is set.

        Raises StoreError and OutOfTime.
        """
        emails = tuple(administration(hooks).emails)
        if given:
            return cls(emails, None if given in emails else given)
        return cls(emails, None if emails else _alert_address(deployment))

    def apply(self, hooks: Hooks) -> None:
        if self.added:
            notify(hooks, [*self.emails, self.added])

    def facts(self) -> dict[str, Any]:
        return {"set": list(self.emails), "added": self.added}


def _alert_address(deployment: Deployment) -> str | None:
    """The first confirmed e-mail subscription of the errors topic; None if it is unknown."""
    try:
        return next(iter(confirmed_emails(deployment.topic_arns["errors"])), None)
    except AwsError:
        return None
