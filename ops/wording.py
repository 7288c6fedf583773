"""How times, durations and queue depths are written for people."""

from collections.abc import Mapping
from datetime import datetime, timedelta


def span(seconds: float) -> str:
    """A span in its largest unit: 40 s, 12 min, 3 h, 2 days."""
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def ago(moment: datetime | str, now: datetime) -> str:
    """How long ago a moment was; ISO 8601 is read."""
    then = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return f"{span(max(timedelta(0), now - then).total_seconds())} ago"


def waiting(queue: Mapping[str, int]) -> str:
    """A queue's depth, as `Deployment.depth` has it."""
    return f"{queue['visible']} waiting, {queue['in_flight']} being replicated or put off"
