"""Sends orders to an ERP: a receiver of the events of order-replication, to copy and to adapt.

Its queue is a destination of the service. An event names an order; the function reads the order as
it is now from the Orders table, and puts it to the ERP under its id. So it does not matter in which
order events arrive, nor how often: the ERP is sent the newest state once, and an older one never
after it.
"""

import gzip
import json
import logging
import os
import time
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

import boto3
import urllib3
from botocore.config import Config
from botocore.exceptions import ClientError

logger = logging.getLogger()
logger.setLevel(logging.INFO)

TIMEOUT = urllib3.Timeout(connect=3, read=7)
"""Seconds for a request to the ERP."""

NEEDED = 15
"""Seconds that one order needs at most, its calls to AWS included. With fewer left, the rest of a
batch is returned to the queue."""

LEASE = 60
"""Seconds after which another invocation may send the order: the function's timeout."""


class NotSent(Exception):
    """The order was not sent; its message is delivered again. The text has no data and no URL."""


@dataclass(frozen=True)
class Erp:
    """The ERP's API: PUT and DELETE of /orders/{id}, each of which can be repeated."""

    url: str
    key: str
    pool: urllib3.PoolManager

    def put(self, order_id: int, sequence: int, order: dict[str, Any]) -> None:
        body = json.dumps(order, default=_number).encode()
        self._send("PUT", order_id, sequence, body)

    def delete(self, order_id: int, sequence: int) -> None:
        self._send("DELETE", order_id, sequence, None)

    def _send(self, method: str, order_id: int, sequence: int, body: bytes | None) -> None:
        """Raises NotSent unless the ERP accepts it; a redirect is not followed."""
        headers = {
            "Authorization": f"Bearer {self.key}",
            "Content-Type": "application/json",
            # An ERP that keeps them can tell a repeated request, and an older state.
            "Idempotency-Key": f"{order_id}-{sequence}",
            "X-Sequence": str(sequence),
        }
        try:
            answer = self.pool.request(
                method,
                f"{self.url}/orders/{order_id}",
                body=body,
                headers=headers,
                timeout=TIMEOUT,
                retries=False,
                redirect=False,
            )
        except urllib3.exceptions.HTTPError as error:
            # Its text would have the URL.
            raise NotSent(f"order {order_id}: {type(error).__name__}") from None
        is_gone = method == "DELETE" and answer.status in (404, 410)
        if not (200 <= answer.status < 300 or is_gone):
            raise NotSent(f"order {order_id}: the ERP answered {answer.status}")


@dataclass(frozen=True)
class Orders:
    """The Orders table of order-replication."""

    table: Any

    def read(self, order_id: int) -> tuple[dict[str, Any], int] | None:
        """The order as stored and the sequence of its last change; None if there is no item.

        The order is empty if it was forgotten.
        """
        item = self.table.get_item(Key={"id": order_id}, ConsistentRead=True).get("Item")
        if item is None:
            return None
        record = item.pop("replication")
        item.pop("expires_at", None)
        item.pop("created_day", None)
        for name in record.get("encoding", {}):
            # A list of an order that is larger than an item of DynamoDB.
            item[name] = json.loads(gzip.decompress(item[name].value), parse_float=Decimal)
        return ({} if "forgotten_at" in record else item), int(record["sequence"])


@dataclass(frozen=True)
class Sent:
    """The table of what was sent: the last sequence of each order, and who is sending now."""

    table: Any

    def claim(self, order_id: int, sequence: int) -> bool:
        """Whether this state has to be sent. Raises NotSent while another invocation sends it."""
        now = int(time.time())
        try:
            self.table.update_item(
                Key={"order_id": order_id},
                UpdateExpression="SET sending_until = :until",
                ConditionExpression="(attribute_not_exists(#s) OR #s < :s)"
                " AND (attribute_not_exists(sending_until) OR sending_until < :now)",
                ExpressionAttributeNames={"#s": "sequence"},
                ExpressionAttributeValues={":s": sequence, ":now": now, ":until": now + LEASE},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            item: dict[str, Any] = error.response.get("Item", {})  # type: ignore[assignment]  # stub
            if int(item.get("sequence", {}).get("N", 0)) >= sequence:
                return False
            raise NotSent(f"order {order_id}: another invocation is sending it") from None
        return True

    def record(self, order_id: int, sequence: int) -> None:
        self.table.update_item(
            Key={"order_id": order_id},
            UpdateExpression="SET #s = :s REMOVE sending_until",
            ExpressionAttributeNames={"#s": "sequence"},
            ExpressionAttributeValues={":s": sequence},
        )

    def release(self, order_id: int) -> None:
        self.table.update_item(Key={"order_id": order_id}, UpdateExpression="REMOVE sending_until")


@dataclass(frozen=True)
class Receiver:
    """Sends the orders that events name."""

    erp: Erp
    orders: Orders
    sent: Sent

    def receive(self, order_id: int) -> None:
        """Send the order as it is now, if it has not been sent. Raises NotSent or ClientError."""
        found = self.orders.read(order_id)
        if found is None:
            # The retention of orders has deleted it since.
            return logger.info("order %d is not in the table any more", order_id)
        order, sequence = found
        if not self.sent.claim(order_id, sequence):
            return logger.info("order %d was already sent as it is", order_id)
        try:
            if order:
                self.erp.put(order_id, sequence, order)
            else:
                self.erp.delete(order_id, sequence)
        except NotSent:
            self.sent.release(order_id)
            raise
        self.sent.record(order_id, sequence)
        return logger.info("order %d sent with sequence %d", order_id, sequence)


@cache
def receiver() -> Receiver:
    """Created once for a container."""
    config = Config(connect_timeout=2, read_timeout=3, retries={"total_max_attempts": 2})
    tables = boto3.resource("dynamodb", config=config)
    parameter = boto3.client("ssm", config=config).get_parameter(
        Name=os.environ["ERP_KEY_PARAMETER"], WithDecryption=True
    )
    url = os.environ["ERP_URL"].rstrip("/")
    if not url.startswith("https://"):
        raise ValueError("ERP_URL must be an https URL: orders and the key are sent to it")
    return Receiver(
        Erp(url, parameter["Parameter"]["Value"], urllib3.PoolManager()),
        Orders(tables.Table(os.environ["ORDERS_TABLE"])),
        Sent(tables.Table(os.environ["SENT_TABLE"])),
    )


def handle(event: dict[str, Any], context: Any) -> dict[str, list[dict[str, str]]]:
    """Receive a batch of the queue; only messages whose order was not sent are returned to it."""
    failed = []
    for message in event["Records"]:
        try:
            if context.get_remaining_time_in_millis() < NEEDED * 1000:
                raise NotSent("out of time")
            receiver().receive(json.loads(message["body"])["detail"]["order_id"])
        except Exception as error:  # one order must not hold up the others
            logger.warning("message %s: %s", message["messageId"], _reason(error))
            failed.append(message["messageId"])
    return {"batchItemFailures": [{"itemIdentifier": each} for each in failed]}


def _reason(error: Exception) -> str:
    """What may be logged: other texts could have data of the order, or a URL with a key."""
    if isinstance(error, ClientError):
        return f"{error.operation_name} -> {error.response['Error']['Code']}"
    return str(error) if isinstance(error, NotSent) else type(error).__name__


def _number(value: Decimal) -> int | float:
    """For json; amounts of money are texts, except in refunds."""
    return int(value) if value == int(value) else float(value)
