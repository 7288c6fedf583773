"""`forget`: removes a person's data from every table permanently."""

import json

import pytest

from chalicelib.stream import changed_orders, forgotten_orders
from sandbox.store.statuses import Status

JANE = "jane.doe@example.com"


@pytest.fixture
def hers(world, store) -> list[int]:
    """Two replicated orders of one person; another person's order is beside them."""
    billing = store.order(store.place_order(status=Status.INCOMPLETE, via="api"))["billing_address"]
    address = {**billing, "email": JANE, "first_name": "Janequina"}
    ids = [store.place_order(billing_address=address), store.place_order(billing_address=address)]
    store.place_order()
    world.deliver_webhooks()
    world.drain()
    return ids


def everything(world) -> str:
    tables = [world.items(table) for table in ("orders", "jobs", "webhooks")]
    return json.dumps([tables, world.messages(), world.dead_letters()], default=str)


def test_a_person_is_removed_from_every_table(ops, world, hers):
    done = ops.json("forget", "--email", JANE)

    assert [order["order_id"] for order in done["orders"]] == hers
    assert JANE not in everything(world)
    assert "Janequina" not in everything(world)
    assert [item["order_id"] for item in world.items("webhooks")] == [hers[-1] + 1]
    for order_id in hers:
        assert set(world.item(order_id)) == {"id", "replication"}


def test_an_address_is_found_in_any_case_and_in_any_field(ops, world, store):
    shipped = store.place_order(via="api")
    store.place_order(via="api")
    lines = store.whole(shipped)["shipping_addresses"]
    store.edit(shipped, shipping_addresses=[{**lines[0], "email": "Jane.Doe@Example.com "}])
    world.poll()
    world.drain()

    done = ops.json("forget", "--email", JANE.upper(), "--dry-run")

    assert [order["order_id"] for order in done["orders"]] == [shipped]


def test_a_dry_run_changes_nothing(ops, world, hers):
    before = everything(world)

    done = ops.json("forget", "--email", JANE, "--dry-run")

    assert [order["was_stored"] for order in done["orders"]] == [True, True]
    assert everything(world) == before


def test_no_source_stores_a_forgotten_order_again(ops, world, store, hers):
    ops("forget", "--order", str(hers[0]))
    store.set_status(hers[0], Status.AWAITING_FULFILLMENT)
    store.edit(hers[0], staff_notes="new again")

    for _ in range(13):
        world.poll()
    world.stack.sqs.send_message(
        QueueUrl=world.stack.queue_url,
        MessageBody=json.dumps({"order_id": hers[0], "source": "webhook", "queued_at": "now"}),
    )
    ops("replay", str(hers[0]))
    ops("backfill", "--since", "2019-01-01", "--until", "2100-01-01")
    world.settle()

    assert set(world.item(hers[0])) == {"id", "replication"}
    assert store.order(hers[0])["status_id"] == Status.AWAITING_FULFILLMENT
    assert world.dead_letters() == []


def test_an_order_that_is_only_in_the_queue_is_never_stored(ops, world, store):
    billing = {**store.order(store.place_order(via="api"))["billing_address"], "email": JANE}
    order_id = store.place_order(billing_address=billing, via="api")
    world.poll()

    done = ops.json("forget", "--email", JANE)
    world.drain()

    assert done["orders"][0] == {
        "order_id": order_id,
        "was_stored": False,
        "was_forgotten": False,
        "webhooks": 0,
    }
    assert set(world.item(order_id)) == {"id", "replication"}
    assert world.messages() == []


def test_forgetting_is_idempotent(ops, world, hers):
    ops("forget", "--order", str(hers[0]))
    before = world.item(hers[0])

    done = ops.json("forget", "--order", str(hers[0]))

    assert done["orders"][0]["was_forgotten"]
    assert world.item(hers[0]) == before


def test_the_tombstone_keeps_when_the_order_was_moved(ops, world, hers):
    before = world.item(hers[0])["replication"]

    ops("forget", "--order", str(hers[0]))

    kept = world.item(hers[0])["replication"]
    assert kept["moved_at"] == before["moved_at"]
    assert kept["forgotten_at"] > before["moved_at"]
    assert kept["digest"] == ""


def test_consumers_of_the_stream_receive_the_removal(ops, world, hers):
    ops("forget", "--order", str(hers[0]))
    image = world.stack.dynamodb.get_item(
        TableName=world.stack.name("orders"), Key={"id": {"N": str(hers[0])}}
    )["Item"]
    event = {"Records": [{"dynamodb": {"Keys": {"id": image["id"]}, "NewImage": image}}]}

    assert list(forgotten_orders(event)) == [hers[0]]
    assert list(changed_orders(event)) == []


def test_an_unknown_person_has_no_orders(ops):
    assert ops.json("forget", "--email", "nobody@example.com")["orders"] == []


def test_an_order_or_a_person_must_be_named(ops):
    assert ops("forget").exit_code == 2
