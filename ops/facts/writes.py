"""Facts about writing, checked on an order that is created for it."""

from collections.abc import Iterator
from http import HTTPStatus

from chalicelib.domain.models import OrderStatus, number
from chalicelib.domain.parts import CHANGED_BY_A_MOVE
from ops.facts.evidence import Evidence, date_of
from ops.facts.fact import Case, Topic

WRITES = Topic("Writing", writes=True)


def is_shipped(store: Evidence) -> bool:
    """Whether the store accepted a shipment of the order."""
    return bool(store.trial.shipment and store.trial.shipment.is_ok)


REFUSALS = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


@WRITES.fact(
    "order-of-an-app-is-pending",
    "An order that an app creates is Pending (1) if it gives no status.",
    "the statuses in which an order is new",
    setting="NEW_STATUS_IDS",
    relied_on=False,
)
def pending(store: Evidence) -> Iterator[Case]:
    created = store.trial.created
    if created and created.is_ok:
        yield created.object.get("status_id") == OrderStatus.PENDING


@WRITES.fact(
    "unknown-field-is-400",
    "A change of a field that orders do not have is answered 400.",
    "noticing a field that BigCommerce no longer accepts",
    unit="request",
    relied_on=False,
)
def unknown_field(store: Evidence) -> Iterator[Case]:
    if store.trial.unknown_field:
        yield store.trial.unknown_field.status == HTTPStatus.BAD_REQUEST


@WRITES.fact(
    "move-returns-the-order",
    "A change of the status returns the order in its new status.",
    "knowing that a move took effect",
    setting="MOVE_STATUS",
)
def move_returns(store: Evidence) -> Iterator[Case]:
    if store.trial.put:
        yield store.trial.put.object.get("status_id") == OrderStatus.AWAITING_SHIPMENT


@WRITES.fact(
    "move-changes-nothing-else",
    "A change of the status changes no other field.",
    "not reading a moved order again",
    setting="MOVE_STATUS",
)
def move_changes(store: Evidence) -> Iterator[Case]:
    created, put = store.trial.created, store.trial.put
    if created and put and created.object and put.object:
        before, after = created.object, put.object
        names = (before.keys() | after.keys()) - {*CHANGED_BY_A_MOVE}
        yield [name for name in names if before.get(name) != after.get(name)]


@WRITES.fact(
    "move-advances-date-modified",
    "A change of the status advances `date_modified`.",
    "finding status changes by the orders that have changed",
)
def move_advances(store: Evidence) -> Iterator[Case]:
    created, put = store.trial.created, store.trial.put
    if created and put:
        before, after = (date_of(each.object, "date_modified") for each in (created, put))
        if before and after:
            yield after > before


@WRITES.fact(
    "move-is-read-at-once",
    "An order that is read after a change of its status is as the change returned it.",
    "recognizing the service's own move when its webhook arrives",
)
def move_is_read(store: Evidence) -> Iterator[Case]:
    put, read = store.trial.put, store.trial.read
    if put and read and put.object:
        names = put.object.keys() | read.object.keys()
        yield [name for name in names if put.object.get(name) != read.object.get(name)]


@WRITES.fact(
    "move-is-listed-at-once",
    "An order is listed in its new status at once.",
    "the number of orders that a poll queues in vain",
    relied_on=False,
)
def move_is_listed(store: Evidence) -> Iterator[Case]:
    if store.trial.listed:
        statuses = [order.get("status_id") for order in store.trial.listed.members]
        yield statuses == [OrderStatus.AWAITING_SHIPMENT]


@WRITES.fact(
    "new-shipment-advances-date-modified",
    "A new shipment advances the `date_modified` of its order.",
    "finding shipments by the orders that have changed",
    setting="SWEEP_DAYS",
)
def new_shipment_advances(store: Evidence) -> Iterator[Case]:
    before, after = (
        date_of(answer.object, "date_modified") if answer else None
        for answer in (store.trial.put, store.trial.shipped)
    )
    if is_shipped(store) and before and after:
        yield after > before


@WRITES.fact(
    "new-shipment-shows-in-items-shipped",
    "An order has `items_shipped` as soon as it has a shipment.",
    "requesting the shipments of those orders only that have some",
)
def new_shipment_shows(store: Evidence) -> Iterator[Case]:
    if is_shipped(store) and store.trial.shipped:
        yield number(store.trial.shipped.object.get("items_shipped")) == 1


@WRITES.fact(
    "new-shipment-is-listed-at-once",
    "A new shipment is among those of its order at once.",
    "reading the shipments of an order that has just changed",
)
def new_shipment_is_listed(store: Evidence) -> Iterator[Case]:
    if is_shipped(store) and store.trial.shipments:
        yield len(store.trial.shipments.members) == 1


@WRITES.fact(
    "order-is-archived",
    "An order that was deleted is 404, or has `is_deleted`.",
    "marking archived orders",
)
def archived(store: Evidence) -> Iterator[Case]:
    read = store.trial.read_archived
    if read:
        is_missing = read.status == HTTPStatus.NOT_FOUND
        yield is_missing or read.object.get("is_deleted") is True


@WRITES.fact(
    "deleted-order-is-not-listed",
    "An order that was deleted is not listed.",
    "noticing an archived order; one in a list is recognized by `is_deleted`",
    relied_on=False,
)
def not_listed(store: Evidence) -> Iterator[Case]:
    if store.trial.listed_archived:
        yield not store.trial.listed_archived.members


@WRITES.fact(
    "scope-shows-without-a-change",
    "A change of order 0 is refused by the token's scope first, and else changes nothing.",
    "the check of the scope in `doctor`",
    unit="request",
)
def scope_shows(store: Evidence) -> Iterator[Case]:
    if store.trial.order_0 and store.trial.created and store.trial.created.is_ok:
        status = store.trial.order_0.status
        yield HTTPStatus.BAD_REQUEST <= status < 500 and status not in REFUSALS
