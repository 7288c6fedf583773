"""The names and JSON types of the fields that were seen: the shape of orders without their values.

A name that does not look like one of BigCommerce's is left out, because it could be data.
"""

import re
from collections.abc import Iterator
from typing import TypeAlias

from chalicelib.domain.models import JsonObject
from ops.facts.evidence import Evidence
from ops.facts.forms import groups
from ops.facts.kinds import kind_of

Shapes: TypeAlias = dict[str, dict[str, list[str]]]
"""The types of each field, by the kind of object and the field's name."""

NAME = re.compile(r"_{0,2}[a-z][a-z0-9_]{0,63}")

PARTS = {
    "products": "line",
    "shipping_addresses": "shipping address",
    "coupons": "coupon",
    "fees": "fee",
    "shipments": "shipment",
}


def shapes(store: Evidence) -> Shapes:
    """Of everything that was read so far; sends nothing."""
    found: dict[str, dict[str, set[str]]] = {}
    for kind, fields in _objects(store):
        known = found.setdefault(kind, {})
        for name, value in fields.items():
            if NAME.fullmatch(name):
                known.setdefault(name, set()).add(kind_of(value))
    return {
        kind: {name: sorted(types) for name, types in sorted(fields.items())}
        for kind, fields in sorted(found.items())
    }


def _objects(store: Evidence) -> Iterator[tuple[str, JsonObject]]:
    for order in store.orders.values():
        yield "order", order
    for order in store.embedded.values():
        for kind, group in groups(order):
            yield f"consignment: {kind}", group
    for answer in store.answers:
        name = PARTS.get(answer.name.rsplit("/", 1)[-1])
        if name:
            yield from ((name, member) for member in answer.members)
        elif answer.name.endswith("payment_actions/refunds"):
            yield from (("refund", member) for member in answer.members)
