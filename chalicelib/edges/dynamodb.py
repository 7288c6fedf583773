"""DynamoDB: the tables Orders and Webhooks.

Writes to Orders use optimistic locking: each write is conditional on the replication record that
the decision was based on.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeSerializer

from chalicelib.clock import Clock
from chalicelib.domain.items import decode, encode, from_image
from chalicelib.domain.models import JsonObject
from chalicelib.domain.records import RECORD, ReplicationRecord
from chalicelib.edges.aws import ConditionFailed, calling

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

logger = logging.getLogger(__name__)

KEYS_PER_CALL = 100
"""Keys per BatchGetItem call
(https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html)."""

LOCK = ("version", "digest", "sequence", "moved_at", "moved_to", "move_began_at")
"""What a write is conditional on. `read_at` is not part of it: a read that confirms an item does
not prevent a write that is based on the same item."""

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
                    found[int(item["id"])] = ReplicationRecord.from_item(item)
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

    def created_on(self, day: date, most: int) -> list[int]:
        """The newest orders that were created on a day in UTC: at most so many ids, descending."""
        with calling("Query orders"):
            answer = self.client.query(
                TableName=self.name,
                IndexName="by_day",
                KeyConditionExpression="created_day = :day",
                ExpressionAttributeValues={":day": {"S": day.isoformat()}},
                ScanIndexForward=False,
                Limit=most,
            )
        return [int(from_image(item)["id"]) for item in answer["Items"]]

    def some(self, ids: Sequence[int]) -> list[JsonObject]:
        """Items of these orders, at most KEYS_PER_CALL: those that DynamoDB returns at once."""
        keys: Any = [{"id": {"N": str(order_id)}} for order_id in ids]
        with calling("BatchGetItem orders"):
            answer = self.client.batch_get_item(RequestItems={self.name: {"Keys": keys}})
        return [from_image(item) for item in answer["Responses"].get(self.name, [])]

    def put(
        self,
        fields: JsonObject,
        record: ReplicationRecord,
        seen: ReplicationRecord | None,
        expires_at: int | None = None,
    ) -> ReplicationRecord:
        """Write the order; returns the record as written, which names the compressed lists.

        DynamoDB deletes the item some time after `expires_at` (epoch seconds), or never.

        Raises ConcurrentWrite when the record is no longer `seen`, UnstorableNumber or
        ItemTooLarge when DynamoDB cannot hold the order.
        """
        item, written = encode(fields, record, expires_at)
        condition, names, values = _unchanged_since(seen)
        request: Any = {"ExpressionAttributeValues": values} if values else {}
        with _refused_after_concurrent_write(f"PutItem order {fields['id']}"):
            self.client.put_item(
                TableName=self.name,
                Item=attributes(item),
                ConditionExpression=condition,
                ExpressionAttributeNames=names,
                **request,
            )
        return written

    def update(
        self,
        order_id: int,
        record: ReplicationRecord,
        seen: ReplicationRecord,
        fields: JsonObject | None = None,
    ) -> None:
        """Update the record's changed attributes, and these `fields` of the order.

        Without a change, only the condition is checked.

        Raises ConcurrentWrite when the record is no longer `seen`.
        """
        condition, names, values = _unchanged_since(seen)
        before, after = seen.to_map(), record.to_map()
        sets, removals = [], []
        for name in sorted(before.keys() | after.keys()):
            if before.get(name) == after.get(name):
                continue
            names[f"#{name}"] = name
            if name in after:
                values[f":new_{name}"] = _serialize(after[name])
                sets.append(f"#r.#{name} = :new_{name}")
            else:
                removals.append(f"#r.#{name}")
        for name, value in (fields or {}).items():
            names[f"#field_{name}"] = name
            values[f":field_{name}"] = _serialize(value)
            sets.append(f"#field_{name} = :field_{name}")
        if not (sets or removals):
            # DynamoDB refuses an expression without an action.
            sets.append("#r.#version = :seen_version")
        changes = [f"SET {', '.join(sets)}"] if sets else []
        changes += [f"REMOVE {', '.join(removals)}"] if removals else []
        request: Any = {"ExpressionAttributeValues": values} if values else {}
        with _refused_after_concurrent_write(f"UpdateItem order {order_id}"):
            self.client.update_item(
                TableName=self.name,
                Key={"id": {"N": str(order_id)}},
                UpdateExpression=" ".join(changes),
                ConditionExpression=condition,
                ExpressionAttributeNames=names,
                **request,
            )

    def _get(self, keys: list[dict[str, Any]], consistent: bool) -> Iterator[JsonObject]:
        request: Any = {
            self.name: {
                "Keys": keys,
                "ProjectionExpression": "id, #r, status_id",
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
            self.client.put_item(TableName=self.name, Item=attributes(item))


def attributes(item: JsonObject) -> dict[str, Any]:
    return {name: _serialize(value) for name, value in item.items()}


def _unchanged_since(seen: ReplicationRecord | None) -> tuple[str, dict[str, str], dict[str, Any]]:
    """A condition expression with its names and values: the record is still `seen`."""
    if seen is None:
        return "attribute_not_exists(#id)", {"#id": "id"}, {}
    seen_map = seen.to_map()
    clauses = [
        f"#r.#{name} = :seen_{name}" if name in seen_map else f"attribute_not_exists(#r.#{name})"
        for name in LOCK
    ]
    names = {"#r": RECORD} | {f"#{name}": name for name in LOCK}
    values = {f":seen_{name}": _serialize(seen_map[name]) for name in LOCK if name in seen_map}
    return " AND ".join(clauses), names, values


@contextmanager
def _refused_after_concurrent_write(tried: str) -> Iterator[None]:
    try:
        with calling(tried):
            yield
    except ConditionFailed:
        raise ConcurrentWrite(f"{tried}: the item was changed since it was read") from None
