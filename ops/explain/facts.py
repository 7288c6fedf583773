"""The facts about one order, and how its times and statuses are written."""

from dataclasses import dataclass
from datetime import UTC, datetime

from chalicelib.domain.jobs import Job
from chalicelib.domain.models import Order, OrderStatus, ReplicationRecord
from chalicelib.domain.rules import Policy
from ops.remedies import run


@dataclass(frozen=True)
class Facts:
    """What is known about an order at one moment; the counts of SQS are approximate.

    `order` is the order in the store, with its lines where they decide and could be read. If it is
    None, `store_error` is the reason why the store could not be read; if that is None as well, the
    store does not have the order. `polls` are newest first, as far back as the next poll depends on
    them.
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
    """BigCommerce's default name of a status, with its id; the merchant may have renamed it."""
    if status_id is None or status_id not in list(OrderStatus):
        return "an unknown status" if status_id is None else f"status {status_id}"
    return f"{OrderStatus(status_id).name.replace('_', ' ').title()} ({status_id})"


def moment(time: datetime | str | None) -> str:
    """A time in UTC; text is read as ISO 8601."""
    if time is None:
        return "an unknown time"
    then = moment_of(time) if isinstance(time, str) else time
    return f"{then.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def moment_of(text: str) -> datetime:
    return datetime.fromisoformat(text)


def poll_that_listed(order: Order, polls: tuple[Job, ...], policy: Policy) -> Job | None:
    """The newest successful poll that began after the order last changed and listed that change.

    A sweep lists every order that is new by the settings of its time.
    """
    for job in polls:
        if job.outcome != "succeeded" or moment_of(job.began_at) <= order.date_modified:
            continue
        if job.mode == "sweep" and job.scope == policy.scope:
            return job
        if job.since is not None and moment_of(job.since) <= order.date_modified:
            return job
    return None
