"""Questions that the journeys ask of the world."""

from sandbox.store import Store
from sandbox.world import World

CHANGED_BY_A_MOVE = ("status_id", "status", "custom_status", "date_modified")


def replicated(world: World, order_id: int) -> bool:
    """The order is stored whole, as it was before its move, and was moved once."""
    item = world.item(order_id)
    if item is None or "moved_at" not in item["replication"]:
        return False
    stored, now = world.order(order_id), world.store.whole(order_id)
    differing = {name for name in {*stored, *now} if stored.get(name) != now.get(name)}
    return differing <= set(CHANGED_BY_A_MOVE) and len(moves(world.store, order_id)) == 1


def unmoved(world: World, order_id: int) -> bool:
    """The order is stored, and nobody recorded that it was moved."""
    item = world.item(order_id)
    return item is not None and "moved_at" not in item["replication"]


def moves(store: Store, order_id: int) -> list[tuple[int, int]]:
    """The moves that the service made: from which status to which."""
    return [
        (change.before, change.after)
        for change in store.status_changes
        if change.order_id == order_id and change.by == "api"
    ]
