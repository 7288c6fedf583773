"""Checks that events are published, and that every destination can and does receive them."""

from collections.abc import Iterable, Iterator

from ops.deployment import PUBLISH, Deployment
from ops.destinations.backlog import unpublished
from ops.destinations.connection import AUTHORIZED
from ops.destinations.destination import all_destinations
from ops.destinations.row import Row
from ops.doctor.finding import Finding, fault, ok
from ops.remedies import authorize, deploy, read_log, run
from ops.wording import count


def events(deployment: Deployment) -> Iterator[Finding]:
    """Every change is published, and every destination is authorized and has all its events."""
    rows = [Row.of(destination) for destination in all_destinations(deployment)]
    yield from event_findings(deployment.stage, unpublished(deployment), rows)


def event_findings(stage: str, batches: int, rows: Iterable[Row]) -> Iterator[Finding]:
    """The findings for the batches of changes that were not published, and for destinations."""
    if batches:
        found = f"{count(batches, 'batch', 'batches')} of changes were not published"
        yield fault("events", found, read_log(stage, PUBLISH))
    rows = list(rows)
    faults = [finding for row in rows for finding in _of(stage, row)]
    yield from faults
    if not rows:
        yield ok("destinations", "none: no other system receives the changes")
    elif not faults:
        yield ok("destinations", f"{len(rows)}, without undelivered events")


def _of(stage: str, row: Row) -> Iterator[Finding]:
    destination, connection = row.destination, row.connection
    name = f"destination {destination.name}"
    if not destination.is_enabled:
        yield fault(name, "its rule is disabled: it receives no events", deploy(stage))
    if connection:
        if not connection.has_secret:
            found = "has no secret: its endpoint rejects the events"
            yield fault(name, found, authorize(stage, destination.name))
        elif connection.state != AUTHORIZED:
            found = f"is not authorized: {connection.state}, {connection.reason}"
            yield fault(name, found, authorize(stage, destination.name))
    if row.undelivered:
        found = f"{count(row.undelivered, 'event')} could not be delivered"
        yield fault(name, found, run(stage, "events undelivered"))
