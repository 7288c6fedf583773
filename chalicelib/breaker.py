"""The circuit breaker of a batch: when the store is down, its other orders are not attempted."""

import logging
import threading

from chalicelib.edges.aws import AwsError
from chalicelib.edges.bigcommerce import Blocked, StoreError, Unauthorized, Unavailable
from chalicelib.edges.pacing import OutOfTime
from chalicelib.edges.sns import Alerts

logger = logging.getLogger(__name__)

DOWN_AFTER = 3
"""Consecutive orders for which the store is unavailable, or blocked, before the breaker opens."""


class Breaker:
    """Opens on the first rejected token, when the time is over, or when the store is unavailable.

    `open_because` is the error that opened it; it never closes again. `opened` tells the requests
    that are waiting.
    """

    def __init__(self, alerts: Alerts) -> None:
        self.open_because: Exception | None = None
        self.opened = threading.Event()
        self._alerts = alerts
        self._unavailable_in_a_row = 0
        self._lock = threading.Lock()

    def record_success(self) -> None:
        with self._lock:
            self._unavailable_in_a_row = 0

    def record_failure(self, error: Exception) -> None:
        """Count the failure of an order; one that is the order's own means that the store works."""
        if isinstance(error, Unauthorized | OutOfTime):
            self._open(error)
        elif isinstance(error, Unavailable | Blocked):
            with self._lock:
                self._unavailable_in_a_row += 1
                is_down = self._unavailable_in_a_row >= DOWN_AFTER
            if is_down:
                self._open(error)
        elif isinstance(error, StoreError):
            self.record_success()

    def _open(self, error: Exception) -> None:
        with self._lock:
            is_first = self.open_because is None
            self.open_because = self.open_because or error
            self.opened.set()
        if is_first and isinstance(error, Unauthorized):
            self._alert(error)

    def _alert(self, error: Unauthorized) -> None:
        logger.error(
            "store rejected the access token",
            extra={"event": "access_token_rejected", "error": str(error)},
        )
        try:
            self._alerts.publish(
                "BigCommerce rejects the access token",
                {
                    "error": error,
                    "next": "check that the API account exists and has the scope Orders: modify, "
                    "then deploy its new token with a higher secrets_version. Messages stay in the "
                    "queue and are retried.",
                },
                heading="unauthorized",
            )
        except AwsError as unsent:
            logger.error("alert not sent", extra={"event": "alert_not_sent", "error": str(unsent)})
