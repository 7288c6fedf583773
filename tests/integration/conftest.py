"""AWS in this process, the resources of a stage, and the service on top of them."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, repeat
from types import ModuleType
from typing import Any

import boto3
import pytest
import responses
from botocore.session import Session, get_session
from chalice.test import Client
from moto import mock_aws
from requests import PreparedRequest

from chalicelib.domain.items import from_image
from chalicelib.domain.models import JsonObject
from tests.factories import (
    PROJECT,
    V2,
    Context,
    FakeClock,
    address,
    environment,
    line,
    load_app,
)

JSON = {"Content-Type": "application/json"}
SECRETS = {
    "/test/access-token": "the-access-token",
    "/test/client-secret": "the-client-secret",
    "/test/webhook-token": "the-webhook-token",
}
SCHEDULED = ("version", "id", "detail-type", "source", "account", "time", "region", "detail")
KEYS = {
    "orders": [("id", "HASH", "N")],
    "jobs": [("store_hash", "HASH", "S"), ("started_at", "RANGE", "S")],
    "webhooks": [("order_id", "HASH", "N"), ("received_at", "RANGE", "S")],
}


class Stage:
    """One stage's resources, and what a test asks of them."""

    def __init__(self) -> None:
        self.dynamodb: Any = boto3.client("dynamodb")
        self.sqs: Any = boto3.client("sqs")
        self.sns: Any = boto3.client("sns")
        self.ssm: Any = boto3.client("ssm")
        for table, keys in KEYS.items():
            self.dynamodb.create_table(
                TableName=table,
                BillingMode="PAY_PER_REQUEST",
                KeySchema=[{"AttributeName": name, "KeyType": key} for name, key, _ in keys],
                AttributeDefinitions=[
                    {"AttributeName": name, "AttributeType": kind} for name, _, kind in keys
                ],
            )
        self.queue_url = self.sqs.create_queue(QueueName="orders")["QueueUrl"]
        self._mailbox_url = self.sqs.create_queue(QueueName="mailbox")["QueueUrl"]
        self.topic_arn = self.sns.create_topic(Name="errors")["TopicArn"]
        self.sns.subscribe(
            TopicArn=self.topic_arn,
            Protocol="sqs",
            Endpoint="arn:aws:sqs:us-east-1:123456789012:mailbox",
        )
        for name, value in SECRETS.items():
            self.set_parameter(name, value)

    def environment(self, **overrides: str) -> dict[str, str]:
        urls = {"ORDERS_QUEUE_URL": self.queue_url, "ERRORS_TOPIC_ARN": self.topic_arn}
        return environment(**urls | overrides)

    def set_parameter(self, name: str, value: str) -> None:
        self.ssm.put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)

    def items(self, table: str) -> list[JsonObject]:
        """Every item of a table, in Python's types."""
        return [from_image(item) for item in self.dynamodb.scan(TableName=table)["Items"]]

    def receive(self) -> list[JsonObject]:
        """The messages of the orders queue, at most ten; they are hidden for an hour."""
        answer = self.sqs.receive_message(
            QueueUrl=self.queue_url,
            MaxNumberOfMessages=10,
            AttributeNames=["All"],
            VisibilityTimeout=3600,
        )
        return list(answer.get("Messages", []))

    def queued(self) -> list[JsonObject]:
        return [json.loads(message["Body"]) for message in self.receive()]

    def mail(self) -> list[JsonObject]:
        """What the subscribers of the topic have got: `Subject`, `Message`."""
        answer = self.sqs.receive_message(QueueUrl=self._mailbox_url, MaxNumberOfMessages=10)
        return [json.loads(message["Body"]) for message in answer.get("Messages", [])]


def requests_of(client: Any, operation: str) -> list[JsonObject]:
    """The parameters of every call of an operation that this client makes from now on."""
    service = client.meta.service_model.service_name
    seen: list[JsonObject] = []
    client.meta.events.register(
        f"provide-client-params.{service}.{operation}", lambda params, **_: seen.append(params)
    )
    return seen


@dataclass
class Shop:
    """The least of a store that a batch of orders needs; `answers` takes a path out of order."""

    web: responses.RequestsMock
    orders: dict[int, JsonObject] = field(default_factory=dict)
    products: dict[int, list[JsonObject]] = field(default_factory=dict)
    answers: dict[str, Any] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        anything = re.compile(re.escape(V2))
        self.web.add_callback("GET", anything, self._answer)
        self.web.add_callback("PUT", anything, self._answer)

    def place(self, *orders: JsonObject) -> None:
        self.orders |= {order["id"]: order for order in orders}

    def asked(self, line_start: str) -> list[str]:
        return [line for line in self.log if line.startswith(line_start)]

    def _answer(self, request: PreparedRequest) -> Any:
        path = str(request.path_url).partition("?")[0].partition("/v2/")[2]
        asked = f"{request.method} {path}"
        self.log.append(asked)
        if asked in self.answers:
            answer = self.answers[asked]
            return answer(request) if callable(answer) else answer
        body = self._read(path, request)
        if body is None:
            return 404, JSON, '[{"status":404,"message":"The requested resource was not found."}]'
        return (200, JSON, json.dumps(body, default=float)) if body else (204, {}, "")

    def _read(self, path: str, request: PreparedRequest) -> Any:
        params: dict[str, Any] = vars(request)["params"]
        match path.split("/"):
            case ["orders", "count"]:
                return {"statuses": [{"id": 11, "count": len(self.orders)}]}
            case ["orders"]:
                least, most = int(params["min_id"]), int(params.get("max_id", 2**63))
                wanted = params.get("status_id")
                page = [
                    order
                    for order_id, order in sorted(self.orders.items())
                    if least <= order_id <= most and wanted in (None, str(order["status_id"]))
                ]
                return page[: int(params["limit"])]
            case ["orders", order_id] if request.method == "PUT" and int(order_id) in self.orders:
                self.orders[int(order_id)] |= json.loads(request.body or "{}")
                return self.orders[int(order_id)]
            case ["orders", order_id]:
                return self.orders.get(int(order_id))
            case ["orders", order_id, "products"]:
                return self.products.get(int(order_id), [line(order_id=int(order_id))])
            case ["orders", order_id, "shipping_addresses"]:
                return [address(order_id=int(order_id))]
        return []


class Service:
    """A container of the service: app.py, loaded afresh, with the tests' clock."""

    def __init__(self, module: ModuleType, clock: FakeClock) -> None:
        self.module = module
        self.clock = clock
        self.http = Client(module.app, stage_name="test", project_dir=str(PROJECT)).http

    @property
    def wiring(self) -> Any:
        return self.module.wiring()

    def poll(self, seconds: float = 900.0) -> Context:
        """Let the schedule fire; the context that the function was given."""
        context = Context(self.clock, seconds)
        self.module.poll_orders(
            {**dict.fromkeys(SCHEDULED, ""), "detail": {}} | {"resources": []}, context
        )
        return context

    def consume(self, messages: list[JsonObject], *receives: int) -> list[str]:
        """Deliver SQS messages, each received so often or once, in one batch; those handed back."""
        records = [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": {**message["Attributes"], "ApproximateReceiveCount": str(count)},
                "eventSource": "aws:sqs",
            }
            for message, count in zip(messages, chain(receives, repeat(1)), strict=False)
        ]
        answer = self.module.replicate_orders({"Records": records}, Context(self.clock))
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def post(self, body: bytes, **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.post("/cart-converted", headers={**JSON, **named}, body=body)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(scope="session")
def descriptions() -> Session:
    """A session that keeps botocore's descriptions of AWS: reading them is most of a client."""
    return get_session()


@pytest.fixture
def aws(descriptions: Session) -> Iterator[None]:
    with mock_aws():
        boto3.setup_default_session(botocore_session=descriptions)
        yield


@pytest.fixture
def stage(aws: None) -> Stage:
    return Stage()


@pytest.fixture
def web() -> Iterator[responses.RequestsMock]:
    """The network beyond AWS: nothing that a test does not register."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as web:
        yield web


@pytest.fixture
def shop(aws: None, web: responses.RequestsMock) -> Shop:
    # After moto's own hold on `requests`, so that the two are let go in reverse.
    return Shop(web)


@pytest.fixture
def service(stage: Stage, shop: Shop, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Service:
    """A cold container: a test may still set the environment that the first event reads."""
    for name, value in stage.environment().items():
        monkeypatch.setenv(name, value)
    return Service(load_app(clock), clock)
