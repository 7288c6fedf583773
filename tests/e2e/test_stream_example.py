"""The documented example: a consumer of the Orders table's stream."""

import json
from decimal import Decimal

import pytest
import responses

from chalicelib.domain.models import OrderStatus
from examples.send_to_erp import send_to_erp
from sandbox.expected import expected_item

ERP = "https://erp.example.com/orders"


def stream_events(world):
    """Every change of the Orders table, as Lambda would pass it."""
    streams = world.stack.aws.client("dynamodbstreams")
    (stream,) = streams.list_streams(TableName=world.stack.name("orders"))["Streams"]
    arn = stream["StreamArn"]
    (shard,) = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    iterator = streams.get_shard_iterator(
        StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    return {"Records": streams.get_records(ShardIterator=iterator)["Records"]}


@pytest.fixture
def erp(monkeypatch):
    monkeypatch.setenv("ERP_URL", ERP)
    with responses.RequestsMock(assert_all_requests_are_fired=False) as erp:
        erp.add_passthru("http://127.0.0.1")
        erp.post(ERP)
        yield erp


def sent(erp):
    return [json.loads(call.request.body, parse_float=Decimal) for call in erp.calls]


def test_the_erp_receives_every_order_whole_and_again_after_its_move(world, store, erp):
    ids = [store.place_order(), store.place_order(lines=620, exact=Decimal("1.10"))]
    placed = [expected_item(store, order_id) for order_id in ids]
    world.poll()
    world.drain()
    moved = [expected_item(store, order_id) for order_id in ids]

    send_to_erp(stream_events(world), None)

    by_id = sorted(sent(erp), key=lambda order: (order["id"], order["status_id"] != 11))
    assert by_id == [placed[0], moved[0], placed[1], moved[1]]


def test_the_erp_receives_an_order_again_after_a_change(new_world, erp):
    world = new_world(MOVE_STATUS="false")
    order_id = world.store.place_order(status=OrderStatus.AWAITING_PAYMENT)
    world.poll()
    world.drain()
    world.store.set_status(order_id, OrderStatus.AWAITING_FULFILLMENT)
    world.poll()
    world.drain()

    send_to_erp(stream_events(world), None)

    assert [order["status_id"] for order in sent(erp)] == [7, 11]
    keys = {call.request.headers["Idempotency-Key"] for call in erp.calls}
    assert len(keys) == 2
