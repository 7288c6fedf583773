"""What must be true of events: every change is at every receiver, or where an alarm reports it.

A change is a new sequence of an item, in the stream of the Orders table. Every one of its events is
at each receiver at least once, or in the receiver's dead-letter queue, or in a batch that is
described in the failure queue. A repeated event has the same content.
"""

import json
from collections.abc import Iterator
from typing import Any

from sandbox.gate import PASSES
from sandbox.stream import RETRIES
from sandbox.world import as_python

HISTORY = ("fill", "backfill")


def of_events(world) -> Iterator[str]:
    due = list(changes(world))
    ranges = [json.loads(body)["DDBStreamBatchInfo"] for body in world.unpublished()]
    left = [change for change in due if not is_within(ranges, change["number"])]
    for name, receiver in world.receivers.items():
        got = [event["detail"] for event in receiver.got]
        known = [*got, *(event["detail"] for event in world.undelivered(name))]
        ids = {detail["event_id"] for detail in known}
        yield from (
            f"order {change['order_id']}: {sorted(missing)} not at the receiver {name}"
            for change in left
            if (missing := change["ids"] - ids)
        )
        wanted = {each for change in due for each in change["ids"]}
        if ids - wanted:
            yield f"the receiver {name} got events of no change: {sorted(ids - wanted)}"
        if name != "refusing" and world.undelivered(name) and not receiver.down_until:
            yield f"the receiver {name} was never down, and has undelivered events"
        contents: dict[str, Any] = {}
        for detail in known:
            if contents.setdefault(detail["event_id"], detail) != detail:
                yield f"the event {detail['event_id']} has two contents"
    if world.pump.stream.left or world.bus.waiting or world.bus.dropped:
        yield "events are on their way at rest, or were dropped"
    if ranges and not is_explained(world, ranges):
        yield f"in the failure queue without a reason: {ranges}"


def changes(world) -> Iterator[dict[str, Any]]:
    """Every change that has to be published: its order, its stream number, its events' ids."""
    for stored in world.pump.stream.records:
        images = stored["dynamodb"]
        order_id = int(images["Keys"]["id"]["N"])
        if "NewImage" not in images or is_foreign(images["NewImage"]):
            continue
        new = as_python(images["NewImage"])["replication"]
        old = as_python(images.get("OldImage", {})).get("replication", {})
        is_same = new.get("sequence") == old.get("sequence")
        if is_same or "forgotten_at" in old or (not old and new.get("found_by") in HISTORY):
            continue
        ids = {f"{order_id}-{new['sequence']}-{kind}" for kind in kinds(old, new)}
        yield {"order_id": order_id, "number": int(images["SequenceNumber"]), "ids": ids}


def kinds(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    if "forgotten_at" in new:
        return ["forgotten"]
    if not old:
        return ["created"]
    added = new.keys() - old.keys()
    is_moved = "moved_at" in added and "moved_from" in new and "move_unconfirmed" not in new
    found = {"moved": is_moved, "archived": "archived_at" in added}
    return [kind for kind, is_new in found.items() if is_new] or ["changed"]


def is_foreign(image: dict[str, Any]) -> bool:
    return "replication" not in image


def is_within(ranges: list[dict[str, Any]], number: int) -> bool:
    return any(
        int(batch["startSequenceNumber"]) <= number <= int(batch["endSequenceNumber"])
        for batch in ranges
    )


def is_explained(world, ranges: list[dict[str, Any]]) -> bool:
    """Whether each batch was foreign, or publishing failed as often as Lambda tries again."""
    numbers = [
        int(stored["dynamodb"]["SequenceNumber"])
        for stored in world.pump.stream.records
        if is_foreign(stored["dynamodb"].get("NewImage", {"replication": {}}))
    ]
    others = [
        batch
        for batch in ranges
        if batch["batchSize"] > 1 or int(batch["startSequenceNumber"]) not in numbers
    ]
    failures = sum(
        1
        for call, outcome in world.gate.calls
        if call.function == "publish_changes" and (outcome != PASSES)
    )
    return not others or failures > RETRIES
