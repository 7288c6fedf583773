"""A job is the record of one poll; `next_job` decides what the next poll does.

A poll that did not finish records its cursor, and the next poll continues from there. Such a chain
counts as one poll that began with its first part: an order that became new before the cursor was
modified after that, so the poll after the chain finds it.
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
"""Longer than an order is retried: twenty receives, with delays of up to 14.4 hours in all."""


@dataclass(frozen=True)
class Cursor:
    """The position in a listing: orders of this status from this id upwards."""

    status_id: int
    min_id: int


@dataclass(frozen=True)
class Job:
    """One poll. Times are ISO 8601 in UTC; `since` is None for a sweep.

    A sweep counts as `missing` the new orders that are not in the table and unchanged since before
    `due`, when an earlier sweep of the same `scope` began, which queued them.
    """

    started_at: str
    mode: Mode
    began_at: str
    since: str | None = None
    cursor: Cursor | None = None
    counts: dict[str, int] = field(default_factory=dict)
    listed: int = 0
    queued: int = 0
    already_replicated: int = 0
    missing: int = 0
    due: str | None = None
    scope: str = ""
    requests: int = 0
    outcome: Outcome = "running"
    error: str | None = None
    finished_at: str | None = None

    @classmethod
    def from_item(cls, attributes: JsonObject) -> Self:
        """Parse a job as DynamoDB returns it; attributes of later versions are ignored."""
        known: dict[str, Any] = {
            field.name: attributes[field.name] for field in fields(cls) if field.name in attributes
        }
        for name in ("listed", "queued", "already_replicated", "missing", "requests"):
            known[name] = int(known.get(name, 0))
        known["counts"] = {name: int(count) for name, count in known.get("counts", {}).items()}
        if cursor := known.get("cursor"):
            known["cursor"] = Cursor(int(cursor["status_id"]), int(cursor["min_id"]))
        return cls(**known)

    def to_item(self) -> JsonObject:
        """The job as it is stored, without attributes that are None."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def next_job(
    history: list[Job],
    now: datetime,
    sweep_every: timedelta,
    *,
    sweep: bool = False,
    scope: str = "",
) -> Job:
    """The job to start, given the jobs of at least `sweep_every + HISTORY_MARGIN`, newest first.

    `sweep` requests a sweep now; an unfinished sweep is continued. `scope` identifies the settings
    that define which orders are new.
    """
    last = history[0] if history else None
    unfinished = last if last and last.outcome != "succeeded" else None
    recently = (now - sweep_every).isoformat()
    last_sweep = next(
        (job for job in history if job.mode == "sweep" and job.outcome == "succeeded"), None
    )
    swept = last_sweep and last_sweep.scope == scope and last_sweep.started_at >= recently
    started_at = now.isoformat()
    if unfinished and unfinished.mode == "sweep" and unfinished.scope == scope:
        return _continued(unfinished, started_at)
    finished = last_success(history)
    if sweep or not swept or not finished:
        due = _due(history, now, scope)
        return Job(started_at, "sweep", began_at=started_at, due=due, scope=scope)
    if unfinished and unfinished.mode == "changes":
        return _continued(unfinished, started_at)
    since = datetime.fromisoformat(finished.began_at) - OVERLAP
    return Job(started_at=started_at, mode="changes", began_at=started_at, since=since.isoformat())


def last_success(history: Iterable[Job]) -> Job | None:
    """The newest successful poll of a history that is sorted newest first."""
    return next((job for job in history if job.outcome == "succeeded"), None)


def _continued(job: Job, started_at: str) -> Job:
    return replace(
        Job(started_at=started_at, mode=job.mode, began_at=job.began_at),
        since=job.since,
        cursor=job.cursor,
        missing=job.missing,
        due=job.due,
        scope=job.scope,
    )


def _due(history: list[Job], now: datetime, scope: str) -> str | None:
    """When the last sweep began whose orders must be replicated by now; None without one."""
    before = (now - RETRY_PERIOD).isoformat()
    done = [job for job in history if job.mode == "sweep" and job.outcome == "succeeded"]
    return next(
        (job.began_at for job in done if job.began_at <= before and job.scope == scope), None
    )
