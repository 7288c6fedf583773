"""Callbacks as BigCommerce would send them, to a deployed webhook."""

import json
import secrets
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime

import click
import requests
from standardwebhooks import Webhook

from chalicelib.domain.models import CART_CONVERTED, TOKEN_HEADER, JsonObject

ADMITTED, REFUSED = 200, 401
"""Answers of a webhook that is well, to a callback of ours and to one with a wrong token."""

WITHIN = (5.0, 35.0)
"""Seconds to connect and to answer in; API Gateway gives up after 29."""


class NoAnswer(click.ClickException):
    """Nobody answered at the webhook's URL."""


@dataclass(frozen=True)
class Answer:
    """What came back, and after how long."""

    status: int
    milliseconds: int


@dataclass(frozen=True)
class Sender:
    """Plays BigCommerce at a URL; without a client secret nothing is signed."""

    url: str
    store_hash: str
    token: str = field(repr=False)
    client_secret: str = field(repr=False)

    def send(self, order_id: int) -> Answer:
        """A callback for an order, as the stage's own hook sends it. Raises NoAnswer."""
        return self._post(order_id, self.token)

    def forge(self, order_id: int) -> Answer:
        """The same from somebody who guesses the token. Raises NoAnswer."""
        return self._post(order_id, secrets.token_hex(16))

    def _post(self, order_id: int, token: str) -> Answer:
        # The receiver holds a signature against its own clock, so it is signed by the machine's.
        now = datetime.now(UTC)
        body = json.dumps(self._callback(order_id, now)).encode()
        headers = {"Content-Type": "application/json", TOKEN_HEADER: token}
        headers |= _signature(body, now, self.client_secret) if self.client_secret else {}
        try:
            answer = requests.post(
                self.url, data=body, headers=headers, timeout=WITHIN, allow_redirects=False
            )
        except requests.RequestException as error:
            raise NoAnswer(
                f"nobody answers at {self.url} ({type(error).__name__}): is the stage deployed, "
                "and does this network reach it?"
            ) from None
        return Answer(answer.status_code, round(answer.elapsed.total_seconds() * 1000))

    def _callback(self, order_id: int, now: datetime) -> JsonObject:
        return {
            "scope": CART_CONVERTED,
            "data": {"type": "cart", "orderId": order_id},
            # Recorded with the callback, where it says that this one was a test.
            "hash": f"test-{uuid.uuid4().hex}",
            "created_at": int(now.timestamp()),
            "producer": f"stores/{self.store_hash}",
        }


def _signature(body: bytes, now: datetime, client_secret: str) -> dict[str, str]:
    """The headers of Standard Webhooks."""
    name = f"msg_{uuid.uuid4().hex}"
    return {
        "webhook-id": name,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(client_secret.encode()).sign(name, now, body.decode()),
    }
