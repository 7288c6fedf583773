"""SNS: alert e-mails to the operators. Alerts never contain an order's data."""

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chalicelib.clock import Clock
from chalicelib.edges.aws import calling

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

logger = logging.getLogger(__name__)

REPEAT_AFTER = 900.0
"""Seconds before a container repeats the same alert, so that an outage does not flood a mailbox."""

LONGEST_SUBJECT = 100
"""ASCII characters (https://docs.aws.amazon.com/sns/latest/api/API_Publish.html)."""


@dataclass
class Alerts:
    """The topic for application errors."""

    client: "SNSClient"
    topic_arn: str
    stage: str
    clock: Clock
    runbook_url: str
    _last_sent: dict[str, float] = field(default_factory=dict)

    def publish_failure(self, function: str, error: Exception, context: Any) -> None:
        """Alert about a failed function: its error, and its log stream. Raises AwsError."""
        self.publish(
            f"{function} failed: {type(error).__name__}",
            {
                "function": function,
                "request id": getattr(context, "aws_request_id", "unknown"),
                "log group": getattr(context, "log_group_name", "unknown"),
                "log stream": getattr(context, "log_stream_name", "unknown"),
                "error": f"{type(error).__name__}: {error}",
            },
            heading="function-failed",
        )

    def publish(self, subject: str, facts: dict[str, Any], *, heading: str) -> None:
        """Publish an alert, unless this container published the same subject within 15 minutes.

        The e-mail links to `heading`, an anchor in the runbook.

        Raises AwsError.
        """
        now = self.clock.time()
        if now - self._last_sent.get(subject, float("-inf")) < REPEAT_AFTER:
            logger.info("alert suppressed", extra={"event": "alert_suppressed", "subject": subject})
            return
        headline = f"order-replication {self.stage}: {subject}"
        facts |= {"runbook": f"{self.runbook_url}#{heading}"}
        body = "\n".join([headline, "", *(f"{name}: {value}" for name, value in facts.items())])
        with calling("Publish errors topic"):
            self.client.publish(
                TopicArn=self.topic_arn,
                Subject=headline.encode("ascii", "replace").decode()[:LONGEST_SUBJECT],
                Message=body,
            )
        self._last_sent[subject] = now
