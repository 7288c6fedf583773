"""Sends callbacks to a deployed webhook, as BigCommerce does."""

import json
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import click
import requests
from standardwebhooks import Webhook

from chalicelib.clock import Clock
from chalicelib.domain.callbacks import CART_CONVERTED, TOKEN_HEADER
from chalicelib.domain.models import JsonObject

LATE = timedelta(hours=1)
"""BigCommerce repeats a callback for two days, perhaps with its first signature."""

TIMEOUT = (5.0, 35.0)
"""Seconds to connect and to respond; API Gateway's own timeout is 29."""


class NoResponse(click.ClickException):
    """There is no response from the webhook's URL."""


@dataclass(frozen=True)
class Answer:
    """The status of the response, and the time it took."""

    status: int
    milliseconds: int


@dataclass(frozen=True)
class Sender:
    """Sends callbacks of a scope to a URL; without a client secret they are not signed."""

    url: str
    scope: str
    store_hash: str
    token: str = field(repr=False)
    client_secret: str = field(repr=False)
    clock: Clock

    def send(self, order_id: int) -> Answer:
        """Send a valid callback for an order. Raises NoResponse."""
        return self._post(order_id, self.token, self._signature)

    def send_late(self, order_id: int) -> Answer:
        """Send the callback with a signature that was made earlier. Raises NoResponse."""
        return self._post(order_id, self.token, lambda body: self._signature(body, LATE))

    def send_unsigned(self, order_id: int) -> Answer:
        """Send the callback without a signature. Raises NoResponse."""
        return self._post(order_id, self.token, lambda body: {})

    def forge(self, order_id: int) -> Answer:
        """Send the callback with a wrong token. Raises NoResponse."""
        return self._post(order_id, secrets.token_hex(16), self._signature)

    def _post(self, order_id: int, token: str, sign: Callable[[bytes], dict[str, str]]) -> Answer:
        body = json.dumps(self._callback(order_id, self.clock.now())).encode()
        headers = {"Content-Type": "application/json", TOKEN_HEADER: token, **sign(body)}
        try:
            answer = requests.post(
                self.url, data=body, headers=headers, timeout=TIMEOUT, allow_redirects=False
            )
        except requests.RequestException as error:
            raise NoResponse(
                f"no response from {self.url} ({type(error).__name__}): check that the stage is "
                "deployed and that this network can reach it"
            ) from None
        return Answer(answer.status_code, round(answer.elapsed.total_seconds() * 1000))

    def _callback(self, order_id: int, now: datetime) -> JsonObject:
        is_cart = self.scope == CART_CONVERTED
        data = (
            {"type": "cart", "orderId": order_id} if is_cart else {"type": "order", "id": order_id}
        )
        return {
            "scope": self.scope,
            "data": data,
            # Recorded with the callback, to mark it as a test.
            "hash": f"test-{uuid.uuid4().hex}",
            "created_at": int(now.timestamp()),
            "producer": f"stores/{self.store_hash}",
        }

    def _signature(self, body: bytes, age: timedelta = timedelta()) -> dict[str, str]:
        """The signature headers of Standard Webhooks; none without a client secret."""
        if not self.client_secret:
            return {}
        name, at = f"msg_{uuid.uuid4().hex}", self.clock.now() - age
        return {
            "webhook-id": name,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": Webhook(self.client_secret.encode()).sign(name, at, body.decode()),
        }
