"""SSM Parameter Store: secrets, read again after five minutes and after one was refused."""

import logging
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chalicelib.clock import Clock
from chalicelib.edges.aws import AwsError, calling

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

logger = logging.getLogger(__name__)

UNSET = "unset"
"""Terraform stores this for a secret that is not set: SSM accepts no empty value."""

GREATEST_AGE = 300.0
"""Seconds after which a secret is read again: a replaced one is not accepted for longer."""

MAY_BE_STALE_AFTER = 60.0
"""Seconds after which a refused secret is read again; limits the calls a forger can cause."""

RETRIED_AFTER = 20.0
"""Seconds after a failed read until the next one, whoever asks."""


@dataclass
class Secret:
    """A SecureString parameter; the value is "" when it is not set, or has no name.

    When SSM cannot be reached, the value that was read before remains.
    """

    client: "SSMClient"
    parameter: str
    clock: Clock
    _value: str | None = field(default=None, repr=False)
    _read_at: float = field(default=float("-inf"), repr=False)
    _failure: AwsError | None = field(default=None, repr=False)
    _failed_at: float = field(default=float("-inf"), repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def value(self) -> str:
        """The value, read at most five minutes ago. Raises AwsError while it was never read."""
        return self._younger_than(GREATEST_AGE)

    def renew(self) -> str:
        """The value, read at most a minute ago. Raises AwsError while it was never read."""
        return self._younger_than(MAY_BE_STALE_AFTER)

    def _younger_than(self, seconds: float) -> str:
        if not self.parameter:
            return ""
        with self._lock:
            now = self.clock.time()
            if now - self._read_at >= seconds and now - self._failed_at >= RETRIED_AFTER:
                self._read(now)
            if self._failure and self._value is None:
                raise self._failure
            return self._value or ""

    def _read(self, now: float) -> None:
        try:
            with calling(f"GetParameter {self.parameter}"):
                answer = self.client.get_parameter(Name=self.parameter, WithDecryption=True)
        except AwsError as error:
            self._failure, self._failed_at = error, now
            logger.warning(
                "secret not read", extra={"event": "secret_not_read", "error": str(error)}
            )
            return
        # A token stored with a trailing newline would make an invalid HTTP header.
        value = answer["Parameter"]["Value"].strip()
        self._value, self._read_at = "" if value == UNSET else value, now
