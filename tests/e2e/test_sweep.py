"""What a sweep does besides listing: it reactivates the webhook and counts missing orders."""

import logging

import pytest

from sandbox.store.faults import Fault
from sandbox.store.statuses import Status
from tests.e2e.journeys import replicated
from tests.factories import events

POLLS_A_DAY = 12


def sweep(world) -> None:
    """Let a day of polls pass; the last one is a sweep."""
    for _ in range(POLLS_A_DAY):
        world.poll()


def the_hook(store):
    (hook,) = store.callbacks.hooks.values()
    return hook


def remove(world, order_id: int) -> None:
    world.stack.dynamodb.delete_item(
        TableName=world.stack.name("orders"), Key={"id": {"N": str(order_id)}}
    )


def counted(caplog) -> list[int]:
    return [
        record.missing
        for record in caplog.records
        if getattr(record, "event", "") == "missing_orders_counted"
    ]


@pytest.fixture
def log(caplog):
    caplog.set_level(logging.INFO, "chalicelib")
    return caplog


def test_an_inactive_webhook_is_reactivated_with_an_alert(world, store):
    store.callbacks.change(the_hook(store).id, is_active=False)
    before = store.place_order()

    world.poll()
    world.drain()

    assert the_hook(store).is_active
    (mail,) = world.mail()
    assert "webhook" in mail["Subject"]
    assert replicated(world, before)
    after = store.place_order()
    assert world.deliver_webhooks() == [200]
    world.drain()
    assert replicated(world, after)


def test_an_active_webhook_is_not_changed_and_causes_no_alert(world, store):
    before = the_hook(store)

    world.poll()

    assert the_hook(store) == before
    assert world.mail() == []


def test_an_inactive_webhook_of_another_app_stays_inactive(world, store):
    hook_id = store.register_hook(destination="https://elsewhere.example.com/orders")
    store.callbacks.change(hook_id, is_active=False)

    world.poll()

    assert not store.callbacks.hooks[hook_id].is_active


def test_a_poll_for_changes_does_not_check_the_webhook(world, store):
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


def test_the_webhook_is_reactivated_even_when_the_alert_cannot_be_sent(world, store, log):
    store.callbacks.change(the_hook(store).id, is_active=False)
    world.stack.sns.delete_topic(TopicArn=world.stack.errors_topic_arn)

    assert world.poll() is None

    assert the_hook(store).is_active
    assert "hook_check_failed" in events(log)


def test_without_a_webhook_url_no_webhook_is_checked(world, store):
    world.configure(WEBHOOK_URL="")

    world.poll()

    assert store.requests["GET /hooks"] == 0


def test_a_sweep_counts_no_order_as_missing_when_none_is(world, store, log):
    store.place_orders(5, statuses=[Status.AWAITING_FULFILLMENT])
    world.poll()
    world.drain()

    sweep(world)

    assert counted(log) == [0]


def test_an_order_that_was_lost_after_a_sweep_queued_it_is_missing_in_the_next(world, store, log):
    order_id = store.place_order(via="api")
    world.poll()
    world.stack.sqs.purge_queue(QueueUrl=world.stack.queue_url)

    sweep(world)

    assert counted(log) == [1]
    assert world.items("jobs")[-1]["missing"] == 1
    world.drain()
    assert replicated(world, order_id)


def test_an_order_placed_since_the_last_sweep_is_not_missing(world, store, log):
    world.poll()
    world.poll()
    store.place_order(via="api")

    sweep(world)

    assert counted(log) == [0]


def test_the_first_sweep_counts_no_missing_orders(world, store, log):
    store.place_order(via="api")

    world.poll()

    assert counted(log) == []


def test_orders_that_a_changed_setting_made_new_are_not_missing(world, store, log):
    store.place_order(status=Status.PENDING, via="api")
    world.poll()
    world.drain()
    world.configure(NEW_STATUS_IDS="11,7,10,1")

    sweep(world)

    assert counted(log) == []


def test_a_completed_order_that_may_be_digital_is_not_missing(world, store, log):
    store.place_order(
        status=Status.COMPLETED, kind="physical", addresses=0, shipping_address_count=0, via="api"
    )
    world.poll()
    world.drain()

    sweep(world)

    assert counted(log) == [0]


def test_a_forgotten_order_is_not_missing(world, store, log, ops):
    order_id = store.place_order(via="api")
    ops("forget", "--order", str(order_id))
    world.poll()

    sweep(world)

    assert counted(log) == [0]
