"""The queues of undelivered events: lists them, and publishes events again.

An event is published for its destination alone, with the same event_id, and deleted from the queue
when EventBridge has accepted it. What the destination does not accept again returns as a new
message.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from chalicelib.edges.eventbridge import EventBus, NotTaken
from ops.dead_letters.inspected import InspectedQueue, Outcomes
from ops.deployment import Deployment, client
from ops.destinations.destination import Destination
from ops.undelivered.message import Undelivered

TIMEOUT = 60.0
"""Seconds for publishing a batch."""

Tally: TypeAlias = Outcomes[Undelivered]

FORGOTTEN = "order.forgotten"


@dataclass(frozen=True)
class UndeliveredQueue(InspectedQueue[Undelivered]):
    """The queue of the events that a destination did not take."""

    destination: Destination

    @classmethod
    def of(cls, destination: Destination) -> "UndeliveredQueue | None":
        """None for a destination that has no such queue. Raises AwsError."""
        url = destination.queue_url
        if url is None:
            return None
        return cls(client("sqs"), url, destination)

    @property
    def what(self) -> str:
        return f"undelivered events of {self.destination.name}"

    def read(self, message: dict[str, Any]) -> Undelivered:
        return Undelivered.received(self.destination.name, message)

    def move_on(self, messages: list[Undelivered]) -> list[Undelivered]:
        """Publish the events again.

        Not accepted are a message without an event of this service, and an event that the
        destination does not select any more: EventBridge would drop it.
        """
        entries = [
            (message, entry)
            for message in messages
            if (entry := message.entry()) and self.destination.selects(message.event or {})
        ]
        refused: Sequence[int] = ()
        try:
            self._bus.put([entry for _, entry in entries])
        except NotTaken as error:
            if not error.is_refusal:
                raise
            refused = error.entries
        return [message for n, (message, _) in enumerate(entries) if n not in refused]

    @property
    def _bus(self) -> EventBus:
        deployment = self.destination.deployment
        return deployment.wiring.publisher_until(deployment.clock.time() + TIMEOUT).bus


def queues_of(destinations: Iterable[Destination]) -> list[UndeliveredQueue]:
    """The queues that are not empty; an empty one is not received from. Raises AwsError."""
    filled = [destination for destination in destinations if destination.undelivered()]
    return [queue for destination in filled if (queue := UndeliveredQueue.of(destination))]


def messages_in(queues: Iterable[UndeliveredQueue]) -> list[Undelivered]:
    """Every message of these queues, the oldest first."""
    messages = [message for queue in queues for message in queue.messages()]
    return sorted(messages, key=lambda message: message.sent_at)


def redrive(
    deployment: Deployment,
    queues: Sequence[UndeliveredQueue],
    selected: Sequence[Undelivered],
    tally: Tally,
) -> None:
    """Publish these events again. Raises AwsError.

    An earlier event of an order that was forgotten since is deleted instead: it may contain the
    order. Its receiver has to delete the order, and receives order.forgotten.
    """
    for queue in queues:
        queue.destination.require_enabled()
    obsolete = _of_forgotten_orders(deployment, selected)
    for queue in queues:
        queue.redrive(_ids(queue, selected) - _ids(queue, obsolete), tally, _ignore)
    deleted = Tally()
    try:
        drop(queues, obsolete, deleted)
    finally:
        tally.merged += deleted.done
        tally.refused += deleted.refused


def drop(queues: Sequence[UndeliveredQueue], selected: Sequence[Undelivered], tally: Tally) -> None:
    """Delete these messages, and no other. Raises AwsError."""
    for queue in queues:
        queue.drop(_ids(queue, selected), tally, _ignore)


def _of_forgotten_orders(
    deployment: Deployment, messages: Sequence[Undelivered]
) -> list[Undelivered]:
    ids = sorted({message.order_id for message in messages if message.order_id})
    records = deployment.wiring.orders.records(ids)
    forgotten = {order_id for order_id, record in records.items() if record.is_forgotten}
    return [m for m in messages if m.order_id in forgotten and m.type != FORGOTTEN]


def _ids(queue: UndeliveredQueue, messages: Iterable[Undelivered]) -> set[str]:
    return {m.message_id for m in messages if m.destination == queue.destination.name}


def _ignore(number: int) -> None: ...
