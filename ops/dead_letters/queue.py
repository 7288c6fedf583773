"""A dead-letter queue of a stage, whose messages return to the queue that it belongs to.

StartMessageMoveTask is not used: it cannot select messages, and the sandbox does not implement it.
"""

from dataclasses import dataclass
from typing import Any, Self, TypeAlias

from chalicelib.edges.aws import calling
from ops.dead_letters.inspected import InspectedQueue, Outcomes, confirmed
from ops.dead_letters.message import DeadLetter
from ops.deployment import Deployment, client

Tally: TypeAlias = Outcomes[DeadLetter]


@dataclass(frozen=True)
class DeadLetterQueue(InspectedQueue[DeadLetter]):
    """A dead-letter queue, with the name and URL of the queue that it belongs to."""

    name: str
    source_url: str

    @classmethod
    def of(cls, deployment: Deployment, queue: str) -> Self:
        url = deployment.dead_letter_queue_url(queue)
        source_url = deployment.queue_url(queue)
        return cls(client("sqs"), url, queue, source_url)

    @property
    def what(self) -> str:
        return "dead-letter queue"

    def read(self, message: dict[str, Any]) -> DeadLetter:
        return DeadLetter.received(self.name, message)

    def move_on(self, messages: list[DeadLetter]) -> list[DeadLetter]:
        """Send messages unchanged to the queue. Replication is idempotent."""
        return confirmed(self._send, messages)

    def _send(self, messages: list[DeadLetter]) -> Any:
        entries = [
            {"Id": str(n), "MessageBody": message.body} for n, message in enumerate(messages)
        ]
        with calling(f"SendMessageBatch {self.name} queue"):
            return self.client.send_message_batch(QueueUrl=self.source_url, Entries=entries)
