"""Watches every write to the Orders table: sequences and versions never go back."""

import json
from typing import Any

BELIEVED_AFTER = 60
"""Seconds after which the store is believed although its answer is older than the item."""


class Watch:
    """`wrong` lists what a write did that it must not do."""

    def __init__(self, world) -> None:
        self._world = world
        self._records: dict[int, dict[str, Any]] = {}
        self.wrong: list[str] = []
        world.gate.on_aws = self.see

    def see(self, call) -> None:
        """Called after every call to AWS that had an effect."""
        if call.name not in ("dynamodb PutItem orders", "dynamodb UpdateItem orders"):
            return
        content = json.loads(call.subject)
        order_id = int((content.get("Key") or content["Item"])["id"]["N"])
        item = self._world.item(order_id)
        if item is None:
            return
        after, before = item["replication"], self._records.get(order_id)
        self._records[order_id] = {**after, "status_id": item.get("status_id")}
        if before is not None:
            self.wrong += [f"order {order_id}: {what}" for what in self._compare(before, item)]

    def _compare(self, before, item):
        after = item["replication"]
        if after.get("sequence", 0) < before.get("sequence", 0):
            yield f"its sequence decreases: {before} -> {after}"
        content = ("digest", "moved_at", "incomplete", "archived_at", "forgotten_at")
        is_changed = any(before.get(name) != after.get(name) for name in content)
        if is_changed and after.get("sequence") == before.get("sequence"):
            yield f"changed without a new sequence: {before} -> {after}"
        is_same = not is_changed and before.get("believed") == after.get("believed")
        if is_same and after.get("sequence") != before.get("sequence"):
            yield f"a new sequence without a change: {before} -> {after}"
        if "moved_at" in before and "moved_at" not in after:
            yield f"its move is forgotten: {before} -> {after}"
        age = self._world.clock.time() - float(before["version"])
        if after["version"] < before["version"] and age < BELIEVED_AFTER:
            yield f"its version decreases: {before} -> {after}"
