"""Signatures of callbacks, by Standard Webhooks."""

import base64
from datetime import UTC, datetime, timedelta

from standardwebhooks import Webhook

from tests.integration.conftest import SECRETS


def signed(
    body: bytes,
    *,
    secret: str = SECRETS.client_secret,
    age: timedelta = timedelta(),
) -> dict[str, str]:
    """Signature headers as BigCommerce sends them; their time is the machine's."""
    moment = datetime.now(UTC) - age
    key = base64.b64encode(secret.encode()).decode()
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(key).sign("msg_1", moment, body.decode()),
    }
