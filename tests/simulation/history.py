"""What truly happened to every order: its versions, who made them, and which the service saw."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from sandbox.store.statuses import Status

NEW = {Status.AWAITING_FULFILLMENT, Status.AWAITING_PAYMENT}
DIGITAL = {"digital", "giftcertificate"}


@dataclass(frozen=True)
class Version:
    """An order at one time, whole; `by` whom it became so."""

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
class Sight:
    """The consumer got an order from the store: which version, by its number, and when."""

    version: int
    at: float


@dataclass
class Life:
    """All of one order."""

    versions: list[Version] = field(default_factory=list)
    sights: list[Sight] = field(default_factory=list)
    stamp: int = 0

    def number(self, order: dict[str, Any]) -> int | None:
        """Which version an order is, by its date and status."""
        for number, version in enumerate(self.versions):
            known = version.order
            if (known["date_modified"], known["status_id"]) == (
                order.get("date_modified"),
                order.get("status_id"),
            ):
                return number
        return None

    def changed_by_people_after(self, number: int) -> bool:
        return any(version.by == "people" for version in self.versions[number + 1 :])


class History:
    """Follows the store by itself; nothing of it comes from the service."""

    def __init__(self, store, gate) -> None:
        self._store = store
        self.orders: dict[int, Life] = {}
        self.unheard: set[int] = set()
        """Orders of which a PUT may have worked without a clear answer."""
        gate.heard = self._heard
        self._wrap_puts(gate)

    def note(self, by: str = "people") -> None:
        """Look at every order, and keep the versions not seen before."""
        for order_id in self._store.order_ids():
            self._note(order_id, by)

    def _note(self, order_id: int, by: str) -> None:
        life = self.orders.setdefault(order_id, Life())
        stamp = self._store.book.version(order_id).modified
        if life.versions and life.stamp == stamp:
            return
        life.stamp = stamp
        life.versions.append(Version(self._store.whole(order_id), by, self._store.clock.time()))

    def _wrap_puts(self, gate) -> None:
        """A PUT that reached the store made a version, whoever heard of it."""
        reach = gate.store

        def store(request):
            self.note()
            given = reach(request)
            if request.method == "PUT":
                self.note("service")
                if given is None or given.cut or given.status != 200:
                    self.unheard.add(int(request.target.rsplit("/", 1)[1]))
            return given

        gate.store = store

    def _heard(self, call, request, answer) -> None:
        if call.function != "replicate_orders" or request.method != "GET":
            return
        if answer is None or answer.status != 200 or answer.cut:
            return
        if not re.fullmatch(r"store GET /orders(/\{id\})?", call.name):
            return
        try:
            content = json.loads(answer.body)
        except ValueError:
            return
        for order in content if isinstance(content, list) else [content]:
            life = self.orders.get(order.get("id"))
            number = life.number(order) if life else None
            if number is not None:
                life.sights.append(Sight(number, self._store.clock.time()))
