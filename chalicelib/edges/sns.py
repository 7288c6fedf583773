"""SNS: e-mail to the people who run the stage. No order's data goes here."""

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chalicelib.clock import Clock
from chalicelib.edges.aws import calling

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

logger = logging.getLogger(__name__)

REPEAT_AFTER = 900.0
"""Seconds in which a container does not repeat an alert: an outage is one story, not a flood."""

LONGEST_SUBJECT = 100
"""Characters of ASCII (https://docs.aws.amazon.com/sns/latest/api/API_Publish.html)."""


@dataclass
class Alerts:
    """The topic of application errors."""

    client: "SNSClient"
    topic_arn: str
    stage: str
    clock: Clock
    _last_sent: dict[str, float] = field(default_factory=dict)

    def publish_failure(self, function: str, error: Exception, context: Any) -> None:
        """Tell which function failed, why, and where its log is. Raises AwsError."""
        self.publish(
            f"{function} failed: {type(error).__name__}",
            {
                "function": function,
                "request id": getattr(context, "aws_request_id", "unknown"),
                "log group": getattr(context, "log_group_name", "unknown"),
                "log stream": getattr(context, "log_stream_name", "unknown"),
                "error": f"{type(error).__name__}: {error}",
            },
        )

    def publish(self, subject: str, facts: dict[str, Any]) -> None:
        """Send one alert, unless this container sent the same within 15 minutes.

        Raises AwsError when SNS does not take it.
        """
        now = self.clock.time()
        if now - self._last_sent.get(subject, float("-inf")) < REPEAT_AFTER:
            logger.info("alert suppressed", extra={"event": "alert_suppressed", "subject": subject})
            return
        headline = f"order-replication {self.stage}: {subject}"
        body = "\n".join([headline, "", *(f"{name}: {value}" for name, value in facts.items())])
        with calling("Publish errors topic"):
            self.client.publish(
                TopicArn=self.topic_arn,
                Subject=headline.encode("ascii", "replace").decode()[:LONGEST_SUBJECT],
                Message=body,
            )
        self._last_sent[subject] = now
