"""What must be true of a world at rest, computed from the store and the tables alone.

docs/guarantees.md names the two windows in which a person's change may be missed. Only these are
allowed here: `is_within_window` is the first, `may_be_unconfirmed` the second.
"""

import json

from sandbox.gate import PASSES

MISSED_WITHIN = 20.0
"""Seconds between the last read of an order and its move in which a change may be missed."""

EXPECTED_ERRORS = {
    *("AwsError", "FunctionDied"),
    *("Unavailable", "Unauthorized", "MalformedResponse", "Rejected", "NotFound", "TooLate"),
    *(
        "OutOfTime",
        "DecideLater",
        "ConcurrentWrite",
        "NotAttempted",
        "UnreadableOrder",
        "UnstorableNumber",
    ),
}
"""The errors with which a function or an order may fail; any other is a defect."""

PERSONAL = ("first_name", "last_name", "street_1", "phone", "email")


def violations(world, poison=frozenset(), dead=None) -> list[str]:
    """Every guarantee that does not hold. `poison` are orders that cannot be replicated.

    `dead` are the order ids that must be in the dead-letter queue; with None, any of `poison` may.
    """
    found = [f"in the queue at rest: {body}" for body in world.messages()]
    items = {int(item["id"]): item for item in world.items("orders")}
    for order_id, history in world.history.orders.items():
        item = items.pop(order_id, None)
        found += [
            f"order {order_id}: {what}"
            for what in _of_order(world, order_id, history, item, poison)
        ]
    found += [f"order {order_id}: stored, but unknown to the store" for order_id in items]
    found += _of_dead_letter_queue(world, poison, dead)
    found += [
        f"webhook {hook.id} is inactive"
        for hook in world.store.callbacks.hooks.values()
        if not hook.is_active
    ]
    found += _of_privacy(world)
    return found + list(_of_errors(world))


def lost(world, poison=frozenset()) -> list[str]:
    """Orders that were accepted and not replicated, although they have always been new.

    It must be called before a sweep, which queues them again.
    """
    queued = world.accepted | {json.loads(body).get("order_id") for body in world.bodies}
    items = {int(item["id"]): item["replication"] for item in world.items("orders")}
    return [
        f"order {order_id}: lost: neither queued nor replicated"
        for order_id in sorted(queued - set(poison))
        if all(version.is_new for version in world.history.orders[order_id].versions)
        and (world.moves or order_id not in items)
        and "moved_at" not in items.get(order_id, {})
    ]


def _moves(world, order_id):
    return [
        change
        for change in world.store.status_changes
        if change.order_id == order_id and change.by == "api"
    ]


def _of_order(world, order_id, history, item, poison):
    moves = _moves(world, order_id)
    record = (item or {}).get("replication", {})
    if len(moves) > 1 or (moves and not world.moves):
        yield f"moved {len(moves)} times: {moves}"
    if moves:
        yield from _of_move(history, moves[0], record)
    if item is not None:
        stored = {name: value for name, value in item.items() if name != "replication"}
        yield from _of_item(stored, history, moves)
    if record.get("move_unconfirmed") and not may_be_unconfirmed(world, order_id, history):
        yield f"its move is marked unconfirmed without a reason: {record}"
    if order_id in poison or moves or not history.versions[-1].is_new:
        return
    if item is None:
        yield "new, and not stored"
    elif world.moves:
        yield from _of_unmoved(history, record)


def _of_move(history, move, record):
    """It was moved because it was new at the consumer's last read, moments before."""
    reads = [read for read in history.reads if read.at <= move.at]
    if not record:
        yield "moved and not stored"
    elif "moved_at" not in record and not history.versions[-1].order["is_deleted"]:
        yield f"moved, but not recorded: {record}"
    if not reads:
        yield "moved without having been read"
        return
    version = history.versions[reads[-1].version]
    if not version.is_new:
        yield f"moved although it was not new when read: {version.order['status_id']}"
    if version.target != move.after:
        yield f"moved to {move.after}, not to {version.target}"
    if not is_within_window(history, move, reads[-1]):
        yield f"a change was overwritten: read at {reads[-1].at}, moved at {move.at}"


def is_within_window(history, move, read) -> bool:
    """Whether nobody changed the order between read and move, or these were only seconds apart."""
    missed = [
        version
        for version in history.versions[read.version + 1 :]
        if version.by == "people" and read.at < version.at < move.at
    ]
    return not missed or move.at - read.at <= MISSED_WITHIN


def may_be_unconfirmed(world, order_id, history) -> bool:
    """Whether a person changed the order, and a function died or lost an answer near its move."""
    changed = any(version.by == "people" for version in history.versions[1:])
    return changed and (
        order_id in world.history.unconfirmed or order_id in _failed_near_move(world)
    )


ABOUT_A_MOVE = {"dynamodb PutItem orders", "dynamodb UpdateItem orders", "store PUT /orders/{id}"}


def _failed_near_move(world) -> set[int]:
    """Orders with a failed call near their move, or whose function died afterwards."""
    return {
        _order_of(call)
        for call, outcome in world.gate.calls
        if call.name in ABOUT_A_MOVE and (outcome != PASSES or call.invocation in world.gate.dead)
    }


def _order_of(call) -> int:
    """The order id of a write to an item, or of a PUT."""
    if call.name.startswith("store"):
        return int(call.subject.rsplit("/", 1)[1])
    content = json.loads(call.subject)
    return int((content.get("Key") or content.get("Item"))["id"]["N"])


def _of_item(stored, history, moves):
    """The item is a version that was new when the consumer read it, and never an older one."""
    read_new = {read.version for read in history.reads if history.versions[read.version].is_new}
    same = [number for number in read_new if history.versions[number].order == stored]
    if not same:
        nearest = max(read_new, default=None)
        yield f"stored as a version that was not new; differs from {nearest} in " + str(
            nearest is not None and differing(history.versions[nearest].order, stored)
        )
        return
    last = history.versions[-1]
    if last.is_new and last.order != stored:
        yield f"new, and stored as it was before: version {same} of {len(history.versions) - 1}"
    before = [read.version for read in history.reads if moves and read.at <= moves[0].at]
    if before and max(same) < before[-1]:
        yield f"stored as version {same}, older than the one that was moved, {before[-1]}"


def _of_unmoved(history, record):
    """A new order that was not moved must count as moved, for a reason."""
    if record.get("move_unconfirmed"):
        return
    by_people = any(
        version.by == "people" and version.order["status_id"] in (8, 9)
        for version in history.versions[1:]
    )
    if not (record.get("moved_at") and by_people):
        yield f"new, and not moved: {record}"


def _of_dead_letter_queue(world, poison, dead):
    found = [json.loads(body).get("order_id") for body in world.dead_letters()]
    wrong = set(found) - set(poison)
    if wrong:
        yield f"in the dead-letter queue: {wrong}"
    if dead is not None and set(found) != set(dead):
        yield f"in the dead-letter queue: {found}, not {dead}"
    alarmed = any("ALARM" in mail["Subject"] for mail in world.read_mail())
    if bool(found) != alarmed:
        yield f"{len(found)} messages in the dead-letter queue, and alarm: {alarmed}"


def _of_privacy(world):
    texts = [*world.log.lines, *map(str, world.read_mail()), *world.bodies]
    texts += [*world.messages(), *world.dead_letters()]
    texts += [str(world.items(table)) for table in ("jobs", "webhooks")]
    text = "\n".join(texts)
    yield from (
        f"personal data outside the Orders table: {value}"
        for value in personal(world)
        if value in text
    )


def personal(world) -> set[str]:
    """Names, addresses and e-mail addresses of all customers."""
    return {
        str(address[name])
        for history in world.history.orders.values()
        for address in _addresses(history.versions[0].order)
        for name in PERSONAL
        if len(str(address.get(name) or "")) > 4
    }


def _addresses(order):
    return [order["billing_address"], *order["shipping_addresses"]]


def _of_errors(world):
    names = {*world.log.errors, *(type(error).__name__ for error in world.failures)}
    if names - EXPECTED_ERRORS:
        yield f"unexpected errors: {names - EXPECTED_ERRORS}"


def differing(one, other) -> list[str]:
    return sorted(n for n in {*one, *other} if one.get(n) != other.get(n))


def state(world):
    """What a second round must not change: every item, and the store's status changes."""
    return (
        world.items("orders"),
        list(world.store.status_changes),
        list(world.store.repeated_puts),
    )
