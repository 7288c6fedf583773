"""How orders and changes are found: by webhooks at once, else by a poll, and at last by a sweep."""

import json
from typing import Any

import pytest
import requests as http

from sandbox.store import Store
from sandbox.store.clock import SimulatedClock
from sandbox.store.faults import Fault
from sandbox.store.statuses import Status
from sandbox.world import TOKEN_HEADER, World
from tests.e2e.journeys import (
    DAY,
    come_to_rest,
    differing,
    moves,
    replicated,
    send,
    unmoved,
)


def ids_in(world: World, queue: str) -> list[int]:
    """The orders in a queue, once for each message."""
    return sorted(json.loads(body)["order_id"] for body in world.messages(queue))


def sweep(world: World) -> Any:
    """Let a day pass; returns the sweep's job."""
    world.advance(DAY)
    world.poll()
    job = world.items("jobs")[-1]
    assert job["mode"] == "sweep"
    return job


class TestWebhooks:
    def test_a_new_order_is_in_the_orders_queue_and_its_change_in_the_other(self, world, store):
        order_id = store.place_order()
        world.deliver_webhooks()
        assert (set(ids_in(world, "orders")), ids_in(world, "changes")) == ({order_id}, [])
        world.settle()

        store.edit(order_id, staff_notes="urgent")
        world.deliver_webhooks()

        assert ids_in(world, "orders") == []
        assert set(ids_in(world, "changes")) == {order_id}

    def test_an_order_that_an_app_creates_is_moved_without_a_poll(self, world, store):
        """No cart is converted."""
        order_id = store.place_order(via="api")

        world.deliver_webhooks()
        world.drain()

        assert replicated(world, order_id)

    @pytest.mark.parametrize("status", [0, 1, 12])
    def test_an_order_that_becomes_new_later_is_moved_at_once(self, world, store, status):
        order_id = store.place_order(status=status)
        come_to_rest(world)
        assert moves(store, order_id) == []
        world.advance(60)

        store.pay(order_id)
        world.deliver_webhooks()
        world.drain()

        assert replicated(world, order_id)

    def test_an_order_that_is_paid_a_second_after_its_callback_was_read_is_moved(
        self, world, store
    ):
        order_id = store.place_order(status=Status.INCOMPLETE)
        world.deliver_webhooks()
        world.drain()
        world.advance(1)

        store.pay(order_id)
        world.deliver_webhooks()
        world.drain()

        assert replicated(world, order_id)

    def test_an_order_that_a_merchant_processed_before_it_was_read_is_stored(self, world, store):
        """The store's API is down when the callback arrives."""
        order_id = store.place_order()
        store.faults.add(Fault(route="*", kind="status", status=503, times=None))
        world.deliver_webhooks()
        world.drain()
        store.set_status(order_id, Status.SHIPPED)
        store.faults.clear()

        world.settle()

        assert differing(world, order_id) == set()
        assert moves(store, order_id) == []

    @pytest.mark.parametrize(
        ("data", "is_queued"),
        [
            ({"type": "order", "id": "{id}"}, True),
            ({"type": "order", "id": "100", "status": {"new_status_id": "eleven"}}, True),
            ({"type": "order"}, False),
            ({"type": "order", "id": 1.5}, False),
        ],
        ids=["as text", "odd status", "no id", "a fraction"],
    )
    def test_an_odd_callback_is_answered_200(self, world, store, data, is_queued):
        """Otherwise BigCommerce would deactivate the webhook."""
        order_id = store.place_order(via="api")
        given = {**data, **({"id": str(order_id)} if data.get("id") == "{id}" else {})}
        body = store.callbacks.body("store/order/statusUpdated", given)

        answer = http.post(
            f"{world.api_url}/order-changed",
            data=body,
            headers={
                "Content-Type": "application/json",
                TOKEN_HEADER: world.stack.secrets.webhook_token,
                **store.sign(body),
            },
            timeout=10,
        )

        assert answer.status_code == 200
        assert ids_in(world, "orders") == ([order_id] if is_queued else [])


class TestPolls:
    def test_an_edit_of_two_hundred_orders_does_not_delay_a_new_one(self, world, store):
        ids = [store.place_order(status=Status.SHIPPED, lines=1, via="api") for _ in range(200)]
        world.poll()
        come_to_rest(world)
        world.advance(600)
        for order_id in ids:
            store.edit(order_id, staff_notes="sale")
        new = store.place_order(via="api")

        world.poll()

        assert (ids_in(world, "orders"), ids_in(world, "changes")) == ([new], ids)
        before = store.requests.copy()
        world.pump.deliver("replicate 1")
        cost = store.requests - before
        assert replicated(world, new)
        assert (cost["GET /orders/{id}"], cost["GET /orders"]) == (1, 0), "no change was read"

    def test_changes_leave_a_share_of_the_quota_as_long_as_new_orders_can_use_it(self, new_world):
        """Half of the quota at the beginning of a window, and a quarter in the middle of it."""
        clock, sent = SimulatedClock(), []
        store = Store(clock=clock, quota=40)
        world = new_world(clock=clock, store=store, QUOTA_RESERVED_FOR_NEW_ORDERS="0.5")
        ids = [store.place_order(status=Status.SHIPPED, lines=1, via="api") for _ in range(20)]
        store.faults.add(
            Fault(route="*", kind="before", act=lambda: sent.append(clock.time()), times=None)
        )
        send(world, *ids, queue="changes")

        world.settle()

        for window in store.windows:
            passed = [at - window.started_at for at in sent]
            for used, seconds in enumerate(sorted(s for s in passed if 0 <= s < 30), start=1):
                assert 40 - used >= 20 * (30 - seconds) / 30 - 1
        assert max(window.used for window in store.windows) > 20
        assert store.answers[429] == 0
        assert not any(differing(world, order_id) for order_id in ids)


class TestSweeps:
    def test_an_order_that_is_stored_and_not_moved_is_moved(self, world, store):
        """Its message was lost."""
        order_id = store.place_order(via="api")
        world.poll()
        store.faults.add(Fault(route="PUT /orders/*", kind="status", status=409))
        world.drain()
        world.stack.purge("orders")
        assert unmoved(world, order_id)

        sweep(world)
        world.settle()

        assert replicated(world, order_id)

    def test_a_completed_order_without_an_address_is_queued_once(self, world, store):
        """Only its lines show that it is not digital."""
        for _ in range(20):
            store.place_order(status=Status.COMPLETED, addresses=0, coupons=0, via="api")

        queued = []
        for _ in range(4):
            queued.append(sweep(world)["queued"])
            world.settle()

        assert queued == [20, 0, 0, 0]

    def test_a_sweep_of_another_scope_is_not_continued(self, world, store):
        order_id = store.place_order(status=Status.PENDING, lines=1, via="api")
        for _ in range(251):
            store.place_order(status=Status.SHIPPED, lines=1, via="api")
        store.faults.add(Fault(route="GET /orders", kind="slow", seconds=850, skip=4))
        world.poll()
        assert world.items("jobs")[-1]["outcome"] == "stopped"

        world.configure(IGNORED_STATUS_IDS="0")
        world.poll()

        assert order_id in ids_in(world, "changes")
