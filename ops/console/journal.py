"""What the functions have logged about an order: their log groups in CloudWatch Logs."""

import json
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
class Journal:
    """The lines about an order, oldest first.

    `since` is how far back every log group was searched; `problems` name the others.
    """

    lines: tuple[Line, ...]
    since: datetime
    problems: tuple[str, ...] = ()


@dataclass
class _Search:
    """The search of one function's log group, as far as it has got."""

    deployment: Deployment
    logs: Any
    order_id: int
    function: str
    since: datetime
    lines: list[Line] = field(default_factory=list)
    problem: str | None = None

    def run(self, first: datetime) -> "_Search":
        """Search the spans from now back to `first`, as far as the time allows."""
        now = self.since
        deadline = self.deployment.clock.time() + TIMEOUT
        # Clocks differ.
        end = now + timedelta(minutes=5)
        for start in (*(now - span for span in SPANS if now - span > first), first):
            try:
                if not self._read(start, end, deadline):
                    break
            except AwsError as error:
                self.problem = _described(self.deployment, self.function, error)
                break
            self.since = end = start
        return self

    def _read(self, start: datetime, end: datetime, deadline: float) -> bool:
        """Read a span page by page; whether it was searched whole."""
        more: dict[str, str] = {}
        for _ in range(PAGES):
            if self.deployment.clock.time() > deadline or len(self.lines) >= MOST:
                return False
            with calling(f"FilterLogEvents {self.function}"):
                answer = self.logs.filter_log_events(
                    logGroupName=f"/aws/lambda/{self.deployment.name(self.function)}",
                    filterPattern=f"{{ $.order_id = {self.order_id} }}",
                    startTime=int(start.timestamp() * 1000),
                    # The end is inclusive, and belongs to the span that was read before.
                    endTime=int(end.timestamp() * 1000) - 1,
                    **more,
                )
            self.lines += filter(self._is_of_the_order, map(self._line, answer["events"]))
            if "nextToken" not in answer:
                return True
            more = {"nextToken": answer["nextToken"]}
        return False

    def _line(self, event: JsonObject) -> Line:
        at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
        return Line(at, self.function, _fields(event["message"]))

    def _is_of_the_order(self, line: Line) -> bool:
        """moto returns every line."""
        return line.fields.get("order_id") == self.order_id


def lines_of(deployment: Deployment, order_id: int, since: datetime) -> Journal:
    """Search the log groups of all functions, from `since` to now, for TIMEOUT at most.

    A log group that does not exist, or may not be read, is a problem of the journal and no error.
    """
    logs, now = client("logs", config=CLIENT), deployment.clock.now()
    searches = [_Search(deployment, logs, order_id, function, now) for function in HANDLERS]
    with ThreadPoolExecutor(len(searches)) as pool:
        list(pool.map(lambda search: search.run(since), searches))
    return Journal(
        tuple(sorted((n for each in searches for n in each.lines), key=lambda line: line.at)),
        max((each.since for each in searches if each.problem is None), default=now),
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
