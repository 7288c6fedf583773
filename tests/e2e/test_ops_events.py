"""The events command: events are published again, for a new receiver or after a failure."""

from typing import Any

import pytest

from ops.events.replay import PER_CALL
from sandbox.world import World
from tests.e2e.conftest import Ops
from tests.e2e.journeys import DAY, come_to_rest

Events = list[dict[str, Any]]


@pytest.fixture
def world(new_world) -> World:
    made: World = new_world()
    for name in ("erp", "crm"):
        made.stack.add_destination(name)
    return made


@pytest.fixture
def order_id(world: World) -> int:
    placed = world.store.place_order()
    come_to_rest(world)
    world.publish()
    return placed


def new_events(world: World, destination: str, after: Events) -> Events:
    """The details of the events that a receiver has got after these."""
    world.publish()
    return [event["detail"] for event in world.events(destination)[len(after) :]]


def received(world: World) -> dict[str, Events]:
    return {name: world.events(name) for name in ("erp", "crm")}


def test_the_events_of_an_order_are_published_again_with_their_ids(ops, world, order_id):
    before = received(world)

    result = ops("events", "replay", str(order_id))

    assert result.exit_code == 0, result.output
    for name, events in before.items():
        again = new_events(world, name, events)
        assert [detail["replayed"] for detail in again] == [True, True]
        assert again[1]["event_id"] == events[-1]["detail"]["event_id"]
        assert [detail["event_id"].rpartition("-")[2] for detail in again] == ["created", "moved"]
        assert {detail["status_id"] for detail in again} == {9}


def test_only_the_named_destination_gets_them(ops, world, order_id):
    before = received(world)

    ops("events", "replay", str(order_id), "--destination", "erp")

    assert new_events(world, "crm", before["crm"]) == []
    assert {d["only_for"] for d in new_events(world, "erp", before["erp"])} == {"erp"}


def test_orders_are_selected_by_the_day_of_their_creation(ops, world, order_id):
    first = world.clock.now().date()
    world.advance(2 * DAY)
    later = world.store.place_order()
    come_to_rest(world)
    world.publish()
    second = world.clock.now().date()

    all_of_them = ops.json("events", "replay", "--since", f"{first}")
    earlier = ops.json("events", "replay", "--since", f"{first}", "--until", f"{first}")
    recent = ops.json("events", "replay", "--since", f"{second}")

    assert all_of_them["orders"] == [order_id, later]
    assert earlier["orders"] == [order_id]
    assert recent["orders"] == [later]


def test_orders_are_selected_by_the_time_of_their_change(ops, world, order_id):
    world.advance(60)
    since = world.clock.now()
    changed = world.store.place_order()
    come_to_rest(world)
    world.publish()

    done = ops.json("events", "replay", "--changed-since", since.isoformat())

    assert done["orders"] == [changed]


def test_a_forgotten_order_is_published_as_forgotten(ops, world, order_id):
    ops("forget", "--order", str(order_id))
    world.publish()
    before = world.events("erp")

    ops("events", "replay", str(order_id))

    (detail,) = new_events(world, "erp", before)
    assert detail["event_id"] == before[-1]["detail"]["event_id"]
    assert detail["status_id"] is None


def test_an_archived_order_is_published_as_archived_too(ops, world, order_id):
    world.store.archive(order_id)
    come_to_rest(world)
    world.publish()
    before = world.events("erp")

    ops("events", "replay", str(order_id))

    kinds = [d["event_id"].rpartition("-")[2] for d in new_events(world, "erp", before)]
    assert kinds == ["created", "moved", "archived"]


def test_an_order_that_is_not_stored_is_named(ops, world, order_id):
    done = ops.json("events", "replay", str(order_id), "9999", code=1)

    assert (done["orders"], done["not_stored"], done["events"]) == ([order_id], [9999], 2)


def test_many_orders_are_published_in_parts(ops, world):
    world.store.place_orders(80)
    world.poll()
    world.settle()
    world.publish()
    before = world.events("erp")

    done = ops.json("events", "replay", "--since", "2020-01-01")

    assert len(done["orders"]) > PER_CALL
    assert len(new_events(world, "erp", before)) == done["events"]


@pytest.mark.parametrize(
    "arguments", [(), ("118", "--since", "2026-01-01"), ("118", "--until", "2026-01-01")], ids=str
)
def test_orders_are_named_in_one_way(ops, arguments):
    assert ops("events", "replay", *arguments).exit_code == 2


def test_the_change_is_recorded(ops, world, order_id):
    ops("events", "replay", str(order_id), "--reason", "a new receiver")

    (change,) = Ops(world).json("history")["actions"]
    assert change["command"] == "events replay"
    assert change["reason"] == "a new receiver"
