"""The dead letters of a stage: looked at, sent back to the orders queue, or dropped.

SQS shows a message only by receiving it, which hides it for a while. So whatever is received here
and not moved or dropped is made visible again at the end, also of a run that fails or is
interrupted: the alarm on dead letters stays on. A run that dies without its end, or is interrupted
once more while it ends, leaves letters hidden for HIDDEN_FOR seconds at most; then SQS shows them
again by itself.

AWS's own StartMessageMoveTask is not used: it cannot choose, and the sandbox does not have it.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Self

from chalicelib.edges.aws import AwsError, calling
from chalicelib.edges.sqs import BATCH
from ops.dead_letters.message import Letter
from ops.deployment import Deployment, client

HIDDEN_FOR = 300
"""Seconds that a received letter is hidden at most: enough to look at some ten thousand."""

LONG_POLL = 1
"""Seconds; a receive that waits asks all of SQS's servers, one that does not asks some, and may
find nothing although there is something
(https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html)."""

LARGEST_BATCH = 256 * 1024
"""Bytes of bodies that every SQS takes in one call; today's takes four times that."""

TRIES = 2
"""How often an entry of a batch is tried that SQS refuses."""

Call = Callable[[list[Letter]], Any]
"""One batch call of SQS: an entry for each letter, its place in the list for an id."""


@dataclass
class Tally:
    """What became of the chosen letters, up to date at every moment."""

    done: list[Letter] = field(default_factory=list)
    refused: list[Letter] = field(default_factory=list)
    """SQS would not take or delete them: dead letters still."""
    in_both: list[Letter] = field(default_factory=list)
    """Sent to the orders queue, and not deleted here: replication stands the one too many."""

    def has(self, name: str) -> bool:
        """Whether a letter of this order id or message id was chosen."""
        chosen = (*self.done, *self.refused, *self.in_both)
        return any(letter.is_one_of({name}) for letter in chosen)


@dataclass(frozen=True)
class DeadLetters:
    """The dead-letter queue, and the orders queue that its letters came from."""

    client: Any
    url: str
    orders_url: str

    @classmethod
    def of(cls, deployment: Deployment) -> Self:
        return cls(
            client("sqs"), deployment.dead_letter_queue_url, deployment.settings.orders_queue_url
        )

    def look(self) -> list[Letter]:
        """Every letter, the longest queued first. Raises AwsError."""
        with self._holding() as held:
            letters = [letter for batch in self._receive(held) for letter in batch]
        return sorted(letters, key=lambda letter: letter.queued_at)

    def redrive(
        self,
        is_chosen: Callable[[Letter], bool],
        bound: int,
        tally: Tally,
        looked_at: Callable[[int], object],
    ) -> None:
        """Send letters to the orders queue as they are, and then delete them here.

        Each is deleted only once SQS has confirmed that it is in the other queue: an end at any
        point leaves it in one queue or in both, never in none. A letter that fails again comes
        back under a new message id; `bound` letters, the depth at the start, are the most that are
        taken, so that this ends. Raises AwsError.
        """
        with self._holding() as held:
            for batch in self._receive(held):
                chosen = list(filter(is_chosen, batch))[: bound - len(tally.done)]
                sent = self._confirmed(self._send, chosen)
                tally.refused += _without(chosen, sent)
                deleted = self._delete(sent, held, tally)
                tally.in_both += _without(sent, deleted)
                looked_at(len(batch))
                if len(tally.done) >= bound:
                    return

    def drop(
        self, message_ids: Collection[str], tally: Tally, dealt_with: Callable[[int], object]
    ) -> None:
        """Delete the letters of these message ids, and no other. Raises AwsError."""
        with self._holding() as held:
            for batch in self._receive(held):
                chosen = [letter for letter in batch if letter.message_id in message_ids]
                tally.refused += _without(chosen, self._delete(chosen, held, tally))
                dealt_with(len(chosen))
                if len(tally.done) + len(tally.refused) == len(message_ids):
                    return

    def _delete(self, letters: list[Letter], held: dict[str, Letter], tally: Tally) -> list[Letter]:
        deleted = self._confirmed(self._remove, letters)
        tally.done += deleted
        for letter in deleted:
            del held[letter.message_id]
        return deleted

    @contextmanager
    def _holding(self) -> Iterator[dict[str, Letter]]:
        """Letters by message id, with their last receipt handle; at the end they are shown again.

        Where that fails nothing is lost: SQS does it later, and the error that counts is another.
        """
        held: dict[str, Letter] = {}
        try:
            yield held
        finally:
            with suppress(AwsError):
                self._confirmed(self._show, list(held.values()))

    def _receive(self, held: dict[str, Letter]) -> Iterator[list[Letter]]:
        """Batches of letters, each letter once, until a receive brings nothing that is new."""
        seen: set[str] = set()
        while batch := self._receive_batch():
            new = [letter for letter in batch.values() if letter.message_id not in seen]
            held |= batch
            seen |= set(batch)
            if not new:
                return
            yield new

    def _receive_batch(self) -> dict[str, Letter]:
        with calling("ReceiveMessage dead-letter queue"):
            answer = self.client.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=BATCH,
                WaitTimeSeconds=LONG_POLL,
                VisibilityTimeout=HIDDEN_FOR,
                AttributeNames=["All"],
            )
        letters = map(Letter.received, answer.get("Messages", []))
        return {letter.message_id: letter for letter in letters}

    def _confirmed(self, call: Call, letters: list[Letter]) -> list[Letter]:
        """The letters for which SQS confirms the call."""
        return [letter for batch in _batches(letters) for letter in _tried(call, batch, TRIES)]

    def _send(self, letters: list[Letter]) -> Any:
        entries = [{"Id": str(n), "MessageBody": letter.body} for n, letter in enumerate(letters)]
        with calling("SendMessageBatch orders queue"):
            return self.client.send_message_batch(QueueUrl=self.orders_url, Entries=entries)

    def _remove(self, letters: list[Letter]) -> Any:
        with calling("DeleteMessageBatch dead-letter queue"):
            return self.client.delete_message_batch(QueueUrl=self.url, Entries=_handles(letters))

    def _show(self, letters: list[Letter]) -> Any:
        entries = [{**entry, "VisibilityTimeout": 0} for entry in _handles(letters)]
        with calling("ChangeMessageVisibilityBatch dead-letter queue"):
            return self.client.change_message_visibility_batch(QueueUrl=self.url, Entries=entries)


def _tried(call: Call, letters: list[Letter], tries: int) -> list[Letter]:
    """The letters that SQS confirms in so many tries; only the refused ones are tried again."""
    answer = call(letters)
    confirmed = [letters[int(entry["Id"])] for entry in answer.get("Successful", [])]
    refused = _without(letters, confirmed)
    if refused and tries > 1:
        confirmed += _tried(call, refused, tries - 1)
    return confirmed


def _handles(letters: list[Letter]) -> list[dict[str, Any]]:
    return [
        {"Id": str(n), "ReceiptHandle": letter.receipt_handle} for n, letter in enumerate(letters)
    ]


def _batches(letters: list[Letter]) -> Iterator[list[Letter]]:
    """Letters in batches that SQS takes, by number and by size."""
    batch: list[Letter] = []
    size = 0
    for letter in letters:
        weight = len(letter.body.encode())
        if batch and (len(batch) == BATCH or size + weight > LARGEST_BATCH):
            yield batch
            batch, size = [], 0
        batch, size = [*batch, letter], size + weight
    if batch:
        yield batch


def _without(letters: list[Letter], taken: list[Letter]) -> list[Letter]:
    gone = {letter.message_id for letter in taken}
    return [letter for letter in letters if letter.message_id not in gone]
