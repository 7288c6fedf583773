"""The true history of every order: its versions, who made them, and which the service read."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from werkzeug import Request, Response

from sandbox.expected import expected_item
from sandbox.store.statuses import Status

NEW = {Status.AWAITING_FULFILLMENT, Status.AWAITING_PAYMENT}
IGNORED = {Status.INCOMPLETE, Status.PENDING}
PROCESSED = {
    *(Status.SHIPPED, Status.PARTIALLY_SHIPPED),
    *(Status.AWAITING_PICKUP, Status.AWAITING_SHIPMENT),
}
DIGITAL = {"digital", "giftcertificate"}
PROMPT = 1.0
"""Seconds. How long a client waits for a later answer depends on the time of its function."""

CONSUMERS = ("replicate_orders", "follow_orders")


@dataclass(frozen=True)
class Version:
    """A complete order at one time; `by` whom it was changed."""

    order: dict[str, Any]
    by: str
    at: float

    @property
    def status(self) -> int:
        return int(self.order["status_id"])

    @property
    def is_digital(self) -> bool:
        return {line["type"] for line in self.order["products"]} <= DIGITAL

    @property
    def is_new(self) -> bool:
        if self.order["is_deleted"]:
            return False
        return self.status in NEW or (self.status == Status.COMPLETED and self.is_digital)

    @property
    def is_processed(self) -> bool:
        """Whether somebody has processed the order, so that it must not be moved afterwards."""
        return self.status in PROCESSED or (self.status == Status.COMPLETED and not self.is_digital)

    @property
    def target(self) -> int:
        goods = [line for line in self.order["products"] if line["type"] not in DIGITAL]
        if all(line["order_pickup_method_id"] for line in goods):
            return Status.AWAITING_PICKUP
        return Status.AWAITING_SHIPMENT


@dataclass(frozen=True)
class Read:
    """A function read an order: which version, when it was requested, in which invocation."""

    version: int
    at: float
    invocation: int


@dataclass
class OrderHistory:
    """The versions of one order and the reads of it."""

    versions: list[Version] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    stamp: Any = None

    @property
    def last(self) -> Version:
        return self.versions[-1]

    def number(self, order: dict[str, Any]) -> int | None:
        """The number of the newest version with this order's date, status and own fields."""
        for number in range(len(self.versions) - 1, -1, -1):
            known = self.versions[number].order
            if all(
                known[name] == order.get(name)
                for name in ("date_modified", "status_id", "staff_notes", "items_total")
            ):
                return number
        return None


@dataclass(frozen=True)
class Put:
    """A request that moves an order, when it was sent, and in which invocation."""

    order_id: int
    at: float
    invocation: int


class History:
    """Records the store's orders independently of the service."""

    def __init__(self, store, gate) -> None:
        self._store = store
        self._gate = gate
        self.orders: dict[int, OrderHistory] = {}
        self.puts: list[Put] = []
        self.unconfirmed: set[int] = set()
        """Orders with a PUT that may have taken effect without a clear answer."""
        gate.on_answer = self._record_read
        self._wrap_store(gate)

    def note(self, by: str = "people") -> None:
        """Record every new version of every order."""
        for order_id in self._store.order_ids():
            self._note(order_id, by)

    def _note(self, order_id: int, by: str) -> None:
        history = self.orders.setdefault(order_id, OrderHistory())
        book = self._store.book
        recorded = [repr(book.sub_resource(order_id, name)) for name in ("shipments", "refunds")]
        stamp = (book.version(order_id).number, recorded)
        if history.stamp == stamp:
            return
        history.stamp = stamp
        version = Version(expected_item(self._store, order_id), by, self._store.clock.time())
        history.versions.append(version)

    def _wrap_store(self, gate) -> None:
        """Record the version that a PUT makes, whether or not its answer arrives."""
        reach = gate.store

        def store(request):
            self.note()
            order_id = None
            if request.method == "PUT" and "/orders/" in request.path:
                order_id = int(request.path.rsplit("/", 1)[1])
                sent_at = self._store.clock.time()
                self.puts.append(Put(order_id, sent_at, gate.invocation_now))
            before = self._requested = self._store.clock.time()
            given = reach(request)
            self._requested = before
            if order_id is not None:
                self.note("service")
                in_time = self._store.clock.time() - sent_at < PROMPT
                if not (in_time and shows_the_move(request, given)):
                    self.unconfirmed.add(order_id)
            return given

        gate.store = store

    def _record_read(self, call, request, answer) -> None:
        if call.function not in CONSUMERS or request.method != "GET":
            return
        if answer is None or not is_complete(answer):
            return
        if not re.fullmatch(r"store GET /orders(/\{id\})?", call.name):
            return
        try:
            content = json.loads(answer.get_data())
        except ValueError:
            return
        for order in content if isinstance(content, list) else [content]:
            history = self.orders.get(order.get("id"))
            number = history.number(order) if history else None
            if history and number is not None:
                history.reads.append(Read(number, self._requested, call.invocation))


def shows_the_move(request: Request, answer: Response | None) -> bool:
    """Whether the answer to a PUT has the status that it asked for.

    It has another one if a person was faster than the answer.
    """
    if answer is None or not is_complete(answer):
        return False
    shown, asked = (json.loads(each.get_data()) for each in (answer, request))
    return bool(shown["status_id"] == asked["status_id"])


def is_complete(answer: Response | None) -> bool:
    """Whether an answer is 200 and has all of its body."""
    if answer is None or answer.status_code != 200:
        return False
    return answer.content_length in (None, len(answer.get_data()))
