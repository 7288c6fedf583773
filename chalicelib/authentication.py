"""Whether a callback comes from the store: its token, and its signature."""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from standardwebhooks import Webhook

from chalicelib.clock import Clock
from chalicelib.domain.callbacks import TOKEN_HEADER
from chalicelib.edges.ssm import Secret

WEBHOOK_ID = "webhook-id"
TIMESTAMP = "webhook-timestamp"
SIGNATURE = "webhook-signature"

OLDEST = timedelta(hours=49)
"""BigCommerce repeats a callback for 48 hours, and does not document whether it signs it again
(https://developer.bigcommerce.com/docs/integrations/webhooks). A replayed callback does no harm: it
holds ids, and an order that has not changed is not written."""

LATE_AFTER = timedelta(minutes=5)
"""The tolerance of Standard Webhooks. What is later is accepted, and counted."""

AHEAD = timedelta(minutes=5)
"""How far the clock of the sender may be ahead."""


class NotAuthentic(Exception):
    """The callback does not come from the store; the text is the reason."""


@dataclass(frozen=True)
class Authentication:
    """Checks callbacks. The previous webhook token is accepted while it is set."""

    token: Secret
    previous_token: Secret
    client_secret: Secret
    require_signature: bool
    clock: Clock

    def check_token(self, headers: Mapping[str, str]) -> None:
        """Raises NotAuthentic; AwsError while the token is not known. Header names in lower case.

        A request without a token causes no call to SSM.
        """
        given = headers.get(TOKEN_HEADER.lower(), "")
        if not given or not (
            _same(given, self.token.value())
            or _same(given, self.previous_token.value())
            or _same(given, self.token.renew())
        ):
            raise NotAuthentic("token is missing or wrong")

    def check_signature(self, headers: Mapping[str, str], body: bytes) -> timedelta | None:
        """The age of the signature; None when the callback need not be signed, and is not.

        Raises NotAuthentic; AwsError while the client secret is not known.
        """
        secret = self.client_secret.value()
        if not secret:
            return None
        if not any(name in headers for name in (WEBHOOK_ID, TIMESTAMP, SIGNATURE)):
            if self.require_signature:
                raise NotAuthentic("signature is missing")
            return None
        sent = _moment(headers.get(TIMESTAMP, ""))
        if not _is_signed(headers, body, sent, secret):
            secret = self.client_secret.renew()
            if not secret:
                return None
            if not _is_signed(headers, body, sent, secret):
                raise NotAuthentic("signature is wrong")
        age = self.clock.now() - sent
        if age > OLDEST:
            raise NotAuthentic("signature is too old")
        if age < -AHEAD:
            raise NotAuthentic("timestamp of the signature is in the future")
        return age


def _same(given: str, secret: str) -> bool:
    """Compare in constant time. An empty secret matches nothing."""
    return bool(secret) and hmac.compare_digest(
        given.encode("utf-8", "surrogatepass"), secret.encode()
    )


def _moment(seconds: str) -> datetime:
    """A time in whole seconds since 1970. Raises NotAuthentic."""
    if not re.fullmatch(r"[0-9]{1,11}", seconds):
        raise NotAuthentic("signature is wrong")
    return datetime.fromtimestamp(int(seconds), UTC)


def _is_signed(headers: Mapping[str, str], body: bytes, sent: datetime, secret: str) -> bool:
    """Whether one of the signatures is that of id, timestamp and raw body, by Standard Webhooks.

    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    """
    try:
        expected = Webhook(secret.encode()).sign(headers.get(WEBHOOK_ID, ""), sent, body.decode())
    except UnicodeError:
        return False
    return any(_same(given, expected) for given in headers.get(SIGNATURE, "").split())
