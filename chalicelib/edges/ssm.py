"""SSM Parameter Store: the secrets, read once per container and again when one was refused."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chalicelib.clock import Clock
from chalicelib.edges.aws import AwsError, calling

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

UNSET = "unset"
"""What Terraform stores where there is no secret: SSM holds no empty value."""

MAY_BE_STALE_AFTER = 60.0
"""Seconds after which a refused secret is read again: a forger must not cost us a call each."""


@dataclass
class Secret:
    """A SecureString parameter by name; a missing or unnamed one has the value ""."""

    client: "SSMClient"
    parameter: str
    clock: Clock
    _value: str = ""
    _read_at: float = field(default=float("-inf"))

    def value(self) -> str:
        """The value, read when first asked for. Raises AwsError when SSM does not answer."""
        if self._read_at == float("-inf"):
            self.renew()
        return self._value

    def renew(self) -> str:
        """The value as it is now, if the one at hand may be stale: rotation changes it."""
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
        # A line's end stored with a token would make a header that cannot be sent.
        value = answer["Parameter"]["Value"].strip()
        return "" if value == UNSET else value
