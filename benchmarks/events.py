"""Events in the format of API Gateway, EventBridge and SQS, for cold containers."""

import json
import time
from typing import Any

from sandbox.stack import Secrets
from sandbox.store.signing import sign
from sandbox.world import TOKEN_HEADER


def callback(order_id: int, scope: str = "store/cart/converted") -> tuple[bytes, dict[str, str]]:
    """Body and headers of a signed callback."""
    data = {"type": "cart", "id": f"cart-{order_id}", "orderId": order_id}
    if scope != "store/cart/converted":
        data = {"type": "order", "id": order_id}
    body = json.dumps(
        {
            "scope": scope,
            "store_id": "1025646",
            "data": data,
            "hash": f"{order_id:040x}",
            "created_at": 1561486893,
            "producer": "stores/sandbox",
        }
    ).encode()
    headers = {"Content-Type": "application/json", TOKEN_HEADER: Secrets().webhook_token}
    return body, headers | sign(body, secret=Secrets().client_secret, timestamp=int(time.time()))


def message(order_id: int) -> str:
    """The body of a queue message."""
    fields = {"order_id": order_id, "source": "webhook", "queued_at": "2026-01-31T00:00:00+00:00"}
    return json.dumps(fields)


def request(order_id: int) -> dict[str, Any]:
    """The API Gateway event of a callback."""
    body, headers = callback(order_id)
    return {
        "resource": "/cart-converted",
        "path": "/cart-converted",
        "httpMethod": "POST",
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "httpMethod": "POST",
            "resourcePath": "/cart-converted",
            "path": "/api/cart-converted",
            "identity": {"sourceIp": "192.0.2.1"},
        },
        "body": body.decode(),
        "isBase64Encoded": False,
    }


def scheduled() -> dict[str, Any]:
    """The EventBridge event of the schedule."""
    fields = ("version", "id", "detail-type", "source", "account", "time", "region")
    return dict.fromkeys(fields, "") | {"resources": [], "detail": {}}


def delivery(order_id: int) -> dict[str, Any]:
    """The SQS event of one queued order."""
    return {
        "Records": [
            {
                "messageId": str(order_id),
                "receiptHandle": str(order_id),
                "body": message(order_id),
                "attributes": {"ApproximateReceiveCount": "1"},
                "eventSource": "aws:sqs",
            }
        ]
    }
