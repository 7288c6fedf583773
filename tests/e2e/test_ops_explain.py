"""`explain`: where an order is, why, and what to do."""

import json

import pytest

from sandbox.store.faults import Fault
from sandbox.store.statuses import Status


def poisoned(store):
    """Place an order that cannot be read."""
    order_id = store.place_order(via="api")
    store.faults.add(Fault(route=f"GET /orders/{order_id}*", kind="html", status=404, times=None))
    return order_id


def test_a_replicated_order_is_moved(ops, world, store):
    order_id = store.place_order()
    world.deliver_webhooks()
    world.drain()

    explanation = ops.json("explain", str(order_id))

    assert explanation["conclusion"]["verdict"] == "moved"
    assert explanation["conclusion"]["next"] is None
    assert explanation["store"]["status_id"] == Status.AWAITING_SHIPMENT
    assert explanation["record"]["source"] == "webhook"
    assert [hook["scope"] for hook in explanation["webhooks"]] == ["store/cart/converted"]
    assert (explanation["dead_letters"], explanation["last_poll"]) == ([], None)


def test_the_verdict_follows_an_order_into_the_dead_letter_queue_and_out_of_it(ops, world, store):
    def verdict() -> str:
        return str(ops.json("explain", str(order_id))["conclusion"]["verdict"])

    world.poll()
    world.clock.advance(3600)
    order_id = store.place_order(status=Status.INCOMPLETE, via="api")
    assert verdict() == "not_new"
    store.set_status(order_id, Status.AWAITING_FULFILLMENT)
    assert verdict() == "not_polled_yet"
    store.faults.add(
        Fault(route=f"GET /orders/{order_id}/products", kind="html", status=404, times=None)
    )
    world.clock.advance(5)
    ops("poll")
    assert verdict() == "waiting"
    world.settle()
    assert verdict() == "dead_letter"
    store.faults.clear()
    ops("dead-letters", "redrive", str(order_id))
    assert verdict() == "waiting"
    world.drain()
    assert verdict() == "moved"


def test_an_order_before_the_first_poll(ops, store):
    order_id = store.place_order(via="api")

    assert ops.json("explain", str(order_id))["conclusion"]["verdict"] == "never_polled"


def test_an_order_whose_message_was_dropped_is_missed(ops, world, store):
    order_id = store.place_order(via="api")
    world.clock.advance(5)
    ops("poll")
    world.stack.sqs.purge_queue(QueueUrl=world.stack.queue_url)

    concluded = ops.json("explain", str(order_id))["conclusion"]

    assert concluded["verdict"] == "missed"
    assert concluded["next"].endswith(f"replay {order_id}")


def test_an_order_that_was_only_copied_is_stored_and_not_new(ops, world, store):
    order_id = store.place_order(status=Status.SHIPPED, via="api")
    ops("replay", str(order_id))
    world.drain()

    explanation = ops.json("explain", str(order_id))

    assert explanation["conclusion"]["verdict"] == "stored_and_not_new"
    assert explanation["store"]["why_not_new"] == "status 2 is not new"


def test_an_order_is_stored_where_moves_are_disabled(ops, world, store):
    world.configure(MOVE_STATUS="false")
    order_id = store.place_order(via="api")
    ops("poll")
    world.drain()

    assert ops.json("explain", str(order_id))["conclusion"]["verdict"] == "stored"


def test_an_unknown_order_is_nowhere(ops):
    explanation = ops.json("explain", "404")

    assert explanation["store"] == {"found": False, "error": None}
    assert explanation["conclusion"]["verdict"] == "nowhere"


@pytest.mark.parametrize(
    ("kind", "verdict"), [("digital", "never_polled"), ("physical", "not_new")]
)
def test_the_lines_of_a_completed_order_decide_whether_it_is_new(ops, store, kind, verdict):
    """Without addresses, only the lines show that there is something to ship."""
    order_id = store.place_order(status=Status.COMPLETED, kind=kind, addresses=0, via="api")

    assert ops.json("explain", str(order_id))["conclusion"]["verdict"] == verdict


def test_a_completed_order_whose_lines_cannot_be_read_may_be_digital(ops, store):
    order_id = store.place_order(status=Status.COMPLETED, kind="digital", via="api")
    route = f"GET /orders/{order_id}/products"
    store.faults.add(Fault(route=route, kind="html", status=500, times=None))

    assert ops.json("explain", str(order_id))["conclusion"]["verdict"] == "may_be_digital"


def test_an_order_is_explained_although_the_store_rejects_the_token(ops, world, store):
    order_id = store.place_order(via="api")
    ops("poll")
    world.drain()
    store.revoke_token()

    explanation = ops.json("explain", str(order_id))
    unknown = ops.json("explain", "404")

    assert explanation["store"]["found"] is None
    assert "-> 401" in explanation["store"]["error"]
    assert explanation["conclusion"]["verdict"] == "moved"
    assert unknown["conclusion"]["verdict"] == "store_unknown"


def test_an_unavailable_store_delays_the_answer_by_less_than_a_minute(ops, world, store):
    store.faults.add(Fault(route="*", kind="status", status=503, times=None))
    began = world.clock.time()

    explanation = ops.json("explain", "118")

    assert "503" in explanation["store"]["error"]
    assert world.clock.time() - began < 60


def test_no_personal_data_is_printed(ops, world, store):
    order_id = store.place_order()
    world.deliver_webhooks()
    world.drain()
    whole = store.whole(order_id)

    output = ops("explain", str(order_id)).output + json.dumps(ops.json("explain", str(order_id)))

    personal = {
        str(value)
        for part in (whole["billing_address"], *whole["shipping_addresses"])
        for value in part.values()
        if isinstance(value, str) and len(value) > 3
    }
    assert len(personal) > 5
    assert [value for value in personal if value in output] == []


def test_messages_in_the_dead_letter_queue_stay_visible(ops, world, store):
    order_id = poisoned(store)
    world.poll()
    world.settle()

    ops("explain", str(order_id))

    assert world.stack.visible("orders-dead-letters") == 1
