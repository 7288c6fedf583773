"""Signatures of callbacks by the Standard Webhooks specification."""

import base64
import hashlib
from datetime import UTC, datetime

from standardwebhooks import Webhook


def sign(
    body: bytes, *, secret: str, timestamp: int, webhook_id: str | None = None
) -> dict[str, str]:
    """The three headers; the timestamp in epoch seconds."""
    at = datetime.fromtimestamp(timestamp, UTC)
    name = webhook_id or f"msg_{hashlib.sha256(body).hexdigest()[:24]}"
    webhook = Webhook(base64.b64encode(secret.encode()).decode())
    return {
        "webhook-id": name,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": webhook.sign(name, at, body.decode()),
    }
