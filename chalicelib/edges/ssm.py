"""SSM Parameter Store: secrets, read once per container and again after one was refused."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chalicelib.clock import Clock
from chalicelib.edges.aws import AwsError, calling

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

UNSET = "unset"
"""Terraform stores this for a secret that is not set: SSM accepts no empty value."""

MAY_BE_STALE_AFTER = 60.0
"""Seconds after which a refused secret is read again; limits the calls a forger can cause."""


@dataclass
class Secret:
    """A SecureString parameter; the value is "" when it is missing or not configured."""

    client: "SSMClient"
    parameter: str
    clock: Clock
    _value: str = field(default="", repr=False)
    _read_at: float = field(default=float("-inf"))

    def value(self) -> str:
        """The cached value, read on first use. Raises AwsError."""
        if self._read_at == float("-inf"):
            self.renew()
        return self._value

    def renew(self) -> str:
        """The current value; read again only if the cached one is older than a minute."""
        if self.parameter and self.clock.time() - self._read_at >= MAY_BE_STALE_AFTER:
            self._value = self._read()
            self._read_at = self.clock.time()
        return self._value

    def _read(self) -> str:
        try:
            with calling(f"GetParameter {self.parameter}"):
                answer = self.client.get_parameter(Name=self.parameter, WithDecryption=True)
        except AwsError as error:
            if error.reason == "ParameterNotFound":
                return ""
            raise
        # A token stored with a trailing newline would make an invalid HTTP header.
        value = answer["Parameter"]["Value"].strip()
        return "" if value == UNSET else value
