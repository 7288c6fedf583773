"""The example of a receiver: it sends every order to an ERP, once, and no older state later."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
import urllib3
from werkzeug import Request, Response

from chalicelib.domain.items import to_json
from chalicelib.domain.models import OrderStatus
from examples.send_to_erp import handler
from sandbox.expected import expected_item
from sandbox.stack import CREDENTIALS, REGION
from sandbox.store.serving import Server

TABLE = "send-to-erp-sent"


@dataclass
class FakeErp:
    """An ERP over HTTP that keeps what it is sent."""

    orders: dict[int, Any] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    status: int = 200
    url: str = ""

    def answer(self, request: Request) -> Response | None:
        self.requests.append(request)
        if self.status == 0:
            return None
        if self.status != 200:
            return Response(status=self.status, headers={"Location": "https://other.example.com"})
        order_id = int(request.path.rpartition("/")[2])
        if request.method == "DELETE":
            self.orders.pop(order_id, None)
        else:
            self.orders[order_id] = request.get_json()
        return Response(status=204)


@pytest.fixture
def erp() -> Iterator[FakeErp]:
    fake = FakeErp()
    server = Server(0, lambda request: fake.answer(request))
    fake.url = f"http://127.0.0.1:{server.server_port}"
    yield fake
    server.stop()


class Context:
    """What the handler reads of Lambda's context."""

    left = 60_000

    def get_remaining_time_in_millis(self) -> int:
        return self.left


@pytest.fixture
def tables(world):
    tables = boto3.resource(
        "dynamodb",
        endpoint_url=world.stack.aws.url,
        region_name=REGION,
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    )
    table = tables.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "order_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "order_id", "AttributeType": "N"}],
    )
    yield tables
    table.delete()


@pytest.fixture
def receiver(world, erp, tables, monkeypatch):
    receiver = handler.Receiver(
        handler.Erp(erp.url, "key", urllib3.PoolManager()),
        handler.Orders(tables.Table(world.stack.name("orders"))),
        handler.Sent(tables.Table(TABLE)),
    )
    monkeypatch.setattr(handler, "receiver", lambda: receiver)
    return receiver


@pytest.fixture
def order_id(world, store):
    order_id = store.place_order()
    replicate(world)
    return order_id


def replicate(world) -> None:
    world.poll()
    world.drain()


def receive(*order_ids: int, context: Context | None = None) -> list[str]:
    """Invoke the handler with an event of each order; returns the message ids that failed."""
    records = [
        {"messageId": f"m{index}", "body": json.dumps({"detail": {"order_id": order_id}})}
        for index, order_id in enumerate(order_ids)
    ]
    answer = handler.handle({"Records": records}, context or Context())
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def test_the_erp_has_the_order_as_it_is_in_the_store(world, store, erp, receiver):
    ids = [store.place_order(), store.place_order(lines=620)]
    replicate(world)

    assert receive(*ids) == []

    wanted = [json.loads(to_json(expected_item(store, each))) for each in ids]
    assert [erp.orders[each] for each in ids] == wanted


def test_a_state_is_sent_once_however_often_its_events_arrive(erp, receiver, order_id):
    assert receive(order_id, order_id) == []
    assert receive(order_id) == []

    assert len(erp.requests) == 1


def test_an_order_is_sent_again_after_a_change(world, store, erp, receiver, order_id):
    receive(order_id)
    store.set_status(order_id, OrderStatus.SHIPPED)
    replicate(world)

    receive(order_id)

    assert erp.orders[order_id]["status_id"] == OrderStatus.SHIPPED
    keys = [request.headers["Idempotency-Key"] for request in erp.requests]
    assert len(set(keys)) == 2
    assert keys == sorted(keys)


@pytest.mark.parametrize("status", [0, 301, 400, 500])
def test_what_the_erp_does_not_take_is_delivered_again(erp, receiver, order_id, status, caplog):
    erp.status = status
    assert receive(order_id) == ["m0"]
    assert erp.url not in caplog.text

    erp.status = 200
    assert receive(order_id) == []
    assert order_id in erp.orders


def test_an_order_that_the_erp_refuses_does_not_hold_up_the_others(
    world, store, erp, receiver, order_id
):
    other = store.place_order()
    replicate(world)
    answer = erp.answer
    erp.answer = lambda request: (
        Response(status=422) if request.path.endswith(f"/{order_id}") else answer(request)
    )

    assert receive(order_id, other) == ["m0"]
    assert list(erp.orders) == [other]


def test_a_message_that_is_no_event_does_not_hold_up_the_others(erp, receiver, order_id):
    records = [
        {"messageId": "bad", "body": "{"},
        {"messageId": "good", "body": json.dumps({"detail": {"order_id": order_id}})},
    ]

    answer = handler.handle({"Records": records}, Context())

    assert answer == {"batchItemFailures": [{"itemIdentifier": "bad"}]}
    assert order_id in erp.orders


def test_an_older_state_never_follows_a_newer_one(world, store, erp, receiver, order_id):
    """The invocation with the older state is slow: the newer one waits for it."""
    failed: list[list[str]] = []
    answer: Callable[[Request], Response | None] = erp.answer

    def slow(request: Request) -> Response | None:
        erp.answer = answer
        store.set_status(order_id, OrderStatus.SHIPPED)
        replicate(world)
        failed.append(receive(order_id))
        return answer(request)

    erp.answer = slow
    assert receive(order_id) == []
    assert failed == [["m0"]]

    assert receive(order_id) == []
    assert [each.headers["X-Sequence"] for each in erp.requests][-1] == str(
        receiver.orders.read(order_id)[1]
    )
    assert erp.orders[order_id]["status_id"] == OrderStatus.SHIPPED


def test_an_order_is_sent_after_the_lease_of_a_killed_invocation(
    erp, receiver, order_id, monkeypatch
):
    _, sequence = receiver.orders.read(order_id)
    receiver.sent.claim(order_id, sequence)
    assert receive(order_id) == ["m0"]

    later = time.time() + handler.LEASE + 1
    monkeypatch.setattr(time, "time", lambda: later)

    assert receive(order_id) == []
    assert order_id in erp.orders


def test_a_forgotten_order_is_deleted(ops, erp, receiver, order_id):
    receive(order_id)
    assert ops("forget", "--order", str(order_id), answer="y").exit_code == 0

    assert receive(order_id) == []
    assert erp.orders == {}


def test_a_batch_that_runs_out_of_time_is_returned(erp, receiver, order_id):
    context = Context()
    context.left = 1000 * handler.NEEDED - 1

    assert receive(order_id, context=context) == ["m0"]
    assert erp.requests == []


def test_the_key_is_sent_to_https_only(world, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", world.stack.aws.url)
    monkeypatch.setenv("ERP_KEY_PARAMETER", world.stack.parameter("webhook_token"))
    monkeypatch.setenv("ERP_URL", "http://erp.example.com")
    handler.receiver.cache_clear()

    with pytest.raises(ValueError, match="https"):
        handler.receiver()
