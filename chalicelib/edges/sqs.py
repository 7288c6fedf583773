"""SQS: the queue of order ids."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from chalicelib.domain.messages import Delivery, OrderMessage
from chalicelib.edges.aws import AwsError, calling

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeNameType as QueueAttributeFilterType

logger = logging.getLogger(__name__)

BATCH = 10
"""Entries per batch call
(https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html)."""

DEPTHS: dict[str, "QueueAttributeFilterType"] = {
    "visible": "ApproximateNumberOfMessages",
    "in_flight": "ApproximateNumberOfMessagesNotVisible",
    "delayed": "ApproximateNumberOfMessagesDelayed",
}
"""SQS's names for the numbers of messages, which are approximate."""

T = TypeVar("T")


@dataclass(frozen=True)
class OrdersQueue:
    """A queue of order ids; `name` stands in the errors of its calls."""

    client: "SQSClient"
    url: str
    name: str = "orders queue"

    def send(self, messages: Iterable[OrderMessage], delay: int = 0) -> list[str]:
        """Send the messages in batches of ten; returns the SQS message ids, in no fixed order.

        They are delivered after `delay` seconds.

        A refused entry is sent once more. Raises AwsError when it is refused again: the messages
        before it are in the queue, and sending those again is safe.
        """
        return [
            message_id
            for batch in _batches(messages)
            for message_id in self._send_batch(batch, delay, tries=2)
        ]

    def depth(self) -> int:
        """About how many messages the queue has, in flight and delayed ones included."""
        return sum(self.depths().values())

    def depths(self) -> dict[str, int]:
        """About how many messages are `visible`, `in_flight` and `delayed`."""
        with calling(f"GetQueueAttributes {self.name}"):
            answer = self.client.get_queue_attributes(
                QueueUrl=self.url, AttributeNames=list(DEPTHS.values())
            )
        found = answer.get("Attributes", {})
        return {ours: int(found.get(theirs, 0)) for ours, theirs in DEPTHS.items()}

    def postpone(self, deliveries: Iterable[tuple[Delivery, float]]) -> None:
        """Set each delivered message's visibility timeout to its number of seconds.

        Where that fails, the queue's own visibility timeout applies.
        """
        for batch in _batches(deliveries):
            with calling(f"ChangeMessageVisibilityBatch {self.name}"):
                answer = self.client.change_message_visibility_batch(
                    QueueUrl=self.url,
                    Entries=[
                        {
                            "Id": str(index),
                            "ReceiptHandle": delivery.receipt_handle,
                            "VisibilityTimeout": int(seconds),
                        }
                        for index, (delivery, seconds) in enumerate(batch)
                    ],
                )
            for refused in answer.get("Failed", []):
                logger.warning(
                    "visibility timeout not changed",
                    extra={"event": "visibility_not_changed", "error": refused["Code"]},
                )

    def _send_batch(self, batch: Sequence[OrderMessage], delay: int, tries: int) -> list[str]:
        with calling(f"SendMessageBatch {self.name}"):
            answer = self.client.send_message_batch(
                QueueUrl=self.url,
                Entries=[
                    {"Id": str(index), "MessageBody": message.to_json(), "DelaySeconds": delay}
                    for index, message in enumerate(batch)
                ],
            )
        sent = [entry["MessageId"] for entry in answer.get("Successful", [])]
        refused = answer.get("Failed", [])
        if not refused:
            return sent
        if tries == 1:
            raise AwsError(f"SendMessageBatch {self.name}", refused[0]["Code"])
        again = [batch[int(entry["Id"])] for entry in refused]
        return sent + self._send_batch(again, delay, tries - 1)


def _batches(members: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(members)
    while batch := list(islice(rest, BATCH)):
        yield batch
