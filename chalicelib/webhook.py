"""The webhook: authenticates a callback, queues its order id, and records it.

    store/cart/converted, store/order/created ─► orders queue
    store/order/statusUpdated ─────────────────► orders queue if the new status is new, else changes
    every other scope ─────────────────────────► changes queue

A change is queued with a delay: a burst of callbacks about one order costs one read.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from chalicelib.authentication import LATE_AFTER, WEBHOOK_ID, Authentication, NotAuthentic
from chalicelib.clock import Clock
from chalicelib.domain.callbacks import (
    CART_CONVERTED,
    LONGEST_TEXT,
    ORDER_CREATED,
    STATUS_UPDATED,
    Callback,
    UnreadableCallback,
)
from chalicelib.domain.messages import OrderMessage
from chalicelib.domain.rules import Policy
from chalicelib.edges.aws import AwsError
from chalicelib.edges.dynamodb import WebhooksTable
from chalicelib.edges.sqs import OrdersQueue

logger = logging.getLogger(__name__)

LARGEST_CALLBACK = 16 * 1024
"""Bytes. BigCommerce's callbacks have about 300."""

CHANGE_DELAY = 10
"""Seconds for which a change stays in its queue before it is delivered: more than an order must be
read after a message, so that the read for one callback is late enough for those that follow it."""


class Refused(Exception):
    """The request is not answered with 200; the text is the reason."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True)
class WebhookReceiver:
    """Receives callbacks about orders. Sends no request to the store."""

    store_hash: str
    authentication: Authentication
    queue: OrdersQueue
    changes: OrdersQueue
    policy: Policy
    webhooks: WebhooksTable
    clock: Clock

    def receive(
        self, headers: Mapping[str, str], body: Callable[[], bytes], source: str
    ) -> HTTPStatus:
        """Process a callback; returns the status of the response.

        The body is decoded only for a request with the token; `source` is the address of the
        sender. An authentic callback that cannot be used is answered with 200: BigCommerce
        deactivates a hook whose callbacks are refused. While the secrets cannot be read, the status
        is 503. Raises AwsError when the order could not be queued. BigCommerce retries both.
        """
        try:
            reason = self._receive({name.lower(): value for name, value in headers.items()}, body)
        except Refused as refused:
            _log(refused.status, str(refused), source)
            return refused.status
        except AwsError as error:
            _log(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))
            raise
        _log(HTTPStatus.OK, reason)
        return HTTPStatus.OK

    def _receive(self, headers: Mapping[str, str], read_body: Callable[[], bytes]) -> str:
        """What was done with the callback. Raises Refused, and AwsError."""
        body = self._authenticate(headers, read_body)
        if len(body) > LARGEST_CALLBACK:
            return _unusable(f"body of {len(body)} bytes is too large")
        try:
            callback = Callback.parse(body)
        except UnreadableCallback as error:
            return _unusable(str(error))
        if callback.producer != f"stores/{self.store_hash}":
            raise Refused(HTTPStatus.FORBIDDEN, "callback of another store")
        if callback.order_id is None:
            return _unusable("no order of a registered scope")
        self._accept(callback, callback.order_id, headers.get(WEBHOOK_ID))
        return "queued"

    def _authenticate(self, headers: Mapping[str, str], read_body: Callable[[], bytes]) -> bytes:
        """The body of an authentic callback. Raises Refused."""
        try:
            self.authentication.check_token(headers)
            body = read_body()
            age = self.authentication.check_signature(headers, body)
        except NotAuthentic as error:
            raise Refused(HTTPStatus.UNAUTHORIZED, str(error)) from None
        except AwsError as error:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, str(error)) from None
        except ValueError:
            raise Refused(HTTPStatus.BAD_REQUEST, "body cannot be decoded") from None
        if age and age > LATE_AFTER:
            logger.info(
                "callback is late",
                extra={"event": "callback_late", "age_seconds": int(age.total_seconds())},
            )
        return body

    def _accept(self, callback: Callback, order_id: int, webhook_id: str | None) -> None:
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
                    "webhook_id": webhook_id and webhook_id[:LONGEST_TEXT],
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


def _unusable(reason: str) -> str:
    logger.warning("callback is unusable", extra={"event": "callback_unusable", "reason": reason})
    return reason


def _log(status: HTTPStatus, reason: str, source: str = "") -> None:
    logger.info(
        "webhook answered",
        extra={
            "event": "webhook_answered",
            "status": int(status),
            "reason": reason,
            "source": source,
        },
    )
