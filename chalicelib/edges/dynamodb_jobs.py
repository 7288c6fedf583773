"""DynamoDB: the Jobs table, with the polls of a store, its failing orders, the lease and the pause.

The sort key `started_at` is a date for a poll, and a name for everything else.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeSerializer

from chalicelib.clock import Clock
from chalicelib.domain.failing import FailingOrder
from chalicelib.domain.items import from_image
from chalicelib.domain.jobs import Job
from chalicelib.domain.models import JsonObject
from chalicelib.domain.order_fields import OrderFields
from chalicelib.edges.aws import AwsError, ConditionFailed, calling
from chalicelib.edges.dynamodb import attributes

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

LEASE = "lease"
PAUSE = "pause"
EMBEDDED_OFF = "embedded_off"
ORDER_FIELDS = "order_fields"
SWITCHES = (PAUSE, EMBEDDED_OFF)
"""Items that switch something off while they exist: moves, and embedded reads."""

FAILING = "failing#"
LAST_DATE = "9999"
"""Sorts after every date and before the other sort keys of the Jobs table."""

_serialize = TypeSerializer().serialize


@dataclass(frozen=True)
class JobsTable:
    """One item per poll, and the lease that prevents overlapping polls."""

    client: "DynamoDBClient"
    name: str
    store_hash: str
    retention: timedelta
    clock: Clock

    @contextmanager
    def lease(self, holder: str, until: float) -> Iterator[bool]:
        """Yields whether `holder` got the lease: it was free, or expired; epoch seconds."""
        try:
            with calling("PutItem lease"):
                self.client.put_item(
                    TableName=self.name,
                    Item=attributes(
                        {**self._key(LEASE), "held_by": holder, "held_until": int(until)}
                    ),
                    # A retried request finds the lease that its first attempt wrote.
                    ConditionExpression=(
                        "attribute_not_exists(held_until) OR held_until < :now OR held_by = :holder"
                    ),
                    ExpressionAttributeValues={
                        ":now": _serialize(int(self.clock.time())),
                        ":holder": {"S": holder},
                    },
                )
        except ConditionFailed:
            yield False
            return
        try:
            yield True
        finally:
            self._release(holder)

    def write(self, job: Job) -> None:
        """Write the poll's current state."""
        expires_at = int((self.clock.now() + self.retention).timestamp())
        item = {**job.to_item(), **self._key(job.started_at.isoformat()), "expires_at": expires_at}
        with calling("PutItem job"):
            self.client.put_item(TableName=self.name, Item=attributes(item))

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

    def failing(self, ids: Sequence[int]) -> dict[int, FailingOrder]:
        """Those of the orders that are failing, by order id; at most 100 ids."""
        request: Any = {self.name: {"Keys": [attributes(self._failing(n)) for n in ids]}}
        if not ids:
            return {}
        with calling("BatchGetItem failing orders"):
            answer = self.client.batch_get_item(RequestItems=request)
        items = answer["Responses"].get(self.name, [])
        return {order.order_id: order for order in map(_failing_order, items)}

    def all_failing(self) -> Iterator[FailingOrder]:
        """Every failing order, by order id as text."""
        with calling("Query failing orders"):
            pages = self.client.get_paginator("query").paginate(
                TableName=self.name,
                KeyConditionExpression="store_hash = :store AND begins_with(started_at, :prefix)",
                ExpressionAttributeValues={
                    ":store": {"S": self.store_hash},
                    ":prefix": {"S": FAILING},
                },
            )
            for page in pages:
                yield from map(_failing_order, page["Items"])

    def write_failing(self, order: FailingOrder) -> None:
        """Record that an order is failing; the item expires with the retention of jobs."""
        expires_at = int((self.clock.now() + self.retention).timestamp())
        item = {**order.to_item(), **self._failing(order.order_id), "expires_at": expires_at}
        with calling(f"PutItem failing order {order.order_id}"):
            self.client.put_item(TableName=self.name, Item=attributes(item))

    def remove_failing(self, order_id: int) -> None:
        with calling(f"DeleteItem failing order {order_id}"):
            self.client.delete_item(TableName=self.name, Key=attributes(self._failing(order_id)))

    def pause(self) -> str | None:
        """Why moves are paused; None while they are not."""
        with calling("GetItem pause"):
            answer = self.client.get_item(
                TableName=self.name, Key=attributes(self._key(PAUSE)), ConsistentRead=True
            )
        item = answer.get("Item")
        return str(from_image(item).get("reason", "")) if item else None

    def switched_off(self) -> frozenset[str]:
        """Those of SWITCHES that are set."""
        keys = [attributes(self._key(name)) for name in SWITCHES]
        request: Any = {self.name: {"Keys": keys, "ConsistentRead": True}}
        with calling("BatchGetItem switches"):
            answer = self.client.batch_get_item(RequestItems=request)
        if answer.get("UnprocessedKeys"):
            raise AwsError("BatchGetItem switches", "UnprocessedKeys")
        found = answer["Responses"].get(self.name, [])
        return frozenset(str(from_image(item)["started_at"]) for item in found)

    def switch_embedded_reads_off(self, order_id: int, fields: Sequence[str]) -> None:
        """Record that an order was not the same both ways, and in which fields."""
        item = {"since": self.clock.now().isoformat(), "order_id": order_id, "fields": list(fields)}
        with calling("PutItem embedded_off"):
            self.client.put_item(
                TableName=self.name, Item=attributes({**self._key(EMBEDDED_OFF), **item})
            )

    def order_fields(self) -> OrderFields | None:
        """The fields of the stage's orders; None before the first comparison."""
        with calling("GetItem order_fields"):
            answer = self.client.get_item(
                TableName=self.name, Key=attributes(self._key(ORDER_FIELDS)), ConsistentRead=True
            )
        return OrderFields.from_item(from_image(answer["Item"])) if "Item" in answer else None

    def write_order_fields(self, fields: OrderFields) -> None:
        """Write the next revision. Raises ConditionFailed when the item is not the one before."""
        seen = {":seen": _serialize(fields.revision - 1)}
        with calling("PutItem order_fields"):
            self.client.put_item(
                TableName=self.name,
                Item=attributes({**fields.to_item(), **self._key(ORDER_FIELDS)}),
                ConditionExpression="attribute_not_exists(revision) OR revision = :seen",
                ExpressionAttributeValues=seen,
            )

    def _failing(self, order_id: int) -> JsonObject:
        return self._key(f"{FAILING}{order_id}")

    def _release(self, holder: str) -> None:
        # After the lease has expired, another poll may hold it.
        with suppress(ConditionFailed), calling("DeleteItem lease"):
            self.client.delete_item(
                TableName=self.name,
                Key=attributes(self._key(LEASE)),
                ConditionExpression="held_by = :holder",
                ExpressionAttributeValues={":holder": {"S": holder}},
            )

    def _key(self, started_at: str) -> JsonObject:
        return {"store_hash": self.store_hash, "started_at": started_at}


def _failing_order(image: Any) -> FailingOrder:
    return FailingOrder.from_item(from_image(image))
