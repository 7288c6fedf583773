"""Finds a person's orders: in every text of the table, and in the store."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from chalicelib.domain.models import JsonObject
from ops.deployment import Deployment
from ops.store import ids_of
from ops.tables import stored_orders

IN_THE_STORE = "(in the store)"
"""In place of a field's name, for an order that only the store finds."""


@dataclass(frozen=True)
class Person:
    """Whom to search: texts anywhere in an order, in any case, and the id of a customer."""

    texts: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    customer_id: int | None = None

    @property
    def is_nobody(self) -> bool:
        return not (self.texts or self.emails or self.customer_id)


def orders_of(deployment: Deployment, person: Person) -> dict[int, list[str]]:
    """The names of the fields in which the person is found, by order id.

    The store finds orders that are not stored, by customer and by the billing address's e-mail.
    Raises AwsError, StoreError and OutOfTime.
    """
    found: dict[int, list[str]] = {}
    for fields, record in stored_orders(deployment):
        if record and record.is_forgotten:
            continue
        if names := sorted(set(_hits(fields, person))):
            found[int(fields["id"])] = names
    for order_id in _in_the_store(deployment, person):
        found.setdefault(order_id, [IN_THE_STORE])
    return dict(sorted(found.items()))


def _hits(fields: JsonObject, person: Person) -> Iterator[str]:
    wanted = [text.casefold() for text in (*person.texts, *person.emails)]
    for name, text in _texts(fields, ""):
        if any(each in text.casefold() for each in wanted):
            yield name
    if person.customer_id and fields.get("customer_id") == person.customer_id:
        yield "customer_id"


def _texts(value: Any, name: str) -> Iterator[tuple[str, str]]:
    """Every text of an order with its dotted path; the members of a list have the list's path."""
    if isinstance(value, dict):
        for key, member in value.items():
            yield from _texts(member, f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        for member in value:
            yield from _texts(member, name)
    elif isinstance(value, str):
        yield name, value


def _in_the_store(deployment: Deployment, person: Person) -> set[int]:
    filters = [{"email": email} for email in person.emails]
    if person.customer_id:
        filters.append({"customer_id": str(person.customer_id)})
    store = deployment.wiring.store
    return {order_id for each in filters for order_id in ids_of(store, each)}
