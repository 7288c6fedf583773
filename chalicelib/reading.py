"""Reads the lists of an order: those that came with it, if they can be trusted, or one by one.

One order in a hundred is read both ways. If both differ, the requested lists are stored, and the
stage trusts no embedded list until an operator has compared them.
"""

import logging
import zlib
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from threading import Lock

from chalicelib.domain.embedded import doubt_about, with_embedded_lists
from chalicelib.domain.models import JsonObject, Order
from chalicelib.domain.parts import (
    differing_fields,
    has_consignments,
    lacks_pickups,
    lacks_recipients,
    lists_never_embedded,
    lists_to_request,
    may_have_coupons,
    shortfalls,
    with_parts,
)
from chalicelib.domain.rules import DecideLater
from chalicelib.edges.bigcommerce import BigCommerce, Rejected
from chalicelib.switches import Switches

logger = logging.getLogger(__name__)

ONE_IN = 100
"""Of so many orders, one is read both ways; it is the same one in every delivery."""


@dataclass(frozen=True)
class Reader:
    """Reads lists; `fetchers` request those of an order concurrently.

    `refunded` are the ids of the batch's orders with refunds, which one request brings together.
    """

    store: BigCommerce
    switches: Switches
    fetchers: Executor
    uses_embedded: bool
    refunded: frozenset[int] = frozenset()
    _refunds: dict[int, list[JsonObject]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def whole(self, order: Order) -> Order:
        """The order with all its lists; those that it cannot have are empty.

        Raises DecideLater for an order that was read both ways and has changed meanwhile.
        """
        if not self.uses_embedded or self.switches.are_embedded_reads_off():
            return self._requested(order)
        if doubt := doubt_about(order):
            logger.info(
                "embedded lists not used",
                extra={"event": "embedded_not_used", "order_id": order.id, "reason": doubt},
            )
            return self._requested(order)
        embedded = self._embedded(order)
        return self._compared(order, embedded) if is_compared(order.id) else embedded

    def with_lines(self, order: Order) -> Order:
        """The order with its lines only."""
        lines = self.store.part(order.id, "products")
        return order.with_fields({**order.fields, "products": lines})

    def differences(self, order: Order) -> list[str]:
        """The names of the fields in which an order differs when it is read both ways.

        A difference counts if it is there again when everything is read anew. An order that has
        changed by then differs in nothing, and neither does one whose requested lists are short.
        """
        try:
            return self._differences(order, self._embedded(order), self._requested(order))
        except DecideLater:
            return []

    def _compared(self, order: Order, embedded: Order) -> Order:
        requested = self._requested(order)
        names = self._differences(order, embedded, requested)
        if not names:
            return embedded
        self.switches.switch_embedded_reads_off(order.id, names)
        return requested

    def _differences(self, order: Order, embedded: Order, requested: Order) -> list[str]:
        if shortfalls(requested) or not differing_fields(embedded, requested):
            return []
        again = self.store.order(order.id)
        if again.state != order.state:
            # It may not be new any more, and must not be moved by what was read before.
            raise DecideLater(f"order {order.id}: changed while it was being read")
        if doubt_about(again):
            return []
        requested = self._requested(again)
        return [] if shortfalls(requested) else differing_fields(self._embedded(again), requested)

    def _embedded(self, order: Order) -> Order:
        whole = with_embedded_lists(order)
        names = lists_never_embedded(order)
        if may_have_coupons(whole):
            names.append("coupons")
        lists = self._lists(order, names)
        return self._with_pickups(whole.with_fields({**whole.fields, **lists}))

    def _requested(self, order: Order) -> Order:
        lists = self._lists(order, lists_to_request(order))
        whole = with_parts(order, lists)
        if not has_consignments(order) or lacks_recipients(whole):
            whole = with_parts(self._with_consignments(order), lists)
        return self._with_pickups(whole)

    def _with_consignments(self, order: Order) -> Order:
        """The order with its consignments, requested by themselves."""
        try:
            found = self.store.consignments(order.id)
        except Rejected:
            # The lists have everything but who receives a download.
            return order
        return order.with_fields({**order.fields, "consignments": found}) if found else order

    def _with_pickups(self, whole: Order) -> Order:
        """The whole order; the place of a pickup is requested where it did not come with it."""
        if not lacks_pickups(whole):
            return whole
        found = {"consignments": self.store.consignments(whole.id)}
        pickups = with_parts(whole.with_fields(found), {}).fields["pickups"]
        return whole.with_fields({**whole.fields, "pickups": pickups})

    def _lists(self, order: Order, names: list[str]) -> dict[str, list[JsonObject]]:
        lists = self.fetchers.map(partial(self._list, order.id), names)
        return dict(zip(names, lists, strict=True))

    def _list(self, order_id: int, name: str) -> list[JsonObject]:
        return self._refunds_of(order_id) if name == "refunds" else self.store.part(order_id, name)

    def _refunds_of(self, order_id: int) -> list[JsonObject]:
        with self._lock:
            if order_id not in self._refunds:
                self._refunds.update(self.store.refunds(self.refunded | {order_id}))
            return self._refunds[order_id]


def with_refunds(orders: Mapping[int, Order]) -> frozenset[int]:
    """The ids of the orders that have refunds."""
    return frozenset(n for n, order in orders.items() if "refunds" in lists_never_embedded(order))


def is_compared(order_id: int) -> bool:
    """Whether an order is one of those that are read both ways; ids may have any pattern."""
    return zlib.crc32(str(order_id).encode()) % ONE_IN == 0
