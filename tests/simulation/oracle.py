"""What must be true of a world at rest, reckoned from the store and the tables alone.

`README.md`, Limits, names the two windows in which a person's change may go unseen. They are
allowed here, and nothing more: `in_the_window` is the first, `in_doubt` the second.
"""

import json

from sandbox.gate import PASSES

UNSEEN_FOR = 20.0
"""Seconds between the last look at an order and its move in which a change may go unseen."""

FOR_GOOD_REASON = {
    *("AwsError", "Died"),
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
"""The errors with which a function or an order may fail; any other is a mistake of the code."""

PERSONAL = ("first_name", "last_name", "street_1", "phone", "email")


def complaints(world, poison=frozenset(), dead=None) -> list[str]:
    """Every claim that does not hold. `poison` are orders that nothing can replicate.

    `dead` are the order ids that must be dead letters, None in their place any that are poison.
    """
    found = [f"in the queue at rest: {body}" for body in world.messages()]
    items = {int(item["id"]): item for item in world.items("orders")}
    for order_id, life in world.history.orders.items():
        item = items.pop(order_id, None)
        found += [
            f"order {order_id}: {what}" for what in _of_order(world, order_id, life, item, poison)
        ]
    found += [f"order {order_id}: stored and unknown to the store" for order_id in items]
    found += _of_dead_letters(world, poison, dead)
    found += [
        f"webhook {hook.id} is off"
        for hook in world.store.callbacks.hooks.values()
        if not hook.is_active
    ]
    found += _of_privacy(world)
    return found + list(_of_errors(world))


def forgotten(world, poison=frozenset()) -> list[str]:
    """Orders taken charge of and not replicated, although they were new all the time.

    To be asked before a sweep queues them again.
    """
    queued = world.accepted | {json.loads(body).get("order_id") for body in world.said}
    items = {int(item["id"]): item["replication"] for item in world.items("orders")}
    return [
        f"order {order_id}: forgotten: nothing is queued, and it is not replicated"
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


def _of_order(world, order_id, life, item, poison):
    moves = _moves(world, order_id)
    record = (item or {}).get("replication", {})
    if len(moves) > 1 or (moves and not world.moves):
        yield f"moved {len(moves)} times: {moves}"
    if moves:
        yield from _of_move(life, moves[0], record)
    if item is not None:
        stored = {name: value for name, value in item.items() if name != "replication"}
        yield from _of_item(stored, life, moves)
    if record.get("move_unconfirmed") and not in_doubt(world, order_id, life):
        yield f"its move is called unconfirmed without a reason: {record}"
    if order_id in poison or moves or not life.versions[-1].is_new:
        return
    if item is None:
        yield "new, and not stored"
    elif world.moves:
        yield from _of_unmoved(life, record)


def _of_move(life, move, record):
    """It was moved because it was new when the consumer looked last, moments before."""
    seen = [sight for sight in life.sights if sight.at <= move.at]
    if not record:
        yield "moved and not stored"
    elif "moved_at" not in record and not life.versions[-1].order["is_deleted"]:
        yield f"moved, and its item does not say so: {record}"
    if not seen:
        yield "moved without having been looked at"
        return
    version = life.versions[seen[-1].version]
    if not version.is_new:
        yield f"moved although it was not new when seen: {version.order['status_id']}"
    if version.target != move.after:
        yield f"moved to {move.after}, not to {version.target}"
    if not in_the_window(life, move, seen[-1]):
        yield f"a change was overruled: seen at {seen[-1].at}, moved at {move.at}"


def in_the_window(life, move, seen) -> bool:
    """Nobody changed the order between the look and the move, or only seconds lay between."""
    unseen = [
        version
        for version in life.versions[seen.version + 1 :]
        if version.by == "people" and seen.at < version.at < move.at
    ]
    return not unseen or move.at - seen.at <= UNSEEN_FOR


def in_doubt(world, order_id, life) -> bool:
    """A person changed the order, and a function died or lost an answer around its move."""
    changed = any(version.by == "people" for version in life.versions[1:])
    return changed and (order_id in world.history.unheard or order_id in _troubled(world))


ABOUT_A_MOVE = {"dynamodb PutItem orders", "dynamodb UpdateItem orders", "store PUT /orders/{id}"}


def _troubled(world) -> set[int]:
    """Orders of whose moves a call went wrong, or whose function died afterwards."""
    return {
        _order_of(call)
        for call, fate in world.gate.calls
        if call.name in ABOUT_A_MOVE and (fate != PASSES or call.invocation in world.gate.dead)
    }


def _order_of(call) -> int:
    """The order that a write to an item, or a PUT, is about."""
    if call.name.startswith("store"):
        return int(call.subject.rsplit("/", 1)[1])
    asked = json.loads(call.subject)
    return int((asked.get("Key") or asked.get("Item"))["id"]["N"])


def _of_item(stored, life, moves):
    """The item is a version that was new when the consumer saw it, and never an older one."""
    seen_new = {s.version for s in life.sights if life.versions[s.version].is_new}
    same = [number for number in seen_new if life.versions[number].order == stored]
    if not same:
        nearest = max(seen_new, default=None)
        yield f"stored as no version that was new; differs from {nearest} in " + str(
            nearest is not None and differing(life.versions[nearest].order, stored)
        )
        return
    last = life.versions[-1]
    if last.is_new and last.order != stored:
        yield f"new, and stored as it was before: version {same} of {len(life.versions) - 1}"
    before = [s.version for s in life.sights if moves and s.at <= moves[0].at]
    if before and max(same) < before[-1]:
        yield f"stored as version {same}, older than the one that was moved, {before[-1]}"


def _of_unmoved(life, record):
    """New, and never moved: only if it counts as moved, for a reason."""
    if record.get("move_unconfirmed"):
        return
    by_people = any(
        version.by == "people" and version.order["status_id"] in (8, 9)
        for version in life.versions[1:]
    )
    if not (record.get("moved_at") and by_people):
        yield f"new, and not moved: {record}"


def _of_dead_letters(world, poison, dead):
    letters = [json.loads(body).get("order_id") for body in world.dead_letters()]
    wrong = set(letters) - set(poison)
    if wrong:
        yield f"dead letters that are no poison: {wrong}"
    if dead is not None and set(letters) != set(dead):
        yield f"dead letters {letters}, not {dead}"
    rang = any("ALARM" in mail["Subject"] for mail in world.read_mail())
    if bool(letters) != rang:
        yield f"{len(letters)} dead letters, and the alarm {'rang' if rang else 'did not ring'}"


def _of_privacy(world):
    said = [*world.log.lines, *map(str, world.read_mail()), *world.said]
    said += [*world.messages(), *world.dead_letters()]
    said += [str(world.items(table)) for table in ("jobs", "webhooks")]
    text = "\n".join(said)
    yield from (f"personal, and said: {value}" for value in personal(world) if value in text)


def personal(world) -> set[str]:
    """Names, addresses and e-mail addresses of everybody who ordered."""
    return {
        str(address[name])
        for life in world.history.orders.values()
        for address in _addresses(life.versions[0].order)
        for name in PERSONAL
        if len(str(address.get(name) or "")) > 4
    }


def _addresses(order):
    return [order["billing_address"], *order["shipping_addresses"]]


def _of_errors(world):
    names = {*world.log.errors, *(type(error).__name__ for error in world.failures)}
    if names - FOR_GOOD_REASON:
        yield f"failed for no good reason: {names - FOR_GOOD_REASON}"


def differing(one, other) -> list[str]:
    return sorted(n for n in {*one, *other} if one.get(n) != other.get(n))


def state(world):
    """What a second round must not change: every item, and the store's own history."""
    return (
        world.items("orders"),
        list(world.store.status_changes),
        list(world.store.repeated_puts),
    )
