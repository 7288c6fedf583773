"""Events in the format of API Gateway, EventBridge and SQS, for cold containers."""

import json
from typing import Any

from sandbox.stack import Secrets
from sandbox.store.signing import sign
from sandbox.world import TOKEN_HEADER


def callback(order_id: int) -> tuple[bytes, dict[str, str]]:
    """Body and headers of a signed store/cart/converted callback."""
    body = json.dumps(
        {
            "scope": "store/cart/converted",
            "store_id": "1025646",
            "data": {"type": "cart", "id": f"cart-{order_id}", "orderId": order_id},
            "hash": f"{order_id:040x}",
            "created_at": 1561486893,
            "producer": "stores/sandbox",
        }
    ).encode()
    headers = {"Content-Type": "application/json", TOKEN_HEADER: Secrets().webhook_token}
    return body, headers | sign(body, secret=Secrets().client_secret)


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
    message = {"order_id": order_id, "source": "webhook", "queued_at": "2026-01-31T00:00:00+00:00"}
    return {
        "Records": [
            {
                "messageId": str(order_id),
                "receiptHandle": str(order_id),
                "body": json.dumps(message),
                "attributes": {"ApproximateReceiveCount": "1"},
                "eventSource": "aws:sqs",
            }
        ]
    }
