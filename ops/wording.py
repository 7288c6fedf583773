"""How times, durations, counts and queue depths are written in output."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta


def duration(seconds: float) -> str:
    """A duration in its largest unit: 40 s, 12 min, 3 h, 2 days."""
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def ago(moment: datetime | str, now: datetime) -> str:
    """The time since a moment, which may be ISO 8601."""
    then = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return f"{duration(max(timedelta(0), now - then).total_seconds())} ago"


def count(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun: 1 order, 2 orders."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def queue_depth(queue: Mapping[str, int]) -> str:
    """A queue's depth, as `Deployment.depth` returns it."""
    delayed = f", {queue['delayed']} delayed" if queue.get("delayed") else ""
    return f"{count(queue['visible'], 'message')} visible, {queue['in_flight']} in flight{delayed}"


def listed(ids: Iterable[int], most: int = 20) -> str:
    """Order ids, and how many more there are."""
    shown = [str(order_id) for order_id in ids]
    more = f" and {len(shown) - most} more" if len(shown) > most else ""
    return ", ".join(shown[:most]) + more


def listed_names(names: Iterable[str]) -> str:
    """Names in one line, sorted."""
    return ", ".join(sorted(names))
