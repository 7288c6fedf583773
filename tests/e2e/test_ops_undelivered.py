"""The commands for undelivered events: listed by cause, sent again once, or dropped."""

import json
from typing import Any

import pytest

from chalicelib.edges.eventbridge import Entry, EventBus, NotTaken
from sandbox.bus import Answer
from sandbox.store.statuses import Status
from sandbox.world import World
from tests.e2e.conftest import Ops
from tests.e2e.journeys import come_to_rest

OMS = "https://oms.example.com/orders"

Events = list[dict[str, Any]]


class Endpoint:
    """A receiver that answers with a status, and keeps what it has taken."""

    def __init__(self, status: int = 400) -> None:
        self.status = status
        self.taken: Events = []

    def __call__(self, event: dict[str, Any]) -> Answer:
        if self.status < 300:
            self.taken.append(event)
        return Answer(self.status)

    @property
    def ids(self) -> list[str]:
        return [event["detail"]["event_id"] for event in self.taken]


@pytest.fixture
def world(new_world) -> World:
    return with_endpoint(new_world())


def with_endpoint(world: World) -> World:
    world.stack.add_destination("erp")
    world.stack.add_destination("oms", url=OMS, retries=2)
    world.bus.receivers[OMS] = Endpoint()
    return world


def endpoint(world: World) -> Endpoint:
    receiver = world.bus.receivers[OMS]
    assert isinstance(receiver, Endpoint)
    return receiver


def undelivered(world: World, orders: int = 1) -> list[int]:
    """Orders whose creation the endpoint has not taken."""
    placed = [world.store.place_order(status=Status.SHIPPED) for _ in range(orders)]
    come_to_rest(world)
    world.publish()
    world.deliver_events()
    return placed


def deliver(world: World) -> None:
    world.publish()
    world.deliver_events()


def test_undelivered_events_are_listed_by_destination_and_cause(ops, world):
    rejected = undelivered(world, 2)
    endpoint(world).status = 503
    world.advance(3600)
    down = undelivered(world)

    listed = ops.json("events", "undelivered")

    assert [each["order_id"] for each in listed] == [*rejected, *down]
    assert {each["destination"] for each in listed} == {"oms"}
    assert [each["exhausted"] for each in listed] == ["", "", "MaximumRetryAttempts"]
    assert listed[2]["error"] == "the endpoint answered 503"
    assert len(world.undelivered("oms")) == 3
    assert world.stack.visible("to-oms-undelivered") == 3


def test_without_undelivered_events_it_says_so(ops, world):
    assert "No undelivered events." in ops("events", "undelivered").stdout


def test_an_event_is_sent_again_to_its_own_destination_with_its_id(ops, world):
    (order_id,) = undelivered(world)
    before = world.events("erp")
    endpoint(world).status = 200

    done = ops.json("events", "redrive", str(order_id))
    deliver(world)

    (event,) = endpoint(world).taken
    assert [each["event_id"] for each in done["redriven"]] == endpoint(world).ids
    assert event["detail"] == {**before[0]["detail"], "replayed": True, "only_for": "oms"}
    assert event["time"] == before[0]["time"]
    assert world.events("erp") == before
    assert world.undelivered("oms") == []


def test_an_event_that_is_not_taken_again_comes_back(ops, world):
    (order_id,) = undelivered(world)

    ops("events", "redrive", "--all")
    deliver(world)
    (event,) = world.undelivered("oms")
    endpoint(world).status = 200
    ops("events", "redrive", "--all")
    deliver(world)

    assert event["detail"]["order_id"] == order_id
    assert len(endpoint(world).taken) == 1
    assert world.undelivered("oms") == []


def test_the_events_of_a_cause_are_selected(ops, world):
    undelivered(world)
    world.bus.receivers[OMS] = lambda event: Answer(200, seconds=9)
    (slow,) = undelivered(world)
    world.bus.receivers[OMS] = Endpoint(200)

    done = ops.json("events", "redrive", "--cause", "TIMEOUT")
    deliver(world)

    assert [each["order_id"] for each in done["redriven"]] == [slow]
    assert len(world.undelivered("oms")) == 1


def test_an_unknown_cause_and_an_unknown_order_are_named(ops, world):
    undelivered(world)

    assert ops.json("events", "redrive", "--cause", "RAIN", code=1)["not_found"] == ["RAIN"]
    assert ops.json("events", "redrive", "9999", code=1)["not_found"] == ["9999"]
    assert len(world.undelivered("oms")) == 1


def test_events_must_be_selected_in_one_way(ops, world):
    for given in ((), ("118", "--all"), ("--cause", "TIMEOUT", "--all")):
        assert ops("events", "redrive", *given).exit_code == 2


def test_an_event_with_the_order_keeps_its_numbers(new_world):
    world = with_endpoint(new_world(EVENT_CONTENT="order"))
    (order_id,) = undelivered(world)
    (before,) = world.stack.bodies("to-oms-undelivered")
    world.bus.receivers[OMS] = Endpoint(500)

    Ops(world)("events", "redrive", "--all")
    deliver(world)

    (after,) = world.stack.bodies("to-oms-undelivered")
    order = before[before.index('"order":') :]
    assert f'"id": {order_id}' in order
    assert order.split('"resources"')[0].rstrip(", }") in after


def test_the_order_of_a_forgotten_customer_is_not_sent_again(new_world):
    world = with_endpoint(new_world(EVENT_CONTENT="order"))
    (order_id,) = undelivered(world)
    ops = Ops(world)
    ops("forget", "--order", str(order_id))
    deliver(world)
    endpoint(world).status = 200

    done = ops.json("events", "redrive", "--all")
    deliver(world)

    assert [each["type"] for each in done["obsolete"]] == ["order.created"]
    assert [event["detail-type"] for event in endpoint(world).taken] == ["order.forgotten"]
    assert world.undelivered("oms") == []


def test_no_event_is_sent_to_a_disabled_rule(ops, world):
    (order_id,) = undelivered(world)
    world.stack.aws.client("events").disable_rule(
        Name=world.stack.name("to-oms"), EventBusName=world.stack.bus_name
    )

    redriven = ops("events", "redrive", "--all")
    replayed = ops("events", "replay", str(order_id), "--destination", "oms")

    assert "the rule of the destination oms is disabled" in redriven.output
    assert "the rule of the destination oms is disabled" in replayed.output
    assert len(world.undelivered("oms")) == 1


def test_an_event_that_its_destination_does_not_select_any_more_stays(ops, world):
    undelivered(world)
    world.stack.aws.client("events").put_rule(
        Name=world.stack.name("to-oms"),
        EventBusName=world.stack.bus_name,
        EventPattern=json.dumps(
            {"source": [f"order-replication.{world.stack.stage}"], "detail-type": ["order.moved"]}
        ),
    )

    done = ops.json("events", "redrive", "--all", code=1)

    assert (len(done["redriven"]), len(done["refused"])) == (0, 1)
    assert len(world.undelivered("oms")) == 1


def test_an_error_of_aws_ends_with_a_report_of_what_was_done(ops, world, monkeypatch):
    undelivered(world, 2)

    def put(bus: EventBus, entries: list[Entry]) -> None:
        raise NotTaken("PutEvents", "ServiceUnavailable", [0, 1], is_refusal=False)

    monkeypatch.setattr(EventBus, "put", put)
    done = ops.json("events", "redrive", "--all", code=1)

    assert done["stopped"]
    assert len(world.undelivered("oms")) == 2
    assert world.stack.visible("to-oms-undelivered") == 2


def test_dropped_events_are_deleted_after_a_confirmation(world):
    (order_id,) = undelivered(world)
    asked = Ops(world, asks=True)

    refused = asked("events", "drop", str(order_id), answer="n\n")
    assert refused.exit_code == 1
    assert len(world.undelivered("oms")) == 1

    assert asked("events", "drop", str(order_id), answer="y\n").exit_code == 0
    assert world.undelivered("oms") == []


def test_a_message_that_is_no_event_of_the_service_is_named_and_can_be_dropped(ops, world):
    world.stack.sqs.send_message(
        QueueUrl=world.stack.url_of("to-oms-undelivered"), MessageBody='{"detail": 1}'
    )

    done = ops.json("events", "redrive", "--all", code=1)
    (refused,) = done["refused"]
    dropped = ops.json("events", "drop", refused["message_id"])

    assert (refused["event_id"], refused["cause"]) == (None, "unknown")
    assert len(dropped["dropped"]) == 1


def test_an_event_that_eventbridge_refuses_stays_and_is_named(ops, world, monkeypatch):
    undelivered(world, 2)

    def put(bus: EventBus, entries: list[Entry]) -> None:
        raise NotTaken("PutEvents", "InternalFailure", [1], is_refusal=True)

    monkeypatch.setattr(EventBus, "put", put)
    done = ops.json("events", "redrive", "--all", code=1)

    assert (len(done["redriven"]), len(done["refused"])) == (1, 1)
    (event,) = world.undelivered("oms")
    assert event["detail"]["event_id"] == done["refused"][0]["event_id"]
    assert world.stack.visible("to-oms-undelivered") == 1


def test_the_change_is_recorded_with_its_orders(ops, world):
    (order_id,) = undelivered(world)

    ops("events", "redrive", "--all", "--reason", "the OMS is up again")

    (change,) = ops.json("history")["actions"]
    assert (change["command"], change["order_ids"]) == ("events redrive", [order_id])
