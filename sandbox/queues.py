"""What moto's SQS does otherwise than AWS's, mended in place."""

from typing import Any

from moto.sqs.exceptions import ReceiptHandleIsInvalid
from moto.sqs.models import Queue, SQSBackend

from sandbox.store.clock import Clock


def wait_by(clock: Clock) -> None:
    """Let a receive that waits for messages wait by this clock, not by the machine's."""
    type.__setattr__(Queue, "wait_for_messages", lambda _, seconds: clock.sleep(seconds))


def change_visibility(
    backend: Any, queue_name: str, receipt_handle: str, visibility_timeout: int
) -> None:
    """As moto has it, but for its limit of twelve hours.

    AWS counts them from the receive, moto from the sending: it would let nobody put off or show a
    message of yesterday.
    """
    queue = backend.get_queue(queue_name)
    for message in queue._messages:
        if message.had_receipt_handle(receipt_handle):
            message.change_visibility(visibility_timeout)
            if message.visible:
                queue.pending_messages.discard(message)
            return
    raise ReceiptHandleIsInvalid


def mend() -> None:
    type.__setattr__(SQSBackend, "change_message_visibility", change_visibility)
