"""Values that tests start from; each takes overrides for what the test is about."""

import importlib.util
import json
import threading
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from chalicelib.domain.failing import FailingOrder
from chalicelib.domain.jobs import Job
from chalicelib.domain.messages import Delivery, OrderMessage, Task
from chalicelib.domain.models import JsonObject, Order
from chalicelib.domain.records import ReplicationRecord
from chalicelib.domain.rules import Policy

PROJECT = Path(__file__).resolve().parent.parent
NOW = datetime(2025, 6, 2, 12, 0, tzinfo=UTC)
SINCE = datetime(2024, 1, 1, tzinfo=UTC)
STORE_HASH = "abc123"
V2 = f"https://api.bigcommerce.com/stores/{STORE_HASH}/v2"
V3 = f"https://api.bigcommerce.com/stores/{STORE_HASH}/v3"


def events(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The `event` of every log line, in order."""
    return [getattr(record, "event", "") for record in caplog.records]


class FakeClock:
    """A clock that advances with each sleep, and keeps the sleeps in seconds."""

    def __init__(self, start: datetime = NOW) -> None:
        self._time = start.timestamp()
        self._lock = threading.Lock()
        self.sleeps: list[float] = []

    def time(self) -> float:
        return self._time

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._time, UTC)

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        with self._lock:
            self._time += seconds


class FakeSecret:
    """A secret whose next value is returned after each renewal."""

    def __init__(self, *values: str) -> None:
        self._values = list(values)
        self.renewals = 0

    def value(self) -> str:
        return self._values[0]

    def renew(self) -> str:
        self.renewals += 1
        if len(self._values) > 1:
            self._values.pop(0)
        return self._values[0]


def load_app(clock: FakeClock) -> ModuleType:
    """app.py imported afresh, as in a cold container."""
    spec = importlib.util.spec_from_file_location(f"app_{uuid.uuid4().hex}", PROJECT / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    vars(module)["clock"] = clock
    return module


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def store_date(moment: datetime) -> str:
    return moment.strftime("%a, %d %b %Y %H:%M:%S +0000")


def line(**overrides: Any) -> JsonObject:
    return {
        "id": 65,
        "order_id": 118,
        "product_id": 77,
        "order_address_id": 51,
        "order_pickup_method_id": 0,
        "name": "Linen towel",
        "sku": "TOWEL-1",
        "type": "physical",
        "quantity": 1,
        "base_total": "65.2300",
        "price_inc_tax": "65.2300",
        "weight": Decimal("0.1"),
        "product_options": [{"id": 45, "display_name": "Size", "value": "69"}],
        **overrides,
    }


COSTS = (
    "base_cost",
    "cost_ex_tax",
    "cost_inc_tax",
    "cost_tax",
    "base_handling_cost",
    "handling_cost_ex_tax",
    "handling_cost_inc_tax",
    "handling_cost_tax",
)
"""Fields of an address that are text in the list of addresses, and numbers in a consignment."""


def address(**overrides: Any) -> JsonObject:
    return {
        "id": 51,
        "order_id": 118,
        "first_name": "Jane",
        "last_name": "Doe",
        "street_1": "11 Example Avenue",
        "email": "jane.doe@example.com",
        "phone": "+1 512 555 0100",
        "shipping_quotes": {"url": f"{V2}/orders/118/shippingaddresses/51/shippingquotes"},
        **dict.fromkeys(COSTS, "12.9900"),
        **overrides,
    }


def shipping(*lines: JsonObject, **overrides: Any) -> JsonObject:
    """A consignment of the embedded form: the address of `address()` with its lines."""
    fields = {**address(), **dict.fromkeys(COSTS, Decimal("12.99")), **overrides}
    del fields["order_id"]
    return {**fields, "line_items": list(lines or (line(),))}


def consignments(*shipments: JsonObject, **overrides: Any) -> JsonObject:
    """The consignments of an order's embedded form."""
    return {
        "pickups": [],
        "shipping": list(shipments),
        "downloads": [],
        "email": {"gift_certificates": []},
        **overrides,
    }


def pickup(*lines: JsonObject, **overrides: Any) -> JsonObject:
    return {
        "id": 99,
        "pickup_method_id": 3,
        "location": {"code": "LOCATION-1"},
        "line_items": list(lines),
        **overrides,
    }


def order_fields(order_id: int = 118, /, **overrides: Any) -> JsonObject:
    """An order as the API returns it: its sub-resources are stubs."""
    stubs = {
        name: {"url": f"{V2}/orders/{order_id}/{name}", "resource": f"/orders/{order_id}/{name}"}
        for name in ("products", "shipping_addresses", "coupons")
    }
    return {
        "id": order_id,
        "customer_id": 0,
        "date_created": store_date(at(-600)),
        "date_modified": store_date(at(-300)),
        "date_shipped": "",
        "status_id": 11,
        "status": "Awaiting Fulfillment",
        "total_inc_tax": "133.6500",
        "items_total": 1,
        "items_shipped": 0,
        "refunded_amount": "0.0000",
        "channel_id": 1,
        "payment_provider_id": None,
        "order_is_digital": False,
        "is_deleted": False,
        "shipping_address_count": 1,
        "ip_address": "192.0.2.10",
        "billing_address": {
            "first_name": "Jane",
            "email": "jane.doe@example.com",
            "form_fields": [],
        },
        **stubs,
        **overrides,
    }


def order(
    *line_types: str, read_at: datetime = NOW, requested_at: datetime = NOW, **overrides: Any
) -> Order:
    """A parsed order, read now; with types of lines it is whole, without it has stubs."""
    if line_types:
        overrides = {
            "products": [line(id=n, type=kind) for n, kind in enumerate(line_types, start=1)],
            "shipping_addresses": [],
            "coupons": [],
            **overrides,
        }
    return Order.parse(order_fields(**overrides), read_at=read_at, requested_at=requested_at)


def record(**overrides: Any) -> ReplicationRecord:
    """A record of `order()` as stored and current, in status 11 and not moved."""
    return ReplicationRecord(
        **{
            "source": "poll",
            "version": int(at(-300).timestamp()),
            "digest": "d1",
            "parts_digest": "p1",
            "replicated_at": at(-200),
            "read_at": at(-200),
            "sequence": int(at(-200).timestamp() * 1000),
            "status_id": 11,
            **overrides,
        }
    )


def stored(record: ReplicationRecord) -> ReplicationRecord:
    """The record as the map of an item holds it: without the status."""
    return replace(record, status_id=None)


def pending(**overrides: Any) -> ReplicationRecord:
    """A record whose move began a minute ago, with an outcome that is not known yet."""
    return record(**{"moved_from": 11, "moved_to": 9, "move_began_at": at(-60), **overrides})


def moved(**overrides: Any) -> ReplicationRecord:
    """A record of an order that the service moved from 11 to 9."""
    return record(
        **{"moved_at": at(-100), "moved_from": 11, "moved_to": 9, "status_id": 9, **overrides}
    )


def policy(**overrides: Any) -> Policy:
    return Policy(
        **{
            "new_statuses": (11, 7, 10),
            "ignored_statuses": (0, 1),
            "physical_status": 9,
            "pickup_status": 8,
            "digital_status": 8,
            "replicate_since": SINCE,
            **overrides,
        }
    )


def task(**overrides: Any) -> Task:
    """What a message of a poll asks for."""
    return Task(**{"order_id": 118, "source": "poll", "queued_at": NOW, **overrides})


def failing(order_id: int = 118, /, **overrides: Any) -> FailingOrder:
    """An order that has failed for an hour, and is tried again in half an hour."""
    return FailingOrder(
        **{
            "order_id": order_id,
            "since": at(-3600),
            "receives": 5,
            "error_class": "Rejected",
            "error": "PUT orders/118 -> 409",
            "next_try_at": at(1800),
            **overrides,
        }
    )


def job(**overrides: Any) -> Job:
    """A sweep that began and ended two hours ago."""
    started_at = at(-7200)
    return Job(
        **{
            "started_at": started_at,
            "mode": "sweep",
            "began_at": started_at,
            "outcome": "succeeded",
            **overrides,
        }
    )


def message(order_id: int = 118, **overrides: Any) -> OrderMessage:
    return OrderMessage(**{"order_id": order_id, "source": "poll", "queued_at": NOW, **overrides})


def delivery(order_id: int = 118, **overrides: Any) -> Delivery:
    return Delivery(
        **{
            "message_id": f"m{order_id}",
            "receipt_handle": f"r{order_id}",
            "receive_count": 1,
            "message": message(order_id),
            **overrides,
        }
    )


def sqs_record(body: str, **overrides: Any) -> JsonObject:
    """One record of the event that Lambda's SQS event source passes."""
    return {
        "messageId": "m1",
        "receiptHandle": "r1",
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1"},
        "eventSource": "aws:sqs",
        **overrides,
    }


def callback(order_id: Any = 252, **overrides: Any) -> bytes:
    """The body of a callback of scope store/cart/converted."""
    return json.dumps(
        {
            "scope": "store/cart/converted",
            "store_id": "1025646",
            "data": {"type": "cart", "id": "d30016e2-23c0-4a90", "orderId": order_id},
            "hash": "b86db7c77d7ef8f9",
            "created_at": 1561486893,
            "producer": f"stores/{STORE_HASH}",
            **overrides,
        }
    ).encode()


def order_callback(scope: str, order_id: Any = 252, **data: Any) -> bytes:
    """The body of a callback about an order; `data` adds to its payload."""
    return callback(scope=scope, data={"type": "order", "id": order_id, **data})


def shipment_callback(scope: str = "store/shipment/created", order_id: Any = 252) -> bytes:
    return callback(scope=scope, data={"type": "shipment", "id": 12, "orderId": order_id})


def environment(without: Sequence[str] = (), **overrides: str) -> dict[str, str]:
    """The settings without a default, and those of the overrides."""
    settings = {
        "STAGE": "test",
        "BIGCOMMERCE_STORE_HASH": STORE_HASH,
        "ORDERS_TABLE": "orders",
        "JOBS_TABLE": "jobs",
        "WEBHOOKS_TABLE": "webhooks",
        "ORDERS_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/orders",
        "CHANGES_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/changes",
        "ERRORS_TOPIC_ARN": "arn:aws:sns:us-east-1:123456789012:errors",
        "EVENT_BUS_NAME": "order-replication-test",
        "ACCESS_TOKEN_PARAMETER": "/test/access-token",
        "CLIENT_SECRET_PARAMETER": "/test/client-secret",
        "WEBHOOK_TOKEN_PARAMETER": "/test/webhook-token",
        "REPLICATE_SINCE": SINCE.isoformat(),
        **overrides,
    }
    return {name: value for name, value in settings.items() if name not in without}


UNREADABLE_CALLBACKS: dict[str, bytes] = {
    "empty": b"",
    "not JSON": b"orderId=252",
    "cut JSON": callback()[:-5],
    "not UTF-8": b"\xff" + callback(),
    "nested too deeply": b"[" * 10_000,
    "an array": b"[" + callback() + b"]",
    "null": b"null",
    "without data": callback(data=None),
    "data of a list": callback(data=[252]),
    "data of text": callback(data="252"),
    "without a scope": callback(scope=None),
    "without a producer": callback(producer=None),
}
"""Bodies that are no callback, each with the name of its defect."""

UNUSABLE_CALLBACKS: dict[str, bytes] = {
    "without an order": callback(data={"type": "cart", "id": "d30016e2"}),
    "order negative": callback(-1),
    "order zero": callback(0),
    "order null": callback(None),
    "order true": callback(True),
    "order a fraction": callback(252.0),
    "order a fraction in text": callback("252.0"),
    "order a word": callback("two"),
    "order of digits of another script": callback("\u0662\u0665\u0662"),
    "order of a superscript": callback("\u00b2"),
    "order of too many digits": callback("9" * 5000),
    "order of 2^63": callback(2**63),
    "order a list": callback([252]),
    "a scope with a space": callback(scope="store/cart/converted "),
    "another scope": order_callback("store/order/message/created"),
    "transactions": order_callback("store/order/transaction/created", transaction_id=7),
    "metafields": callback(
        scope="store/order/metafield/created",
        data={"type": "metafield", "id": 7, "metafield": {"resource_id": 252}},
    ),
    "a shipment without its order": callback(
        scope="store/shipment/created", data={"type": "shipment", "id": 12}
    ),
    "of a channel": callback(
        scope="store/channel/1/order/created", data={"type": "order", "order_id": 252}
    ),
}
"""Callbacks that name no order of a registered scope, each with what is unusual about it."""
