"""Both dead-letter queues of a stage together: one message per order is redriven."""

from collections.abc import Callable, Sequence

from ops.dead_letters.message import DeadLetter
from ops.dead_letters.queue import DeadLetterQueue, Tally
from ops.deployment import QUEUES, Deployment

Progress = Callable[[int], object]
"""Receives the number of messages that were processed since the last call."""


def dead_letter_queues(deployment: Deployment) -> list[DeadLetterQueue]:
    """Raises NotDeployed and AwsError."""
    return [DeadLetterQueue.of(deployment, queue) for queue in QUEUES]


def messages_in(queues: Sequence[DeadLetterQueue]) -> list[DeadLetter]:
    """Every message of these dead-letter queues, the one queued first at the head."""
    messages = [message for queue in queues for message in queue.messages()]
    return sorted(messages, key=lambda message: message.queued_at)


def redrive(
    queues: Sequence[DeadLetterQueue],
    selected: Sequence[DeadLetter],
    tally: Tally,
    progress: Progress,
) -> None:
    """Return one message of each order to its own queue, and delete the order's other messages.

    These are deleted last, and only if SQS has accepted the message of their order. Raises
    AwsError.
    """
    chosen = _chosen(selected)
    wanted = {message.message_id for message in chosen}
    for queue in queues:
        queue.redrive(_ids(queue, chosen), tally, progress)
    sent = {message.group for message in (*tally.done, *tally.in_both)}
    rest = [message for message in selected if message.message_id not in wanted]
    tally.refused += [message for message in rest if message.group not in sent]
    deleted = Tally()
    try:
        drop(queues, [m for m in rest if m.group in sent], deleted, progress)
    finally:
        tally.merged += deleted.done
        tally.refused += deleted.refused


def drop(
    queues: Sequence[DeadLetterQueue],
    selected: Sequence[DeadLetter],
    tally: Tally,
    progress: Progress,
) -> None:
    """Delete these messages, and no other. Raises AwsError."""
    for queue in queues:
        queue.drop(_ids(queue, selected), tally, progress)


def remove_failing(
    deployment: Deployment, messages: Sequence[DeadLetter], dropped: Sequence[DeadLetter]
) -> None:
    """Orders whose last message was dropped do not count as failing; `messages` are all there were.

    Raises AwsError.
    """
    gone = {message.message_id for message in dropped}
    left = {message.order_id for message in messages if message.message_id not in gone}
    for order_id in sorted({m.order_id for m in dropped if m.order_id} - left):
        deployment.wiring.jobs.remove_failing(order_id)


def _chosen(messages: Sequence[DeadLetter]) -> list[DeadLetter]:
    best: dict[tuple[object, ...], DeadLetter] = {}
    for message in messages:
        other = best.get(message.group)
        if other is None or message.precedence > other.precedence:
            best[message.group] = message
    return list(best.values())


def _ids(queue: DeadLetterQueue, messages: Sequence[DeadLetter]) -> set[str]:
    return {message.message_id for message in messages if message.queue == queue.name}
