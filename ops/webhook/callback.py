"""Sends callbacks to a deployed webhook, as BigCommerce does."""

import json
import secrets
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime

import click
import requests
from standardwebhooks import Webhook

from chalicelib.domain.callbacks import CART_CONVERTED, TOKEN_HEADER
from chalicelib.domain.models import JsonObject

ACCEPTED, REJECTED = 200, 401
"""Expected responses to a valid callback and to one with a wrong token."""

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

    def send(self, order_id: int) -> Answer:
        """Send a valid callback for an order. Raises NoResponse."""
        return self._post(order_id, self.token)

    def forge(self, order_id: int) -> Answer:
        """Send the callback with a wrong token. Raises NoResponse."""
        return self._post(order_id, secrets.token_hex(16))

    def _post(self, order_id: int, token: str) -> Answer:
        # The webhook compares the signature's time with the real clock, also in a simulation.
        now = datetime.now(UTC)
        body = json.dumps(self._callback(order_id, now)).encode()
        headers = {"Content-Type": "application/json", TOKEN_HEADER: token}
        headers |= _signature(body, now, self.client_secret) if self.client_secret else {}
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


def _signature(body: bytes, now: datetime, client_secret: str) -> dict[str, str]:
    """The signature headers of Standard Webhooks."""
    name = f"msg_{uuid.uuid4().hex}"
    return {
        "webhook-id": name,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(client_secret.encode()).sign(name, now, body.decode()),
    }
