"""Lambda's event source of a DynamoDB stream: batches in order, retries, a queue for what fails.

A batch that fails is divided until one record fails alone, and a record is tried again a limited
number of times. An answer names the record from which the rest of the batch is tried again.
"""

import base64
import json
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sandbox.account import ACCOUNT, REGION
from sandbox.stack import Stack
from sandbox.store.clock import Clock

RETRIES = 50
"""Retries of a batch that fails, as Terraform sets them. They are over long before the age of the
records that it sets."""

LONGEST_WAIT = 60.0
"""Seconds between two retries, which double from one second. AWS does not document its own."""

Invoke = Callable[[dict[str, Any]], Any]


@dataclass(frozen=True)
class Batch:
    """Records of the stream, by their positions, and how often they were tried again."""

    start: int
    end: int
    retries: int = 0
    due_at: float = 0.0

    @property
    def size(self) -> int:
        return self.end - self.start


@dataclass(frozen=True)
class Published:
    """The result of one invocation: records received, and those that are to be tried again."""

    received: int
    left: int
    error: Exception | None = None


class Stream:
    """The stream of a stage's Orders table, from its beginning."""

    def __init__(self, stack: Stack, clock: Clock, function: str) -> None:
        self._stack = stack
        self._clock = clock
        self._function = stack.name(function.replace("_", "-"))
        self._position = 0
        self._arrived: list[float] = []
        """When each record was seen first: moto dates them by the machine's clock."""
        self._batches: deque[Batch] = deque()

    @property
    def records(self) -> list[dict[str, Any]]:
        """Every record so far, as it is in an event of Lambda."""
        return self._events(0, len(self._items))

    @property
    def left(self) -> int:
        """The number of records that are neither published nor in the failure queue."""
        return len(self._items) - self._position + sum(batch.size for batch in self._batches)

    @property
    def due_at(self) -> float | None:
        """When the next batch can be delivered, in epoch seconds; None when nothing is left."""
        if self._batches:
            return self._batches[0].due_at
        return self._clock.time() if self.left else None

    def deliver(self, invoke: Invoke, batch_size: int) -> Published | None:
        """Invoke the function with the next batch; None when there is none, or it is not due."""
        if not self._batches and self._position < len(self._items):
            end = min(len(self._items), self._position + batch_size)
            self._batches.append(Batch(self._position, end))
            self._position = end
        if not self._batches or self._batches[0].due_at > self._clock.time():
            return None
        batch = self._batches.popleft()
        records = self._events(batch.start, batch.end)
        try:
            answer = invoke({"Records": records})
        except Exception as error:  # as Lambda does, which tries again
            self._divide(batch, records)
            return Published(batch.size, batch.size, error)
        failed = [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
        if not failed:
            return Published(batch.size, 0)
        numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
        first = min(numbers.index(number) for number in failed)
        rest = Batch(batch.start + first, batch.end, batch.retries if first == 0 else 0)
        self._try_again(rest, records[first:])
        return Published(batch.size, rest.size)

    def _divide(self, batch: Batch, records: Sequence[dict[str, Any]]) -> None:
        if batch.size == 1:
            self._try_again(batch, records)
            return
        middle = batch.start + batch.size // 2
        self._batches.extendleft([replace(batch, start=middle), replace(batch, end=middle)])

    def _try_again(self, batch: Batch, records: Sequence[dict[str, Any]]) -> None:
        if batch.retries == RETRIES:
            self._discard(batch, records)
            return
        due_at = self._clock.time() + min(2.0**batch.retries, LONGEST_WAIT)
        self._batches.appendleft(replace(batch, retries=batch.retries + 1, due_at=due_at))

    def _discard(self, batch: Batch, records: Sequence[dict[str, Any]]) -> None:
        """Describe the batch in the failure queue. The description has no item.

        https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
        """
        now = self._clock.now().isoformat()
        first, last = (records[n]["dynamodb"] for n in (0, -1))
        description = {
            "requestContext": {
                "requestId": str(uuid.uuid4()),
                "functionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self._function}",
                "condition": "RetryAttemptsExhausted",
                "approximateInvokeCount": batch.retries + 1,
            },
            "responseContext": {
                "statusCode": 200,
                "executedVersion": "$LATEST",
                "functionError": "Unhandled",
            },
            "version": "1.0",
            "timestamp": now,
            "DDBStreamBatchInfo": {
                "shardId": self._shard.id,
                "startSequenceNumber": first["SequenceNumber"],
                "endSequenceNumber": last["SequenceNumber"],
                "approximateArrivalOfFirstRecord": _text(first["ApproximateCreationDateTime"]),
                "approximateArrivalOfLastRecord": _text(last["ApproximateCreationDateTime"]),
                "batchSize": batch.size,
                "streamArn": self._arn,
            },
        }
        self._stack.sqs.send_message(
            QueueUrl=self._stack.url_of("unpublished-events"), MessageBody=json.dumps(description)
        )

    @property
    def _shard(self) -> Any:
        return self._stack.table("orders").stream_shard

    def _events(self, start: int, end: int) -> list[dict[str, Any]]:
        """Records as they are in an event of Lambda."""
        items = self._items
        return [
            _as_event(items[n].to_json(), self._arn, self._arrived[n]) for n in range(start, end)
        ]

    @property
    def _items(self) -> list[Any]:
        items: list[Any] = self._shard.items
        self._arrived += [self._clock.time()] * (len(items) - len(self._arrived))
        return items

    @property
    def _arn(self) -> str:
        table = self._stack.table("orders")
        return f"{table.table_arn}/stream/{table.latest_stream_label}"


def _as_event(record: dict[str, Any], arn: str, arrived: float) -> dict[str, Any]:
    """A record as Lambda passes it: with the time in epoch seconds, and binary as base64 text."""
    given = {**record["dynamodb"], "ApproximateCreationDateTime": arrived}
    for image in given.keys() & {"OldImage", "NewImage"}:
        given[image] = {name: _as_text(value) for name, value in given[image].items()}
    return {**record, "dynamodb": given, "eventSourceARN": arn}


def _as_text(value: dict[str, Any]) -> dict[str, Any]:
    """A value of an image; the binary values of an item are not inside of others."""
    binary = value.get("B")
    return {"B": base64.b64encode(binary).decode()} if isinstance(binary, bytes) else value


def _text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
