"""A queue that an operator looks through: lists, moves on and drops its messages.

SQS shows a message only by receiving it, which hides it for a while. At the end every received
message that was not moved or dropped is made visible again, also after an error or Ctrl-C, so that
the alarm on the queue stays in ALARM state. When the process is killed, messages stay hidden for
HIDDEN_FOR seconds at most.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from chalicelib.edges.aws import AwsError, calling
from chalicelib.edges.sqs import BATCH


class Received(Protocol):
    """A message that was received."""

    @property
    def message_id(self) -> str: ...

    @property
    def receipt_handle(self) -> str: ...

    @property
    def body(self) -> str: ...

    def is_one_of(self, names: Collection[str]) -> bool:
        """Whether an operator who names these means this message."""


M = TypeVar("M", bound=Received)

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


@dataclass
class Outcomes(Generic[M]):
    """The outcome for each selected message, updated after every call."""

    done: list[M] = field(default_factory=list)
    refused: list[M] = field(default_factory=list)
    """They were not accepted, or not deleted here; they are still in this queue."""
    in_both: list[M] = field(default_factory=list)
    """Moved on, but not deleted here, so that they can be moved on again. That is safe."""
    merged: list[M] = field(default_factory=list)
    """Deleted here, because another message of the same order was redriven."""

    def has(self, name: str) -> bool:
        """Whether a message of this order id or message id was selected."""
        selected = (*self.done, *self.refused, *self.in_both, *self.merged)
        return any(message.is_one_of({name}) for message in selected)


@dataclass(frozen=True)
class InspectedQueue(ABC, Generic[M]):
    """A queue by its URL."""

    client: Any
    url: str

    @property
    @abstractmethod
    def what(self) -> str:
        """Names the queue in an error."""

    @abstractmethod
    def read(self, message: dict[str, Any]) -> M:
        """A message as SQS returns it."""

    @abstractmethod
    def move_on(self, messages: list[M]) -> list[M]:
        """Send messages to where they belong; returns those that were accepted for certain.

        At most ten messages, and LARGEST_BATCH bytes. Raises AwsError.
        """

    def messages(self) -> list[M]:
        """Every message, in no certain order. Raises AwsError."""
        with self._hidden() as hidden:
            return [message for batch in self._receive(hidden) for message in batch]

    def redrive(
        self, message_ids: Collection[str], tally: Outcomes[M], progress: Callable[[int], object]
    ) -> None:
        """Move the messages with these ids on, then delete them here.

        A message is deleted only after it was accepted, so an interruption leaves it in one place
        or in both. A message that fails again returns under a new message id, so the loop ends.
        Raises AwsError.
        """
        left = set(message_ids)
        with self._hidden() as hidden:
            for batch in self._receive(hidden) if left else ():
                selected = [message for message in batch if message.message_id in left]
                for some in _batches(selected):
                    sent = self.move_on(some)
                    tally.refused += _without(some, sent)
                    deleted = self._delete(sent, hidden, tally)
                    tally.in_both += _without(sent, deleted)
                    progress(len(some))
                left -= {message.message_id for message in selected}
                if not left:
                    return

    def drop(
        self, message_ids: Collection[str], tally: Outcomes[M], progress: Callable[[int], object]
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

    def _delete(self, messages: list[M], hidden: dict[str, M], tally: Outcomes[M]) -> list[M]:
        deleted = confirmed(self._remove, messages)
        tally.done += deleted
        for message in deleted:
            del hidden[message.message_id]
        return deleted

    @contextmanager
    def _hidden(self) -> Iterator[dict[str, M]]:
        """Messages by id, with their last receipt handle; at the end they become visible again.

        An error of that last call is suppressed: the messages become visible by themselves later.
        """
        hidden: dict[str, M] = {}
        try:
            yield hidden
        finally:
            with suppress(AwsError):
                confirmed(self._make_visible, list(hidden.values()))

    def _receive(self, hidden: dict[str, M]) -> Iterator[list[M]]:
        """Batches of messages, each message once, until a receive returns no new one."""
        seen: set[str] = set()
        while batch := self._receive_batch():
            new = [message for message in batch.values() if message.message_id not in seen]
            hidden |= batch
            seen |= set(batch)
            if not new:
                return
            yield new

    def _receive_batch(self) -> dict[str, M]:
        with calling(f"ReceiveMessage {self.what}"):
            answer = self.client.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=BATCH,
                WaitTimeSeconds=LONG_POLL,
                VisibilityTimeout=HIDDEN_FOR,
                AttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
        messages = map(self.read, answer.get("Messages", []))
        return {message.message_id: message for message in messages}

    def _remove(self, messages: list[M]) -> Any:
        with calling(f"DeleteMessageBatch {self.what}"):
            return self.client.delete_message_batch(QueueUrl=self.url, Entries=_handles(messages))

    def _make_visible(self, messages: list[M]) -> Any:
        entries = [{**entry, "VisibilityTimeout": 0} for entry in _handles(messages)]
        with calling(f"ChangeMessageVisibilityBatch {self.what}"):
            return self.client.change_message_visibility_batch(QueueUrl=self.url, Entries=entries)


def confirmed(call: Callable[[list[M]], Any], messages: list[M]) -> list[M]:
    """The messages for which SQS confirms a batch call; a rejected one is sent once more.

    `call` sends an entry for each message, with its index in the list as its id.
    """
    return [message for batch in _batches(messages) for message in _attempt(call, batch, ATTEMPTS)]


def _attempt(call: Callable[[list[M]], Any], messages: list[M], attempts: int) -> list[M]:
    answer = call(messages)
    done = [messages[int(entry["Id"])] for entry in answer.get("Successful", [])]
    refused = _without(messages, done)
    if refused and attempts > 1:
        done += _attempt(call, refused, attempts - 1)
    return done


def _handles(messages: list[M]) -> list[dict[str, Any]]:
    return [
        {"Id": str(n), "ReceiptHandle": message.receipt_handle}
        for n, message in enumerate(messages)
    ]


def _batches(messages: list[M]) -> Iterator[list[M]]:
    """Batches that SQS accepts, by number and size."""
    batch: list[M] = []
    size = 0
    for message in messages:
        weight = len(message.body.encode())
        if batch and (len(batch) == BATCH or size + weight > LARGEST_BATCH):
            yield batch
            batch, size = [], 0
        batch, size = [*batch, message], size + weight
    if batch:
        yield batch


def _without(messages: list[M], removed: list[M]) -> list[M]:
    ids = {message.message_id for message in removed}
    return [message for message in messages if message.message_id not in ids]
