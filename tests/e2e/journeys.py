"""What the tests check in a world."""

from sandbox.store import Store
from sandbox.world import World

CHANGED_BY_A_MOVE = ("status_id", "status", "custom_status", "date_modified")


def replicated(world: World, order_id: int) -> bool:
    """The order is stored whole, as it was before its move, and was moved once."""
    item = world.item(order_id)
    if item is None or "moved_at" not in item.pop("replication"):
        return False
    now = world.store.whole(order_id)
    differing = {name for name in {*item, *now} if item.get(name) != now.get(name)}
    return differing <= set(CHANGED_BY_A_MOVE) and len(moves(world.store, order_id)) == 1


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
