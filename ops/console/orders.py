"""The page of a day's orders; it leads to the page of each order."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug import Response

from chalicelib.domain.failing import FailingOrder
from chalicelib.domain.models import LARGEST_ID, OrderStatus
from chalicelib.domain.records import ReplicationRecord
from chalicelib.domain.rules import Policy
from ops.console import order
from ops.console.console import current
from ops.deployment import Deployment
from ops.tables import newest_created_on

SHOWN = 50
"""Orders on a page, and orders that are read at a time."""

READ = 1000
"""Orders that are read for one page, if a filter leaves most of them out."""

SEARCHED_DAYS = 30

STATES = {
    "new": ("wait", "stored, and not moved yet"),
    "moved": ("good", "moved by this service, and still in that status"),
    "followed": ("quiet", "not new any more: it is kept current, whatever its status becomes"),
    "failing": ("bad", "its replication has failed at least three times"),
    "incomplete": ("wait", "the store has sent a list too short; it is read again"),
    "archived": ("quiet", "archived or deleted in the store"),
    "forgotten": ("quiet", "its content was removed on request"),
    "unknown": ("bad", "an item that this service has not written"),
}
"""The states of a stored order, each with its color and its meaning."""

page = Blueprint("Orders", __name__, url_prefix="/orders")
page.add_url_rule(f"/<int(max={LARGEST_ID}):order_id>", view_func=order.show)
page.add_url_rule(f"/<int(max={LARGEST_ID}):order_id>", view_func=order.act, methods=["POST"])


@dataclass(frozen=True)
class Row:
    """A stored order. An item of another program has no record."""

    order_id: int
    record: ReplicationRecord | None
    state: str

    @property
    def changed_at(self) -> datetime | None:
        """The order's `date_modified`."""
        return datetime.fromtimestamp(self.record.version, UTC) if self.record else None


@dataclass
class Matching:
    """Orders of a day, how many were read for them, and the id below which the rest begins."""

    rows: list[Row] = field(default_factory=list)
    read: int = 0
    rest: int | None = None


@page.get("/")
def index() -> str | Response:
    if wanted := request.args.get("id", "").strip():
        return _order(wanted)
    console = current()
    deployment, today = console.deployment, console.clock.now().date()
    status, state = _number("status"), request.args.get("state", "")
    given = _day()
    day, found = given or today, Matching()
    for day in [given] if given else (today - timedelta(days=n) for n in range(SEARCHED_DAYS)):
        found = matching(deployment, day, _number("before"), status, state)
        if found.read:
            break
    return render_template(
        "orders.html",
        day=day if found.read else given or today,
        today=today,
        another=timedelta(days=1),
        found=found,
        chosen=status,
        state=state,
        states=STATES,
        statuses=[
            each
            for each in OrderStatus
            if each not in deployment.settings.policy().ignored_statuses
        ],
        searched=SEARCHED_DAYS,
    )


def state_of(record: ReplicationRecord | None, failing: FailingOrder | None, policy: Policy) -> str:
    """One of STATES: what an operator has to know first about a stored order.

    A moved order is followed once it has another status, as is one that was never new. A completed
    order counts as followed: whether it is digital, and so may be new, is not in its record.
    """
    if record is None:
        return "unknown"
    if failing:
        return "failing"
    if record.is_forgotten:
        return "forgotten"
    if record.is_archived:
        return "archived"
    if record.incomplete and not record.believed:
        return "incomplete"
    if record.is_moved:
        return "moved" if record.status_id == record.moved_to and record.moved_from else "followed"
    is_new = record.status_id in set(policy.new_statuses) - {OrderStatus.COMPLETED}
    return "new" if is_new or record.pending_move is not None else "followed"


def matching(
    deployment: Deployment, day: date, before: int | None, status: int | None, state: str
) -> Matching:
    """The orders of a day with ids below `before` that have this status and state, descending.

    Raises AwsError.
    """
    found = Matching()
    for row in _rows(deployment, day, before or LARGEST_ID):
        if len(found.rows) == SHOWN or found.read == READ:
            found.rest = row.order_id + 1
            break
        found.read += 1
        is_of_status = status is None or (row.record and row.record.status_id == status)
        if is_of_status and state in ("", row.state):
            found.rows.append(row)
    return found


def _rows(deployment: Deployment, day: date, before: int) -> Iterator[Row]:
    wiring, policy = deployment.wiring, deployment.settings.policy()
    # One more than is shown, so that a full page knows whether there is another.
    while ids := newest_created_on(deployment, day, SHOWN + 1, before):
        records, failing = wiring.orders.records(ids, consistent=False), wiring.jobs.failing(ids)
        for order_id in ids:
            record = records.get(order_id)
            yield Row(order_id, record, state_of(record, failing.get(order_id), policy))
        if len(ids) <= SHOWN:
            return
        before = ids[-1]


def _order(wanted: str) -> Response:
    order_id = int(wanted) if wanted.isascii() and wanted.isdecimal() and len(wanted) < 20 else 0
    if not 1 <= order_id <= LARGEST_ID:
        abort(400, "An order id is a whole number from 1. Orders cannot be searched by a text.")
    return redirect(url_for("Orders.show", order_id=order_id))


def _number(name: str) -> int | None:
    return request.args.get(name, type=int)


def _day() -> date | None:
    given = request.args.get("day", "")
    try:
        return date.fromisoformat(given) if given else None
    except ValueError:
        abort(400, "A day is a date like 2026-01-31.")
