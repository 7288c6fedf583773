"""What the operator's commands do with the tables beyond what the service itself needs."""

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
    """Every order of the table, whole, with its record, a page at a time. Raises AwsError."""
    pages = (
        client("dynamodb")
        .get_paginator("scan")
        .paginate(TableName=deployment.settings.orders_table, ConsistentRead=True)
    )
    for item in _items(pages, "Scan orders"):
        if RECORD in item:
            yield decode(item)


def put_tombstone(deployment: Deployment, order_id: int, tombstone: ReplicationRecord) -> None:
    """Put the record alone where the order was, whatever was written there meanwhile.

    A delivery that decided on the order as it was is refused by its own condition.
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


def delete_webhooks(deployment: Deployment, webhooks: Iterable[JsonObject]) -> None:
    """Delete recorded callbacks. Raises AwsError."""
    for webhook in webhooks:
        key = {name: _serialize(webhook[name]) for name in ("order_id", "received_at")}
        with calling(f"DeleteItem webhook of order {webhook['order_id']}"):
            client("dynamodb").delete_item(TableName=deployment.settings.webhooks_table, Key=key)


@dataclass(frozen=True)
class Bookmark:
    """How far a long piece of work has come, kept in the Jobs table under a name of its own.

    No poll takes it for one of its jobs: those are looked for between two dates.
    """

    deployment: Deployment
    name: str

    def read(self) -> int:
        """The id to go on from; 1 at the start."""
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


def _items(pages: Any, tried: str) -> Iterator[JsonObject]:
    rest = iter(pages)
    while True:
        with calling(tried):
            page = next(rest, None)
        if page is None:
            return
        yield from map(from_image, page["Items"])
