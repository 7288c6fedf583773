"""A small receiver of events: what a merchant's own system would be."""

from collections.abc import Callable
from typing import Any

from werkzeug import Request, Response

from sandbox.bus import Answer
from sandbox.store.serving import Server


class Receiver:
    """Keeps every event by its `event_id`; `show` is called with each new one.

    Called with an event, it answers as an HTTP endpoint does; `serve` makes it one. With another
    `status` than 200 it takes no event.
    """

    def __init__(self, show: Callable[[dict[str, Any]], None] = lambda _: None) -> None:
        self.events: dict[str, dict[str, Any]] = {}
        self.status = 200
        self._show = show

    def __call__(self, event: dict[str, Any]) -> Answer:
        if self.status != 200:
            return Answer(self.status)
        event_id = event["detail"]["event_id"]
        if event_id not in self.events:
            self.events[event_id] = event
            self._show(event)
        return Answer()

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
