"""The consumer: what a batch requests, which messages return, and when it stops early."""

from typing import Any

import pytest

from sandbox.store import Store
from sandbox.store.clock import SimulatedClock
from sandbox.store.faults import Fault
from tests.e2e.journeys import moves, replicated, send
from tests.factories import events

HTML: dict[str, Any] = {"kind": "html", "status": 200}
UNAVAILABLE: dict[str, Any] = {"kind": "status", "status": 503}


def receive(world, times=1, seconds=0):
    """Receive every visible message and hide it for so many seconds, without processing it."""
    url = world.stack.queue_url
    for _ in range(times):
        world.stack.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=seconds
        )
        world.clock.advance(0.01)


def place_far_apart(store, count):
    """Orders whose ids are too far from each other to be read together."""
    ids = []
    for _ in range(count):
        ids.append(store.place_order(via="api"))
        store.skip_ids(1000)
    return ids


@pytest.mark.parametrize("source", ["poll", "fill", "webhook"])
def test_the_record_of_an_order_names_its_source_and_its_move(world, store, source):
    if source == "poll":
        world.poll()
    order_id = store.place_order()
    _ = world.deliver_webhooks() if source == "webhook" else world.poll()

    world.drain()

    record = world.item(order_id)["replication"]
    assert record["source"] == source
    assert (record["moved_from"], record["moved_to"]) == (11, 9)


def test_consumers_with_five_requests_in_flight_move_every_order_once(new_world):
    world = new_world(MAX_IN_FLIGHT="5")
    ids = [world.store.place_order(via="api") for _ in range(40)]
    send(world, *ids, *ids)

    world.drain(consumers=3)
    world.settle()

    assert [order_id for order_id in ids if not replicated(world, order_id)] == []
    assert [len(moves(world.store, order_id)) for order_id in ids] == [1] * len(ids)
    assert world.store.repeated_puts == []


def test_neighbours_are_read_in_one_request_and_a_distant_order_alone(world, store):
    ids = [store.place_order() for _ in range(3)]
    store.skip_ids(1000)
    ids.append(store.place_order())
    send(world, *ids)

    world.drain()

    assert all(replicated(world, order_id) for order_id in ids)
    assert (store.requests["GET /orders"], store.requests["GET /orders/{id}"]) == (1, 1)


def test_a_shared_read_returns_twenty_orders_at_most(world, store):
    """It returns the orders in between as well, with all their lines."""
    ids = [store.place_order(via="api") for _ in range(30)]
    send(world, ids[0], ids[-1])

    world.drain()

    assert replicated(world, ids[0])
    assert replicated(world, ids[-1])
    assert (store.requests["GET /orders"], store.requests["GET /orders/{id}"]) == (1, 1)


@pytest.mark.parametrize(
    "fault", [HTML, {"kind": "body", "body": b"[]"}], ids=["malformed", "empty"]
)
def test_orders_that_a_shared_read_does_not_return_are_read_alone(world, store, fault):
    ids = [store.place_order() for _ in range(2)]
    store.faults.add(Fault(route="GET /orders", times=None, **fault))
    send(world, *ids)

    world.drain()

    assert all(replicated(world, order_id) for order_id in ids)
    assert store.requests["GET /orders/{id}"] == 2


def test_a_shared_read_that_hangs_leaves_time_to_read_the_orders_alone(new_world):
    clock = SimulatedClock()
    world = new_world(clock=clock, store=Store(clock=clock, client_timeout=10.0))
    ids = [world.store.place_order(via="api") for _ in range(10)]
    world.store.faults.add(Fault(route="GET /orders", kind="hang", times=None))
    send(world, *ids)
    began = clock.time()

    world.pump.deliver()

    assert clock.time() - began < 50, "two tries with embedded lists, and two without"
    assert all(replicated(world, order_id) for order_id in ids)


def test_two_messages_for_one_order_in_a_batch_cause_one_replication(world, store):
    order_id = store.place_order()
    send(world, order_id, order_id)

    world.drain()

    assert replicated(world, order_id)
    assert store.requests["GET /orders/{id}/products"] == 1
    assert world.messages() == []


def test_two_messages_for_one_order_both_return_to_the_queue_when_it_fails(world, store):
    order_id = store.place_order()
    store.faults.add(Fault(route="GET /orders/*/products", times=None, **HTML))
    send(world, order_id, order_id)

    world.drain()

    assert len(world.messages()) == 2


@pytest.mark.parametrize("older_is_first", [True, False])
def test_the_message_received_most_often_decides_for_its_order(world, store, older_is_first):
    """An order that is not found is given up at the fifth receive, and both messages with it."""
    order_id = store.place_order()
    store.archive(order_id)
    send(world, order_id)
    receive(world, times=4 if older_is_first else 1, seconds=0 if older_is_first else 60)
    send(world, order_id)
    if not older_is_first:
        receive(world, times=4)
        world.clock.advance(60)

    world.drain()

    assert world.messages() == []


def test_a_404_that_is_not_of_the_api_does_not_end_the_tries(world, store):
    order_id = store.place_order(via="api")
    store.faults.add(
        Fault(route=f"GET /orders/{order_id}", kind="html", status=404, times=None),
        Fault(route="GET /orders", kind="body", body=b"[]", times=None),
    )
    send(world, order_id)

    world.settle()

    assert len(world.dead_letters()) == 1


def test_every_message_returns_to_the_queue_when_the_table_cannot_be_read(world, store):
    ids = [store.place_order() for _ in range(2)]
    send(world, *ids)
    world.stack.dynamodb.delete_table(TableName=world.stack.name("orders"))

    world.drain()

    assert len(world.messages()) == 2
    assert store.requests["PUT /orders/{id}"] == 0


@pytest.mark.parametrize(
    ("fault", "traced"),
    [
        ({"route": "PUT /orders/*", "kind": "status", "status": 409}, True),
        ({"route": "PUT /orders/*", "kind": "status", "status": 500}, True),
        ({"route": "GET /orders/*", "kind": "stale"}, False),
    ],
    ids=["rejected", "failed", "outdated"],
)
def test_only_an_unexpected_error_is_logged_with_its_traceback(world, store, caplog, fault, traced):
    order_id = store.place_order()
    store.faults.add(Fault(route="PUT /orders/*", kind="status", status=409))
    world.clock.advance(2)
    store.edit(order_id, staff_notes="second")
    send(world, order_id)
    world.drain()
    world.clock.advance(40)
    caplog.clear()
    store.faults.add(Fault(**fault))

    world.drain()

    (line,) = [line for line in caplog.records if getattr(line, "event", "") == "order_returned"]
    assert bool(line.exc_info) == traced


class TestAnUnauthorizedToken:
    def test_it_stops_the_batch_at_the_first_403_with_one_alert(self, world, store):
        ids = [store.place_order() for _ in range(10)]
        send(world, *ids)
        store.faults.add(Fault(route="*", kind="status", status=403, times=None))

        world.drain()

        assert sum(store.requests.values()) == 1
        assert len(world.messages()) == 10
        (mail,) = world.mail()
        assert "error: GET orders -> 403" in mail["Message"].splitlines()
        assert world.stack.secrets.access_token not in mail["Message"]

    def test_it_causes_one_alert_however_many_orders_meet_it_at_once(self, world, store, caplog):
        send(world, *place_far_apart(store, 5))
        store.revoke_token()

        world.drain()

        assert len(world.messages()) == 5
        assert events(caplog).count("access_token_rejected") == 1
        assert len(world.mail()) == 1

    def test_it_returns_the_batch_even_when_the_alert_cannot_be_sent(self, world, store, caplog):
        send(world, store.place_order())
        store.revoke_token()
        world.stack.sns.delete_topic(TopicArn=world.stack.errors_topic_arn)

        assert world.pump.deliver().error is None

        assert len(world.messages()) == 1
        assert "alert_not_sent" in events(caplog)

    def test_a_token_that_may_not_write_stops_the_batch_after_one_order(self, world, store):
        ids = place_far_apart(store, 5)
        store.faults.add(Fault(route="PUT *", kind="status", status=403, times=None))
        send(world, *ids)

        world.drain()

        assert store.requests["PUT /orders/{id}"] == 1
        assert len(world.messages()) == 5
        assert len(world.mail()) == 1
        (item,) = world.items("orders")
        assert "moved_to" not in item["replication"], "the next delivery may move the order"


class TestAnUnavailableStore:
    def test_three_orders_in_a_row_stop_the_batch_without_an_alert(self, world, store):
        send(world, *place_far_apart(store, 6))
        store.faults.add(Fault(route="*", times=None, **UNAVAILABLE))

        world.drain()

        assert sum(store.requests.values()) == 15, "five tries for each of three orders"
        assert len(world.messages()) == 6
        assert world.mail() == []

    @pytest.mark.parametrize(
        ("fault", "tries"),
        [
            (None, 1),
            ({"kind": "missing"}, 1),
            ({"kind": "status", "status": 422}, 2),
            (HTML, 5),
        ],
        ids=["replicated", "not found", "rejected", "malformed"],
    )
    def test_an_answer_in_between_lets_the_batch_go_on(self, world, store, fault, tries):
        ids = place_far_apart(store, 5)
        middle = ids[2]
        for order_id in set(ids) - {middle}:
            route = f"GET /orders/{order_id}"
            store.faults.add(Fault(route=route, times=None, **UNAVAILABLE))
        if fault:
            store.faults.add(Fault(route=f"GET /orders/{middle}", times=None, **fault))
        send(world, *ids)

        world.drain()

        assert store.requests["GET /orders/{id}"] == 4 * 5 + tries
        assert [n for n in ids if moves(store, n)] == ([] if fault else [middle])

    def test_three_orders_with_too_long_a_wait_stop_the_batch(self, world, store):
        send(world, *place_far_apart(store, 6))
        store.faults.add(Fault(route="*", kind="status", status=429, retry_after=600, times=None))

        world.drain()

        assert sum(store.requests.values()) == 3
        assert len(world.messages()) == 6


def test_a_list_that_is_unavailable_is_requested_for_one_group_only(world, store):
    ids = []
    for _ in range(5):
        ids += [store.place_order(via="api"), store.place_order(via="api")]
        store.skip_ids(1000)
    store.faults.add(Fault(route="GET /orders", times=None, **UNAVAILABLE))
    send(world, *ids)

    world.pump.deliver()

    assert store.requests["GET /orders"] == 2, "once, and one retry"
    assert all(replicated(world, order_id) for order_id in ids)
