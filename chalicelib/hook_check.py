"""The check of the webhook in a sweep: BigCommerce deactivates hooks without a notification."""

import logging
from dataclasses import dataclass

from chalicelib.domain.models import CART_CONVERTED
from chalicelib.edges.aws import AwsError
from chalicelib.edges.bigcommerce import StoreError
from chalicelib.edges.bigcommerce_hooks import Hook, Hooks
from chalicelib.edges.pacing import OutOfTime
from chalicelib.edges.sns import Alerts

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class HookCheck:
    """Checks the hook with this `destination`; an empty one disables the check."""

    hooks: Hooks
    alerts: Alerts
    destination: str

    def check(self) -> None:
        """Reactivate the stage's hook when it is inactive, and send an alert.

        Errors are logged and not raised: the sweep finds the orders without the webhook.
        """
        if not self.destination:
            return
        try:
            ours = [h for h in self.hooks.of_scope(CART_CONVERTED) if self._is_ours(h)]
            if not ours:
                logger.info("no webhook registered", extra={"event": "hook_missing"})
            for hook in ours:
                if not hook.is_active:
                    self._reactivate(hook)
        except (StoreError, OutOfTime, AwsError) as error:
            logger.error(
                "webhook not checked", extra={"event": "hook_check_failed", "error": str(error)}
            )

    def _is_ours(self, hook: Hook) -> bool:
        return hook.destination == self.destination

    def _reactivate(self, hook: Hook) -> None:
        self.hooks.change(hook.id, is_active=True)
        logger.warning(
            "webhook reactivated", extra={"event": "hook_reactivated", "hook_id": hook.id}
        )
        self.alerts.publish(
            "the webhook was inactive and was reactivated",
            {
                "hook": hook.id,
                "destination": hook.destination,
                "cause": "BigCommerce deactivates a hook after two days of failed deliveries or "
                "ninety days without events, and does not send the missed callbacks again",
                "next": "no action is needed: this sweep queues the missed orders. "
                "Check the webhook with: "
                f".venv/bin/python -m ops --stage {self.alerts.stage} doctor",
            },
            heading="webhook-reactivated",
        )
