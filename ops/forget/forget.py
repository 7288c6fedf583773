"""Removes an order from every table, and leaves a tombstone so that it is not stored again."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from chalicelib.domain.models import UnreadableOrder
from chalicelib.domain.records import ReplicationRecord
from chalicelib.domain.rules import has_move_left
from chalicelib.edges.bigcommerce import NotFound, StoreError
from chalicelib.edges.pacing import OutOfTime
from ops.deployment import Deployment
from ops.forget.ledger import Ledger
from ops.tables import delete_webhooks, put_tombstone, webhooks_of

STORE_TIMEOUT = 60.0
"""Seconds for the requests about one order to the store."""


@dataclass(frozen=True)
class Hit:
    """An order to forget, before it is forgotten.

    `fields` are the names of the fields in which the person was found. `will_move`: the order is
    new in the store and was never moved; None where the store could not be read.
    """

    order_id: int
    fields: tuple[str, ...]
    was_stored: bool
    was_forgotten: bool
    will_move: bool | None
    webhooks: int

    def facts(self) -> dict[str, Any]:
        return {**asdict(self), "fields": list(self.fields)}


def inspect(deployment: Deployment, order_id: int, fields: Sequence[str]) -> Hit:
    """Raises AwsError."""
    record = deployment.wiring.orders.records([order_id]).get(order_id)
    return Hit(
        order_id=order_id,
        fields=tuple(fields),
        was_stored=record is not None and not record.is_forgotten,
        was_forgotten=record is not None and record.is_forgotten,
        will_move=_will_move(deployment, order_id, record),
        webhooks=len(webhooks_of(deployment, order_id)),
    )


def forget(deployment: Deployment, hit: Hit) -> None:
    """Replace an order by its tombstone, and delete its recorded callbacks.

    The ledger is written first: it must know of every tombstone. The tombstone comes before the
    callbacks are deleted, because a queue may contain a message of the order. Raises AwsError and
    ConcurrentWrite.
    """
    Ledger(deployment).add(hit.order_id, deployment.clock.now())
    record = deployment.wiring.orders.records([hit.order_id]).get(hit.order_id)
    if record is None or not record.is_forgotten:
        put_tombstone(deployment, hit.order_id, record, deployment.clock.now())
    delete_webhooks(deployment, webhooks_of(deployment, hit.order_id))


def _will_move(
    deployment: Deployment, order_id: int, record: ReplicationRecord | None
) -> bool | None:
    if record is not None and record.is_moved:
        return False
    policy = deployment.settings.policy()
    try:
        order = deployment.store_within(STORE_TIMEOUT).order(order_id)
    except NotFound:
        return False
    except (StoreError, OutOfTime, UnreadableOrder):
        return None
    return has_move_left(order, record, policy, is_paused=False)
