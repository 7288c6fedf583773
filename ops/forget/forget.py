"""Removes an order from every table, and leaves a tombstone so that it is not stored again."""

from dataclasses import asdict, dataclass
from typing import Any

from chalicelib.domain.rules import tombstone
from ops.deployment import Deployment
from ops.store import orders_billed_to, pages
from ops.tables import delete_webhooks, put_tombstone, stored_orders, webhooks_of


@dataclass(frozen=True)
class Forgotten:
    """What was removed of one order, or would be in a dry run."""

    order_id: int
    was_stored: bool
    was_forgotten: bool
    webhooks: int

    def facts(self) -> dict[str, Any]:
        return asdict(self)


def orders_of(deployment: Deployment, email: str) -> list[int]:
    """The ids of a person's orders: those in the table with the address in any field, and those
    that the store finds by it. Raises AwsError, StoreError and OutOfTime.
    """
    wanted = _folded(email)
    found = {
        int(fields["id"])
        for fields, record in stored_orders(deployment)
        if not record.is_forgotten and wanted in _texts(fields)
    }
    for page in pages(orders_billed_to(deployment.wiring.store, email)):
        found.update(order["id"] for order in page)
    return sorted(found)


def forget(deployment: Deployment, order_id: int, *, dry_run: bool) -> Forgotten:
    """Replace an order by its tombstone, and delete its recorded callbacks.

    The tombstone is written first, because the queue may contain a message of the order. Raises
    AwsError.
    """
    record = deployment.wiring.orders.records([order_id]).get(order_id)
    webhooks = webhooks_of(deployment, order_id)
    done = Forgotten(
        order_id=order_id,
        was_stored=record is not None and not record.is_forgotten,
        was_forgotten=record is not None and record.is_forgotten,
        webhooks=len(webhooks),
    )
    if not dry_run:
        if not done.was_forgotten:
            put_tombstone(deployment, order_id, tombstone(record, deployment.clock.now()))
        delete_webhooks(deployment, webhooks)
    return done


def _texts(value: Any) -> set[str]:
    """Every string in an order, at any depth, folded for comparison."""
    if isinstance(value, dict):
        return set().union(*map(_texts, value.values()))
    if isinstance(value, list):
        return set().union(*map(_texts, value))
    return {_folded(value)} if isinstance(value, str) else set()


def _folded(text: str) -> str:
    return text.strip().casefold()
