"""boto3 clients and their errors, the same for every AWS service."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError


class AwsError(Exception):
    """A call to AWS failed. `reason` is AWS's error code, or the name of botocore's exception.

    AWS's message is not included because it may repeat the data that was sent.
    """

    def __init__(self, tried: str, reason: str) -> None:
        super().__init__(f"{tried} -> {reason}")
        self.reason = reason


class ConditionFailed(AwsError):
    """A conditional write to DynamoDB was not made, because its condition is false."""


@contextmanager
def calling(tried: str) -> Iterator[None]:
    """Translate every botocore exception into AwsError; `tried` names the call."""
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        is_conditional = code == "ConditionalCheckFailedException"
        raise (ConditionFailed if is_conditional else AwsError)(tried, code) from None
    except BotoCoreError as error:
        raise AwsError(tried, type(error).__name__) from None


LAMBDA = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 2},
    max_pool_connections=20,
    # Saves a walk over every field of every order: boto3's serializer has checked the types.
    parameter_validation=False,
)
"""Timeouts short enough for two calls within API Gateway's 29 seconds."""


def aws_client(service: str, config: Config = LAMBDA, region: str | None = None) -> Any:
    """A boto3 client; the region is that of the environment if none is given."""
    return boto3.client(service, region_name=region, config=config)  # type: ignore[call-overload]  # not a literal name
