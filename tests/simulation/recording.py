"""Records a random history call by call, with the state of store, table and queues at each."""

import json
import random
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sandbox.gate import Call, Outcome
from sandbox.stack import CONSUMED
from sandbox.store.dates import rfc_2822
from tests.simulation.random_history import RandomHistory

WRITES = re.compile(r"dynamodb (Put|Update|Delete|BatchWrite|TransactWrite)\w* orders")
TABLE = ("moved_to", "sequence", "incomplete", "archived_at", "forgotten_at")
"""Attributes of a replication record that are shown."""


@dataclass(frozen=True)
class State:
    """An order at one place."""

    status: int
    modified: str
    is_archived: bool


@dataclass(frozen=True)
class Row:
    """An order in the store and in the table; None where it is not there."""

    order_id: int
    in_store: State | None
    in_table: State | None
    record: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Moment:
    """The state just before a call took effect, and what was told of the history until then."""

    call: Call
    at: datetime
    rows: tuple[Row, ...]
    queued: dict[str, list[int]]
    events: int
    lines: int


@dataclass
class Recording:
    """A history with its moments: the first one is before its first call."""

    history: RandomHistory
    moments: list[Moment]

    @property
    def outcomes(self) -> list[Outcome]:
        return [outcome for _, outcome in self.history.world.gate.calls]

    @property
    def lines(self) -> list[str]:
        """The log lines of the functions."""
        return [line.split(" {'name'")[0] for line in self.history.world.log.lines]

    def events_until(self, number: int) -> list[str]:
        """What had happened in the history before a call, the last thing last."""
        return self.history.story[: self.moments[number - 1].events]

    def lines_of(self, number: int) -> list[str]:
        """The log lines between a call and the next one."""
        last = self.moments[number].lines if number < len(self.moments) else None
        return self.lines[self.moments[number - 1].lines : last]

    def next_invocation(self, number: int) -> int:
        """The first call of the invocation after that of a call."""
        now = self.moments[number - 1].call.invocation
        rest = (m.call.number for m in self.moments[number:] if m.call.invocation != now)
        return next(rest, len(self.moments))


class Recorder:
    """Notes the moments of a history. Items are read again only after a call that may write one."""

    def __init__(self, history: RandomHistory) -> None:
        self.history = history
        self.moments: list[Moment] = []
        self._items: dict[int, dict[str, Any]] = {}

    def __call__(self, call: Call) -> None:
        # moto draws the ids of its answers from the random numbers that the history uses.
        drawn = random.getstate()
        world = self.history.world
        if self.moments and WRITES.fullmatch(self.moments[-1].call.name):
            self._items = {int(item["id"]): item for item in world.items("orders")}
        ids = sorted({*world.store.order_ids(), *self._items})
        self.moments.append(
            Moment(
                call=call,
                at=datetime.fromtimestamp(call.at, UTC),
                rows=tuple(map(self._row, ids)),
                queued={queue: _ids(world.messages(queue)) for queue in CONSUMED},
                events=len(self.history.story),
                lines=len(world.log.lines),
            )
        )
        random.setstate(drawn)

    def _row(self, order_id: int) -> Row:
        book, item = self.history.world.store.book, self._items.get(order_id, {})
        version = book.version(order_id) if order_id in book.records else None
        record = item.get("replication", {})
        return Row(
            order_id,
            State(version.status, rfc_2822(version.modified), version.archived)
            if version
            else None,
            State(int(item["status_id"]), str(item["date_modified"]), bool(item["is_deleted"]))
            if "status_id" in item
            else None,
            {name: record[name] for name in TABLE if record.get(name) is not None},
        )


def record(aws: Any, seed: int) -> Recording:
    """Run the history of a seed, unchanged by being recorded."""
    history = RandomHistory(aws, seed)
    recorder = history.world.gate.on_call = Recorder(history)
    history.run()
    return Recording(history, recorder.moments)


def _ids(bodies: list[str]) -> list[int]:
    """The orders of messages; 0 for a message that names none."""
    found = []
    for body in bodies:
        try:
            found.append(int(json.loads(body)["order_id"]))
        except (ValueError, TypeError, KeyError):
            found.append(0)
    return sorted(found)
