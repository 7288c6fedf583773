"""Signatures of callbacks by the Standard Webhooks specification."""

import base64
import hashlib
import time
from datetime import UTC, datetime

from standardwebhooks import Webhook


def sign(
    body: bytes, *, secret: str, webhook_id: str | None = None, timestamp: int | None = None
) -> dict[str, str]:
    """The three headers. The timestamp is the machine's time, not the store's clock: receivers
    compare it with their own."""
    name = webhook_id or f"msg_{hashlib.sha256(body).hexdigest()[:24]}"
    at = int(time.time()) if timestamp is None else timestamp
    webhook = Webhook(base64.b64encode(secret.encode()).decode())
    return {
        "webhook-id": name,
        "webhook-timestamp": str(at),
        "webhook-signature": webhook.sign(name, datetime.fromtimestamp(at, UTC), body.decode()),
    }
