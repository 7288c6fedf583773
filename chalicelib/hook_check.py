"""The check of the webhooks in a sweep: BigCommerce deactivates and deletes hooks silently.

Hooks are deleted with the API account that made them
(https://developer.bigcommerce.com/docs/integrations/webhooks).
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.domain.callbacks import CART_CONVERTED, CHANGE_SCOPES
from chalicelib.edges.aws import AwsError
from chalicelib.edges.bigcommerce import StoreError
from chalicelib.edges.bigcommerce_hooks import Hook, Hooks
from chalicelib.edges.pacing import OutOfTime
from chalicelib.edges.sns import Alerts

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class HookCheck:
    """Checks that the hook of every scope in `destinations` exists and is active."""

    hooks: Hooks
    alerts: Alerts
    destinations: Mapping[str, str]

    def check(self) -> None:
        """Reactivate inactive hooks; send an alert about them, and about missing ones.

        Errors are logged and not raised: the sweep finds the orders without the webhooks.
        """
        if not self.destinations:
            return
        try:
            ours = [hook for hook in self.hooks.all() if self._is_ours(hook)]
            if missing := sorted(self.destinations.keys() - {hook.scope for hook in ours}):
                self._report_missing(missing)
            for hook in ours:
                if not hook.is_active:
                    self._reactivate(hook)
        except (StoreError, OutOfTime, AwsError) as error:
            logger.error(
                "webhook not checked", extra={"event": "hook_check_failed", "error": str(error)}
            )

    def _is_ours(self, hook: Hook) -> bool:
        return self.destinations.get(hook.scope) == hook.destination

    def _report_missing(self, scopes: list[str]) -> None:
        logger.warning("webhooks are missing", extra={"event": "hooks_missing", "scopes": scopes})
        self._alert(
            "webhooks are not registered",
            {
                "scopes": ", ".join(scopes),
                "effect": "orders are found by the polls only, and later",
                "cause": "they were never registered, or the API account that registered them was "
                "deleted or replaced",
                "next": f".venv/bin/python -m ops --stage {self.alerts.stage} webhook register",
            },
            heading="hooks-missing",
        )

    def _reactivate(self, hook: Hook) -> None:
        self.hooks.change(hook.id, is_active=True)
        logger.warning(
            "webhook reactivated",
            extra={"event": "hook_reactivated", "hook_id": hook.id, "scope": hook.scope},
        )
        self._alert(
            f"the webhook {hook.scope} was inactive and was reactivated",
            {
                "hook": hook.id,
                "scope": hook.scope,
                "destination": hook.destination,
                "cause": "BigCommerce deactivates a hook after two days of failed deliveries or "
                "ninety days without events, and does not send the missed callbacks again",
                "next": "no action is needed: this sweep queues the missed orders. "
                "Check the webhook with: "
                f".venv/bin/python -m ops --stage {self.alerts.stage} doctor",
            },
            heading="webhook-reactivated",
        )

    def _alert(self, subject: str, facts: dict[str, Any], *, heading: str) -> None:
        try:
            self.alerts.publish(subject, facts, heading=heading)
        except AwsError as error:
            # The other hooks are still checked.
            logger.error("alert not sent", extra={"event": "alert_not_sent", "error": str(error)})


def destinations(cart_converted_url: str, order_changed_url: str) -> dict[str, str]:
    """The URL of every scope to register; none for a route whose URL is not known."""
    wanted = {CART_CONVERTED: cart_converted_url}
    wanted |= dict.fromkeys(CHANGE_SCOPES, order_changed_url)
    return {scope: url for scope, url in wanted.items() if url}
