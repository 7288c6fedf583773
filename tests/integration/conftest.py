"""AWS on this machine, a stage of its own for each test, and the service's handlers."""

import itertools
import json
from collections.abc import Iterator
from types import ModuleType
from typing import Any, cast

import pytest
import responses
from chalice.test import Client

from chalicelib.domain.items import from_image
from chalicelib.domain.models import JsonObject
from chalicelib.edges.bigcommerce import BigCommerce
from chalicelib.edges.dynamodb_alerts import SentAlerts
from chalicelib.edges.pacing import Pacer
from chalicelib.edges.sns import Alerts
from chalicelib.edges.ssm import Secret
from sandbox.container import Context, timeout
from sandbox.stack import Aws, Stack
from tests.factories import PROJECT, STORE_HASH, FakeClock, FakeSecret, load_app
from tests.integration.signatures import SECRETS, signed
from tests.integration.store_answers import TOKEN, Make

SCHEDULED = ("version", "id", "detail-type", "source", "account", "time", "region", "detail")
stages = itertools.count(1)


class Stage(Stack):
    """One stage's resources, and what a test reads from them."""

    def set_parameter(self, secret: str, value: str) -> None:
        name = self.parameter(secret)
        self.ssm.put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)

    def items(self, table: str) -> list[JsonObject]:
        """Every item of `orders`, `jobs` or `webhooks`, in Python's types."""
        items = self.dynamodb.scan(TableName=self.name(table))["Items"]
        return [from_image(item) for item in items]

    def receive(self, queue_url: str = "") -> list[JsonObject]:
        """The messages of a queue, the orders queue by default; they are hidden for an hour."""
        answer = self.sqs.receive_message(
            QueueUrl=queue_url or self.queue_url,
            MaxNumberOfMessages=10,
            AttributeNames=["All"],
            VisibilityTimeout=3600,
        )
        return list(answer.get("Messages", []))

    def queued(self, queue_url: str = "") -> list[JsonObject]:
        return [json.loads(message["Body"]) for message in self.receive(queue_url)]

    def mail(self) -> list[JsonObject]:
        """The notifications sent so far: `Subject`, `Message`."""
        return [json.loads(body) for body in self.bodies("mailbox")]


def alerts_of(stage: Stage, clock: FakeClock) -> Alerts:
    """The alerts of a container."""
    sent = SentAlerts(stage.dynamodb, stage.name("jobs"), clock)
    runbook = "https://example.com/runbook"
    return Alerts(stage.sns, stage.errors_topic_arn, "test", clock, runbook, sent)


def requests_of(client: Any, operation: str) -> list[JsonObject]:
    """The parameters of every call of an operation that this client makes from now on."""
    service = client.meta.service_model.service_name
    seen: list[JsonObject] = []
    client.meta.events.register(
        f"provide-client-params.{service}.{operation}", lambda params, **_: seen.append(params)
    )
    return seen


class Service:
    """A container of the service: app.py, loaded afresh, with the tests' clock."""

    def __init__(self, module: ModuleType, clock: FakeClock) -> None:
        self.module = module
        self.clock = clock
        self.http = Client(module.app, stage_name="test", project_dir=str(PROJECT)).http

    @property
    def wiring(self) -> Any:
        return self.module.wiring()

    def poll(self) -> None:
        event = {**dict.fromkeys(SCHEDULED, ""), "detail": {}, "resources": []}
        self.module.poll_orders(event, self._context("poll_orders"))

    def consume(self, messages: list[JsonObject], function: str = "replicate_orders") -> list[str]:
        """Deliver SQS messages in one batch; the ids of those that return to the queue."""
        records = [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": {"ApproximateReceiveCount": "1"},
                "eventSource": "aws:sqs",
            }
            for message in messages
        ]
        handler = getattr(self.module, function)
        answer = handler({"Records": records}, self._context(function))
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def post(self, body: bytes, path: str = "/cart-converted", **headers: str) -> Any:
        """Send a callback; it is signed unless a header of a signature is given."""
        is_signed = any(name.startswith("webhook-") for name in headers)
        return self.post_unsigned(body, path, **({} if is_signed else signed(body)), **headers)

    def post_unsigned(self, body: bytes, path: str = "/cart-converted", **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named["Content-Type"] = "application/json"
        return self.http.post(path, headers=named, body=body)

    def _context(self, function: str) -> Context:
        return Context(function, timeout(function), self.clock)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(scope="session")
def aws() -> Iterator[Aws]:
    with Aws() as running:
        yield running


@pytest.fixture
def stage(aws: Aws, clock: FakeClock) -> Stage:
    aws.follow(clock)
    stage = Stage(aws, f"integration-{next(stages)}", SECRETS)
    stage.create()
    return stage


@pytest.fixture
def web() -> Iterator[responses.RequestsMock]:
    """The network beyond AWS: nothing that a test does not register."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as web:
        yield web


@pytest.fixture
def make(clock: FakeClock) -> Iterator[Make]:
    """Make clients of the store whose connections are closed after the test."""
    made: list[BigCommerce] = []

    def connect(secret: Any = None, **options: Any) -> BigCommerce:
        client = BigCommerce.connect(
            "https://api.bigcommerce.com",
            STORE_HASH,
            cast(Secret, secret or FakeSecret(TOKEN)),
            Pacer(clock, 3),
            **options,
        )
        made.append(client)
        return client

    yield connect
    for client in made:
        client.session.close()


@pytest.fixture
def store(make: Make) -> BigCommerce:
    return make()


@pytest.fixture
def service(
    stage: Stage,
    web: responses.RequestsMock,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> Service:
    """A cold container: a test may still set the environment that the first event reads."""
    environment = stage.environment("https://api.bigcommerce.com", STORE_HASH, STAGE="test")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return Service(load_app(clock), clock)
