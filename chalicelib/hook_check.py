"""What a sweep does for the webhook: BigCommerce gives up on a hook and tells nobody."""

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
    """Looks after the hook that leads to `destination`; without one there is nothing to watch."""

    hooks: Hooks
    alerts: Alerts
    destination: str

    def check(self) -> None:
        """Switch our hook on again when it is off, and tell people.

        Never raises: whatever is wrong with the hook, the sweep finds the orders.
        """
        if not self.destination:
            return
        try:
            ours = [h for h in self.hooks.of_scope(CART_CONVERTED) if self._is_ours(h)]
            if not ours:
                logger.info("no webhook registered", extra={"event": "hook_missing"})
            for hook in ours:
                if not hook.is_active:
                    self._switch_on(hook)
        except (StoreError, OutOfTime, AwsError) as error:
            logger.error(
                "webhook not checked", extra={"event": "hook_check_failed", "error": str(error)}
            )

    def _is_ours(self, hook: Hook) -> bool:
        return hook.destination == self.destination

    def _switch_on(self, hook: Hook) -> None:
        self.hooks.change(hook.id, is_active=True)
        logger.warning(
            "webhook reactivated", extra={"event": "hook_reactivated", "hook_id": hook.id}
        )
        self.alerts.publish(
            "the webhook was off and is on again",
            {
                "hook": hook.id,
                "destination": hook.destination,
                "why": "BigCommerce switches a hook off after two days of failures or ninety of "
                "silence, and sends nothing again",
                "next": "nothing: the sweep that noticed queues the orders that were missed; "
                f"python -m ops --stage {self.alerts.stage} doctor shows whether webhooks arrive",
            },
        )
