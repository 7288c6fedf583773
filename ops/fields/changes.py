"""How changes of the fields of orders are written in output."""

from collections import Counter
from collections.abc import Sequence

from chalicelib.domain.order_fields import FieldChange

MOST_SHOWN = 5
"""Changes that are named in one line."""


def summary(changes: Sequence[FieldChange]) -> str:
    """How many fields have changed since when, and which, in one line."""
    counts = Counter(change.kind for change in changes)
    numbers = ", ".join(f"{number} {kind}" for kind, number in sorted(counts.items()))
    since = min(change.seen_at for change in changes)
    names = ", ".join(change.path for change in changes[:MOST_SHOWN])
    more = f" and {len(changes) - MOST_SHOWN} more" if len(changes) > MOST_SHOWN else ""
    return f"{numbers} since {since:%Y-%m-%d}: {names}{more}"


def types(change: FieldChange) -> str:
    """The types of a field, with those before the change of them."""
    now = " or ".join(change.types)
    return f"{now}, before {' or '.join(change.before)}" if change.before else now
