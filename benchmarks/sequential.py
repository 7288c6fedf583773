"""A consumer that sends one request at a time, as a baseline for the service."""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import requests
from boto3.dynamodb.types import TypeSerializer

from sandbox.stack import Endpoint, Secrets, Stack

SUB_RESOURCES = ("products", "shipping_addresses", "coupons")


def consume() -> Callable[[], None]:
    """Process the queue: read each order and its sub-resources, put it, move it, record it."""
    stack = Stack(Endpoint(os.environ["AWS_ENDPOINT_URL"]), os.environ["STAGE"])
    session = requests.Session()
    session.headers["X-Auth-Token"] = Secrets().access_token
    root = f"{os.environ['BIGCOMMERCE_API_URL']}/stores/sandbox/v2/orders"

    def work() -> None:
        while messages := stack.sqs.receive_message(
            QueueUrl=stack.queue_url, MaxNumberOfMessages=10
        ).get("Messages"):
            for message in messages:
                _replicate(stack, session, f"{root}/{json.loads(message['Body'])['order_id']}")
                stack.sqs.delete_message(
                    QueueUrl=stack.queue_url, ReceiptHandle=message["ReceiptHandle"]
                )

    return work


def _replicate(stack: Stack, session: requests.Session, url: str) -> None:
    order = _get(session, url)
    for name in SUB_RESOURCES:
        order[name] = _get(session, f"{url}/{name}?limit=250")
    serialize = TypeSerializer().serialize
    item = {name: serialize(value) for name, value in {**order, "replication": {}}.items()}
    stack.dynamodb.put_item(TableName=stack.name("orders"), Item=item)
    session.put(url, json={"status_id": 9}, timeout=30).raise_for_status()
    stack.dynamodb.update_item(
        TableName=stack.name("orders"),
        Key={"id": item["id"]},
        UpdateExpression="SET #r.#moved_at = :now",
        ExpressionAttributeNames={"#r": "replication", "#moved_at": "moved_at"},
        ExpressionAttributeValues={":now": {"S": datetime.now(UTC).isoformat()}},
    )


def _get(session: requests.Session, url: str) -> Any:
    response = session.get(url, timeout=30)
    response.raise_for_status()
    return json.loads(response.content, parse_float=Decimal) if response.content else []
