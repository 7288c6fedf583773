"""`forget`: removes a person's data from every table permanently."""

import json

import pytest

from chalicelib.stream import changed_orders, forgotten_orders
from ops.deployment import Deployment
from ops.tables import put_tombstone
from sandbox.store.faults import Fault
from sandbox.store.statuses import Status
from tests.e2e.journeys import come_to_rest, moves

JANE = "jane.doe@example.com"


@pytest.fixture
def hers(world, store) -> list[int]:
    """Two replicated orders of one person; another person's order is beside them."""
    billing = store.order(store.place_order(status=Status.INCOMPLETE, via="api"))["billing_address"]
    address = {**billing, "email": JANE, "first_name": "Janequina"}
    ids = [store.place_order(billing_address=address), store.place_order(billing_address=address)]
    store.place_order()
    come_to_rest(world)
    return ids


def everything(world) -> str:
    tables = [world.items(table) for table in ("orders", "jobs", "webhooks")]
    return json.dumps([tables, world.messages(), world.dead_letters()], default=str)


def test_a_person_is_removed_from_every_table(ops, world, hers):
    done = ops.json("forget", "--email", JANE)

    assert [order["order_id"] for order in done["orders"]] == hers
    assert JANE not in everything(world)
    assert "Janequina" not in everything(world)
    left = {item["order_id"] for item in world.items("webhooks")}
    assert hers[-1] + 1 in left
    assert not left.intersection(hers)
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
    assert done["orders"][0]["fields"] == ["shipping_addresses.email"]


@pytest.mark.parametrize(
    ("option", "text"), [("--email", JANE), ("--text", "jane.doe"), ("--text", "NOT to my Husband")]
)
def test_a_person_is_found_within_a_text(ops, world, store, option, text):
    order_id = store.place_order(via="api")
    store.place_order(via="api")
    message = f"Please write to {JANE}, not to my husband"
    store.edit(order_id, customer_message=message)
    world.poll()
    world.settle()

    done = ops.json("forget", option, text, "--dry-run")

    assert [(o["order_id"], o["fields"]) for o in done["orders"]] == [
        (order_id, ["customer_message"])
    ]
    result = ops("forget", option, text, "--dry-run").output
    assert "customer_message" in result
    assert "husband" not in result


def test_a_person_is_found_in_compressed_lists(ops, world, store):
    order_id = store.place_order(via="api", lines=400)
    world.poll()
    world.settle()
    assert world.item(order_id)["replication"].get("encoding")
    (sku, *_) = (line["sku"] for line in world.item(order_id)["products"])

    assert [o["order_id"] for o in ops.json("forget", "--text", sku)["orders"]] == [order_id]


def test_a_customer_is_found_by_the_id_stored_or_not(ops, world, store):
    stored = store.place_order(via="api", customer_id=77)
    store.place_order(via="api", customer_id=771)
    world.poll()
    world.settle()
    queued = store.place_order(via="api", customer_id=77)

    done = ops.json("forget", "--customer", "77", "--dry-run")

    assert [(o["order_id"], o["fields"]) for o in done["orders"]] == [
        (stored, ["customer_id"]),
        (queued, ["(in the store)"]),
    ]


@pytest.mark.parametrize("given", [("--text", "abc"), ("--email", " @ "), ("--customer", "0")])
def test_what_would_find_everybody_is_rejected(ops, world, hers, given):
    before = everything(world)

    assert ops("forget", *given).exit_code == 2
    assert everything(world) == before


def test_an_order_that_is_still_to_be_moved_is_named_and_moved(ops, world, store):
    world.configure(MOVE_STATUS="false")
    new = store.place_order(via="api")
    world.poll()
    world.settle()
    world.configure(MOVE_STATUS="true")

    text = ops("forget", "--order", str(new), "--dry-run").output
    done = ops.json("forget", "--order", str(new))
    world.clock.advance(86_400)
    world.poll()
    world.settle()

    assert "will still be moved, but not stored" in text
    assert done["orders"][0]["will_move"]
    assert moves(store, new) == [(11, 9)]
    assert set(world.item(new)) == {"id", "replication"}


def test_an_order_is_forgotten_while_the_store_is_down(ops, world, store):
    new = store.place_order(via="api")
    world.poll()
    store.faults.add(Fault(route="*", kind="status", status=503, times=None))

    done = ops.json("forget", "--order", str(new))

    assert done["orders"][0]["will_move"] is None
    assert set(world.item(new)) == {"id", "replication"}


def test_an_item_of_another_program_is_forgotten(ops, world, store):
    order_id = store.place_order(via="api")
    world.stack.dynamodb.put_item(
        TableName=world.stack.name("orders"),
        Item={"id": {"N": str(order_id)}, "note": {"S": f"call {JANE}"}},
    )

    done = ops.json("forget", "--email", JANE)

    assert [(o["order_id"], o["fields"]) for o in done["orders"]] == [(order_id, ["note"])]
    assert set(world.item(order_id)) == {"id", "replication"}


def test_a_move_that_is_recorded_meanwhile_is_not_lost(world, store):
    order_id = store.place_order(via="api")
    world.configure(MOVE_STATUS="false")
    world.poll()
    world.settle()
    deployment = Deployment.find(world.stack.stage, world.clock)
    stale = deployment.wiring.orders.records([order_id])[order_id]
    world.configure(MOVE_STATUS="true")
    world.clock.advance(86_400)
    world.poll()
    world.settle()

    put_tombstone(deployment, order_id, stale, world.clock.now())

    assert world.item(order_id)["replication"]["moved_at"]


def test_a_dry_run_changes_nothing(ops, world, hers):
    before = everything(world)

    done = ops.json("forget", "--email", JANE, "--dry-run")

    assert [order["was_stored"] for order in done["orders"]] == [True, True]
    assert [order["fields"] for order in done["orders"]] == [["billing_address.email"]] * 2
    assert everything(world) == before


def test_no_source_stores_a_forgotten_order_again(ops, world, store, hers):
    ops("forget", "--order", str(hers[0]))
    store.set_status(hers[0], Status.AWAITING_FULFILLMENT)
    store.edit(hers[0], staff_notes="new again")

    for _ in range(13):
        world.poll()
    come_to_rest(world)
    ops("replay", str(hers[0]))
    ops("retry", str(hers[0]))
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
    world.settle()

    assert done["orders"][0] == {
        "order_id": order_id,
        "fields": ["(in the store)"],
        "was_stored": False,
        "was_forgotten": False,
        "will_move": True,
        "webhooks": 0,
    }
    assert set(world.item(order_id)) == {"id", "replication"}
    assert moves(store, order_id) == [(11, 9)]
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


class TestAfterARestore:
    def test_whoever_is_back_in_the_table_is_forgotten_again(self, ops, world, hers):
        before = {order_id: stored(world, order_id) for order_id in hers}
        ops("forget", "--email", JANE)
        for item in before.values():
            world.stack.dynamodb.put_item(TableName=world.stack.name("orders"), Item=item)
        assert JANE in everything(world)

        planned = ops.json("forget", "--again", "--dry-run")
        assert [order["order_id"] for order in planned["orders"]] == hers
        ops("forget", "--again")

        assert JANE not in everything(world)
        assert "nothing was changed" in ops("forget", "--again").output

    def test_an_order_without_a_tombstone_gets_one_and_is_not_stored_by_a_sweep(
        self, ops, world, hers
    ):
        """It was forgotten before it was ever stored, or the table is older than the order."""
        ops("forget", "--email", JANE)
        for order_id in hers:
            world.stack.dynamodb.delete_item(
                TableName=world.stack.name("orders"), Key={"id": {"N": str(order_id)}}
            )

        ops("forget", "--again")
        ops("poll", "--sweep")
        world.settle()

        assert JANE not in everything(world)
        assert [set(world.item(order_id)) for order_id in hers] == [{"id", "replication"}] * 2

    def test_the_ledger_has_nothing_but_ids_and_times(self, ops, world, hers):
        ops("forget", "--email", JANE, "--reason", "ticket 42")

        items = world.stack.dynamodb.scan(TableName=world.stack.name("erasures"))["Items"]
        assert sorted(int(item["order_id"]["N"]) for item in items) == hers
        assert {name for item in items for name in item} == {"order_id", "forgotten_at"}

    def test_it_is_about_all_orders(self, ops):
        refused = ops("forget", "--again", "--order", "118")

        assert refused.exit_code == 2
        assert "name none" in refused.stderr


def stored(world, order_id):
    """The item of an order, as DynamoDB has it."""
    key = {"id": {"N": str(order_id)}}
    return world.stack.dynamodb.get_item(TableName=world.stack.name("orders"), Key=key)["Item"]
