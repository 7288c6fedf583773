"""A job is the record of one poll of changes or one sweep; this decides what the next one does.

A poll of changes lists what was modified since the poll before it. A sweep lists, once a day,
every order that is new, and every order modified in the last days, and compares them with the
table. The first sweep of a scope lists every order.

A job that did not finish records its cursor, and the next job of its mode continues from there.
Such a chain counts as one job that began with its first part: an order that changed before the
cursor was modified after that, so the job after the chain finds it.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime, timedelta
from typing import Any, Literal, Self, TypeAlias

from chalicelib.domain.models import JsonObject

Mode: TypeAlias = Literal["changes", "sweep"]
Outcome: TypeAlias = Literal["running", "succeeded", "stopped", "failed"]

OVERLAP = timedelta(minutes=5)
"""How far a poll overlaps the one before it: clocks differ, and the store indexes with a delay."""

HISTORY_MARGIN = timedelta(days=2)
"""How much longer than the sweep interval the history of polls is read."""

RETRY_PERIOD = timedelta(hours=16)
"""Longer than an order is retried: twenty receives, with delays of up to 15.5 hours in all."""

ALL_STATUSES = -1
"""Stands for None in an item, which version 1.0 could not read."""

_COUNTS = (
    "listed",
    "queued",
    "already_replicated",
    "missing",
    "stale",
    "backlog",
    "requests",
)


@dataclass(frozen=True)
class Cursor:
    """The position in a job's listings: orders of this status from this id upwards.

    `status_id` is None for the listing of all statuses, and ALL_STATUSES in an item.
    """

    status_id: int | None
    min_id: int


_TIMES = ("started_at", "began_at", "since", "due", "finished_at")


@dataclass(frozen=True)
class Job:
    """One poll or sweep.

    `since` is the `date_modified` from which all statuses are listed; None for every order. A sweep
    counts the orders that are not in the table as `missing`, and those that are there in an older
    version as `stale`, if they are unchanged since before `due`, when an earlier sweep of the same
    `scope` began, which queued them. `backlog` is the number of messages in the queues before it.
    `unserved` are orders that the store could not list, and that were queued by their ids.
    """

    started_at: datetime
    mode: Mode
    began_at: datetime
    since: datetime | None = None
    cursor: Cursor | None = None
    counts: dict[str, int] = field(default_factory=dict)
    listed: int = 0
    queued: int = 0
    already_replicated: int = 0
    missing: int = 0
    stale: int = 0
    backlog: int = 0
    unserved: tuple[int, ...] = ()
    due: datetime | None = None
    scope: str = ""
    requests: int = 0
    outcome: Outcome = "running"
    error: str | None = None
    finished_at: datetime | None = None

    @classmethod
    def from_item(cls, attributes: JsonObject) -> Self:
        """Parse a job as DynamoDB returns it; attributes of later versions are ignored."""
        known: dict[str, Any] = {
            field.name: attributes[field.name] for field in fields(cls) if field.name in attributes
        }
        known |= {name: datetime.fromisoformat(known[name]) for name in _TIMES if known.get(name)}
        known |= {name: int(known.get(name, 0)) for name in _COUNTS}
        known["counts"] = {name: int(count) for name, count in known.get("counts", {}).items()}
        known["unserved"] = tuple(int(order_id) for order_id in known.get("unserved", ()))
        if cursor := known.get("cursor"):
            status_id = int(cursor["status_id"])
            known["cursor"] = Cursor(
                None if status_id == ALL_STATUSES else status_id, int(cursor["min_id"])
            )
        return cls(**known)

    def to_item(self) -> JsonObject:
        """The job as it is stored, without attributes that are None; times are ISO 8601 in UTC."""
        item = {name: value for name, value in asdict(self).items() if value is not None}
        item |= {name: item[name].isoformat() for name in _TIMES if name in item}
        if self.cursor and self.cursor.status_id is None:
            item["cursor"]["status_id"] = ALL_STATUSES
        return {**item, "unserved": list(self.unserved)}

    @property
    def surely_missing(self) -> int:
        """Missing orders that cannot be waiting in the queues."""
        return max(0, self.missing - self.backlog)

    @property
    def surely_stale(self) -> int:
        """Stale orders that cannot be waiting in the queues."""
        return max(0, self.stale - max(0, self.backlog - self.missing))


def next_changes(history: Iterable[Job], now: datetime) -> Job:
    """The poll of changes to start, given the jobs so far, newest first.

    The first one lists the last minutes only: the first sweep lists everything.
    """
    polls = [job for job in history if job.mode == "changes"]
    if polls and polls[0].outcome != "succeeded" and polls[0].since:
        return _continued(polls[0], now)
    finished = last_success(polls)
    since = (finished.began_at if finished else now) - OVERLAP
    return Job(now, "changes", began_at=now, since=since)


def next_sweep(
    history: Iterable[Job],
    now: datetime,
    every: timedelta,
    back: timedelta,
    *,
    is_requested: bool = False,
    scope: str = "",
) -> Job | None:
    """The sweep to start, given the jobs of at least `every + HISTORY_MARGIN`; None if none is due.

    An unfinished sweep is continued. A sweep goes `back` so far, or to the last sweep of its
    `scope` if that is longer ago; the scope identifies the settings that define which orders are
    stored and moved. After a sweep of another scope one is due.
    """
    sweeps = [job for job in history if job.mode == "sweep"]
    if sweeps and sweeps[0].outcome != "succeeded" and sweeps[0].scope == scope:
        return _continued(sweeps[0], now)
    done = [job for job in sweeps if job.outcome == "succeeded" and job.scope == scope]
    is_changed = bool(sweeps) and sweeps[0].scope != scope
    is_due = not done or is_changed or done[0].started_at < now - every
    if not (is_due or is_requested):
        return None
    return Job(
        now,
        "sweep",
        began_at=now,
        since=min(done[0].began_at, now - back) if done else None,
        due=_due(done, now),
        scope=scope,
    )


def last_success(history: Iterable[Job]) -> Job | None:
    """The newest successful poll of a history that is sorted newest first."""
    return next((job for job in history if job.outcome == "succeeded"), None)


def _continued(job: Job, now: datetime) -> Job:
    return replace(
        Job(started_at=now, mode=job.mode, began_at=job.began_at),
        since=job.since,
        cursor=job.cursor,
        missing=job.missing,
        stale=job.stale,
        backlog=job.backlog,
        due=job.due,
        scope=job.scope,
    )


def _due(done: Iterable[Job], now: datetime) -> datetime | None:
    """When the last sweep began whose orders must be replicated by now; None without one."""
    before = now - RETRY_PERIOD
    return next((job.began_at for job in done if job.began_at <= before), None)
