"""What a sweep queues and counts, and that it checks the webhooks."""

import json
import logging
import os
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from chalicelib.edges.sqs import OrdersQueue
from chalicelib.polling import LONGEST_CHANGES_QUEUE
from chalicelib.settings import Settings
from chalicelib.wiring import Wiring
from sandbox.container import Context
from sandbox.store.faults import Fault
from sandbox.store.statuses import Status
from tests.e2e.journeys import DAY, come_to_rest, differing, replicated, send
from tests.factories import events


def sweep(world) -> None:
    """Poll a day later: a sweep is due."""
    world.clock.advance(DAY)
    world.poll()


def sweeps(world):
    return [job for job in world.items("jobs") if job.get("mode") == "sweep"]


def the_hook(store, scope="store/order/created"):
    (hook,) = [hook for hook in store.callbacks.hooks.values() if hook.scope == scope]
    return hook


def lose_messages(world) -> None:
    world.stack.purge("orders")
    world.stack.purge("changes")


@dataclass(frozen=True)
class LongQueue(OrdersQueue):
    """A queue with one message more than a sweep accepts in the changes queue."""

    def depth(self) -> int:
        return LONGEST_CHANGES_QUEUE + 1


def counted(caplog) -> list[tuple[int, int]]:
    """The missing and the stale orders that each sweep counted."""
    return [
        (record.missing, record.stale)
        for record in caplog.records
        if getattr(record, "event", "") == "missing_orders_counted"
    ]


@pytest.fixture
def log(caplog):
    caplog.set_level(logging.INFO, "chalicelib")
    return caplog


def test_an_inactive_webhook_is_reactivated_with_an_alert(world, store):
    store.callbacks.change(the_hook(store).id, is_active=False)

    world.poll()

    assert the_hook(store).is_active
    (mail,) = world.mail()
    assert "webhook" in mail["Subject"]
    store.place_order(via="api")
    assert world.deliver_webhooks() == [200]


def test_a_poll_of_changes_does_not_check_the_webhooks(world, store):
    world.poll()
    requests = store.requests["GET /hooks"]

    world.poll()

    assert (requests, store.requests["GET /hooks"]) == (1, 1)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 503, "times": None},
        {"kind": "status", "status": 403, "times": None},
        {"kind": "html", "status": 404, "times": None},
        {"kind": "body", "body": b'{"data": "nonsense"}', "times": None},
        {"kind": "body", "body": b'{"data": [{"id": "x"}]}', "times": None},
        {"kind": "body", "body": b"[1]", "times": None},
    ],
    ids=["down", "forbidden", "page", "no list", "no hook", "no data"],
)
def test_a_failed_webhook_check_does_not_prevent_the_sweep(world, store, log, fault):
    order_id = store.place_order(via="api")
    store.faults.add(Fault(route="GET /hooks*", **fault))

    assert world.poll() is None
    world.drain()

    assert replicated(world, order_id)
    assert "hook_check_failed" in events(log)


def test_a_new_order_that_was_modified_lately_is_queued_once(world, store):
    """It is listed by its status, and again with the modified orders."""
    new = store.place_order(via="api")
    shipped = store.place_order(status=Status.SHIPPED, via="api")

    world.poll()

    assert [json.loads(body)["order_id"] for body in world.messages("orders")] == [new]
    assert [json.loads(body)["order_id"] for body in world.messages("changes")] == [shipped]


def test_an_edit_whose_message_was_lost_is_found(world, store):
    order_id = store.place_order(status=Status.SHIPPED, via="api")
    world.poll()
    come_to_rest(world)
    store.edit(order_id, staff_notes="fragile")
    world.poll()
    lose_messages(world)

    sweep(world)
    world.settle()

    assert not differing(world, order_id)


def test_the_cost_of_a_sweep_does_not_depend_on_orders_that_did_not_change(world, store):
    long_ago = world.clock.now() - timedelta(days=30)
    old = [
        store.place_order(status=Status.SHIPPED, created=long_ago, lines=1, via="api")
        for _ in range(300)
    ]
    world.poll()
    lose_messages(world)
    for order_id in old[:5]:
        store.edit(order_id, staff_notes="fragile")

    sweep(world)

    first, second = sweeps(world)
    assert (first["listed"], second["listed"]) == (300, 5)
    assert second["requests"] == 6, "hooks, counts, three new statuses and the modified orders"


class TestCounts:
    def test_stored_orders_are_neither_missing_nor_stale(self, world, store, log):
        store.place_orders(5, statuses=[Status.AWAITING_FULFILLMENT])
        world.poll()
        come_to_rest(world)

        sweep(world)

        assert counted(log) == [(0, 0)]

    def test_an_order_that_was_lost_after_a_sweep_queued_it_is_missing_once(
        self, world, store, log
    ):
        order_id = store.place_order(via="api")
        world.poll()
        lose_messages(world)

        sweep(world)

        assert counted(log) == [(1, 0)]
        assert sweeps(world)[-1]["missing"] == 1
        world.drain()
        assert replicated(world, order_id)

    def test_a_change_that_was_lost_after_a_sweep_queued_it_is_stale(self, world, store, log):
        order_id = store.place_order(via="api", status=Status.SHIPPED)
        world.poll()
        come_to_rest(world)
        store.edit(order_id, staff_notes="fragile")
        sweep(world)
        lose_messages(world)
        log.clear()

        sweep(world)

        assert counted(log) == [(0, 1)]

    def test_what_waits_in_the_queues_is_neither_missing_nor_stale(self, world, store, log):
        store.place_order(via="api")
        changed = store.place_order(via="api", status=Status.SHIPPED)
        send(world, changed)
        world.settle()
        store.edit(changed, staff_notes="fragile")
        world.poll()

        sweep(world)

        assert (sweeps(world)[-1]["missing"], sweeps(world)[-1]["stale"]) == (1, 1)
        assert counted(log) == [(0, 0)]

    def test_what_happened_since_the_last_sweep_is_neither_missing_nor_stale(
        self, world, store, log
    ):
        changed = store.place_order(via="api", status=Status.SHIPPED)
        world.poll()
        come_to_rest(world)
        world.poll()
        store.place_order(via="api")
        store.edit(changed, staff_notes="fragile")
        world.poll()
        lose_messages(world)

        sweep(world)

        assert counted(log) == [(0, 0)]

    def test_the_first_sweep_counts_nothing(self, world, store, log):
        store.place_order(via="api")

        world.poll()

        assert counted(log) == []

    def test_orders_that_a_changed_setting_put_in_scope_are_queued_and_not_missing(
        self, world, store, log
    ):
        store.place_order(status=Status.PENDING, via="api")
        world.poll()
        assert world.messages() == []
        world.configure(IGNORED_STATUS_IDS="0")

        sweep(world)

        assert len(world.messages()) == 1
        assert counted(log) == []

    def test_a_forgotten_order_is_not_missing(self, world, store, log, ops):
        order_id = store.place_order(via="api")
        ops("forget", "--order", str(order_id))
        world.poll()

        sweep(world)

        assert counted(log) == [(0, 0)]


def test_a_failing_order_is_not_queued_until_its_messages_must_have_expired(world, store):
    """Its messages are first retried, and then in a dead-letter queue for 14 days."""
    order_id = store.place_order(staff_notes="x" * 500_000, via="api")
    world.poll()
    world.settle()
    assert len(world.dead_letters()) == 1

    sweep(world)
    assert world.messages() == []
    world.clock.advance(14 * DAY)
    world.poll()

    assert [json.loads(body)["order_id"] for body in world.messages()] == [order_id]


def test_a_sweep_stops_while_the_changes_queue_is_long_and_is_continued(world, store):
    order_id = store.place_order(status=Status.SHIPPED, via="api")
    world.clock.advance(DAY)
    context = Context("poll_orders", 900, world.clock)
    poller = Wiring(Settings.from_environment(os.environ), world.clock).poller(context)
    changes = LongQueue(poller.changes.client, poller.changes.url)

    replace(poller, changes=changes).poll()

    (stopped,) = sweeps(world)
    assert (stopped["outcome"], stopped["queued"]) == ("stopped", 0)
    assert world.messages() == []
    world.poll()
    assert sweeps(world)[-1]["outcome"] == "succeeded"
    assert sweeps(world)[-1]["began_at"] == stopped["began_at"]
    assert [json.loads(body)["order_id"] for body in world.messages()] == [order_id]
