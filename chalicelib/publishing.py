"""Publishes the changes of the Orders table as events.

Lambda delivers the records of a shard in order, and again from the first one that was not
published. A function that is killed publishes some events twice, with the same `event_id`.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chalicelib.domain.events import Event, UnreadableRecord, events_of
from chalicelib.domain.items import to_json
from chalicelib.domain.models import JsonObject
from chalicelib.edges.eventbridge import Entry, EventBus, NotTaken

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Publisher:
    """Publishes a batch of records. `with_order`: an event contains the order, if it fits.

    `with_history`: the orders that a first fill or a backfill copies are published as well.
    """

    bus: EventBus
    store_hash: str
    with_order: bool
    with_history: bool

    def publish(self, records: Sequence[JsonObject]) -> str | None:
        """Publish the events of the records, in their order.

        Returns the SequenceNumber of the first record whose events are not all published, or None.
        Raises UnreadableRecord or NotTaken when that is the first record and the fault is its own:
        Lambda then divides the batch, until the record fails alone.
        """
        positions: list[int] = []
        events: list[Event] = []
        unreadable: tuple[int, UnreadableRecord] | None = None
        for position, record in enumerate(records):
            try:
                found = events_of(record["dynamodb"], with_history=self.with_history)
            except UnreadableRecord as error:
                logger.error(
                    "record is unreadable",
                    extra={"event": "record_unreadable", "error": str(error)},
                )
                unreadable = position, error
                break
            positions += [position] * len(found)
            events += found
        try:
            self.bus.put([self._entry(event) for event in events])
        except NotTaken as error:
            _log_published(event for n, event in enumerate(events) if n not in error.entries)
            logger.warning(
                "events not published",
                extra={
                    "event": "events_not_published",
                    "error": str(error),
                    "count": len(error.entries),
                },
            )
            first = positions[error.entries[0]]
            if first == 0 and error.is_refusal:
                raise
            return _number(records[first])
        _log_published(events)
        if unreadable is None:
            return None
        first, reason = unreadable
        if first == 0:
            raise reason
        return _number(records[first])

    def replay(self, events: Sequence[Event], only_for: str | None) -> None:
        """Publish events again, for all destinations or `only_for` one. Raises NotTaken."""
        self.bus.put([self._entry(event, replayed=True, only_for=only_for) for event in events])
        _log_published(events)

    def _entry(self, event: Event, *, replayed: bool = False, only_for: str | None = None) -> Entry:
        """The event with its order, if that is wanted and fits."""
        detail = event.detail(self.store_hash, replayed=replayed)
        if only_for is not None:
            detail["only_for"] = only_for
        entry = Entry(event.type, to_json(detail), event.occurred_at)
        if not (self.with_order and event.order):
            return entry
        whole = Entry(event.type, to_json({**detail, "order": event.order}), event.occurred_at)
        if self.bus.fits(whole):
            return whole
        return Entry(event.type, to_json({**detail, "order_omitted": True}), event.occurred_at)


def _number(record: JsonObject) -> str:
    return str(record["dynamodb"]["SequenceNumber"])


def _log_published(events: Iterable[Event]) -> None:
    for event in events:
        logger.info(
            "event published",
            extra={
                "event": "event_published",
                "order_id": event.order_id,
                "event_id": event.event_id,
            },
        )
