"""Signatures of callbacks, by Standard Webhooks."""

import base64
from datetime import timedelta

from standardwebhooks import Webhook

from sandbox.stack import Secrets
from tests.factories import NOW

SECRETS = Secrets("the-access-token", "the-client-secret", "the-webhook-token")


def signed(
    body: bytes,
    *,
    secret: str = SECRETS.client_secret,
    age: timedelta = timedelta(),
) -> dict[str, str]:
    """Signature headers as BigCommerce sends them, of a callback that is sent at NOW."""
    moment = NOW - age
    key = base64.b64encode(secret.encode()).decode()
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(key).sign("msg_1", moment, body.decode()),
    }
