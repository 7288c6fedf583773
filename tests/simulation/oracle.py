"""What must be true of a world at rest, computed from the store and the tables alone.

Complete and current: every order in scope is stored, and its item equals the order. Moved once: an
order is moved at most once, because it was new when it was read, and nobody is overruled.
docs/guarantees.md names the windows in which a person's change may be missed. Only these are
allowed here: `is_within_window` is the first, `may_be_unconfirmed` the second.
"""

import json

from chalicelib.domain.rules import TRIES_TO_SEE_ARCHIVED
from sandbox.gate import PASSES
from tests.simulation.events import of_events
from tests.simulation.history import IGNORED

MISSED_WITHIN = 20.0
"""Seconds between the last read of an order and the request that moves it, in which a change may be
missed."""

PAUSED_WITHIN = 60.0
"""Seconds within which a pause of moves takes effect."""

EXPECTED_ERRORS = {
    *("AwsError", "FunctionDied"),
    *(
        "Unavailable",
        "Unanswered",
        "Unauthorized",
        "MalformedResponse",
        "Blocked",
        "Rejected",
        "NotFound",
    ),
    *("TooLate", "OutOfTime", "DecideLater", "Incomplete", "ConcurrentWrite", "NotAttempted"),
    *("MovesPaused", "NotTaken", "UnreadableRecord"),
    *("UnreadableOrder", "UnstorableNumber"),
}
"""The errors with which a function or an order may fail; any other is a defect."""

PERSONAL = ("first_name", "last_name", "street_1", "phone", "email")


def violations(world, poison=frozenset(), dead=None) -> list[str]:
    """Every guarantee that does not hold. `poison` are orders that cannot be replicated.

    `dead` are the order ids that must be in a dead-letter queue; with None, any of `poison` may.
    """
    found = [f"in the queue at rest: {body}" for body in world.messages()]
    found += world.watch.wrong
    items = {int(item["id"]): item for item in world.items("orders")}
    for order_id, history in world.history.orders.items():
        item = items.pop(order_id, None)
        found += [
            f"order {order_id}: {what}"
            for what in _of_order(world, order_id, history, item, poison)
        ]
    found += [f"order {order_id}: stored, but unknown to the store" for order_id in items]
    found += _of_dead_letter_queue(world, poison, dead)
    found += _of_failing(world, poison)
    found += [
        f"webhook {hook.id} is inactive"
        for hook in world.store.callbacks.hooks.values()
        if not hook.is_active
    ]
    found += of_events(world)
    found += _of_pauses(world)
    found += _of_privacy(world)
    return found + list(_of_errors(world))


def lost(world, poison=frozenset()) -> list[str]:
    """Orders that were accepted and not stored, although they have always been in scope.

    It must be called before a poll, which queues them again. A list that cannot be served names an
    id by elimination, which need not be that of an order: it is queued, and found by nobody.
    """
    known = world.history.orders
    queued = world.accepted | {json.loads(body).get("order_id") for body in world.bodies}
    stored = {int(item["id"]) for item in world.items("orders")}
    return [
        f"order {order_id}: lost: neither queued nor stored"
        for order_id in sorted(queued & known.keys() - set(poison) - world.purged - stored)
        if all(_is_in_scope(world, version) for version in known[order_id].versions)
        and not any(version.order["is_deleted"] for version in known[order_id].versions)
    ]


def _is_in_scope(world, version) -> bool:
    is_channel = not world.channels or version.order["channel_id"] in world.channels
    return is_channel and version.status not in IGNORED


def moves_of(world, order_id):
    return [
        change
        for change in world.store.status_changes
        if change.order_id == order_id and change.by == "api"
    ]


def _of_order(world, order_id, history, item, poison):
    moves = moves_of(world, order_id)
    record = (item or {}).get("replication", {})
    if len(moves) > 1 or (moves and not world.moves):
        yield f"moved {len(moves)} times: {moves}"
    for move in moves[:1]:
        yield from _of_move(world, history, move, record)
    if "forgotten_at" in record:
        if set(item) != {"id", "replication"}:
            yield f"forgotten, and stored: {sorted(item)}"
    elif order_id not in poison:
        yield from _of_item(world, order_id, history, item)
    if record.get("move_unconfirmed") and not may_be_unconfirmed(world, order_id, history):
        yield f"its move is marked unconfirmed without a reason: {record}"
    if order_id in poison or item is None:
        return
    if not history.last.order["is_deleted"]:
        yield from _of_its_end(world, history, record, moves)


def _of_item(world, order_id, history, item):
    """The item equals the order in the store."""
    order = history.last.order
    if item is None:
        if order["is_deleted"] or not _is_in_scope(world, history.last):
            return
        yield "not stored"
        return
    ours = ("replication", "created_day")
    stored = {name: value for name, value in item.items() if name not in ours}
    differences = differing(stored, order)
    if order["is_deleted"]:
        # What is archived is in no list: it is found by its callback only, and by an audit.
        is_known = "archived_at" in item["replication"]
        if not (is_known or order_id in world.unheard or was_shown_as_before(history)):
            yield "archived, and not marked"
        if is_known and world.shows_archived and differences:
            yield f"archived, and differs in {differences}"
        return
    if differences:
        yield f"differs from the store in {differences}"
    if item["replication"].get("incomplete"):
        yield f"marked incomplete: {item['replication']['incomplete']}"


def _of_its_end(world, history, record, moves):
    """A new order is moved; one that counts as moved was moved, or processed by somebody."""
    if record.get("moved_to") is not None and "moved_at" not in record:
        yield f"its move is pending at rest: {record}"
    may_move = world.moves and _is_in_scope(world, history.last)
    if not world.moves_unpaid and history.last.status == 7:
        may_move = False
    if history.last.is_new and may_move and "moved_at" not in record:
        yield f"new, and not moved: {record}"
    was_processed = any(version.is_processed for version in history.versions)
    is_explained = moves or was_processed or record.get("move_unconfirmed")
    if "moved_at" in record and not is_explained:
        yield f"counts as moved, and nobody moved it: {record}"


def _of_move(world, history, move, record):
    """It was moved because it was new when the same invocation read it, moments before."""
    if not record:
        yield "moved and not stored"
    elif "moved_at" not in record and not history.last.order["is_deleted"]:
        yield f"moved, but not recorded: {record}"
    puts = [p for p in world.history.puts if p.order_id == move.order_id and p.at <= move.at]
    if not puts:
        yield "moved without a request"
        return
    put = puts[-1]
    reads = [r for r in history.reads if r.invocation == put.invocation and r.at <= put.at]
    if not reads:
        yield "moved without having been read"
        return
    version = history.versions[reads[-1].version]
    if not version.is_new:
        yield f"moved although it was not new when read: {version.status}"
    if not world.moves_unpaid and version.status == 7:
        yield "moved although it was not paid"
    if not _is_in_scope(world, version):
        yield "moved although it is not in scope"
    if not is_within_window(history, put, reads[-1]):
        yield f"a change was overwritten: read at {reads[-1].at}, moved at {put.at}"
    targets = {history.versions[r.version].target for r in reads}
    if move.after not in targets | {v.target for v in history.versions}:
        yield f"moved to {move.after}, not to {targets}"


def is_within_window(history, put, read) -> bool:
    """Whether nobody changed the status between read and move, or these were seconds apart."""
    missed = [
        version
        for version in history.versions[read.version + 1 :]
        if version.by == "people" and read.at < version.at < put.at
    ]
    return not missed or put.at - read.at <= MISSED_WITHIN + 0.1


def was_shown_as_before(history) -> bool:
    """Whether the store showed an archived order as it was before, in every one of four reads.

    No list shows the order after that: the service takes it to have been restored.
    """
    archived = len(history.versions) - 1
    reads = [read for read in history.reads if read.at > history.last.at]
    is_hidden = all(read.version < archived for read in reads)
    return is_hidden and len({read.invocation for read in reads}) >= TRIES_TO_SEE_ARCHIVED


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


def _of_dead_letter_queue(world, poison, dead):
    found = [json.loads(body).get("order_id") for body in world.dead_letters()]
    wrong = set(found) - set(poison)
    if wrong:
        yield f"in the dead-letter queue: {wrong}"
    if dead is not None and set(found) != set(dead):
        yield f"in the dead-letter queue: {found}, not {dead}"
    alarmed = any("ALARM" in mail["Subject"] for mail in world.read_mail())
    if found and not alarmed:
        yield f"{len(found)} messages in the dead-letter queue, and no alarm"


def _of_failing(world, poison):
    """Only an order that cannot be replicated counts as failing."""
    for item in world.items("jobs"):
        if item["started_at"].startswith("failing#") and int(item["order_id"]) not in poison:
            yield f"counts as failing: {item}"


def _of_pauses(world):
    """No move is requested while moves are paused, from a minute after the pause began."""
    for put in world.history.puts:
        if any(began + PAUSED_WITHIN < put.at < ended for began, ended in world.pauses):
            yield f"order {put.order_id}: moved at {put.at}, during a pause"


def _of_privacy(world):
    texts = [*world.log.lines, *map(str, world.read_mail()), *world.bodies]
    texts += [*world.messages(), *world.dead_letters(), *world.unpublished()]
    texts += [str(receiver.got) for receiver in world.receivers.values()]
    texts += [str(world.undelivered(name)) for name in world.receivers]
    texts += [str(world.items(table)) for table in ("jobs", "webhooks")]
    texts.append(str(world.order_fields()))
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
        [_without_read_at(item) for item in world.items("orders")],
        list(world.store.status_changes),
        list(world.store.repeated_puts),
    )


def _without_read_at(item):
    record = {name: v for name, v in item["replication"].items() if name != "read_at"}
    return {**item, "replication": record}
