"""The comparison of the newest orders' fields with those of earlier orders, after a sweep.

It reads the Orders table and no store, and nothing depends on it: a poll has ended before it, and
ends the same if it fails.
"""

import logging
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from chalicelib.clock import Clock
from chalicelib.domain.items import decode
from chalicelib.domain.models import JsonObject
from chalicelib.domain.order_fields import MOST_CHANGES, FieldChange, Kind, compare, find
from chalicelib.edges.aws import AwsError
from chalicelib.edges.dynamodb import OrdersTable
from chalicelib.edges.dynamodb_jobs import JobsTable
from chalicelib.edges.pacing import OutOfTime

logger = logging.getLogger(__name__)

DAYS = 7
MOST_ORDERS = 200
PER_CALL = 25
"""The orders that are read: the newest of the last days. A response with so many items of the
largest size fits into the function's memory; DynamoDB may return fewer."""

LONGEST = 60.0
LEFT = 60.0
"""Seconds that a comparison takes at most, and that the invocation still has after each call."""

UNREADABLE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    zlib.error,
)
"""What reading an item raises that the service has not written."""


@dataclass(frozen=True)
class FieldWatch:
    """Compares the fields of orders until `deadline`, the end of the invocation (epoch seconds)."""

    orders: OrdersTable
    jobs: JobsTable
    clock: Clock
    deadline: float

    def compare(self) -> None:
        """Report fields that are new, gone or of another type, and keep the fields.

        Errors are logged and not raised. A change whose record could not be written is reported
        again by the next comparison.
        """
        try:
            self._compare()
        except (AwsError, OutOfTime) as error:
            logger.warning(
                "order fields not compared",
                extra={"event": "order_fields_not_compared", "error": str(error)},
            )
        except UNREADABLE as error:
            # Its text may repeat what was read.
            logger.warning(
                "order fields not compared",
                extra={"event": "order_fields_not_compared", "error": type(error).__name__},
            )

    def _compare(self) -> None:
        until = min(self.clock.time() + LONGEST, self.deadline - LEFT)
        self._check_time(until)
        before = self.jobs.order_fields()
        found = find(self._newest(until), before.fields if before else ())
        if not found.orders:
            return
        after, changes = compare(before, found, self.clock.now())
        if changes:
            logger.warning(
                "order fields changed",
                extra={
                    "event": "order_fields_changed",
                    "changed": len(changes),
                    "new": _paths(changes, "new"),
                    "gone": _paths(changes, "gone"),
                    "retyped": _paths(changes, "retyped"),
                },
            )
        self._check_time(until)
        self.jobs.write_order_fields(after)

    def _newest(self, until: float) -> Iterator[JsonObject]:
        """The newest orders, one at a time; forgotten ones are not in the index."""
        ids = self._newest_ids(until)
        for start in range(0, len(ids), PER_CALL):
            self._check_time(until)
            for item in self.orders.some(ids[start : start + PER_CALL]):
                self._check_time(until)
                try:
                    fields, record = decode(item)
                except UNREADABLE:
                    # Written by another program: it has no order of the store.
                    continue
                if not record.is_forgotten:
                    yield fields

    def _newest_ids(self, until: float) -> list[int]:
        today = self.clock.now().date()
        ids: list[int] = []
        for back in range(DAYS):
            self._check_time(until)
            most = MOST_ORDERS - len(ids)
            ids += self.orders.created_on(today - timedelta(days=back), most)
            if len(ids) >= MOST_ORDERS:
                break
        return ids

    def _check_time(self, until: float) -> None:
        if self.clock.time() > until:
            raise OutOfTime("too little time is left to compare the fields of orders")


def _paths(changes: Iterable[FieldChange], kind: Kind) -> list[str]:
    """The paths for the log, whose lines have a limited length."""
    return [change.path for change in changes if change.kind == kind][:MOST_CHANGES]
