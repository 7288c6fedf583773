"""The record of what operators change, and the command that lists it."""

import json

import pytest

from chalicelib.edges.dynamodb_jobs import PAUSE
from ops.history.actions import ACTION
from tests.e2e.journeys import moves


def recorded(ops):
    return ops.json("history")["actions"]


def test_a_change_is_recorded_with_who_made_it_to_which_orders_and_why(ops, world, store):
    ids = [store.place_order(via="api") for _ in range(2)]

    ops("replay", *map(str, ids), "--reason", "ticket 42")

    (action,) = recorded(ops)
    assert action["command"] == "replay"
    assert action["what"] == "replay 2 orders"
    assert action["order_ids"] == ids
    assert action["reason"] == "ticket 42"
    assert action["by"].startswith("arn:aws:")
    output = ops("history").output
    assert "ticket 42" in output
    assert f"orders {ids[0]}, {ids[1]}" in output


def test_actions_are_listed_newest_first_with_the_whole_name_of_the_command(ops, world, store):
    world.stack.sqs.send_message(
        QueueUrl=world.stack.dead_letter_queue_url, MessageBody=json.dumps({"order_id": 7})
    )
    ops("poll")
    world.advance(60)
    ops("dead-letters", "drop", "--all", "--reason", "a test")
    world.advance(60)
    ops("pause", "--reason", "the warehouse is closed")

    assert [(each["command"], each["reason"]) for each in recorded(ops)] == [
        ("pause", "the warehouse is closed"),
        ("dead-letters drop", "a test"),
        ("poll", None),
    ]


def test_only_actions_since_a_date_are_listed(ops, world):
    ops("poll")
    world.advance(31 * 86400)

    assert recorded(ops) == []
    assert "Nothing was changed" in ops("history").output
    since = world.clock.now().replace(year=2020).date().isoformat()
    assert len(ops.json("history", "--since", since)["actions"]) == 1


def test_a_change_that_was_refused_is_not_recorded(ops, world, store):
    order_id = store.place_order(via="api")
    world.poll()
    world.drain()

    ops("forget", "--order", str(order_id), answer="n\n")

    assert recorded(ops) == []


def test_a_change_that_cannot_be_recorded_is_not_made(ops, world, store):
    """The record comes first, so that no change is without one."""
    order_id = store.place_order(via="api")
    world.stack.dynamodb.delete_table(TableName=world.stack.name("jobs"))

    failed = ops("replay", str(order_id))

    assert failed.exit_code == 1
    assert world.messages() == []


@pytest.mark.parametrize("command", [("poll",), ("audit", "--wait", "0"), ("status",)])
def test_records_of_changes_do_not_disturb_other_commands(ops, world, store, command):
    order_id = store.place_order(via="api")
    ops("replay", str(order_id))
    world.poll()
    world.settle()

    assert ops(*command).exit_code == 0
    assert len(moves(store, order_id)) == 1


def test_a_record_does_not_expire(ops, world):
    ops("pause", "--reason", "a test")

    pages = world.stack.dynamodb.get_paginator("scan").paginate(TableName=world.stack.name("jobs"))
    items = {item["started_at"]["S"]: item for page in pages for item in page["Items"]}
    (action,) = [item for name, item in items.items() if name.startswith(ACTION)]
    assert PAUSE in items
    assert "expires_at" not in action
