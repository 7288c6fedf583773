"""What the functions have logged about an order: their log groups in CloudWatch Logs."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
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
    """The search of one log group, as far as it has got."""

    since: datetime
    lines: list[Line] = field(default_factory=list)
    problem: str | None = None


def lines_of(deployment: Deployment, order_id: int, since: datetime) -> Journal:
    """Search the log groups of all functions, from `since` to now, for TIMEOUT at most.

    A log group that does not exist, or may not be read, is a problem of the journal and no error.
    """
    logs = client("logs", config=CLIENT)
    with ThreadPoolExecutor(len(HANDLERS)) as pool:
        search = partial(_searched, deployment, logs, order_id, since, deployment.clock.now())
        searches = list(pool.map(search, HANDLERS))
    read = [each for each in searches if each.problem is None]
    return Journal(
        tuple(sorted((n for each in searches for n in each.lines), key=lambda line: line.at)),
        max((each.since for each in read), default=since),
        tuple(each.problem for each in searches if each.problem),
    )


def _searched(
    deployment: Deployment,
    logs: Any,
    order_id: int,
    since: datetime,
    now: datetime,
    function: str,
) -> _Search:
    found = _Search(now)
    deadline = deployment.clock.time() + TIMEOUT
    # Lines of this second may still be written, and clocks differ.
    end = now + timedelta(minutes=5)
    for start in (*(now - span for span in SPANS), since):
        start = max(start, since)
        if start >= end:
            break
        try:
            is_whole = _read(deployment, logs, order_id, start, end, deadline, function, found)
        except AwsError as error:
            found.problem = _described(deployment, function, error)
            break
        if not is_whole:
            break
        found.since = end = start
    return found


def _read(
    deployment: Deployment,
    logs: Any,
    order_id: int,
    start: datetime,
    end: datetime,
    deadline: float,
    function: str,
    found: _Search,
) -> bool:
    """Read a span page by page; whether it was searched whole."""
    more: dict[str, str] = {}
    for _ in range(PAGES):
        if deployment.clock.time() > deadline or len(found.lines) >= MOST:
            return False
        with calling(f"FilterLogEvents {function}"):
            answer = logs.filter_log_events(
                logGroupName=f"/aws/lambda/{deployment.name(function)}",
                filterPattern=f"{{ $.order_id = {order_id} }}",
                startTime=int(start.timestamp() * 1000),
                # The end is inclusive, and belongs to the span that was read before.
                endTime=int(end.timestamp() * 1000) - 1,
                **more,
            )
        for event in answer["events"]:
            fields = _fields(event["message"])
            # moto returns every line.
            if fields.get("order_id") == order_id:
                at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
                found.lines.append(Line(at, function, fields))
        if "nextToken" not in answer:
            return True
        more = {"nextToken": answer["nextToken"]}
    return False


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
