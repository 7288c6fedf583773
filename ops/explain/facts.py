"""What can be known of one order, and how its times and statuses are said."""

from dataclasses import dataclass
from datetime import UTC, datetime

from chalicelib.domain.jobs import Job
from chalicelib.domain.models import Order, OrderStatus, ReplicationRecord
from chalicelib.domain.rules import Policy
from ops.remedies import run


@dataclass(frozen=True)
class Facts:
    """All that is known of an order at one moment; counts are SQS's, which it calls approximate.

    `order` is as the store has it, with its lines where they matter and could be read. Without
    one, `store_error` says why the store could not be asked; without that, it has no such order.
    `polls` are the newest first, and all that still bear on what the next one does.
    """

    stage: str
    order_id: int
    policy: Policy
    order: Order | None = None
    store_error: str | None = None
    record: ReplicationRecord | None = None
    dead_letters: int = 0
    queued: int = 0
    polls: tuple[Job, ...] = ()

    def command(self, text: str) -> str:
        return run(self.stage, text)


def status_name(status_id: int | None) -> str:
    """A status as a new store calls it, with its id; the merchant may call it otherwise."""
    if status_id is None or status_id not in list(OrderStatus):
        return "an unknown status" if status_id is None else f"status {status_id}"
    return f"{OrderStatus(status_id).name.replace('_', ' ').title()} ({status_id})"


def moment(time: datetime | str | None) -> str:
    """A moment for people, ISO 8601 or already read."""
    if time is None:
        return "an unknown time"
    then = moment_of(time) if isinstance(time, str) else time
    return f"{then.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def moment_of(text: str) -> datetime:
    return datetime.fromisoformat(text)


def poll_that_saw(order: Order, polls: tuple[Job, ...], policy: Policy) -> Job | None:
    """The newest poll that succeeded, began after the order last changed, and looked that far back.

    A sweep looks at everything that was new by the settings of its day.
    """
    for job in polls:
        if job.outcome != "succeeded" or moment_of(job.began_at) <= order.date_modified:
            continue
        if job.mode == "sweep" and job.scope == policy.scope:
            return job
        if job.since is not None and moment_of(job.since) <= order.date_modified:
            return job
    return None
