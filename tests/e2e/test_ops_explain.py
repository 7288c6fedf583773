"""`explain`: where an order is, why, and what to do."""

import json

from sandbox.bus import Answer
from sandbox.store.faults import Fault
from sandbox.store.statuses import Status
from tests.e2e.journeys import come_to_rest


def poisoned(world, store):
    """Place an order that cannot be read, after the first sweep."""
    world.poll()
    order_id = store.place_order(via="api")
    store.faults.add(Fault(route=f"GET /orders/{order_id}*", kind="html", status=404, times=None))
    return order_id


def test_a_replicated_order_is_moved(ops, world, store):
    order_id = store.place_order()
    come_to_rest(world)

    explanation = ops.json("explain", str(order_id))

    assert explanation["conclusion"]["verdict"] == "moved"
    assert explanation["conclusion"]["next"] is None
    assert explanation["store"]["status_id"] == Status.AWAITING_SHIPMENT
    assert explanation["record"]["source"] == "webhook"
    assert explanation["record"]["sequence"]
    assert explanation["is_current"]
    assert "store/cart/converted" in {hook["scope"] for hook in explanation["webhooks"]}
    assert (explanation["dead_letters"], explanation["last_poll"]) == ([], None)
    assert (explanation["failing"], explanation["pause"]) == (None, None)


def test_the_verdict_follows_an_order_into_the_dead_letter_queue_and_out_of_it(ops, world, store):
    def verdict() -> str:
        return str(ops.json("explain", str(order_id))["conclusion"]["verdict"])

    world.poll()
    world.clock.advance(3600)
    order_id = store.place_order(status=Status.INCOMPLETE, via="api")
    assert verdict() == "out_of_scope"
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
    assert verdict() == "failing"
    world.settle()
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
    assert concluded["next"].endswith(f"retry {order_id}")


def test_an_order_that_was_only_copied_is_stored_and_not_new(ops, world, store):
    order_id = store.place_order(status=Status.CANCELLED, via="api")
    ops("replay", str(order_id))
    world.settle()

    explanation = ops.json("explain", str(order_id))

    assert explanation["conclusion"]["verdict"] == "stored_and_not_new"
    assert explanation["store"]["why_not_moved"] == "status 5 is not new"


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


def verdict_of(ops, order_id: int) -> str:
    return str(ops.json("explain", str(order_id))["conclusion"]["verdict"])


def test_an_order_of_an_ignored_status_or_another_channel_is_out_of_scope(ops, world, store):
    ignored = store.place_order(status=Status.INCOMPLETE, via="api")
    world.configure(CHANNEL_IDS="2")
    elsewhere = store.place_order(via="api", channel_id=1)

    reasons = [ops.json("explain", str(n))["conclusion"]["because"] for n in (ignored, elsewhere)]

    assert [verdict_of(ops, n) for n in (ignored, elsewhere)] == ["out_of_scope"] * 2
    assert "CHANNEL_IDS" in reasons[0]
    assert "CHANNEL_IDS" in reasons[1]


def test_an_order_that_a_merchant_processed_is_moved_elsewhere(ops, world, store):
    order_id = store.place_order(status=Status.SHIPPED, via="api")
    world.poll()
    world.settle()

    assert verdict_of(ops, order_id) == "moved_elsewhere"


def test_an_unpaid_order_waits_for_its_payment(ops, world, store):
    world.configure(MOVE_UNPAID="false")
    order_id = store.place_order(status=Status.AWAITING_PAYMENT, via="api")
    world.poll()
    world.settle()

    assert verdict_of(ops, order_id) == "waiting_for_payment"


def test_an_incomplete_order_names_its_lists_until_it_is_believed(ops, world, store):
    order_id = store.place_order(via="api", items_total=99)
    world.clock.advance(5)
    ops("poll")
    world.drain()
    before = ops.json("explain", str(order_id))
    world.settle()
    after = ops.json("explain", str(order_id))

    assert before["conclusion"]["verdict"] == "incomplete"
    assert "products" in before["conclusion"]["because"]
    assert after["conclusion"]["verdict"] == "moved"
    assert after["record"]["believed"]
    assert "too few products" in after["conclusion"]["because"]


def test_an_archived_order_is_marked_as_such(ops, world, store):
    order_id = store.place_order(via="api")
    come_to_rest(world)
    store.archive(order_id)
    come_to_rest(world)

    explanation = ops.json("explain", str(order_id))

    assert explanation["conclusion"]["verdict"] == "moved"
    assert explanation["record"]["archived_at"]
    assert "archived at" in explanation["conclusion"]["because"]


def test_an_item_of_another_version_is_stale(ops, world, store):
    order_id = store.place_order(via="api")
    come_to_rest(world)
    store.callbacks.hooks.clear()
    world.poll()
    world.clock.advance(60)
    store.edit(order_id, staff_notes="call first")

    concluded = ops.json("explain", str(order_id))["conclusion"]

    assert concluded["verdict"] == "stale"
    assert concluded["next"].endswith("poll")


def test_an_order_is_explained_although_the_store_rejects_the_token(ops, world, store):
    order_id = store.place_order(via="api")
    ops("poll")
    world.settle()
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
    order_id = poisoned(world, store)
    world.poll()
    world.settle()

    ops("explain", str(order_id))

    assert world.stack.visible("orders-dead-letters") == 1


def test_an_undelivered_event_is_explained_with_the_next_step(ops, world, store):
    url = "https://crm.example.com/orders"
    world.stack.add_destination("crm", url=url)
    world.bus.receivers[url] = lambda event: Answer(400)
    order_id = store.place_order(status=Status.SHIPPED)
    come_to_rest(world)
    world.publish()

    explained = ops.json("explain", str(order_id))

    (event,) = explained["undelivered"]
    assert (event["destination"], event["type"]) == ("crm", "order.created")
    assert "crm did not receive every event of it." in explained["conclusion"]["because"]
    assert f"events redrive {order_id}" in explained["conclusion"]["next"]
    assert "crm, order.created, the endpoint answered 400" in ops("explain", str(order_id)).stdout


def test_an_order_that_a_fill_has_copied_is_explained_without_an_event(ops, world, store):
    order_id = store.place_order(status=Status.SHIPPED, via="api")
    world.poll()
    world.settle()

    assert "was copied first by a fill has none" in ops("explain", str(order_id)).stdout
