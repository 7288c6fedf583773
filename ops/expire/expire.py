"""Sets the time at which DynamoDB deletes an item, where the retention has changed since its put.

A put sets it, and an order that does not change is not put: after a change of the retention, items
have the time of the old one, or none.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from chalicelib.domain.items import EXPIRES_AT
from chalicelib.domain.models import JsonObject, store_date
from chalicelib.domain.records import RECORD
from chalicelib.edges.aws import ConditionFailed, calling
from ops.deployment import Deployment, client
from ops.tables import scanned

WRITES_AT_A_TIME = 8

EARLIEST = timedelta(days=4 * 365)
"""How long ago an item can have expired: DynamoDB does not delete an item whose time is more than
five years in the past
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-before-you-start.html)."""


@dataclass(frozen=True)
class Change:
    """An item and its new time in epoch seconds; None where it must not be deleted."""

    order_id: int
    expires_at: int | None


@dataclass(frozen=True)
class Plan:
    """The items to change, and how many of the table have the right time already.

    `expired` is the number of changed items that DynamoDB will delete at once.
    """

    changes: tuple[Change, ...]
    unchanged: int
    expired: int


def plan(deployment: Deployment) -> Plan:
    """Compare every item with the retention that is deployed. Raises AwsError.

    Items without a valid `date_created`, which are not of this service, are left out.
    """
    changes, unchanged = [], 0
    now = int(deployment.clock.time())
    for item, wanted in _wanted(deployment, now):
        if item.get(EXPIRES_AT) == wanted:
            unchanged += 1
        else:
            changes.append(Change(int(item["id"]), wanted))
    expired = sum(1 for each in changes if each.expires_at is not None and each.expires_at <= now)
    return Plan(tuple(changes), unchanged, expired)


def apply(deployment: Deployment, planned: Plan) -> int:
    """Make the changes; returns the number of items changed. Raises AwsError.

    An order that was forgotten since is left as it is, and so is an item that has gone.
    """
    table, dynamodb = deployment.settings.orders_table, client("dynamodb")
    with ThreadPoolExecutor(WRITES_AT_A_TIME) as writers:
        return sum(writers.map(partial(_write, dynamodb, table), planned.changes))


def _wanted(deployment: Deployment, now: int) -> Iterator[tuple[JsonObject, int | None]]:
    """Every item of the Orders table with the time that it should have."""
    policy = deployment.settings.policy()
    earliest = now - int(EARLIEST.total_seconds())
    items = scanned(
        deployment.settings.orders_table,
        "orders",
        ProjectionExpression="id, date_created, #e, #r.forgotten_at",
        ExpressionAttributeNames={"#e": EXPIRES_AT, "#r": RECORD},
    )
    for item in items:
        if item.get(RECORD, {}).get("forgotten_at"):
            # A tombstone, which stays for ever.
            yield item, None
            continue
        try:
            expires_at = policy.expires_at(store_date(item["date_created"]))
        except (AttributeError, KeyError, TypeError, ValueError):
            continue
        yield item, None if expires_at is None else max(expires_at, earliest)


def _write(dynamodb: Any, table: str, change: Change) -> bool:
    """Whether the item was changed; its order and its record are not."""
    names = {"#id": "id", "#e": EXPIRES_AT}
    condition, action, values = "attribute_exists(#id)", "REMOVE #e", {}
    if change.expires_at is not None:
        names |= {"#r": RECORD, "#f": "forgotten_at"}
        condition += " AND attribute_not_exists(#r.#f)"
        action, values = "SET #e = :e", {":e": {"N": str(change.expires_at)}}
    request: Any = {"ExpressionAttributeValues": values} if values else {}
    try:
        with calling(f"UpdateItem order {change.order_id}"):
            dynamodb.update_item(
                TableName=table,
                Key={"id": {"N": str(change.order_id)}},
                UpdateExpression=action,
                ConditionExpression=condition,
                ExpressionAttributeNames=names,
                **request,
            )
    except ConditionFailed:
        return False
    return True
