"""`explain`: where an order is, why, and what to do, asked of every place that knows."""

import json

import pytest

from sandbox.store.faults import Fault
from sandbox.store.statuses import Status


def poisoned(store):
    """An order whose every read fails."""
    order_id = store.place_order(via="api")
    store.faults.add(Fault(route=f"GET /orders/{order_id}*", kind="html", status=404, times=None))
    return order_id


def test_a_replicated_order_is_told_with_its_webhook_and_its_move(ops, world, store):
    order_id = store.place_order()
    world.deliver_webhooks()
    world.drain()

    told = ops.json("explain", str(order_id))
    page = ops("explain", str(order_id)).output

    assert told["conclusion"]["verdict"] == "moved"
    assert told["conclusion"]["next"] is None
    assert told["store"]["status_id"] == Status.AWAITING_SHIPMENT
    assert told["record"]["source"] == "webhook"
    assert [hook["scope"] for hook in told["webhooks"]] == ["store/cart/converted"]
    assert (told["dead_letters"], told["last_poll"]) == ([], None)
    for words in (
        f"Order {order_id} in",
        "Awaiting Shipment (9), created",
        "first found by webhook; moved",
        "Webhooks       1, the last",
        "SQS cannot be searched",
        "not among them",
        "Polls          none lately",
        "Next: nothing is to be done",
    ):
        assert words in page


def test_an_order_is_followed_from_its_birth_to_its_dead_letter_and_out_of_it(ops, world, store):
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
    assert f"dead-letters redrive {order_id}" in ops("explain", str(order_id)).output
    store.faults.clear()
    ops("dead-letters", "redrive", str(order_id))
    assert verdict() == "waiting"
    world.drain()
    assert verdict() == "moved"


def test_an_order_that_no_poll_has_looked_for_yet(ops, store):
    order_id = store.place_order(via="api")

    assert ops.json("explain", str(order_id))["conclusion"]["verdict"] == "never_polled"


def test_an_order_whose_message_was_dropped_is_to_be_replayed(ops, world, store):
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

    told = ops.json("explain", str(order_id))

    assert told["conclusion"]["verdict"] == "stored_and_not_new"
    assert told["store"]["why_not_new"] == "status 2 is not new"


def test_where_nothing_is_moved_an_order_is_stored_and_that_is_all(ops, world, store):
    world.configure(MOVE_STATUS="false")
    order_id = store.place_order(via="api")
    ops("poll")
    world.drain()

    assert ops.json("explain", str(order_id))["conclusion"]["verdict"] == "stored"


def test_an_id_that_nobody_knows_is_nowhere(ops):
    told = ops.json("explain", "404")

    assert told["store"] == {"found": False, "error": None}
    assert told["conclusion"]["verdict"] == "nowhere"
    assert "has no such order" in ops("explain", "404").output


@pytest.mark.parametrize(
    ("kind", "verdict"), [("digital", "never_polled"), ("physical", "not_new")]
)
def test_the_lines_of_a_completed_order_tell_whether_it_is_new(ops, store, kind, verdict):
    """Nothing in the order itself says that there is something to ship."""
    order_id = store.place_order(status=Status.COMPLETED, kind=kind, addresses=0, via="api")

    assert ops.json("explain", str(order_id))["conclusion"]["verdict"] == verdict


def test_a_completed_order_whose_lines_cannot_be_read_may_be_digital(ops, store):
    order_id = store.place_order(status=Status.COMPLETED, kind="digital", via="api")
    route = f"GET /orders/{order_id}/products"
    store.faults.add(Fault(route=route, kind="html", status=500, times=None))

    assert ops.json("explain", str(order_id))["conclusion"]["verdict"] == "may_be_digital"


def test_a_store_that_cannot_be_asked_is_no_reason_to_say_nothing(ops, world, store):
    order_id = store.place_order(via="api")
    ops("poll")
    world.drain()
    store.revoke_token()

    told = ops.json("explain", str(order_id))
    unknown = ops.json("explain", "404")

    assert told["store"]["found"] is None
    assert "refuses the access token" in told["store"]["error"]
    assert told["conclusion"]["verdict"] == "moved"
    assert unknown["conclusion"]["verdict"] == "store_unknown"


def test_a_store_that_is_down_is_waited_for_a_minute_at_the_most(ops, world, store):
    store.faults.add(Fault(route="*", kind="status", status=503, times=None))
    began = world.clock.time()

    told = ops.json("explain", "118")

    assert "503" in told["store"]["error"]
    assert world.clock.time() - began < 60


def test_nothing_of_a_customer_is_told(ops, world, store):
    order_id = store.place_order()
    world.deliver_webhooks()
    world.drain()
    whole = store.whole(order_id)

    said = ops("explain", str(order_id)).output + json.dumps(ops.json("explain", str(order_id)))

    personal = {
        str(value)
        for part in (whole["billing_address"], *whole["shipping_addresses"])
        for value in part.values()
        if isinstance(value, str) and len(value) > 3
    }
    assert len(personal) > 5
    assert [value for value in personal if value in said] == []


def test_a_look_for_dead_letters_leaves_them_visible(ops, world, store):
    order_id = poisoned(store)
    world.poll()
    world.settle()

    ops("explain", str(order_id))

    assert world.stack.visible("orders-dead-letters") == 1
