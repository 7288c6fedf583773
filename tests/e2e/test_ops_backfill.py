"""`backfill`: copies historical orders into the table; the store is never written to."""

import threading
from datetime import timedelta
from functools import partial

import pytest
from click.testing import CliRunner

from ops.__main__ import main
from ops.clock import OperatorClock
from sandbox.store import Store
from sandbox.store.clock import SimulatedClock
from sandbox.store.faults import Fault
from sandbox.store.statuses import Status
from tests.e2e.journeys import differing, moves, replicated, unmoved
from tests.factories import events

SPAN = ("--since", "2019-01-01", "--until", "2100-01-01")


@pytest.fixture
def old(world, store) -> list[int]:
    """Thirty orders in every state, a year old."""
    day = world.clock.now() - timedelta(days=365)
    return [
        store.place_order(status=status, via="api", created=day + timedelta(minutes=number))
        for number, status in enumerate([Status.COMPLETED, Status.SHIPPED, Status.CANCELLED] * 10)
    ]


def test_every_order_in_the_range_is_stored_whole_and_none_is_moved(ops, world, store, old):
    done = ops.json("backfill", *SPAN)

    assert done["outcomes"] == {"stored": 30}
    assert (done["failed"], done["in_use"], done["incomplete"]) == ({}, [], {})
    assert not any(differing(world, order_id) for order_id in old)
    assert {world.item(order_id)["replication"]["source"] for order_id in old} == {"backfill"}
    assert store.status_changes == []
    assert store.repeated_puts == []
    assert not any(route.startswith("PUT") for route in store.requests)


def test_a_second_backfill_stores_nothing_again(ops, world, store, old):
    ops("backfill", *SPAN)
    before = world.items("orders")

    assert ops.json("backfill", *SPAN)["outcomes"] == {"there already": 30}
    assert world.items("orders") == before


def test_only_the_named_statuses_are_stored(ops, world, old):
    done = ops.json("backfill", *SPAN, "--status", "2", "--status", "5")

    assert done["outcomes"] == {"stored": 20, "other status": 10}
    assert {item["status_id"] for item in world.items("orders")} == {2, 5}


def test_an_order_that_is_new_is_stored_and_left_for_the_poll_to_move(ops, world, store):
    order_id = store.place_order(via="api")

    ops("backfill", *SPAN)
    assert unmoved(world, order_id)
    assert moves(store, order_id) == []
    world.poll()
    world.drain()

    assert replicated(world, order_id)


def test_an_order_that_has_changed_since_it_was_moved_is_brought_up_to_date(ops, world, store):
    order_id = store.place_order(via="api")
    world.poll()
    world.settle()
    store.set_status(order_id, Status.SHIPPED)
    world.clock.advance(5)

    assert ops.json("backfill", *SPAN)["outcomes"] == {"stored": 1}
    assert not differing(world, order_id)
    assert moves(store, order_id) == [(11, 9)]


@pytest.mark.parametrize("status", [Status.INCOMPLETE, Status.PENDING])
def test_orders_of_ignored_statuses_are_not_stored(ops, world, store, status):
    store.place_order(status=status, via="api")

    assert ops.json("backfill", *SPAN)["outcomes"] == {"out of scope": 1}
    assert world.items("orders") == []


def test_orders_of_other_channels_are_not_stored(ops, world, store):
    world.configure(CHANNEL_IDS="2")
    store.place_order(via="api", channel_id=1)
    ours = store.place_order(via="api", channel_id=2)

    assert ops.json("backfill", *SPAN)["outcomes"] == {"out of scope": 1, "stored": 1}
    assert [item["id"] for item in world.items("orders")] == [ours]


def test_an_order_with_too_short_a_list_is_stored_and_named(ops, world, store):
    order_id = store.place_order(status=Status.SHIPPED, via="api", items_total=99)

    done = ops.json("backfill", *SPAN)

    assert done["outcomes"] == {"stored": 1}
    assert done["incomplete"] == {str(order_id): ["products"]}
    assert world.item(order_id)["replication"]["incomplete"] == ["products"]


def test_an_order_that_is_being_moved_is_in_use_and_named(ops, world, store):
    order_id = store.place_order(via="api")
    world.poll()
    store.faults.add(Fault(route="PUT /orders/*", kind="drop_after", times=1))
    world.drain()

    done = ops.json("backfill", *SPAN)

    assert (done["outcomes"], done["in_use"]) == ({"in use": 1}, [order_id])


def test_an_order_that_does_not_fit_into_an_item_is_named(ops, world, store, old):
    # Digits do not get shorter by compression.
    text = "".join(str(n) for n in range(100_000))
    store.edit(old[0], staff_notes=text)

    done = ops.json("backfill", *SPAN, code=1)

    assert done["outcomes"] == {"stored": 29, "failed": 1}
    assert "ItemTooLarge" in done["failed"][str(old[0])]


def test_an_order_that_the_store_cannot_serve_is_named_and_the_others_are_stored(
    ops, world, store, old
):
    store.faults.add(Fault(route="*", kind="unservable", order_id=old[3], times=None))

    done = ops.json("backfill", *SPAN, code=1)

    assert done["outcomes"] == {"stored": 29, "failed": 1}
    assert list(done["failed"]) == [str(old[3])]


def test_a_failed_backfill_continues_from_its_page(ops, world, store):
    store.place_orders(250, statuses=[Status.CANCELLED])
    ids = store.place_orders(50, statuses=[Status.SHIPPED])
    shipped = (*SPAN, "--status", str(int(Status.SHIPPED)))
    store.faults.add(Fault(route="*", kind="status", status=503, skip=60, times=None))

    broken = ops("backfill", *shipped)
    store.faults.clear()
    done = ops.json("backfill", *shipped)

    assert broken.exit_code == 1
    assert "503" in broken.stderr
    assert "other status" not in done["outcomes"]
    assert sum(done["outcomes"].values()) == 50
    assert {item["id"] for item in world.items("orders")} == set(ids)


def test_a_bookmark_is_not_a_poll(ops, world, store, old):
    store.faults.add(Fault(route="GET /orders/*", kind="status", status=503, times=500))
    ops("backfill", *SPAN)
    store.faults.clear()

    assert [job["mode"] for job in ops.json("poll")["jobs"]] == ["changes", "sweep"]
    assert len(ops.json("status")["polls"]) == 2


def test_one_bad_order_is_named_and_the_others_are_stored(ops, world, store, old):
    store.faults.add(
        Fault(route=f"GET /orders/{old[3]}/products", kind="html", status=404, times=None)
    )

    done = ops.json("backfill", *SPAN, code=1)

    assert done["outcomes"] == {"stored": 29, "failed": 1}
    (why,) = done["failed"].values()
    assert f"GET orders/{old[3]}/products -> 404" in why
    store.faults.clear()
    assert ops.json("backfill", *SPAN)["outcomes"] == {"there already": 29, "stored": 1}


def test_an_order_that_changes_while_it_is_copied_is_followed_by_the_polls(ops, world, store, old):
    changed = old[0]
    edit = partial(store.edit, changed, staff_notes="changed while it was copied")
    store.faults.add(Fault(route=f"GET /orders/{changed}/products", kind="before", act=edit))
    world.poll()
    world.settle()

    ops("backfill", *SPAN)
    world.poll()
    world.settle()

    assert not differing(world, changed)


def test_redacted_fields_are_not_stored(ops, world, old):
    world.configure(REDACTED_FIELDS="ip_address,billing_address.email")

    ops("backfill", *SPAN)

    item = world.item(old[0])
    assert "ip_address" not in item
    assert "email" not in item["billing_address"]


def test_a_range_that_ends_before_it_begins_is_rejected(ops, world):
    result = ops("backfill", "--since", "2026-02-01", "--until", "2026-01-01")

    assert result.exit_code == 2
    assert world.items("orders") == []


def test_waits_for_the_stores_quota_are_printed(new_world):
    clock = SimulatedClock()
    world = new_world(clock=clock, store=Store(clock=clock, quota=20))
    world.store.place_orders(30, statuses=[Status.SHIPPED])

    result = CliRunner().invoke(
        main, ["--stage", world.stack.stage, "backfill", *SPAN, "--yes"], obj=clock
    )

    assert result.exit_code == 0
    assert any("waiting" in line and "of 20" in line for line in result.stdout.splitlines())
    assert world.store.answers[429] == 0


def test_a_sleep_of_the_operators_clock_ends_when_it_is_interrupted():
    clock = OperatorClock()
    sleeper = threading.Thread(target=clock.sleep, args=(3600,), daemon=True)
    sleeper.start()

    clock.interrupted.set()
    sleeper.join(60)

    assert not sleeper.is_alive()


def revert_an_unconfirmed_move(world) -> int:
    """An order whose move was made without a response, and which the merchant then set back."""
    order_id = world.store.place_order(via="api")
    world.poll()
    world.store.faults.add(Fault(route="PUT /orders/*", kind="drop_after", times=1))
    world.drain()
    world.clock.advance(5)
    world.store.set_status(order_id, Status.AWAITING_FULFILLMENT)
    world.clock.advance(5)
    return int(order_id)


def test_a_backfill_does_not_hide_that_a_merchant_reverted_an_unconfirmed_move(ops, world, store):
    order_id = revert_an_unconfirmed_move(world)

    ops.json("backfill", "--since", "2019-01-01", "--until", "2100-01-01")
    world.settle()

    assert [change.by for change in store.status_changes] == ["api", "merchant"]
    assert store.order(order_id)["status_id"] == Status.AWAITING_FULFILLMENT
    assert world.item(order_id)["replication"]["move_unconfirmed"]


def test_a_backfilled_order_stays_current_by_further_backfills(ops, world, store):
    created = world.clock.now() - timedelta(days=800)
    order_id = store.place_order(status=Status.AWAITING_SHIPMENT, via="api", created=created)
    ops("backfill", *SPAN)
    world.clock.advance(5)
    store.edit(order_id, staff_notes="second")
    ops("backfill", *SPAN)
    world.clock.advance(5)
    store.set_status(order_id, Status.SHIPPED)

    ops("backfill", *SPAN)

    assert world.order(order_id)["status_id"] == Status.SHIPPED


def test_a_backfill_leaves_it_to_the_function_to_report_an_unconfirmed_move(
    ops, world, store, caplog
):
    revert_an_unconfirmed_move(world)
    ops("backfill", *SPAN)
    # The operator's own log is not counted by any metric.
    caplog.clear()

    world.settle()

    assert "move_unconfirmed" in events(caplog)
