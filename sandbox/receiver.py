"""A small receiver of events: what a merchant's own system would be."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from werkzeug import Request, Response

from sandbox.bus import Answer
from sandbox.store.clock import Clock, SystemClock
from sandbox.store.serving import Server

REMEMBERED = 5000
"""Deliveries that a receiver remembers; the newest replace the oldest."""


@dataclass(frozen=True)
class Delivered:
    """An event that arrived at epoch seconds `at`, what was answered, and whether it was new."""

    at: float
    event: dict[str, Any]
    status: int
    is_new: bool


class Receiver:
    """Keeps every event by its `event_id`; `show` is called with each new one.

    Called with an event, it answers as an HTTP endpoint does; `serve` makes it one. With another
    `status` than 200 it takes no event.
    """

    def __init__(
        self,
        show: Callable[[dict[str, Any]], None] = lambda _: None,
        clock: Clock | None = None,
    ) -> None:
        self.events: dict[str, dict[str, Any]] = {}
        self.deliveries: deque[Delivered] = deque(maxlen=REMEMBERED)
        self.status = 200
        self._show = show
        self._clock = clock or SystemClock()

    def __call__(self, event: dict[str, Any]) -> Answer:
        event_id, status = event["detail"]["event_id"], self.status
        is_new = event_id not in self.events
        self.deliveries.append(Delivered(self._clock.time(), event, status, is_new))
        if status == 200 and is_new:
            self.events[event_id] = event
            self._show(event)
        return Answer(status)

    def serve(self, port: int = 0) -> Server:
        """Answer every POST of an event; the caller stops the server."""

        def answer(request: Request) -> Response:
            return Response(status=self(request.get_json()).status)

        return Server(port, answer)


def line(event: dict[str, Any]) -> str:
    """One line about an event."""
    detail = event["detail"]
    before, after = detail["previous_status_id"], detail["status_id"]
    status = f"{before} → {after}" if before is not None and before != after else str(after or "-")
    changed = ", ".join(detail["changed"])
    return f"{event['detail-type']:16} order {detail['order_id']:<6} status {status:8} {changed}"
