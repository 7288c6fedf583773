"""Requests to DynamoDB that only the operator makes, so they do not ship to Lambda."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from boto3.dynamodb.types import TypeSerializer

from chalicelib.domain.items import RECORD, decode, from_image
from chalicelib.domain.models import JsonObject, ReplicationRecord
from chalicelib.edges.aws import calling
from ops.deployment import Deployment, client

_serialize = TypeSerializer().serialize


def stored_orders(deployment: Deployment) -> Iterator[tuple[JsonObject, ReplicationRecord]]:
    """Every item of the Orders table with its record, read page by page. Raises AwsError."""
    pages = (
        client("dynamodb")
        .get_paginator("scan")
        .paginate(TableName=deployment.settings.orders_table, ConsistentRead=True)
    )
    for item in _items(pages, "Scan orders"):
        if RECORD in item:
            yield decode(item)


def put_tombstone(deployment: Deployment, order_id: int, tombstone: ReplicationRecord) -> None:
    """Replace the order's item by the tombstone, without a condition. Raises AwsError.

    A concurrent write of the order fails by its own condition.
    """
    item = {"id": order_id, RECORD: tombstone.to_item()}
    with calling(f"PutItem order {order_id}"):
        client("dynamodb").put_item(
            TableName=deployment.settings.orders_table,
            Item={name: _serialize(value) for name, value in item.items()},
        )


def webhooks_of(deployment: Deployment, order_id: int) -> list[JsonObject]:
    """The callbacks recorded for an order, newest first. Raises AwsError."""
    pages = (
        client("dynamodb")
        .get_paginator("query")
        .paginate(
            TableName=deployment.settings.webhooks_table,
            KeyConditionExpression="order_id = :order",
            ExpressionAttributeValues={":order": {"N": str(order_id)}},
            ScanIndexForward=False,
            ConsistentRead=True,
        )
    )
    return list(_items(pages, f"Query webhooks of order {order_id}"))


def count_webhooks(deployment: Deployment, since: datetime) -> int:
    """The callbacks recorded since a moment. Scans the Webhooks table. Raises AwsError."""
    pages = (
        client("dynamodb")
        .get_paginator("scan")
        .paginate(
            TableName=deployment.settings.webhooks_table,
            FilterExpression="received_at >= :since",
            ExpressionAttributeValues={":since": {"S": since.isoformat()}},
            ConsistentRead=True,
        )
    )
    return sum(1 for _ in _items(pages, "Scan webhooks"))


def delete_webhooks(deployment: Deployment, webhooks: Iterable[JsonObject]) -> None:
    """Raises AwsError."""
    for webhook in webhooks:
        key = {name: _serialize(webhook[name]) for name in ("order_id", "received_at")}
        with calling(f"DeleteItem webhook of order {webhook['order_id']}"):
            client("dynamodb").delete_item(TableName=deployment.settings.webhooks_table, Key=key)


@dataclass(frozen=True)
class Bookmark:
    """The progress of a long operation, stored in the Jobs table under its name.

    Polls do not read it: they query jobs by date.
    """

    deployment: Deployment
    name: str

    def read(self) -> int:
        """The order id to continue from; 1 if there is no bookmark."""
        with calling(f"GetItem {self.name}"):
            answer = client("dynamodb").get_item(
                TableName=self.deployment.settings.jobs_table, Key=self._key, ConsistentRead=True
            )
        return int(from_image(answer["Item"])["min_id"]) if "Item" in answer else 1

    def write(self, min_id: int, now: datetime) -> None:
        expires_at = int((now + self.deployment.wiring.retention).timestamp())
        item = {"min_id": _serialize(min_id), "expires_at": _serialize(expires_at)}
        with calling(f"PutItem {self.name}"):
            client("dynamodb").put_item(
                TableName=self.deployment.settings.jobs_table, Item={**self._key, **item}
            )

    def remove(self) -> None:
        with calling(f"DeleteItem {self.name}"):
            client("dynamodb").delete_item(
                TableName=self.deployment.settings.jobs_table, Key=self._key
            )

    @property
    def _key(self) -> dict[str, Any]:
        store_hash = self.deployment.settings.bigcommerce_store_hash
        return {"store_hash": _serialize(store_hash), "started_at": _serialize(self.name)}


def _items(pages: Any, action: str) -> Iterator[JsonObject]:
    rest = iter(pages)
    while True:
        with calling(action):
            page = next(rest, None)
        if page is None:
            return
        yield from map(from_image, page["Items"])
