"""What the tests check in a world, and what several of them do in one."""

from datetime import timedelta
from typing import Any

from chalicelib.domain.messages import OrderMessage
from chalicelib.reading import is_compared
from sandbox.expected import expected_item
from sandbox.store import Store
from sandbox.world import World

LISTS = ("GET /orders/{id}/products", "GET /orders/{id}/shipping_addresses")
"""Requests that embedded lists save."""

DAY = timedelta(days=1).total_seconds()


def differing(world: World, order_id: int) -> set[str]:
    """The fields in which the item differs from the store's order, as both are now."""
    item, order = world.order(order_id), expected_item(world.store, order_id)
    assert item is not None, f"order {order_id} is not stored"
    return {name for name in {*item, *order} if item.get(name) != order.get(name)}


def confirm(world: World) -> None:
    """Let a sweep read again what was read within a minute of its change."""
    world.advance(DAY)
    world.poll()
    world.settle()


def replicated(world: World, order_id: int) -> bool:
    """The order is stored whole, as it is now, and was moved once."""
    item = world.item(order_id)
    if item is None or "moved_at" not in item["replication"]:
        return False
    return not differing(world, order_id) and len(moves(world.store, order_id)) == 1


def unmoved(world: World, order_id: int) -> bool:
    """The order is stored, and no move of it is recorded."""
    item = world.item(order_id)
    return item is not None and "moved_at" not in item["replication"]


def moves(store: Store, order_id: int) -> list[tuple[int, int]]:
    """The moves that the service made, each from one status to another."""
    return [
        (change.before, change.after)
        for change in store.status_changes
        if change.order_id == order_id and change.by == "api"
    ]


def record(world: World, order_id: int) -> dict[str, Any]:
    item = world.item(order_id)
    assert item is not None, f"order {order_id} is not stored"
    found: dict[str, Any] = item["replication"]
    return found


def send(world: World, *order_ids: int, queue: str = "orders", **overrides: Any) -> None:
    """Queue the orders as a poll does."""
    facts = {"source": "poll", "queued_at": world.clock.now(), **overrides}
    for start in range(0, len(order_ids), 10):
        bodies = [
            OrderMessage(order_id=n, **facts).to_json() for n in order_ids[start : start + 10]
        ]
        world.stack.sqs.send_message_batch(
            QueueUrl=world.stack.url_of(queue),
            Entries=[{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies)],
        )


def come_to_rest(world: World) -> None:
    """Deliver callbacks and messages until there are none."""
    world.settle()
    while world.deliver_webhooks():
        world.settle()


def next_second(world: World) -> None:
    """Advance to the beginning of a second: what follows at once happens in one second."""
    world.advance(1 - world.clock.time() % 1)


def lists_read(store: Store) -> int:
    """Requests for the lines and the addresses of single orders."""
    return sum(store.requests[name] for name in LISTS)


def skip_to(store: Store, *, compared: bool) -> None:
    """Skip ids until the next order is one that is read both ways, or is not."""
    while is_compared(store.next_id) != compared:
        store.skip_ids(1)


def requests(store: Store) -> int:
    return sum(store.requests.values())


def pause(world: World, *, reason: str = "stock-taking") -> None:
    """Pause all moves, as an operator does."""
    item = {"store_hash": "sandbox", "started_at": "pause", "reason": reason}
    world.stack.dynamodb.put_item(
        TableName=world.stack.name("jobs"), Item={name: {"S": text} for name, text in item.items()}
    )


def resume(world: World) -> None:
    world.stack.dynamodb.delete_item(
        TableName=world.stack.name("jobs"),
        Key={"store_hash": {"S": "sandbox"}, "started_at": {"S": "pause"}},
    )
