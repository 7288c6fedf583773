"""DynamoDB: the tables Orders, Jobs and Webhooks.

Writes to Orders use optimistic locking: each write is conditional on the replication record that
the decision was based on.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeSerializer

from chalicelib.clock import Clock
from chalicelib.domain.items import RECORD, decode, encode, from_image
from chalicelib.domain.jobs import Job
from chalicelib.domain.models import JsonObject, ReplicationRecord
from chalicelib.edges.aws import AwsError, calling

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

logger = logging.getLogger(__name__)

KEYS_PER_CALL = 100
"""Keys per BatchGetItem call
(https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html)."""

LEASE = "lease"
LAST_DATE = "9999"
"""Sorts after every date and before the other sort keys of the Jobs table."""

MOVE = ("moved_at", "moved_from", "moved_to", "move_began_at", "move_unconfirmed")
LOCK = ("version", "digest", "moved_at", "moved_to", "move_began_at")

_serialize = TypeSerializer().serialize


class ConcurrentWrite(Exception):
    """The item was changed by another delivery since its record was read."""


@dataclass(frozen=True)
class OrdersTable:
    """The replicated orders, each with its replication record."""

    client: "DynamoDBClient"
    name: str
    clock: Clock

    def records(
        self, ids: Sequence[int], *, consistent: bool = True
    ) -> dict[int, ReplicationRecord]:
        """The replication records of the orders that are stored, by order id."""
        found: dict[int, ReplicationRecord] = {}
        for start in range(0, len(ids), KEYS_PER_CALL):
            keys = [{"id": {"N": str(order_id)}} for order_id in ids[start : start + KEYS_PER_CALL]]
            for item in self._get(keys, consistent):
                try:
                    found[int(item["id"])] = ReplicationRecord.from_item(item[RECORD])
                except (AttributeError, KeyError, TypeError, ValueError):
                    # Written by another program: only this order fails.
                    logger.error(
                        "item has no replication record",
                        extra={"event": "item_invalid", "order_id": int(item["id"])},
                    )
        return found

    def read(self, order_id: int) -> tuple[JsonObject, ReplicationRecord] | None:
        """An order with all its parts, and its record; None when it is not stored."""
        with calling(f"GetItem order {order_id}"):
            answer = self.client.get_item(
                TableName=self.name, Key={"id": {"N": str(order_id)}}, ConsistentRead=True
            )
        return decode(from_image(answer["Item"])) if "Item" in answer else None

    def put(
        self, fields: JsonObject, record: ReplicationRecord, seen: ReplicationRecord | None
    ) -> ReplicationRecord:
        """Write the order; returns the record as written, which names the compressed lists.

        Raises ConcurrentWrite when the record is no longer `seen`, UnstorableNumber or
        ItemTooLarge when DynamoDB cannot hold the order.
        """
        item, written = encode(fields, record)
        condition, names, values = _unchanged_since(seen)
        request: Any = {"ExpressionAttributeValues": values} if values else {}
        with _refused_after_concurrent_write(f"PutItem order {fields['id']}"):
            self.client.put_item(
                TableName=self.name,
                Item=_attributes(item),
                ConditionExpression=condition,
                ExpressionAttributeNames=names,
                **request,
            )
        return written

    def record_move(
        self, order_id: int, record: ReplicationRecord, seen: ReplicationRecord
    ) -> None:
        """Update only the attributes of the order's move. Raises ConcurrentWrite."""
        condition, names, values = _unchanged_since(seen)
        attributes = record.to_item()
        kept = [name for name in MOVE if name in attributes]
        dropped = [name for name in MOVE if name not in attributes]
        names |= {f"#{name}": name for name in MOVE}
        values |= {f":new_{name}": _serialize(attributes[name]) for name in kept}
        changes = []
        if kept:
            changes.append("SET " + ", ".join(f"#r.#{name} = :new_{name}" for name in kept))
        if dropped:
            changes.append("REMOVE " + ", ".join(f"#r.#{name}" for name in dropped))
        with _refused_after_concurrent_write(f"UpdateItem order {order_id}"):
            self.client.update_item(
                TableName=self.name,
                Key={"id": {"N": str(order_id)}},
                UpdateExpression=" ".join(changes),
                ConditionExpression=condition,
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=values,
            )

    def _get(self, keys: list[dict[str, Any]], consistent: bool) -> Iterator[JsonObject]:
        request: Any = {
            self.name: {
                "Keys": keys,
                "ProjectionExpression": "id, #r",
                "ExpressionAttributeNames": {"#r": RECORD},
                "ConsistentRead": consistent,
            }
        }
        wait = 0.1
        while request:
            with calling("BatchGetItem orders"):
                answer = self.client.batch_get_item(RequestItems=request)
            yield from (from_image(item) for item in answer["Responses"].get(self.name, []))
            request = answer.get("UnprocessedKeys")
            if request:
                self.clock.sleep(wait)
                wait = min(wait * 2, 5.0)


@dataclass(frozen=True)
class JobsTable:
    """One item per poll, and the lease that prevents overlapping polls."""

    client: "DynamoDBClient"
    name: str
    store_hash: str
    retention: timedelta
    clock: Clock

    @contextmanager
    def lease(self, holder: str, seconds: float) -> Iterator[bool]:
        """Yields whether `holder` got the lease: it was free, or expired."""
        now = self.clock.time()
        try:
            with calling("PutItem lease"):
                self.client.put_item(
                    TableName=self.name,
                    Item=_attributes(
                        {**self._key(LEASE), "held_by": holder, "held_until": int(now + seconds)}
                    ),
                    # A retried request finds the lease that its first attempt wrote.
                    ConditionExpression=(
                        "attribute_not_exists(held_until) OR held_until < :now OR held_by = :holder"
                    ),
                    ExpressionAttributeValues={
                        ":now": _serialize(int(now)),
                        ":holder": {"S": holder},
                    },
                )
        except AwsError as error:
            if error.reason != "ConditionalCheckFailedException":
                raise
            yield False
            return
        try:
            yield True
        finally:
            self._release(holder)

    def write(self, job: Job) -> None:
        """Write the poll's current state."""
        expires_at = int((self.clock.now() + self.retention).timestamp())
        item = {**job.to_item(), **self._key(job.started_at), "expires_at": expires_at}
        with calling("PutItem job"):
            self.client.put_item(TableName=self.name, Item=_attributes(item))

    def history(self, since: datetime) -> list[Job]:
        """The polls started since then, newest first; no upper bound, because clocks differ."""
        with calling("Query jobs"):
            pages = self.client.get_paginator("query").paginate(
                TableName=self.name,
                KeyConditionExpression="store_hash = :store AND started_at BETWEEN :since AND :end",
                ExpressionAttributeValues={
                    ":store": {"S": self.store_hash},
                    ":since": {"S": since.isoformat()},
                    ":end": {"S": LAST_DATE},
                },
                ScanIndexForward=False,
                ConsistentRead=True,
            )
            return [Job.from_item(from_image(item)) for page in pages for item in page["Items"]]

    def _release(self, holder: str) -> None:
        try:
            with calling("DeleteItem lease"):
                self.client.delete_item(
                    TableName=self.name,
                    Key=_attributes(self._key(LEASE)),
                    ConditionExpression="held_by = :holder",
                    ExpressionAttributeValues={":holder": {"S": holder}},
                )
        except AwsError as error:
            # The lease expired and another poll holds it now.
            if error.reason != "ConditionalCheckFailedException":
                raise

    def _key(self, started_at: str) -> JsonObject:
        return {"store_hash": self.store_hash, "started_at": started_at}


@dataclass(frozen=True)
class WebhooksTable:
    """One item per accepted callback."""

    client: "DynamoDBClient"
    name: str
    retention: timedelta
    clock: Clock

    def write(self, order_id: int, facts: JsonObject) -> None:
        """Record a callback for an order; facts that are None are left out."""
        now = self.clock.now()
        item = {
            "order_id": order_id,
            "received_at": now.isoformat(),
            "expires_at": int((now + self.retention).timestamp()),
            **{name: value for name, value in facts.items() if value is not None},
        }
        with calling(f"PutItem webhook of order {order_id}"):
            self.client.put_item(TableName=self.name, Item=_attributes(item))


def _attributes(item: JsonObject) -> dict[str, Any]:
    return {name: _serialize(value) for name, value in item.items()}


def _unchanged_since(seen: ReplicationRecord | None) -> tuple[str, dict[str, str], dict[str, Any]]:
    """A condition expression with its names and values: the record is still `seen`."""
    if seen is None:
        return "attribute_not_exists(#id)", {"#id": "id"}, {}
    attributes = seen.to_item()
    clauses = [
        f"#r.#{name} = :seen_{name}" if name in attributes else f"attribute_not_exists(#r.#{name})"
        for name in LOCK
    ]
    names = {"#r": RECORD} | {f"#{name}": name for name in LOCK}
    values = {f":seen_{name}": _serialize(attributes[name]) for name in LOCK if name in attributes}
    return " AND ".join(clauses), names, values


@contextmanager
def _refused_after_concurrent_write(tried: str) -> Iterator[None]:
    try:
        with calling(tried):
            yield
    except AwsError as error:
        if error.reason == "ConditionalCheckFailedException":
            raise ConcurrentWrite(f"{tried}: the item was changed since it was read") from None
        raise
