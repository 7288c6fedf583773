"""The sandbox delivers both queues as Lambda does: the orders queue first, delays, alarms."""

import json

from sandbox.store import Store
from sandbox.world import HOOKS, TOKEN_HEADER, World


def send(world: World, url: str, order_id: int, delay: int = 0) -> None:
    body = {"order_id": order_id, "source": "webhook", "queued_at": "2026-01-31T00:00:00+00:00"}
    world.stack.sqs.send_message(QueueUrl=url, MessageBody=json.dumps(body), DelaySeconds=delay)


def test_a_change_is_replicated_by_its_own_consumer(world: World, store: Store) -> None:
    order_id = store.place_order(via="api")
    send(world, world.stack.changes_queue_url, order_id)

    assert world.pump.deliver("replicate 1") is None
    batch = world.pump.deliver("follow 1")

    assert batch is not None
    assert (batch.received, batch.returned) == (1, 0)
    assert world.item(order_id) is not None
    assert world.messages() == []


def test_new_orders_are_delivered_before_changes(world: World, store: Store) -> None:
    changed, placed = store.place_order(via="api"), store.place_order(via="api")
    send(world, world.stack.changes_queue_url, changed)
    send(world, world.stack.queue_url, placed)
    waiting: list[int] = []

    world.pump.drain(after=lambda _: waiting.append(len(world.messages("changes"))))

    assert waiting == [1, 0]


def test_a_delayed_message_is_delivered_when_its_delay_is_over(world: World, store: Store) -> None:
    order_id = store.place_order(via="api")
    began = world.clock.time()
    send(world, world.stack.changes_queue_url, order_id, delay=5)

    world.drain()
    assert (world.stack.visible("changes"), len(world.messages("changes"))) == (0, 1)

    world.settle()
    assert world.messages() == []
    assert 5 <= world.clock.time() - began < 10


def test_a_webhook_of_all_scopes_queues_nothing_about_metafields_and_messages(
    world: World, store: Store
) -> None:
    """They are no part of an order; a refusal would deactivate the webhook."""
    store.register_hook(
        scope="store/order/*",
        destination=f"{world.api_url}/order-changed?all",
        headers={TOKEN_HEADER: world.stack.secrets.webhook_token},
    )
    order_id = store.place_order(via="api")
    world.deliver_webhooks()
    queued = len(world.messages())

    store.record_metafield(order_id)
    store.record_transaction(order_id)
    store.add_message(order_id, "On its way")

    assert [attempt.status for attempt in store.deliver_webhooks()] == [200, 200, 200]
    assert len(world.messages()) == queued


def test_each_dead_letter_queue_has_its_alarm(world: World) -> None:
    world.stack.sqs.send_message(QueueUrl=world.stack.changes_queue_url, MessageBody="invalid")
    world.settle()

    assert world.pump.evaluate_alarm()

    assert (world.dead_letters("orders"), world.dead_letters("changes")) == ([], ["invalid"])
    assert world.dead_letters() == ["invalid"]
    (mail,) = world.mail()
    assert world.stack.name("changes-dead-letters") in mail["Subject"]
    assert not world.pump.evaluate_alarm()


def test_a_world_has_the_webhooks_of_all_scopes_or_of_one(new_world) -> None:
    scopes = [
        {hook.scope for hook in world.store.callbacks.hooks.values()}
        for world in (new_world(), new_world(hooks="cart"))
    ]

    assert scopes == [set(HOOKS), {"store/cart/converted"}]
