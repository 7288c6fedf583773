"""The true history of every order: its versions, who made them, and which the service read."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from werkzeug import Response

from sandbox.store.statuses import Status

NEW = {Status.AWAITING_FULFILLMENT, Status.AWAITING_PAYMENT}
DIGITAL = {"digital", "giftcertificate"}


@dataclass(frozen=True)
class Version:
    """A complete order at one time; `by` whom it was changed."""

    order: dict[str, Any]
    by: str
    at: float

    @property
    def is_digital(self) -> bool:
        return {line["type"] for line in self.order["products"]} <= DIGITAL

    @property
    def is_new(self) -> bool:
        if self.order["is_deleted"]:
            return False
        status = self.order["status_id"]
        return status in NEW or (status == Status.COMPLETED and self.is_digital)

    @property
    def target(self) -> int:
        return Status.AWAITING_PICKUP if self.is_digital else Status.AWAITING_SHIPMENT


@dataclass(frozen=True)
class Read:
    """The consumer read an order from the store: the number of the version, and the time."""

    version: int
    at: float


@dataclass
class OrderHistory:
    """The versions of one order and the reads of it."""

    versions: list[Version] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    stamp: int = 0

    def number(self, order: dict[str, Any]) -> int | None:
        """The number of the version with this order's date and status."""
        for number, version in enumerate(self.versions):
            known = version.order
            if (known["date_modified"], known["status_id"]) == (
                order.get("date_modified"),
                order.get("status_id"),
            ):
                return number
        return None


class History:
    """Records the store's orders independently of the service."""

    def __init__(self, store, gate) -> None:
        self._store = store
        self.orders: dict[int, OrderHistory] = {}
        self.unconfirmed: set[int] = set()
        """Orders with a PUT that may have taken effect without a clear answer."""
        gate.on_answer = self._record_read
        self._wrap_puts(gate)

    def note(self, by: str = "people") -> None:
        """Record every new version of every order."""
        for order_id in self._store.order_ids():
            self._note(order_id, by)

    def _note(self, order_id: int, by: str) -> None:
        history = self.orders.setdefault(order_id, OrderHistory())
        stamp = self._store.book.version(order_id).modified
        if history.versions and history.stamp == stamp:
            return
        history.stamp = stamp
        history.versions.append(Version(self._store.whole(order_id), by, self._store.clock.time()))

    def _wrap_puts(self, gate) -> None:
        """Record the version that a PUT makes, whether or not its answer arrives."""
        reach = gate.store

        def store(request):
            self.note()
            given = reach(request)
            if request.method == "PUT":
                self.note("service")
                if not is_complete(given):
                    self.unconfirmed.add(int(request.path.rsplit("/", 1)[1]))
            return given

        gate.store = store

    def _record_read(self, call, request, answer) -> None:
        if call.function != "replicate_orders" or request.method != "GET":
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
                history.reads.append(Read(number, self._store.clock.time()))


def is_complete(answer: Response | None) -> bool:
    """Whether an answer is 200 and has all of its body."""
    if answer is None or answer.status_code != 200:
        return False
    return answer.content_length in (None, len(answer.get_data()))
