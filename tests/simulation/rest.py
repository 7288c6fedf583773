"""Bringing a world to rest: no more faults, and enough time; and a second round of everything."""

import json
from datetime import datetime

import requests

from sandbox.gate import PASSES
from sandbox.world import TOKEN_HEADER
from tests.simulation.oracle import lost

DAY = 24 * 3600.0
INTERVAL = 2 * 3600.0


def call_back(world, order_id, *, token=None, secret=None) -> int:
    """Send a callback for an order; returns the status of the answer."""
    body = world.store.callback_body(order_id)
    headers = {"Content-Type": "application/json", **world.store.sign(body, secret=secret)}
    headers[TOKEN_HEADER] = world.stack.secrets.webhook_token if token is None else token
    url = f"{world.api_url}/cart-converted"
    return requests.post(url, data=body, headers=headers, timeout=60).status_code


def repair(world) -> None:
    """End all faults, and undo what an operator has to undo."""
    world.gate.script = lambda call: PASSES
    world.store.faults.clear()
    world.store.restore_token()
    world.skew.ahead = 0.0
    world.resume()
    world.register_hooks()
    for receiver in world.receivers.values():
        receiver.down_until = min(receiver.down_until, world.clock.time())


def come_to_rest(world, poison=frozenset()) -> list[str]:
    """End all faults, deliver the remaining callbacks, and run polls and sweeps.

    Returns what was wrong before the polls, which would correct it.
    """
    repair(world)
    while (due := world.store.next_callback_at) is not None:
        world.clock.advance(max(0.0, due - world.clock.time()) + 0.001)
        world.deliver_webhooks()
    world.settle()
    wrong = lost(world, poison)
    for seconds in (INTERVAL, DAY + INTERVAL):
        _poll_after(world, seconds)
        deliver_callbacks(world)
    if any(item["started_at"].startswith("failing#") for item in world.items("jobs")):
        # A later sweep queues failing orders whose messages no longer exist.
        _poll_after(world, DAY + INTERVAL)
        deliver_callbacks(world)
    if not all(map(is_confirmed, world.items("orders"))):
        # An order that the last sweep found, and moved, is read once more by the next one.
        _poll_after(world, DAY + INTERVAL)
        deliver_callbacks(world)
    announce(world)
    return wrong


def is_confirmed(item) -> bool:
    """Whether an order was read so late after its change that a store shows no older state."""
    record = item["replication"]
    if "forgotten_at" in record or "read_at" not in record:
        return True
    read_at = datetime.fromisoformat(record["read_at"])
    return read_at.timestamp() >= float(record["version"]) + 60


def announce(world) -> None:
    """Publish every change, and deliver its events until they are in a dead-letter queue."""
    while (due_at := world.pump.stream.due_at) is not None:
        world.clock.advance(max(0.0, due_at - world.clock.time()) + 0.001)
        world.stream()
    world.deliver_events()


def is_archived_unnoticed(world, order_id) -> bool:
    """Whether an order is archived and its item, if there is one, is not marked as archived."""
    record = (world.item(order_id) or {}).get("replication", {})
    is_known = record.keys() & {"archived_at", "forgotten_at"}
    return world.store.order(order_id)["is_deleted"] and not is_known


def deliver_callbacks(world) -> None:
    """Deliver the callbacks that are due, those of the service's own moves, and their messages."""
    while world.deliver_webhooks():
        world.settle()


def _poll_after(world, seconds) -> None:
    # EventBridge does not wait for the poll: it would drop an event that is retried a day later.
    announce(world)
    world.clock.advance(seconds)
    world.fire()
    world.settle()


def once_more(world, poison=frozenset()) -> list[str]:
    """Run a second round: a message for every order, a poll and a sweep.

    Returns what was wrong: at rest, polls queue nothing but incomplete or poisoned orders. An order
    whose archiving is not known yet has no message: that would be news, and not a repetition.
    """
    queued_at = world.clock.now().isoformat()
    world.clock.advance(10)
    message = {"source": "webhook", "queued_at": queued_at}
    entries = [
        {"Id": str(order_id), "MessageBody": json.dumps({"order_id": order_id, **message})}
        for order_id in world.store.order_ids()
        if not is_archived_unnoticed(world, order_id)
    ]
    for start in range(0, len(entries), 10):
        world.stack.sqs.send_message_batch(
            QueueUrl=world.stack.queue_url, Entries=entries[start : start + 10]
        )
    world.settle()
    world.clock.advance(DAY + INTERVAL)
    world.fire()
    queued = [json.loads(body) for body in world.messages()]
    world.settle()
    announce(world)
    return [
        f"a poll at rest queued {message}"
        for message in queued
        if message["order_id"] not in poison
    ]
