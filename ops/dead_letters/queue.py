"""A dead-letter queue of a stage: lists, redrives and drops its messages.

SQS shows a message only by receiving it, which hides it for a while. At the end every received
message that was not moved or dropped is made visible again, also after an error or Ctrl-C, so that
the alarm dead-letters stays in ALARM state. When the process is killed, messages stay hidden for
HIDDEN_FOR seconds at most.

StartMessageMoveTask is not used: it cannot select messages, and the sandbox does not implement it.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Self

from chalicelib.edges.aws import AwsError, calling
from chalicelib.edges.sqs import BATCH
from ops.dead_letters.message import DeadLetter
from ops.deployment import Deployment, client

HIDDEN_FOR = 300
"""Seconds that a received message is hidden at most: enough to list about ten thousand."""

LONG_POLL = 1
"""Seconds. Long polling queries all servers of SQS; short polling queries some of them, and may
return no message although the queue contains some
(https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html)."""

LARGEST_BATCH = 256 * 1024
"""Bytes of bodies in one call. SQS accepts 1 MiB today, and accepted 256 KiB before."""

ATTEMPTS = 2
"""Attempts for an entry of a batch that SQS rejects."""

Call = Callable[[list[DeadLetter]], Any]
"""One batch call of SQS: an entry for each message, its index in the list as its id."""


@dataclass
class Tally:
    """The outcome for each selected message, updated after every call."""

    done: list[DeadLetter] = field(default_factory=list)
    refused: list[DeadLetter] = field(default_factory=list)
    """SQS did not accept or delete them; they are still in the dead-letter queue."""
    in_both: list[DeadLetter] = field(default_factory=list)
    """Sent to their own queue, but not deleted here. Replication is idempotent."""
    merged: list[DeadLetter] = field(default_factory=list)
    """Deleted here, because another message of the same order was redriven."""

    def has(self, name: str) -> bool:
        """Whether a message of this order id or message id was selected."""
        selected = (*self.done, *self.refused, *self.in_both, *self.merged)
        return any(message.is_one_of({name}) for message in selected)


@dataclass(frozen=True)
class DeadLetterQueue:
    """A dead-letter queue, with the name and URL of the queue that it belongs to."""

    client: Any
    name: str
    url: str
    source_url: str

    @classmethod
    def of(cls, deployment: Deployment, queue: str) -> Self:
        url = deployment.dead_letter_queue_url(queue)
        return cls(client("sqs"), queue, url, deployment.queue_url(queue))

    def messages(self) -> list[DeadLetter]:
        """Every message, the one queued first at the head. Raises AwsError."""
        with self._hidden() as hidden:
            messages = [message for batch in self._receive(hidden) for message in batch]
        return sorted(messages, key=lambda message: message.queued_at)

    def redrive(
        self, message_ids: Collection[str], tally: Tally, progress: Callable[[int], object]
    ) -> None:
        """Send the messages with these ids unchanged to their own queue, then delete them here.

        A message is deleted only after SQS has confirmed that it is in its queue, so an
        interruption leaves it in one queue or in both. A message that fails again returns under a
        new message id, so the loop ends. Raises AwsError.
        """
        left = set(message_ids)
        with self._hidden() as hidden:
            for batch in self._receive(hidden) if left else ():
                selected = [message for message in batch if message.message_id in left]
                sent = self._confirmed(self._send, selected)
                tally.refused += _without(selected, sent)
                deleted = self._delete(sent, hidden, tally)
                tally.in_both += _without(sent, deleted)
                progress(len(selected))
                left -= {message.message_id for message in selected}
                if not left:
                    return

    def drop(
        self, message_ids: Collection[str], tally: Tally, progress: Callable[[int], object]
    ) -> None:
        """Delete the messages with these ids, and no other. Raises AwsError."""
        left = set(message_ids)
        with self._hidden() as hidden:
            for batch in self._receive(hidden) if left else ():
                selected = [message for message in batch if message.message_id in left]
                tally.refused += _without(selected, self._delete(selected, hidden, tally))
                progress(len(selected))
                left -= {message.message_id for message in selected}
                if not left:
                    return

    def _delete(
        self, messages: list[DeadLetter], hidden: dict[str, DeadLetter], tally: Tally
    ) -> list[DeadLetter]:
        deleted = self._confirmed(self._remove, messages)
        tally.done += deleted
        for message in deleted:
            del hidden[message.message_id]
        return deleted

    @contextmanager
    def _hidden(self) -> Iterator[dict[str, DeadLetter]]:
        """Messages by id, with their last receipt handle; at the end they become visible again.

        An error of that last call is suppressed: the messages become visible by themselves later.
        """
        hidden: dict[str, DeadLetter] = {}
        try:
            yield hidden
        finally:
            with suppress(AwsError):
                self._confirmed(self._make_visible, list(hidden.values()))

    def _receive(self, hidden: dict[str, DeadLetter]) -> Iterator[list[DeadLetter]]:
        """Batches of messages, each message once, until a receive returns no new one."""
        seen: set[str] = set()
        while batch := self._receive_batch():
            new = [message for message in batch.values() if message.message_id not in seen]
            hidden |= batch
            seen |= set(batch)
            if not new:
                return
            yield new

    def _receive_batch(self) -> dict[str, DeadLetter]:
        with calling("ReceiveMessage dead-letter queue"):
            answer = self.client.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=BATCH,
                WaitTimeSeconds=LONG_POLL,
                VisibilityTimeout=HIDDEN_FOR,
                AttributeNames=["All"],
            )
        messages = (DeadLetter.received(self.name, each) for each in answer.get("Messages", []))
        return {message.message_id: message for message in messages}

    def _confirmed(self, call: Call, messages: list[DeadLetter]) -> list[DeadLetter]:
        """The messages for which SQS confirms the call."""
        return [
            message for batch in _batches(messages) for message in _attempt(call, batch, ATTEMPTS)
        ]

    def _send(self, messages: list[DeadLetter]) -> Any:
        entries = [
            {"Id": str(n), "MessageBody": message.body} for n, message in enumerate(messages)
        ]
        with calling(f"SendMessageBatch {self.name} queue"):
            return self.client.send_message_batch(QueueUrl=self.source_url, Entries=entries)

    def _remove(self, messages: list[DeadLetter]) -> Any:
        with calling("DeleteMessageBatch dead-letter queue"):
            return self.client.delete_message_batch(QueueUrl=self.url, Entries=_handles(messages))

    def _make_visible(self, messages: list[DeadLetter]) -> Any:
        entries = [{**entry, "VisibilityTimeout": 0} for entry in _handles(messages)]
        with calling("ChangeMessageVisibilityBatch dead-letter queue"):
            return self.client.change_message_visibility_batch(QueueUrl=self.url, Entries=entries)


def _attempt(call: Call, messages: list[DeadLetter], attempts: int) -> list[DeadLetter]:
    """The messages that SQS confirms; only rejected ones are sent again."""
    answer = call(messages)
    confirmed = [messages[int(entry["Id"])] for entry in answer.get("Successful", [])]
    refused = _without(messages, confirmed)
    if refused and attempts > 1:
        confirmed += _attempt(call, refused, attempts - 1)
    return confirmed


def _handles(messages: list[DeadLetter]) -> list[dict[str, Any]]:
    return [
        {"Id": str(n), "ReceiptHandle": message.receipt_handle}
        for n, message in enumerate(messages)
    ]


def _batches(messages: list[DeadLetter]) -> Iterator[list[DeadLetter]]:
    """Batches that SQS accepts, by number and size."""
    batch: list[DeadLetter] = []
    size = 0
    for message in messages:
        weight = len(message.body.encode())
        if batch and (len(batch) == BATCH or size + weight > LARGEST_BATCH):
            yield batch
            batch, size = [], 0
        batch, size = [*batch, message], size + weight
    if batch:
        yield batch


def _without(messages: list[DeadLetter], removed: list[DeadLetter]) -> list[DeadLetter]:
    ids = {message.message_id for message in removed}
    return [message for message in messages if message.message_id not in ids]
