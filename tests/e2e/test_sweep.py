"""What a sweep does beside listing: it wakes the webhook, and counts what is missing."""

import logging

import pytest

from sandbox.store.faults import Fault
from sandbox.store.statuses import Status
from tests.e2e.journeys import replicated

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
def told(caplog):
    caplog.set_level(logging.INFO, "chalicelib")
    return caplog


def test_a_webhook_that_is_off_is_switched_on_and_people_are_told(world, store):
    store.callbacks.change(the_hook(store).id, is_active=False)
    unheard = store.place_order()

    world.poll()
    world.drain()

    assert the_hook(store).is_active
    (mail,) = world.mail()
    assert "the webhook was off and is on again" in mail["Subject"]
    assert replicated(world, unheard)
    heard = store.place_order()
    assert world.deliver_webhooks() == [200]
    world.drain()
    assert replicated(world, heard)


def test_a_webhook_that_is_on_is_left_alone_and_nobody_is_told(world, store):
    before = the_hook(store)

    world.poll()

    assert the_hook(store) == before
    assert world.mail() == []


def test_somebody_elses_webhook_is_left_off(world, store):
    hook_id = store.register_hook(destination="https://elsewhere.example.com/orders")
    store.callbacks.change(hook_id, is_active=False)

    world.poll()

    assert not store.callbacks.hooks[hook_id].is_active


def test_a_poll_for_changes_does_not_look_at_the_webhook(world, store):
    world.poll()
    asked = store.requests["GET /hooks"]

    world.poll()

    assert (asked, store.requests["GET /hooks"]) == (1, 1)


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
def test_whatever_is_wrong_with_the_hooks_the_sweep_finds_the_orders(world, store, told, fault):
    order_id = store.place_order(via="api")
    store.faults.add(Fault(route="GET /hooks*", **fault))

    assert world.poll() is None
    world.drain()

    assert replicated(world, order_id)
    assert "webhook not checked" in told.text


def test_an_alert_that_cannot_be_sent_leaves_the_webhook_on(world, store, told):
    store.callbacks.change(the_hook(store).id, is_active=False)
    world.stack.sns.delete_topic(TopicArn=world.stack.errors_topic_arn)

    assert world.poll() is None

    assert the_hook(store).is_active
    assert "webhook not checked" in told.text


def test_without_an_address_of_ours_no_webhook_is_looked_at(world, store):
    world.configure(WEBHOOK_URL="")

    world.poll()

    assert store.requests["GET /hooks"] == 0


def test_a_sweep_counts_no_order_as_missing_when_none_is(world, store, told):
    store.place_orders(5, statuses=[Status.AWAITING_FULFILLMENT])
    world.poll()
    world.drain()

    sweep(world)

    assert counted(told) == [0]


def test_an_order_that_was_lost_after_the_last_sweep_queued_it_is_counted_by_the_next(
    world, store, told
):
    order_id = store.place_order(via="api")
    world.poll()
    world.stack.sqs.purge_queue(QueueUrl=world.stack.queue_url)

    sweep(world)

    assert counted(told) == [1]
    assert world.items("jobs")[-1]["missing"] == 1
    world.drain()
    assert replicated(world, order_id)


def test_an_order_of_today_is_not_missing_yet(world, store, told):
    world.poll()
    world.poll()
    store.place_order(via="api")

    sweep(world)

    assert counted(told) == [0]


def test_the_first_sweep_counts_nothing_since_it_cannot_know(world, store, told):
    store.place_order(via="api")

    world.poll()

    assert counted(told) == []


def test_orders_that_have_become_new_by_a_setting_are_not_missing(world, store, told):
    store.place_order(status=Status.PENDING, via="api")
    world.poll()
    world.drain()
    world.configure(NEW_STATUS_IDS="11,7,10,1")

    sweep(world)

    assert counted(told) == []


def test_a_completed_order_that_may_be_digital_is_never_counted(world, store, told):
    store.place_order(
        status=Status.COMPLETED, kind="physical", addresses=0, shipping_address_count=0, via="api"
    )
    world.poll()
    world.drain()

    sweep(world)

    assert counted(told) == [0]


def test_a_forgotten_order_is_never_counted(world, store, told, ops):
    order_id = store.place_order(via="api")
    ops("forget", "--order", str(order_id))
    world.poll()

    sweep(world)

    assert counted(told) == [0]
