"""What the functions have logged, about an order or in a time: their log groups in CloudWatch Logs.

moto returns every line whatever the filter is, so each line is checked here as well.
"""

import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.config import Config

from chalicelib.domain.models import JsonObject
from chalicelib.edges.aws import AwsError, calling
from ops.deployment import HANDLERS, Deployment, client
from ops.remedies import describe_error

SPANS = (timedelta(hours=1), timedelta(hours=12), timedelta(days=2), timedelta(days=6))
"""CloudWatch Logs searches from the oldest line on. It is asked for the newest span first, so that
what is not searched when the time is over is the oldest."""

TIMEOUT = 8.0
"""Seconds for all log groups, which are searched at the same time."""

PAGES = 20
"""Requests for a span of a log group at most. Each searches a part of it, and may find nothing."""

MOST = 300
"""Lines of a function that are shown."""

CLIENT = Config(connect_timeout=3, read_timeout=6, retries={"total_max_attempts": 2})


@dataclass(frozen=True)
class Line:
    """A line of a function's log: its event, message, level, and fields."""

    at: datetime
    function: str
    fields: JsonObject

    @property
    def event(self) -> str:
        return str(self.fields.get("event", ""))


@dataclass(frozen=True)
class Filter:
    """Which lines are wanted: in the syntax of CloudWatch Logs, and as a condition."""

    pattern: str
    is_wanted: Callable[[Line], bool]


EVERY = Filter('{ $.event = "*" }', lambda line: bool(line.event))
"""The lines of this service; Lambda's own have no event."""

PROBLEMS = Filter(
    '{ $.event = "*" && ($.level = "WARNING" || $.level = "ERROR") }',
    lambda line: bool(line.event) and line.fields.get("level") in ("WARNING", "ERROR"),
)

RETURNED = Filter(
    '{ $.event = "order_returned" || $.event = "order_skipped" }',
    lambda line: line.event in ("order_returned", "order_skipped"),
)
"""Orders whose messages were returned to their queue, or are not needed any more."""


def of_order(order_id: int) -> Filter:
    return Filter(
        f"{{ $.order_id = {order_id} }}", lambda line: line.fields.get("order_id") == order_id
    )


def of_sources(*sources: str) -> Filter:
    """Lines of orders that were found in one of these ways."""
    pattern = " || ".join(f'$.source = "{source}"' for source in sources)
    return Filter(
        f"{{ {pattern} }}",
        lambda line: "order_id" in line.fields and line.fields.get("source") in sources,
    )


@dataclass(frozen=True)
class Journal:
    """The wanted lines, oldest first; every log group was searched from `since` until `until`.

    `problems` name the log groups that could not be searched.
    """

    lines: tuple[Line, ...]
    since: datetime
    until: datetime
    problems: tuple[str, ...] = ()


@dataclass
class _Search:
    """The search of one function's log group, as far as it has got."""

    deployment: Deployment
    logs: Any
    wanted: Filter
    function: str
    since: datetime
    until: datetime
    deadline: float
    lines: list[Line] = field(default_factory=list)
    problem: str | None = None

    def back(self, first: datetime) -> None:
        """Search the spans from now back to `first`, as far as the time allows."""
        now = self.since
        # Clocks differ.
        end = now + timedelta(minutes=5)
        for start in (*(now - span for span in SPANS if now - span > first), first):
            if not self._read(start, end):
                break
            self.since = end = start

    def forth(self, last: datetime) -> None:
        """Search from `since` to `last`, as far as the time allows."""
        is_whole = self._read(self.since, last)
        self.until = last if is_whole else max((line.at for line in self.lines), default=self.since)

    def _read(self, start: datetime, end: datetime) -> bool:
        """Read a span page by page; whether it was searched whole."""
        try:
            return self._read_pages(start, end)
        except AwsError as error:
            self.problem = _described(self.deployment, self.function, error)
            return False

    def _read_pages(self, start: datetime, end: datetime) -> bool:
        more: dict[str, str] = {}
        for _ in range(PAGES):
            if self.deployment.clock.time() > self.deadline or len(self.lines) >= MOST:
                return False
            with calling(f"FilterLogEvents {self.function}"):
                answer = self.logs.filter_log_events(
                    logGroupName=f"/aws/lambda/{self.deployment.name(self.function)}",
                    filterPattern=self.wanted.pattern,
                    startTime=int(start.timestamp() * 1000),
                    # The end is inclusive, and belongs to the span that was read before.
                    endTime=int(end.timestamp() * 1000) - 1,
                    **more,
                )
            self.lines += filter(self.wanted.is_wanted, map(self._line, answer["events"]))
            if "nextToken" not in answer:
                return True
            more = {"nextToken": answer["nextToken"]}
        return False

    def _line(self, event: JsonObject) -> Line:
        at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
        return Line(at, self.function, _fields(event["message"]))


def lines_of(deployment: Deployment, order_id: int, since: datetime) -> Journal:
    """Search the log groups of all functions, from `since` to now, for TIMEOUT at most.

    A log group that does not exist, or may not be read, is a problem of the journal and no error.
    """
    now = deployment.clock.now()
    searches = _searches(deployment, HANDLERS, of_order(order_id), now)
    return _run(searches, lambda search: search.back(since), now, now)


def lines_between(
    deployment: Deployment,
    first: datetime,
    last: datetime,
    wanted: Filter,
    functions: Iterable[str] = HANDLERS,
) -> Journal:
    """Search the log groups from `first` on, as `lines_of`; of many lines the first are found."""
    searches = _searches(deployment, functions, wanted, first)
    return _run(searches, lambda search: search.forth(last), first, last)


def _searches(
    deployment: Deployment, functions: Iterable[str], wanted: Filter, at: datetime
) -> list[_Search]:
    logs, deadline = client("logs", config=CLIENT), deployment.clock.time() + TIMEOUT
    return [_Search(deployment, logs, wanted, name, at, at, deadline) for name in functions]


def _run(
    searches: list[_Search], work: Callable[[_Search], None], first: datetime, last: datetime
) -> Journal:
    """Search all log groups at the same time; `first` and `last` hold where none can be."""
    with ThreadPoolExecutor(len(searches)) as pool:
        list(pool.map(work, searches))
    searched = [search for search in searches if search.problem is None]
    return Journal(
        tuple(sorted((n for each in searches for n in each.lines), key=lambda line: line.at)),
        max((each.since for each in searched), default=first),
        min((each.until for each in searched), default=last),
        tuple(each.problem for each in searches if each.problem),
    )


def _fields(message: str) -> JsonObject:
    try:
        fields = json.loads(message)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}


def _described(deployment: Deployment, function: str, error: AwsError) -> str:
    if error.reason == "ResourceNotFoundException":
        return f"The log group of {function} does not exist."
    return f"The log of {function} was not read: {describe_error(deployment.stage, error)}."
