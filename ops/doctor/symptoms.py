"""The findings about what happens at a stage, from a status that has been read already."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Self

from ops.deployment import Deployment
from ops.destinations.destination import all_destinations
from ops.destinations.row import Row
from ops.doctor.alerts import alarms
from ops.doctor.checkup import run_check
from ops.doctor.events import event_findings
from ops.doctor.finding import Finding
from ops.doctor.orders import embedded_finding, failing_finding, move_finding
from ops.doctor.progress import dead_letter_finding, message_finding, polls
from ops.metrics import by_hour
from ops.status.command import Status

PROMISED = ("MissingOrders", "StaleOrders", "UnconfirmedMoves")
"""The metrics that count exceptions to the promises; each must be 0."""


@dataclass(frozen=True)
class Symptoms:
    """A stage's status, its destinations, the exceptions of the last day, and the findings.

    Not whether its resources, secrets and webhooks are as they should be: the doctor's other checks
    take seconds, and requests to the store.
    """

    status: Status
    destinations: list[Row]
    exceptions: dict[str, int]
    findings: list[Finding]

    @classmethod
    def of(cls, deployment: Deployment) -> Self:
        """Read from AWS, at the same time. Raises NotDeployed and AwsError."""
        with ThreadPoolExecutor() as pool:
            status = pool.submit(Status.of, deployment)
            checked = [
                pool.submit(list, run_check(deployment.stage, name, partial(check, deployment)))
                for name, check in {"alarms": alarms, "polls": polls}.items()
            ]
            rows = list(pool.map(Row.of, all_destinations(deployment)))
            hours = list(pool.map(lambda name: by_hour(deployment, name), PROMISED))
        sums = [sum(hour.total for hour in found) for found in hours]
        found = [finding for check in checked for finding in check.result()]
        found += _findings(deployment, status.result(), rows)
        return cls(status.result(), rows, dict(zip(PROMISED, sums, strict=True)), found)

    def marked(self, mark: str) -> list[Finding]:
        """The findings that are `fault`, `note` or `ok`."""
        return [finding for finding in self.findings if finding.mark == mark]


def _findings(deployment: Deployment, status: Status, rows: Iterable[Row]) -> Iterator[Finding]:
    stage, settings = deployment.stage, deployment.settings
    for name, queue in status.queues.items():
        yield dead_letter_finding(stage, name, queue.dead_letters)
        yield message_finding(stage, name, queue.depth, queue.oldest)
    yield failing_finding(stage, status.failing, status.now)
    yield from event_findings(stage, status.backlog.unpublished, rows)
    yield move_finding(stage, settings.policy(), status.pause, status.now)
    if settings.embedded_reads:
        yield embedded_finding(stage, status.embedded_off)
