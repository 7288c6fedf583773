"""Requests to DynamoDB that only the operator makes, so they do not ship to Lambda."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from typing import Any

from boto3.dynamodb.types import TypeSerializer

from chalicelib.domain.items import decode, from_image
from chalicelib.domain.models import LARGEST_ID, JsonObject
from chalicelib.domain.records import RECORD, ReplicationRecord
from chalicelib.domain.rules import tombstone
from chalicelib.edges.aws import calling
from chalicelib.edges.dynamodb import ConcurrentWrite
from ops.deployment import Deployment, client

_serialize = TypeSerializer().serialize

MAX_WRITES = 5
"""Attempts to write a tombstone, against concurrent writes of the order."""


def stored_orders(
    deployment: Deployment,
) -> Iterator[tuple[JsonObject, ReplicationRecord | None]]:
    """Every item of the Orders table, read page by page. Raises AwsError.

    The record is None for an item of another program, which has no valid one.
    """
    for item in scanned(deployment.settings.orders_table, "orders"):
        try:
            decoded = decode(item)
        except (AttributeError, KeyError, TypeError, ValueError):
            yield item, None
        else:
            yield decoded


def stored_facts(deployment: Deployment) -> Iterator[tuple[JsonObject, ReplicationRecord]]:
    """The id, date_created and status_id of every item, with its record. Raises AwsError."""
    items = scanned(
        deployment.settings.orders_table,
        "orders",
        ProjectionExpression="id, date_created, status_id, #r",
        ExpressionAttributeNames={"#r": RECORD},
    )
    for item in items:
        try:
            record = ReplicationRecord.from_item(item)
        except (AttributeError, KeyError, TypeError, ValueError):
            # Written by another program; its order counts as not stored.
            continue
        yield item, record


def created_on(deployment: Deployment, day: date) -> Iterator[int]:
    """The stored orders that were created on a day in UTC, ascending. Raises AwsError."""
    items = _items(
        "query",
        f"Query orders of {day}",
        is_consistent=False,  # an index allows no other
        TableName=deployment.settings.orders_table,
        IndexName="by_day",
        KeyConditionExpression="created_day = :day",
        ExpressionAttributeValues={":day": {"S": day.isoformat()}},
    )
    return (int(item["id"]) for item in items)


def newest_created_on(
    deployment: Deployment, day: date, most: int, before: int = LARGEST_ID
) -> list[int]:
    """The stored orders with the highest ids of a day in UTC, descending; ids below `before`.

    Raises AwsError.
    """
    items = _items(
        "query",
        f"Query orders of {day}",
        is_consistent=False,  # an index allows no other
        TableName=deployment.settings.orders_table,
        IndexName="by_day",
        KeyConditionExpression="created_day = :day AND id < :before",
        ExpressionAttributeValues={":day": {"S": day.isoformat()}, ":before": {"N": str(before)}},
        ScanIndexForward=False,
        Limit=most,
    )
    return [int(item["id"]) for item in islice(items, most)]


def scanned(table: str, what: str, **request: Any) -> Iterator[JsonObject]:
    """Every item of a table, read page by page; `what` names it in an error. Raises AwsError."""
    return _items("scan", f"Scan {what}", TableName=table, **request)


def put_tombstone(
    deployment: Deployment, order_id: int, record: ReplicationRecord | None, now: datetime
) -> None:
    """Replace an order's item by a tombstone. Raises AwsError, and ConcurrentWrite.

    A move that is recorded meanwhile is kept: an order without a record of its move would be moved
    again.
    """
    orders = deployment.wiring.orders
    for _ in range(MAX_WRITES - 1):
        try:
            orders.put({"id": order_id}, tombstone(record, now), record)
        except ConcurrentWrite:
            record = orders.records([order_id]).get(order_id)
            if record is None:
                # An item of another program, which has no valid record; or one that has expired.
                return _overwrite(deployment, order_id, tombstone(None, now))
        else:
            return None
    orders.put({"id": order_id}, tombstone(record, now), record)
    return None


def _overwrite(deployment: Deployment, order_id: int, record: ReplicationRecord) -> None:
    with calling(f"PutItem order {order_id}"):
        client("dynamodb").put_item(
            TableName=deployment.settings.orders_table,
            Item={"id": _serialize(order_id), RECORD: _serialize(record.to_map())},
        )


def webhooks_of(deployment: Deployment, order_id: int) -> list[JsonObject]:
    """The callbacks recorded for an order, newest first. Raises AwsError."""
    return list(
        _items(
            "query",
            f"Query webhooks of order {order_id}",
            TableName=deployment.settings.webhooks_table,
            KeyConditionExpression="order_id = :order",
            ExpressionAttributeValues={":order": {"N": str(order_id)}},
            ScanIndexForward=False,
        )
    )


def count_webhooks(deployment: Deployment, since: datetime) -> int:
    """The callbacks recorded since a moment. Scans the Webhooks table. Raises AwsError."""
    pages = (
        client("dynamodb")
        .get_paginator("scan")
        .paginate(
            TableName=deployment.settings.webhooks_table,
            Select="COUNT",
            FilterExpression="received_at >= :since",
            ExpressionAttributeValues={":since": {"S": since.isoformat()}},
            ConsistentRead=True,
        )
    )
    with calling("Scan webhooks"):
        return sum(page["Count"] for page in pages)


def delete_webhooks(deployment: Deployment, webhooks: Iterable[JsonObject]) -> None:
    """Raises AwsError."""
    for webhook in webhooks:
        key = {name: _serialize(webhook[name]) for name in ("order_id", "received_at")}
        with calling(f"DeleteItem webhook of order {webhook['order_id']}"):
            client("dynamodb").delete_item(TableName=deployment.settings.webhooks_table, Key=key)


@dataclass(frozen=True)
class JobsItem:
    """An item of the Jobs table with a name in place of a date; polls are queried by date."""

    deployment: Deployment
    name: str

    def read(self) -> JsonObject | None:
        with calling(f"GetItem {self.name}"):
            answer = client("dynamodb").get_item(
                TableName=self.deployment.settings.jobs_table, Key=self._key, ConsistentRead=True
            )
        return from_image(answer["Item"]) if "Item" in answer else None

    def write(self, facts: JsonObject) -> None:
        """Replace the item; facts that are None are left out."""
        item = {n: _serialize(value) for n, value in facts.items() if value is not None}
        with calling(f"PutItem {self.name}"):
            client("dynamodb").put_item(
                TableName=self.deployment.settings.jobs_table, Item={**item, **self._key}
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


def jobs_items(deployment: Deployment, first: str, last: str) -> Iterator[JsonObject]:
    """The items of the Jobs table with names in this range, the last first. Raises AwsError."""
    store_hash = deployment.settings.bigcommerce_store_hash
    return _items(
        "query",
        "Query jobs",
        TableName=deployment.settings.jobs_table,
        KeyConditionExpression="store_hash = :store AND started_at BETWEEN :first AND :last",
        ExpressionAttributeValues={
            ":store": _serialize(store_hash),
            ":first": _serialize(first),
            ":last": _serialize(last),
        },
        ScanIndexForward=False,
    )


@dataclass(frozen=True)
class Bookmark:
    """The progress of a long operation, stored under its name."""

    deployment: Deployment
    name: str

    def read(self) -> int:
        """The order id to continue from; 1 if there is no bookmark."""
        item = self._item.read()
        return int(item["min_id"]) if item else 1

    def write(self, min_id: int, now: datetime) -> None:
        expires_at = int((now + self.deployment.wiring.retention).timestamp())
        self._item.write({"min_id": min_id, "expires_at": expires_at})

    def remove(self) -> None:
        self._item.remove()

    @property
    def _item(self) -> JobsItem:
        return JobsItem(self.deployment, self.name)


def _items(
    operation: str, action: str, *, is_consistent: bool = True, **request: Any
) -> Iterator[JsonObject]:
    paginator = client("dynamodb").get_paginator(operation)
    rest = iter(paginator.paginate(ConsistentRead=is_consistent, **request))
    while True:
        with calling(action):
            page = next(rest, None)
        if page is None:
            return
        yield from map(from_image, page["Items"])
