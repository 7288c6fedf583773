"""The facts about one order, and how its times and statuses are written."""

from dataclasses import dataclass
from datetime import UTC, datetime

from chalicelib.domain.failing import FailingOrder
from chalicelib.domain.jobs import Job
from chalicelib.domain.models import Order, OrderStatus
from chalicelib.domain.records import ReplicationRecord
from chalicelib.domain.rules import Policy, has_move_left, is_outdated, is_same
from ops.pause.pause import Pause
from ops.remedies import run


@dataclass(frozen=True)
class Facts:
    """What is known about an order at one moment; the counts of SQS are approximate.

    `order` is the order in the store, with its lines where they decide and could be read. If it is
    None, `store_error` is the reason why the store could not be read; if that is None as well, the
    store does not have the order. `queued` are the messages of all orders in both queues. `polls`
    are newest first, as far back as the next poll depends on them. `undelivered` are the names of
    the destinations that did not take an event of the order. `called_at` is when the last webhook
    about the order was received.
    """

    stage: str
    order_id: int
    policy: Policy
    order: Order | None = None
    store_error: str | None = None
    record: ReplicationRecord | None = None
    failing: FailingOrder | None = None
    pause: Pause | None = None
    dead_letters: int = 0
    queued: int = 0
    undelivered: tuple[str, ...] = ()
    polls: tuple[Job, ...] = ()
    called_at: datetime | None = None

    def command(self, text: str) -> str:
        return run(self.stage, text)

    @property
    def has_move_left(self) -> bool:
        """Whether the order is new and was never moved, paused or not."""
        order = self.order
        return order is not None and has_move_left(order, self.record, self.policy, is_paused=False)

    @property
    def differs(self) -> bool | None:
        """Whether the item is another version of the order; None where that cannot be told."""
        if self.record is None or self.record.is_forgotten:
            return None
        if self.order is None:
            return None if self.store_error else not self.record.is_archived
        return not (is_outdated(self.order, self.record) or is_same(self.order, self.record))

    @property
    def is_current(self) -> bool | None:
        """Whether the item is the order of the store, confirmed by a read after its last change."""
        if self.record is None or self.differs is None:
            return None
        return not self.differs and (self.order is None or self.record.is_current)


def status_name(status_id: int | None) -> str:
    """BigCommerce's default name of a status, with its id; the merchant may have renamed it."""
    if status_id is None or status_id not in list(OrderStatus):
        return "an unknown status" if status_id is None else f"status {status_id}"
    return f"{OrderStatus(status_id).name.replace('_', ' ').title()} ({status_id})"


def moment(time: datetime | str | None) -> str:
    """A time in UTC; text is read as ISO 8601."""
    if time is None:
        return "an unknown time"
    then = datetime.fromisoformat(time) if isinstance(time, str) else time
    return f"{then.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def poll_that_listed(order: Order, polls: tuple[Job, ...], policy: Policy) -> Job | None:
    """The newest successful poll that began after the order last changed and listed that change.

    A sweep also lists every order that is new by the settings of its time; of the completed ones
    only those that changed lately.
    """
    for job in polls:
        if job.outcome != "succeeded" or job.began_at <= order.date_modified:
            continue
        if job.since is not None and job.since <= order.date_modified:
            return job
        is_sweep = job.mode == "sweep" and job.scope == policy.scope
        is_new = order.status_id in set(policy.new_statuses) - {OrderStatus.COMPLETED}
        if is_sweep and (job.since is None or is_new):
            return job
    return None
