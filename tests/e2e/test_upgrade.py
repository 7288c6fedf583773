"""An upgrade from version 1.0 and the way back: items, polls and messages of the other version."""

import json
from datetime import timedelta
from typing import Any

import pytest
from boto3.dynamodb.types import TypeSerializer

from sandbox.store import Store
from sandbox.store.dates import parse_date
from sandbox.store.faults import Fault
from sandbox.store.statuses import Status
from sandbox.world import World
from tests.e2e.conftest import Ops
from tests.e2e.journeys import DAY, come_to_rest, differing, moves, record, replicated

LISTS_1_0 = ("products", "shipping_addresses", "coupons")
SCOPE_1_0 = "11,7,10 since 2020-01-01T00:00:00+00:00"

RECORD_1_0 = {
    "source": str,
    "version": int,
    "digest": str,
    "replicated_at": str,
    "moved_at": str,
    "moved_from": int,
    "moved_to": int,
    "move_began_at": str,
    "move_unconfirmed": bool,
    "encoding": dict,
    "forgotten_at": str,
}
"""The attributes of a record that version 1.0 knows; it ignores the others."""

JOB_1_0 = {
    **dict.fromkeys(("started_at", "mode", "began_at", "since", "due", "scope", "outcome"), str),
    **dict.fromkeys(("listed", "queued", "already_replicated", "missing", "requests"), int),
    "error": str,
    "finished_at": str,
    "counts": dict,
}

MOVED = {"moved_from": 11, "moved_to": 9}
serialize = TypeSerializer().serialize


def put(world: World, table: str, item: dict[str, Any]) -> None:
    world.stack.dynamodb.put_item(
        TableName=world.stack.name(table),
        Item={name: serialize(value) for name, value in item.items()},
    )


def store_as_1_0(world: World, order_id: int, **facts: Any) -> None:
    """Write the item of an order as version 1.0 did, when the order is as it is now."""
    order = world.store.order(order_id)
    lists = world.store.parts(order_id)
    before = {
        "source": "webhook",
        "version": parse_date(order["date_modified"]),
        "digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "replicated_at": world.clock.now().isoformat(),
    }
    item = {**order, **{name: lists[name] for name in LISTS_1_0}}
    put(world, "orders", {**item, "replication": {**before, **facts}})


def poll_as_1_0(world: World, **facts: Any) -> None:
    """Write the item of a poll as version 1.0 did."""
    began_at = world.clock.now().isoformat()
    job = {
        "started_at": began_at,
        "mode": "sweep",
        "began_at": began_at,
        "counts": {"11": 1, "7": 0, "10": 0},
        "listed": 1,
        "queued": 1,
        "already_replicated": 0,
        "missing": 0,
        "scope": SCOPE_1_0,
        "requests": 5,
        "outcome": "succeeded",
        "finished_at": began_at,
        "expires_at": int(world.clock.time() + 90 * DAY),
    }
    put(world, "jobs", {**job, **facts, "store_hash": "sandbox"})


def queue_as_1_0(world: World, order_id: int, source: str) -> None:
    queued_at = world.clock.now().isoformat()
    body = {"order_id": order_id, "source": source, "queued_at": queued_at}
    world.stack.sqs.send_message(QueueUrl=world.stack.queue_url, MessageBody=json.dumps(body))


def upgrade(world: World) -> None:
    """The first poll after the upgrade, and what follows from it."""
    poll_as_1_0(world)
    world.poll()
    come_to_rest(world)


@pytest.fixture
def store(world: World) -> Store:
    """The store, whose hook of version 1.0 is the only one so far."""
    for hook in list(world.store.callbacks.hooks.values()):
        if hook.scope != "store/cart/converted":
            world.store.callbacks.remove(hook.id)
    return world.store


def test_the_first_sweep_stores_every_order_in_scope(world, store):
    ids = [store.place_order(status=status) for status in Status if status not in (0, 1)]

    upgrade(world)

    assert [order_id for order_id in ids if differing(world, order_id)] == []
    assert [job["mode"] for job in world.items("jobs")] == ["sweep", "changes", "sweep"]
    assert "since" not in world.items("jobs")[-1]


def test_the_first_sweep_publishes_only_the_moves_that_it_makes(world, store):
    world.stack.add_destination("erp")
    moved_at = world.clock.now().isoformat()
    for status in (Status.SHIPPED, Status.COMPLETED, Status.CANCELLED):
        store_as_1_0(world, store.place_order(status=status), **MOVED, moved_at=moved_at)
        store_as_1_0(world, store.place_order(status=status))
        store.place_order(status=status)
    left = store.place_order()
    store_as_1_0(world, left)
    store.pending_callbacks.clear()
    world.advance(3600)

    upgrade(world)
    world.publish()

    events = world.events("erp")
    assert [event["detail-type"] for event in events] == ["order.moved"]
    assert events[0]["detail"]["order_id"] == left
    assert {item["replication"]["found_by"] for item in world.items("orders")} >= {"fill"}


@pytest.mark.parametrize("later", [None, Status.SHIPPED, Status.AWAITING_FULFILLMENT])
def test_an_order_that_1_0_moved_is_brought_up_to_date_and_not_moved(world, store, later):
    order_id = store.place_order()
    store_as_1_0(world, order_id, **MOVED, moved_at=world.clock.now().isoformat())
    world.advance(10)
    store.set_status(order_id, Status.AWAITING_SHIPMENT)
    if later is not None:
        world.advance(600)
        store.set_status(order_id, later)

    upgrade(world)

    assert differing(world, order_id) == set()
    assert record(world, order_id)["sequence"] > 0
    assert moves(store, order_id) == []


@pytest.mark.parametrize(
    "facts", [{"moved_to": 9}, {**MOVED, "move_unconfirmed": True}], ids=["by others", "in doubt"]
)
def test_an_order_that_counts_as_moved_in_1_0_is_not_moved(world, store, facts):
    order_id = store.place_order()
    store_as_1_0(world, order_id, **facts, moved_at=world.clock.now().isoformat())

    upgrade(world)

    assert differing(world, order_id) == set()
    assert moves(store, order_id) == []


def test_an_order_that_1_0_stored_and_did_not_move_is_moved(world, store):
    order_id = store.place_order()
    store_as_1_0(world, order_id)

    upgrade(world)

    assert replicated(world, order_id)


@pytest.mark.parametrize("is_dated", [True, False])
def test_a_pending_move_of_1_0_that_took_effect_is_recorded(world, store, is_dated):
    order_id = store.place_order()
    began = {"move_began_at": world.clock.now().isoformat()} if is_dated else {}
    store_as_1_0(world, order_id, **MOVED, **began)
    world.advance(10)
    store.set_status(order_id, Status.AWAITING_SHIPMENT)

    upgrade(world)

    assert differing(world, order_id) == set()
    assert record(world, order_id)["moved_at"]
    assert "move_unconfirmed" not in record(world, order_id)
    assert moves(store, order_id) == []


def test_a_pending_move_of_1_0_without_effect_is_made(world, store):
    order_id = store.place_order()
    store_as_1_0(world, order_id, **MOVED, move_began_at=world.clock.now().isoformat())

    upgrade(world)

    assert replicated(world, order_id)


def test_a_pending_move_of_1_0_that_a_person_made_undecidable_counts_as_made(world, store):
    order_id = store.place_order()
    store_as_1_0(world, order_id, **MOVED)
    world.advance(10)
    store.edit(order_id, staff_notes="wait")

    upgrade(world)

    assert differing(world, order_id) == set()
    assert record(world, order_id)["move_unconfirmed"] is True
    assert moves(store, order_id) == []


def test_the_messages_of_1_0_are_consumed(world, store):
    ids = {source: store.place_order(via="api") for source in ("poll", "webhook", "replay")}
    for source, order_id in ids.items():
        queue_as_1_0(world, order_id, source)

    come_to_rest(world)

    assert world.dead_letters() == []
    assert [bool(moves(store, order_id)) for order_id in ids.values()] == [True, True, False]


@pytest.mark.parametrize("mode", ["sweep", "changes"])
def test_a_poll_that_1_0_did_not_finish_leaves_no_gap(world, store, mode):
    """Its cursor is a position in a listing that does not exist any more."""
    poll_as_1_0(world)
    ids = [store.place_order(via="api") for _ in range(3)]
    world.advance(600)
    since = {"since": (world.clock.now() - timedelta(hours=1)).isoformat()}
    poll_as_1_0(
        world,
        mode=mode,
        outcome="stopped",
        cursor={"status_id": 7, "min_id": ids[-1] + 1},
        **(since if mode == "changes" else {}),
    )

    world.poll()
    come_to_rest(world)

    assert all(replicated(world, order_id) for order_id in ids)


def test_items_of_1_0_expire_once_they_are_put_again_or_the_command_has_set_their_time(
    new_world,
):
    world = new_world(ORDERS_RETENTION_DAYS="30")
    now, moved_at = world.clock.now(), {**MOVED, "moved_at": world.clock.now().isoformat()}
    old, young = (world.store.place_order(created=now - timedelta(days=days)) for days in (31, 29))
    for order_id in (old, young):
        store_as_1_0(world, order_id, **moved_at)
    before = world.item(old)

    upgrade(world)

    assert world.item(old) == before
    assert not differing(world, young)
    assert "expires_at" in world.item(young)
    Ops(world)("expire")
    assert world.item(old)["expires_at"] < world.clock.time()
    assert record(world, old) == before["replication"]
    assert moves(world.store, old) == moves(world.store, young) == []


def read_as_1_0(attributes: dict[str, Any], known: dict[str, type]) -> dict[str, Any]:
    """The known attributes, as version 1.0 reads them: what is no text, map or flag is a number."""
    values = {name: attributes[name] for name in known if name in attributes}
    read = {n: v if isinstance(v, str | dict | bool) else int(v) for n, v in values.items()}
    assert {n: type(v) for n, v in read.items()} == {name: known[name] for name in read}
    return read


def test_1_0_reads_the_records(new_world):
    world = new_world(MOVE_UNPAID="false")
    moved = world.store.place_order(lines=620)
    unpaid = world.store.place_order(status=Status.AWAITING_PAYMENT, items_total=99)
    shipped = world.store.place_order(status=Status.SHIPPED)
    come_to_rest(world)

    records = {
        order_id: read_as_1_0(record(world, order_id), RECORD_1_0)
        for order_id in (moved, unpaid, shipped)
    }

    for order_id, read in records.items():
        assert {"source", "version", "digest", "replicated_at"} <= read.keys()
        assert read["version"] == parse_date(world.store.order(order_id)["date_modified"])
    assert (records[moved]["moved_from"], records[moved]["moved_to"]) == (11, 9)
    assert records[moved]["encoding"] == {"products": "gzip+json"}
    assert "moved_at" in records[shipped], "1.0 moves nothing that counts as moved"
    assert "moved_to" not in records[unpaid]


def test_1_0_reads_the_polls(world, store):
    store.place_orders(5)
    world.poll()
    come_to_rest(world)
    world.poll()

    jobs = [read_as_1_0(job, JOB_1_0) for job in world.items("jobs")]

    assert [job["mode"] for job in jobs] == ["changes", "sweep", "changes"]
    assert all({"started_at", "began_at", "outcome"} <= job.keys() for job in jobs)
    assert {job["scope"] for job in jobs} != {SCOPE_1_0}, "1.0 sweeps at once"


def test_1_0_reads_the_cursor_of_a_poll_that_was_stopped(world, store):
    for _ in range(251):
        store.place_order(status=Status.SHIPPED, lines=1, via="api")
    store.faults.add(Fault(route="GET /orders", kind="slow", seconds=850, skip=4))

    world.poll()

    stopped = world.items("jobs")[-1]
    assert stopped["outcome"] == "stopped"
    assert all(int(stopped["cursor"][name]) for name in ("status_id", "min_id"))
