"""The webhook: authenticates a callback, queues its order id, and records it.

    store/cart/converted, store/order/created ─► orders queue
    store/order/statusUpdated ─────────────────► orders queue if the new status is new, else changes
    every other scope ─────────────────────────► changes queue

A change is queued with a delay: a burst of callbacks about one order costs one read.
"""

import hmac
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from standardwebhooks import Webhook, WebhookVerificationError

from chalicelib.clock import Clock
from chalicelib.domain.callbacks import (
    CART_CONVERTED,
    ORDER_CREATED,
    STATUS_UPDATED,
    TOKEN_HEADER,
    Callback,
    UnreadableCallback,
)
from chalicelib.domain.messages import OrderMessage
from chalicelib.domain.rules import Policy
from chalicelib.edges.aws import AwsError
from chalicelib.edges.dynamodb import WebhooksTable
from chalicelib.edges.sqs import OrdersQueue
from chalicelib.edges.ssm import Secret

logger = logging.getLogger(__name__)

SIGNATURE_HEADERS = frozenset({"webhook-id", "webhook-timestamp", "webhook-signature"})

LARGEST_CALLBACK = 16 * 1024
"""Bytes. BigCommerce's callbacks have about 300."""

CHANGE_DELAY = 10
"""Seconds for which a change stays in its queue before it is delivered: more than an order must be
read after a message, so that the read for one callback is late enough for those that follow it."""


@dataclass(frozen=True)
class WebhookReceiver:
    """Receives callbacks about orders. Sends no request to the store."""

    store_hash: str
    token: Secret
    client_secret: Secret
    queue: OrdersQueue
    changes: OrdersQueue
    policy: Policy
    webhooks: WebhooksTable
    clock: Clock

    def receive(self, headers: Mapping[str, str], body: bytes) -> HTTPStatus:
        """Process a callback; returns the response's status: 200, 401 or 403.

        An authentic callback that cannot be used is answered with 200: BigCommerce deactivates a
        hook whose callbacks are refused. Raises AwsError when the order could not be queued, so
        that BigCommerce retries.
        """
        status, reason = self._receive(
            {name.lower(): value for name, value in headers.items()}, body
        )
        logger.info(
            "webhook answered",
            extra={"event": "webhook_answered", "status": int(status), "reason": reason},
        )
        return status

    def _receive(self, headers: Mapping[str, str], body: bytes) -> tuple[HTTPStatus, str]:
        if reason := self._why_not_authentic(headers, body):
            return HTTPStatus.UNAUTHORIZED, reason
        if len(body) > LARGEST_CALLBACK:
            return _unusable(f"body of {len(body)} bytes is too large")
        try:
            callback = Callback.parse(body)
        except UnreadableCallback as error:
            return _unusable(str(error))
        if callback.producer != f"stores/{self.store_hash}":
            return HTTPStatus.FORBIDDEN, "callback of another store"
        if callback.order_id is None:
            return _unusable("no order of a registered scope")
        self._accept(callback, callback.order_id)
        return HTTPStatus.OK, "queued"

    def _why_not_authentic(self, headers: Mapping[str, str], body: bytes) -> str | None:
        """The token is mandatory; a signature, when present, must also be valid."""
        given = headers.get(TOKEN_HEADER.lower(), "")
        if not _same(given, self.token.value()) and not _same(given, self.token.renew()):
            return "token is missing or wrong"
        if not SIGNATURE_HEADERS.intersection(headers):
            return None
        secret = self.client_secret.value()
        if not secret or _is_signed(headers, body, secret):
            return None
        return (
            None if _is_signed(headers, body, self.client_secret.renew()) else "signature is wrong"
        )

    def _accept(self, callback: Callback, order_id: int) -> None:
        message = OrderMessage(
            order_id=order_id,
            source="webhook",
            queued_at=self.clock.now(),
            part=callback.part,
        )
        if self._may_be_new(callback):
            (message_id,) = self.queue.send([message])
        else:
            (message_id,) = self.changes.send([message], delay=CHANGE_DELAY)
        try:
            self.webhooks.write(
                order_id,
                {
                    "scope": callback.scope,
                    "hash": callback.hash,
                    "cart_id": callback.cart_id,
                    "created_at": callback.created_at,
                    "message_id": message_id,
                },
            )
        except AwsError as error:
            # The order is queued; a 500 response would only queue it again.
            logger.error(
                "webhook not recorded",
                extra={"event": "webhook_not_recorded", "order_id": order_id, "error": str(error)},
            )

    def _may_be_new(self, callback: Callback) -> bool:
        if callback.scope == STATUS_UPDATED:
            status = callback.new_status_id
            return status is None or status in self.policy.new_statuses
        return callback.scope in (CART_CONVERTED, ORDER_CREATED)


def _unusable(reason: str) -> tuple[HTTPStatus, str]:
    logger.warning("callback is unusable", extra={"event": "callback_unusable", "reason": reason})
    return HTTPStatus.OK, reason


def _same(given: str, secret: str) -> bool:
    """Compare in constant time. An empty secret matches nothing."""
    return bool(secret) and hmac.compare_digest(
        given.encode("utf-8", "surrogatepass"), secret.encode()
    )


def _is_signed(headers: Mapping[str, str], body: bytes, secret: str) -> bool:
    """Standard Webhooks: HMAC-SHA256 of id, timestamp and raw body, at most five minutes old.

    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    """
    try:
        Webhook(secret.encode()).verify(body, dict(headers), json_parse=False)
    except (WebhookVerificationError, ValueError):
        # The library does not translate the ValueError of a malformed signature.
        return False
    return True
