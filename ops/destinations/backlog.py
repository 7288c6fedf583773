"""What has not reached the destinations: changes that were not published, events not delivered."""

from dataclasses import dataclass
from typing import Any

from chalicelib.edges.aws import calling
from ops.deployment import Deployment, client
from ops.destinations.destination import all_destinations


@dataclass(frozen=True)
class Backlog:
    """`unpublished` counts batches of changes, `undelivered` the events of each destination."""

    unpublished: int
    undelivered: dict[str, int]

    @classmethod
    def of(cls, deployment: Deployment) -> "Backlog":
        """The counts of SQS, which are approximate. Raises NotDeployed and AwsError."""
        undelivered = {each.name: each.undelivered() for each in all_destinations(deployment)}
        return cls(
            unpublished(deployment),
            {name: number for name, number in undelivered.items() if number},
        )

    def facts(self) -> dict[str, Any]:
        return {"unpublished_batches": self.unpublished, "undelivered": self.undelivered}


def unpublished(deployment: Deployment) -> int:
    """The batches of changes that publish_changes has given up. Raises AwsError."""
    name = deployment.name("unpublished-events")
    with calling(f"GetQueueUrl {name}"):
        url = client("sqs").get_queue_url(QueueName=name)["QueueUrl"]
    return sum(deployment.depth(url).values())
