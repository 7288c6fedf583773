"""Checks that events are published, and that every destination can and does receive them."""

from collections.abc import Iterator

from ops.deployment import PUBLISH, Deployment
from ops.destinations.backlog import unpublished
from ops.destinations.connection import AUTHORIZED, Connection
from ops.destinations.destination import Destination, all_destinations
from ops.doctor.finding import Finding, fault, ok
from ops.remedies import authorize, deploy, read_log, run
from ops.wording import count


def events(deployment: Deployment) -> Iterator[Finding]:
    """Every change is published, and every destination is authorized and has all its events."""
    if batches := unpublished(deployment):
        found = f"{count(batches, 'batch', 'batches')} of changes were not published"
        yield fault("events", found, read_log(deployment.stage, PUBLISH))
    found_faults = 0
    destinations = all_destinations(deployment)
    for destination in destinations:
        for finding in _of(destination):
            found_faults += 1
            yield finding
    if not destinations:
        yield ok("destinations", "none: no other system receives the changes")
    elif not found_faults:
        yield ok("destinations", f"{len(destinations)}, without undelivered events")


def _of(destination: Destination) -> Iterator[Finding]:
    name, stage = f"destination {destination.name}", destination.deployment.stage
    if not destination.is_enabled:
        yield fault(name, "its rule is disabled: it receives no events", deploy(stage))
    if destination.kind == "https":
        connection = Connection.of(destination)
        if not connection.has_secret:
            found = "has no secret: its endpoint rejects the events"
            yield fault(name, found, authorize(stage, destination.name))
        elif connection.state != AUTHORIZED:
            found = f"is not authorized: {connection.state}, {connection.reason}"
            yield fault(name, found, authorize(stage, destination.name))
    if undelivered := destination.undelivered():
        found = f"{count(undelivered, 'event')} could not be delivered"
        yield fault(name, found, run(stage, "events undelivered"))
