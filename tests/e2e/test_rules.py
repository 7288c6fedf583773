"""The eight rules of replication, each through the whole service: store, queue, table, store."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from sandbox.store.faults import Fault
from sandbox.store.statuses import Status
from tests.e2e.journeys import moves, replicated, unmoved
from tests.factories import events

NEW = [Status.AWAITING_FULFILLMENT, Status.AWAITING_PAYMENT]
NOT_NEW = [status for status in Status if status not in (*NEW, Status.COMPLETED)]


def test_rule_1_an_order_in_a_new_status_is_replicated_and_moved(world, store):
    ids = [store.place_order(status=status) for status in NEW]

    world.poll()
    world.drain()

    assert all(replicated(world, order_id) for order_id in ids)
    assert {store.order(order_id)["status_id"] for order_id in ids} == {Status.AWAITING_SHIPMENT}


def test_rule_1_an_order_in_any_other_status_is_not_replicated(world, store):
    for status in NOT_NEW:
        store.place_order(status=status)

    world.poll()
    world.deliver_webhooks()
    world.drain()

    assert world.items("orders") == []
    assert world.messages() == []
    assert not store.status_changes


def test_rule_1_a_completed_digital_order_is_new(world, store):
    kinds = ("digital", "gift_certificate")
    ids = [store.place_order(status=Status.COMPLETED, kind=kind) for kind in kinds]

    world.poll()
    world.drain()

    for order_id in ids:
        assert replicated(world, order_id)
        assert moves(store, order_id) == [(Status.COMPLETED, Status.AWAITING_PICKUP)]


def test_rule_1_a_completed_order_with_a_physical_line_stays_completed(world, store):
    for facts in (
        {"kind": "physical"},
        {"kind": "mixed"},
        {"kind": "physical", "order_is_digital": True, "shipping_address_count": 0},
    ):
        store.place_order(status=Status.COMPLETED, **facts)

    world.poll()
    world.deliver_webhooks()
    world.drain()

    assert world.items("orders") == []
    assert not store.status_changes


def test_rule_1_an_order_from_before_replicate_since_is_not_replicated(new_world):
    now = datetime.now(UTC)
    world = new_world(REPLICATE_SINCE=(now - timedelta(days=1)).isoformat())
    old = world.store.place_order(created=now - timedelta(days=1, seconds=2))
    young = world.store.place_order(created=now - timedelta(hours=23))

    world.poll()
    world.deliver_webhooks()
    world.drain()

    assert world.item(old) is None
    assert replicated(world, young)


def test_rule_1_an_archived_order_is_not_replicated(world, store):
    order_id = store.place_order()
    store.archive(order_id)

    world.poll()
    world.deliver_webhooks()
    world.settle()

    assert world.item(order_id) is None


def test_rule_2_an_order_moves_to_the_status_of_its_kind(world, store):
    targets = {
        "physical": Status.AWAITING_SHIPMENT,
        "mixed": Status.AWAITING_SHIPMENT,
        "digital": Status.AWAITING_PICKUP,
        "gift_certificate": Status.AWAITING_PICKUP,
    }
    ids = {kind: store.place_order(kind=kind) for kind in targets}

    world.poll()
    world.drain()

    for kind, target in targets.items():
        assert moves(store, ids[kind]) == [(Status.AWAITING_FULFILLMENT, target)], kind


def test_rule_2_the_statuses_are_configurable(new_world):
    world = new_world(NEW_STATUS_IDS="12", PHYSICAL_STATUS_ID="2", DIGITAL_STATUS_ID="14")
    physical = world.store.place_order(status=Status.MANUAL_VERIFICATION_REQUIRED)
    digital = world.store.place_order(status=Status.MANUAL_VERIFICATION_REQUIRED, kind="digital")
    other = world.store.place_order(status=Status.AWAITING_FULFILLMENT)

    world.poll()
    world.drain()

    assert world.store.order(physical)["status_id"] == Status.SHIPPED
    assert world.store.order(digital)["status_id"] == Status.PARTIALLY_REFUNDED
    assert world.item(other) is None


def test_rule_2_the_store_is_not_written_to_when_move_status_is_false(new_world):
    world = new_world(MOVE_STATUS="false")
    order_id = world.store.place_order()

    world.poll()
    world.deliver_webhooks()
    world.drain()
    world.poll()

    assert world.order(order_id) == world.store.whole(order_id)
    assert world.store.requests["PUT /orders/{id}"] == 0
    assert world.messages() == []


@pytest.mark.parametrize("decision", [Status.COMPLETED, Status.AWAITING_FULFILLMENT])
def test_rule_3_a_merchant_who_decides_after_the_move_is_never_overruled(world, store, decision):
    order_id = store.place_order()
    world.poll()
    world.drain()

    store.set_status(order_id, decision)
    for _ in range(2):
        world.poll()
        world.settle()
    store.edit(order_id, staff_notes="keep the status")
    world.poll()
    world.settle()

    assert store.order(order_id)["status_id"] == decision
    assert len([change for change in store.status_changes if change.by == "api"]) == 1


def test_rule_3_a_move_whose_outcome_is_unknown_is_not_made_twice(world, store, caplog):
    """The answer to the PUT is lost, and the merchant takes the order back before the retry."""
    order_id = store.place_order()
    store.faults.add(Fault(route="PUT /orders/*", kind="drop_after", times=5))
    world.poll()
    world.drain()
    store.set_status(order_id, Status.AWAITING_FULFILLMENT)

    world.settle()
    world.poll()
    world.settle()

    assert store.order(order_id)["status_id"] == Status.AWAITING_FULFILLMENT
    assert world.item(order_id)["replication"]["move_unconfirmed"] is True
    assert "move_unconfirmed" in events(caplog)


def test_rule_3_a_merchant_who_decides_while_the_move_waits_for_quota_is_not_overruled(
    world, store
):
    order_id = store.place_order()
    world.deliver_webhooks()
    store.faults.add(Fault(route="PUT /orders/*", kind="status", status=429))
    world.drain()
    store.set_status(order_id, Status.CANCELLED)

    world.settle()

    assert store.order(order_id)["status_id"] == Status.CANCELLED


def test_rule_4_an_order_that_was_stored_and_not_moved_is_moved_by_the_next_delivery(world, store):
    order_id = store.place_order()
    store.faults.add(Fault(route="PUT /orders/*", kind="status", status=503, times=5))
    world.poll()
    world.drain()
    assert unmoved(world, order_id)

    world.settle()

    assert replicated(world, order_id)
    assert moves(store, order_id) == [(Status.AWAITING_FULFILLMENT, Status.AWAITING_SHIPMENT)]


def test_rule_4_a_move_that_the_store_shows_is_recorded_and_not_repeated(world, store):
    order_id = store.place_order()
    store.faults.add(Fault(route="PUT /orders/*", kind="drop_after", times=5))
    world.poll()
    world.drain()
    assert unmoved(world, order_id)
    puts = store.requests["PUT /orders/{id}"]

    world.settle()

    assert replicated(world, order_id)
    assert store.requests["PUT /orders/{id}"] == puts


def test_rule_4_an_order_is_stored_before_it_is_moved(world, store):
    order_id = store.place_order()
    store.faults.add(Fault(route="PUT /orders/*", kind="status", status=409, times=None))

    world.poll()
    world.drain()

    assert world.order(order_id) == store.whole(order_id)


@pytest.mark.parametrize(
    ("fault", "recorded"),
    [
        ({"kind": "status", "status": 409}, {}),
        ({"kind": "status", "status": 503}, {}),
        ({"kind": "status", "status": 500}, {"moved_from": 11, "moved_to": 9}),
        ({"kind": "html", "status": 200}, {"moved_from": 11, "moved_to": 9}),
    ],
    ids=["rejected", "unavailable", "failed", "malformed"],
)
def test_rule_4_a_failed_move_is_recorded_only_when_its_outcome_is_unknown(
    world, store, fault, recorded
):
    order_id = store.place_order()
    store.faults.add(Fault(route="PUT /orders/*", times=None, **fault))

    world.poll()
    world.drain()

    record = world.item(order_id)["replication"]
    assert {name: value for name, value in record.items() if name.startswith("move")} == recorded


def test_rule_5_an_unchanged_order_is_not_written_again(new_world):
    world = new_world(MOVE_STATUS="false")
    order_id = world.store.place_order()
    world.poll()
    world.drain()
    first = world.item(order_id)

    world.deliver_webhooks()
    world.drain()

    assert world.item(order_id) == first


def test_rule_5_an_older_version_never_overwrites_a_newer_one(new_world):
    world = new_world(MOVE_STATUS="false")
    order_id = world.store.place_order()
    world.store.edit(order_id, staff_notes="second")
    world.poll()
    world.drain()

    world.store.faults.add(Fault(route="GET /orders/*", kind="stale", times=1))
    world.deliver_webhooks()
    world.drain()

    assert world.item(order_id)["staff_notes"] == "second"
    assert len(world.messages()) == 1
    world.settle()
    assert world.item(order_id)["staff_notes"] == "second"


def test_rule_5_a_newer_version_is_written(new_world):
    world = new_world(MOVE_STATUS="false")
    order_id = world.store.place_order()
    world.poll()
    world.drain()

    world.store.edit(order_id, staff_notes="second")
    world.poll()
    world.drain()

    assert world.order(order_id) == world.store.whole(order_id)


def test_rule_6_every_line_is_stored_whatever_the_number_of_pages(world, store):
    counts = [50, 51, 251, 620]
    ids = [store.place_order(lines=count, addresses=3, coupons=2) for count in counts]
    before = [store.whole(order_id) for order_id in ids]
    assert [len(order["products"]) for order in before] == counts

    world.poll()
    world.drain()

    for count, order_id, order in zip(counts, ids, before, strict=True):
        assert world.order(order_id) == order, f"{count} lines"
    assert world.item(ids[-1])["replication"]["encoding"] == {"products": "gzip+json"}


def test_rule_6_unknown_fields_and_exact_numbers_are_kept(world, store):
    order_id = store.place_order(
        brand_new_field={"deep": [None, "", "ÄÖ 漢 🎁"]},
        exact=[Decimal("0.1000000000000000000000000000000000001"), Decimal("1E+100"), 10**37 + 1],
    )
    before = store.whole(order_id)

    world.poll()
    world.drain()

    assert world.order(order_id) == before


@pytest.mark.parametrize(
    "fault",
    [
        {"route": "GET /orders/104/*", "kind": "status", "status": 500},
        {"route": "GET /orders/104/products", "kind": "html", "status": 200},
        {"route": "GET /orders/104/products", "kind": "body", "body": b'[{"id": 1, "x": 1E400}]'},
        {"route": "GET /orders/104/coupons", "kind": "status", "status": 422},
        {"route": "PUT /orders/104", "kind": "status", "status": 409},
    ],
    ids=["unavailable", "malformed", "not storable", "rejected", "not moved"],
)
def test_rule_7_one_bad_order_never_delays_its_batch(world, store, fault):
    ids = [store.place_order() for _ in range(10)]
    store.faults.add(Fault(times=None, **fault))

    world.poll()
    world.drain()

    assert [order_id for order_id in ids if not replicated(world, order_id)] == [104]
    assert len(world.messages()) == 1
    assert world.mail() == []


def test_rule_7_an_order_that_is_not_found_is_skipped_at_the_fifth_receive(world, store):
    order_id = store.place_order()
    store.faults.add(
        Fault(route=f"GET /orders/{order_id}", kind="missing", times=None),
        Fault(route="GET /orders", kind="body", body=b"[]", times=None),
    )
    world.deliver_webhooks()

    began = world.clock.time()
    world.settle()

    assert store.requests["GET /orders/{id}"] == 5
    assert world.clock.time() - began > 7 * 60
    assert world.messages() == []
    assert world.dead_letters() == []


def test_rule_7_an_order_that_a_list_still_shows_is_not_skipped(world, store):
    order_id = store.place_order()
    store.faults.add(Fault(route=f"GET /orders/{order_id}", kind="missing", times=None))
    world.deliver_webhooks()

    world.settle()

    assert len(world.dead_letters()) == 1


def test_rule_7_an_order_without_a_sub_resource_reaches_the_dead_letter_queue(world, store):
    for name in ("products", "shipping_addresses", "coupons"):
        route = f"GET /orders/{store.place_order()}/{name}"
        store.faults.add(Fault(route=route, kind="missing", times=None))
    world.deliver_webhooks()

    world.settle()

    assert len(world.dead_letters()) == 3
    assert world.items("orders") == []


def test_rule_7_an_order_that_appears_late_is_replicated(world, store):
    order_id = store.place_order()
    store.faults.add(Fault(route=f"GET /orders/{order_id}", kind="missing", times=3))
    world.deliver_webhooks()

    world.settle()

    assert replicated(world, order_id)


def test_rule_8_an_order_that_is_not_new_yet_is_found_by_the_poll_when_it_is(world, store):
    order_id = store.place_order(status=Status.PENDING)
    world.deliver_webhooks()
    world.drain()
    assert world.messages() == []

    store.set_status(order_id, Status.AWAITING_FULFILLMENT)
    world.poll()
    world.drain()

    assert replicated(world, order_id)
