"""How calls to AWS fail, in one shape for every edge."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError


class AwsError(Exception):
    """A call to AWS failed: what was tried, and AWS's own name for the reason.

    AWS's message is left out, since it may repeat what was sent.
    """

    def __init__(self, tried: str, reason: str) -> None:
        super().__init__(f"{tried} -> {reason}")
        self.reason = reason


@contextmanager
def calling(tried: str) -> Iterator[None]:
    """Translate whatever botocore raises inside into AwsError."""
    try:
        yield
    except ClientError as error:
        raise AwsError(tried, error.response["Error"]["Code"]) from None
    except BotoCoreError as error:
        raise AwsError(tried, type(error).__name__) from None


def aws_client(service: str) -> Any:
    """A boto3 client whose calls give up in time for the webhook's 29 seconds to hold two."""
    retries: Any = {"mode": "standard", "total_max_attempts": 2}
    config = Config(
        connect_timeout=2,
        read_timeout=5,
        retries=retries,
        max_pool_connections=20,
        # botocore would walk every field of every order once more; boto3 has typed them already.
        parameter_validation=False,
    )
    return boto3.client(service, config=config)  # type: ignore[call-overload]  # name is no literal
