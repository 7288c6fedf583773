"""How calls to AWS fail, in one shape for every edge."""

from collections.abc import Iterator
from contextlib import contextmanager

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
