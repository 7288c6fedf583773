"""DynamoDB: which alerts were sent, in the Jobs table, so that all containers send one."""

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from boto3.dynamodb.types import TypeSerializer

from chalicelib.clock import Clock
from chalicelib.edges.aws import ConditionFailed, calling
from chalicelib.edges.dynamodb import attributes

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PARTITION = "#alerts"
"""The partition key of these items, which no store hash equals. The webhook may write no other."""

_serialize = TypeSerializer().serialize


@dataclass(frozen=True)
class SentAlerts:
    """One item per subject of an alert."""

    client: "DynamoDBClient"
    table: str
    clock: Clock

    def claim(self, subject: str, seconds: float) -> bool:
        """Whether this container sends the alert: none has within the last `seconds`.

        Raises AwsError.
        """
        now, claim = int(self.clock.time()), uuid.uuid4().hex
        item = {
            **self._key(subject),
            "sent_at": now,
            "expires_at": now + int(seconds),
            "claim": claim,
        }
        try:
            with calling("PutItem alert"):
                self.client.put_item(
                    TableName=self.table,
                    Item=attributes(item),
                    # A retried request finds the item that its first attempt wrote.
                    ConditionExpression=(
                        "attribute_not_exists(sent_at) OR sent_at <= :before OR claim = :claim"
                    ),
                    ExpressionAttributeValues={
                        ":before": _serialize(now - int(seconds)),
                        ":claim": {"S": claim},
                    },
                )
        except ConditionFailed:
            return False
        return True

    def withdraw(self, subject: str) -> None:
        """Forget a claim whose alert could not be sent. Raises AwsError."""
        with calling("DeleteItem alert"):
            self.client.delete_item(TableName=self.table, Key=attributes(self._key(subject)))

    def _key(self, subject: str) -> dict[str, str]:
        return {"store_hash": PARTITION, "started_at": subject}
