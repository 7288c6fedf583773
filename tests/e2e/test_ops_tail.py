"""The events tail command: a copy of the events, shown and forwarded for a while."""

import json
import threading
from collections.abc import Iterable
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from werkzeug import Request, Response

from chalicelib.clock import Clock
from ops.deployment import Deployment
from ops.destinations.destination import named
from ops.tail.forward import forward
from ops.tail.tail import ABANDONED_AFTER, tail
from sandbox.receiver import Receiver
from sandbox.store.serving import Server
from sandbox.store.statuses import Status
from sandbox.world import World
from tests.e2e.journeys import come_to_rest


@pytest.fixture
def world(new_world) -> World:
    made: World = new_world()
    made.stack.add_destination("erp", pattern={"detail-type": ["order.created"]})
    return made


@pytest.fixture
def deployment(world: World) -> Deployment:
    clock: Clock = world.clock
    return Deployment.find(world.stack.stage, clock)


def change(world: World) -> int:
    """An order that is created and then moved, both published."""
    order_id = world.store.place_order()
    come_to_rest(world)
    world.publish()
    return order_id


def types(events: list[dict[str, Any]]) -> list[str]:
    return [event["detail-type"] for event in events]


def rules(world: World) -> list[str]:
    found = world.stack.aws.client("events").list_rules(EventBusName=world.stack.bus_name)
    return [rule["Name"] for rule in found["Rules"]]


def targets(world: World, names: Iterable[str]) -> list[str]:
    """The targets of these rules."""
    events = world.stack.aws.client("events")
    found = [
        events.list_targets_by_rule(Rule=name, EventBusName=world.stack.bus_name)["Targets"]
        for name in names
    ]
    return [target["Arn"] for each in found for target in each]


def queues(world: World) -> list[str]:
    found = world.stack.sqs.list_queues(QueueNamePrefix=world.stack.name("tail-"))
    return [url.rsplit("/", 1)[1] for url in found.get("QueueUrls", [])]


def test_a_tail_receives_each_event_once_and_nobody_else_less(world, deployment):
    with tail(deployment, None) as opened:
        change(world)
        events = opened.receive()

        assert types(events) == ["order.created", "order.moved"]
        assert opened.receive() == []
    assert types(world.events("erp")) == ["order.created"]


def test_a_tail_of_a_destination_receives_what_it_selects(world, deployment):
    with tail(deployment, named(deployment, "erp")) as opened:
        change(world)

        assert types(opened.receive()) == ["order.created"]


def test_events_are_replayed_for_tails_alone(ops, world, deployment):
    order_id = change(world)
    before = world.events("erp")

    with tail(deployment, named(deployment, "erp")) as opened:
        ops("events", "replay", str(order_id), "--destination", "tail")
        world.publish()

        assert types(opened.receive()) == ["order.created"]
    assert world.events("erp") == before


def test_the_rule_and_the_queue_are_deleted_at_the_end(world, deployment):
    before = rules(world)
    with pytest.raises(KeyboardInterrupt), tail(deployment, None):
        assert len(queues(world)) == 1
        raise KeyboardInterrupt

    assert queues(world) == []
    assert rules(world) == before


def test_what_a_killed_tail_has_left_is_deleted_by_a_later_one(world, deployment):
    before = rules(world)
    abandoned = tail(deployment, None)
    abandoned.__enter__()
    world.advance(60)

    with tail(deployment, None):
        assert len(queues(world)) == 2
    world.advance(ABANDONED_AFTER)
    with tail(deployment, None):
        assert len(queues(world)) == 1

    assert rules(world) == before


def test_a_queue_that_cannot_be_deleted_keeps_its_rule(world, deployment):
    def refuse(**_: object) -> None:
        raise EndpointConnectionError(endpoint_url="https://sqs")

    # A client has the events that its session had when it was made.
    boto3.setup_default_session()
    assert boto3.DEFAULT_SESSION
    boto3.DEFAULT_SESSION.events.register("before-call.sqs.DeleteQueue", refuse)
    with tail(deployment, None) as opened:
        pass
    boto3.setup_default_session()

    assert opened.is_left
    assert opened.rule in rules(world)
    world.advance(ABANDONED_AFTER + 1)
    with tail(deployment, None):
        assert opened.rule not in rules(world)


def test_as_many_events_are_received_as_are_wanted(world, deployment):
    with tail(deployment, None) as opened:
        change(world)

        assert [len(opened.receive(1)), len(opened.receive(1)), len(opened.receive(1))] == [1, 1, 0]


def test_only_the_rule_of_a_tail_can_send_to_its_queue(world, deployment):
    with tail(deployment, None) as opened:
        attributes = world.stack.sqs.get_queue_attributes(
            QueueUrl=opened.queue_url, AttributeNames=["All"]
        )["Attributes"]

    (statement,) = json.loads(attributes["Policy"])["Statement"]
    rule = statement["Condition"]["ArnEquals"]["aws:SourceArn"]
    assert rule.endswith(f":rule/{world.stack.bus_name}/{opened.rule}")
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert attributes["MessageRetentionPeriod"] == "3600"


def test_the_command_shows_and_forwards_events_and_ends(ops, world):
    """The events are published by another thread, as soon as the command has made its rule."""
    receiver = Receiver()
    server = receiver.serve()
    before = rules(world)

    def publish() -> None:
        while not targets(world, set(rules(world)) - set(before)):
            pass
        change(world)

    publisher = threading.Thread(target=publish)
    publisher.start()
    url = f"http://127.0.0.1:{server.server_port}"
    result = ops(*f"events tail --count 2 --minutes 720 --forward-to {url}".split())
    publisher.join()
    server.stop()

    assert result.exit_code == 0, result.output
    assert len(receiver.events) == 2
    assert "order.created" in result.stdout
    assert "→ 200 OK" in result.stdout
    assert rules(world) == before


def test_the_command_ends_after_its_time(ops, world):
    result = ops("events", "tail", "--minutes", "1", "--destination", "erp")

    assert "0 events; the rule and the queue are deleted." in result.stdout


@pytest.mark.parametrize("url", ["localhost:3000", "ftp://example.com", "/orders", "http://[::1"])
def test_events_are_forwarded_to_a_url_of_http_only(ops, url):
    assert ops("events", "tail", "--forward-to", url).exit_code == 2


@pytest.mark.parametrize(
    ("status", "is_taken", "answer"),
    [
        (204, True, "204 NO CONTENT"),
        (302, False, "302 FOUND"),
        (304, False, "304 NOT MODIFIED"),
        (500, False, "500 INTERNAL"),
    ],
)
def test_an_answer_decides_whether_an_event_counts_as_forwarded(status, is_taken, answer):
    elsewhere = {"Location": "http://127.0.0.1:1/"}
    server = Server(0, lambda request: Response(status=status, headers=elsewhere))

    taken, text = forward({"detail": {}}, f"http://127.0.0.1:{server.server_port}")
    server.stop()

    assert taken is is_taken
    assert text.startswith(answer)


def test_an_endpoint_that_is_not_there_is_named_without_its_url():
    server = Server(0, no_answer)
    port = server.server_port
    server.stop()

    taken, text = forward({"detail": {}}, f"http://127.0.0.1:{port}/hooks/s3cret")

    assert not taken
    assert text == "no connection (ConnectionError)"


def no_answer(request: Request) -> Response:
    raise AssertionError


def test_the_schema_is_printed(ops):
    schema = json.loads(ops("events", "schema").stdout)

    assert schema["properties"]["detail"]["properties"]["version"] == {"const": 1}


def test_an_event_with_another_status_is_shown_with_both(ops, world, deployment):
    with tail(deployment, None) as opened:
        world.store.place_order(status=Status.SHIPPED)
        change(world)
        events = opened.receive()

    assert len(events) == 3
