"""The file in which a rehearsal is kept, so that the next run continues it.

It holds ids of orders, counts, statuses and settings: no token, and nothing about a person.
"""

import os
from collections import Counter
from datetime import datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Literal, Self, TypeAlias

import click
from pydantic import BaseModel, ConfigDict, ValidationError

from ops.rehearse.facts import Result, assumed
from ops.rehearse.fill import Reads
from ops.rehearse.forecast import Forecast, Move, Reason
from ops.rehearse.judge import Concern
from ops.rehearse.share import Used
from ops.rehearse.subject import Subject

Pairs: TypeAlias = list[tuple[int | None, int]]
"""A counter whose keys are no texts, which JSON cannot express as an object."""

BEGIN_AGAIN = "name another file, or delete this one to begin again"


class Kept(BaseModel):
    """A rehearsal up to the order with the lowest id that it has read.

    `now` is when it began: ages, and what is in scope, are those of that time in every run.
    """

    model_config = ConfigDict(extra="forbid")

    format: Literal[1] = 1
    store_hash: str
    stage: str
    settings: dict[str, Any]
    now: datetime
    swept_since: datetime | None
    requests: dict[str, int]
    throttled: int
    seconds: float
    quota: Used

    listed: int
    newest: int | None
    oldest: int | None
    created_from: datetime | None
    created_to: datetime | None
    reached: datetime | None
    statuses: Pairs
    channels: Pairs
    ages: dict[str, int]
    outcomes: dict[str, int]
    moves: list[Move]
    left_alone: dict[str, Reason]
    not_moved: dict[str, Reason]
    fails: dict[str, Reason]
    concerns: dict[Concern, Reason]
    other_moves: dict[str, int]

    ids: list[int]
    reads: list[Reads]
    moved: list[int]
    retries: int
    listings: Pairs
    changed: int

    @classmethod
    def of(cls, result: Result) -> Self:
        forecast, fill, effort = result.forecast, result.forecast.fill, result.effort
        return cls(
            store_hash=result.settings.bigcommerce_store_hash,
            stage=result.stage,
            settings=assumed(result.settings),
            now=forecast.now,
            swept_since=fill.swept_since,
            requests=dict(effort.requests),
            throttled=effort.throttled,
            seconds=effort.seconds,
            quota=result.connection.pacer.used,
            listed=forecast.listed,
            newest=forecast.newest,
            oldest=forecast.oldest,
            created_from=forecast.created_from,
            created_to=forecast.created_to,
            reached=forecast.reached,
            statuses=list(forecast.statuses.items()),
            channels=list(forecast.channels.items()),
            ages=forecast.ages,
            outcomes=forecast.outcomes,
            moves=forecast.moves,
            left_alone=forecast.left_alone,
            not_moved=forecast.not_moved,
            fails=forecast.fails,
            concerns=forecast.concerns,
            other_moves=forecast.other_moves,
            ids=list(fill.ids),
            reads=list(fill.reads.values()),
            moved=list(fill.moved),
            retries=fill.retries,
            listings=list(fill.listed.items()),
            changed=fill.changed,
        )

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """What is in the file; None where there is none yet. Raises UsageError."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError):
            # pydantic's error is long, and repeats the content of a file that is something else.
            raise click.UsageError(
                f"--keep {path}: this is no file that this version of rehearse has written; "
                f"{BEGIN_AGAIN}"
            ) from None

    def check(self, path: Path, of: Subject) -> None:
        """Raises UsageError unless the file is of the same store and settings."""
        own, now = (
            {"store": self.store_hash, "stage": self.stage, **self.settings},
            {
                "store": of.settings.bigcommerce_store_hash,
                "stage": of.stage,
                **assumed(of.settings),
            },
        )
        different = [name for name in now if own.get(name) != now[name]]
        if different:
            was, is_ = (
                ", ".join(f"{name}={_text(values.get(name))}" for name in different)
                for values in (own, now)
            )
            raise click.UsageError(
                f"--keep {path}: the file was begun with {was}, and this run has {is_}; give the "
                f"same, {BEGIN_AGAIN}"
            )

    def restore(self, forecast: Forecast) -> None:
        """Add what was found to a forecast of no orders."""
        fill = forecast.fill
        for name in ("listed", "newest", "oldest", "created_from", "created_to", "reached"):
            setattr(forecast, name, getattr(self, name))
        for name in ("moves", "left_alone", "not_moved", "fails", "concerns"):
            setattr(forecast, name, getattr(self, name))
        forecast.statuses = Counter({n: found for n, found in self.statuses if n is not None})
        forecast.channels = Counter(dict(self.channels))
        forecast.ages, forecast.outcomes = Counter(self.ages), Counter(self.outcomes)
        forecast.other_moves = Counter(self.other_moves)
        fill.ids.extend(self.ids)
        fill.moved.extend(self.moved)
        fill.reads = {each.order_id: each for each in self.reads}
        fill.listed = Counter(dict(self.listings))
        fill.retries, fill.changed = self.retries, self.changed

    def write(self, path: Path) -> None:
        """Replace the file at once, so that it is never half written. Raises OSError."""
        with NamedTemporaryFile("w", dir=path.parent, prefix=path.name, delete=False) as file:
            temporary = Path(file.name)
            try:
                file.write(self.model_dump_json())
                file.close()
                os.replace(temporary, path)
            finally:
                temporary.unlink(missing_ok=True)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
