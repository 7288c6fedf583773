"""The sentences of which conclusions are made; those that may be empty begin with a space."""

from chalicelib.domain.records import ReplicationRecord
from ops.explain.facts import Facts, moment, status_name
from ops.wording import count


def failed(facts: Facts) -> str:
    failing = facts.failing
    if failing is None:
        return ""
    return (
        f" It has failed since {moment(failing.since)}, {count(failing.receives, 'time')}, the "
        f"last time with {failing.error_class}: {failing.error}."
    )


def failure(facts: Facts) -> str:
    """Since when the order fails, why, and what becomes of its message."""
    if facts.dead_letters:
        return f"{failed(facts)} Its message is in a dead-letter queue."
    if facts.failing is None:
        return ""
    if facts.failing.dead_at:
        return f"{failed(facts)} Its message is on the way to the dead-letter queue."
    return f"{failed(facts)} Its next try is at {moment(facts.failing.next_try_at)}."


def stored(record: ReplicationRecord) -> str:
    archived = f", and archived at {moment(record.archived_at)}" if record.is_archived else ""
    return (
        f"The order was stored at {moment(record.replicated_at)} (source: {record.source})"
        f"{archived}."
    )


def parts(record: ReplicationRecord) -> str:
    """Which lists are shorter than the order states."""
    if not record.incomplete:
        return ""
    lists = ", ".join(record.incomplete)
    if record.believed:
        return f" It is stored with too few {lists}: the store has sent no more for 15 minutes."
    return f" It is incomplete: the store sent too few {lists}."


def move(record: ReplicationRecord) -> str:
    return f"from {status_name(record.moved_from)} to {status_name(record.moved_to)}"


def now(facts: Facts) -> str:
    """The order's present status in the store, if it is not the one it was moved to."""
    order, record = facts.order, facts.record
    if order is None:
        return "" if facts.store_error else " It no longer exists in the store."
    if order.is_deleted:
        return " It is archived in the store now."
    if record and order.status_id == record.moved_to:
        return ""
    return f" Its status in the store is {status_name(order.status_id)} now."


def unreadable(facts: Facts) -> str:
    if facts.store_error is None:
        return "it no longer exists in the store"
    return f"the store could not be read ({facts.store_error})"


def messages(facts: Facts) -> str:
    return count(facts.queued, "message")
