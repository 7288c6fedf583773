"""A stage's metrics in CloudWatch."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from chalicelib.edges.aws import calling
from ops.deployment import Deployment, client

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Hour:
    """A metric's sum in the hour that began at `start`."""

    start: datetime
    total: int


def by_hour(deployment: Deployment, metric: str, hours: int = 24) -> list[Hour]:
    """The last hours in which the metric is not 0, oldest first."""
    now = deployment.clock.now()
    began = now.replace(minute=0, second=0, microsecond=0) - (hours - 1) * HOUR
    points = _points(
        Namespace=f"order-replication/{deployment.stage}",
        MetricName=metric,
        StartTime=began,
        EndTime=now + HOUR,
        Period=3600,
        Statistics=["Sum"],
    )
    return [Hour(point["Timestamp"], int(point["Sum"])) for point in points if point["Sum"]]


def age_of_oldest(deployment: Deployment, queue: str) -> int | None:
    """Age of a queue's oldest message in seconds; None when SQS has published none lately.

    SQS publishes it once a minute, some minutes late, and not for a queue that is not in use.
    """
    now = deployment.clock.now()
    points = _points(
        Namespace="AWS/SQS",
        MetricName="ApproximateAgeOfOldestMessage",
        Dimensions=[{"Name": "QueueName", "Value": deployment.name(queue)}],
        StartTime=now - timedelta(minutes=15),
        EndTime=now + timedelta(minutes=1),
        Period=60,
        Statistics=["Maximum"],
    )
    return int(points[-1]["Maximum"]) if points else None


def _points(**request: Any) -> list[dict[str, Any]]:
    with calling(f"GetMetricStatistics {request['MetricName']}"):
        answer = client("cloudwatch").get_metric_statistics(**request)
    return sorted(answer["Datapoints"], key=lambda point: point["Timestamp"])
