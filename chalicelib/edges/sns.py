"""SNS: alert e-mails to the operators. Alerts never contain an order's data."""

import logging
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chalicelib.clock import Clock
from chalicelib.edges.aws import AwsError, calling
from chalicelib.edges.dynamodb_alerts import SentAlerts

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

logger = logging.getLogger(__name__)

REPEAT_AFTER = 3600.0
"""Seconds before a stage repeats the same alert, so that an outage does not flood a mailbox."""

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
    sent: SentAlerts
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
        """Publish an alert, unless the stage published the same subject within an hour.

        The e-mail links to `heading`, an anchor in the runbook. `next` in `facts` is what to do; by
        default it is the command that finds the cause.

        Raises AwsError.
        """
        if not self._is_due(subject):
            logger.info("alert suppressed", extra={"event": "alert_suppressed", "subject": subject})
            return
        headline = f"order-replication {self.stage}: {subject}"
        command = f".venv/bin/python -m ops --stage {self.stage} doctor"
        facts = {
            **facts,
            "next": facts.get("next", command),
            "runbook": f"{self.runbook_url}#{heading}",
        }
        body = "\n".join([headline, "", *(f"{name}: {value}" for name, value in facts.items())])
        try:
            with calling("Publish errors topic"):
                self.client.publish(
                    TopicArn=self.topic_arn,
                    Subject=headline.encode("ascii", "replace").decode()[:LONGEST_SUBJECT],
                    Message=body,
                )
        except AwsError:
            with suppress(AwsError):
                self.sent.withdraw(subject)
            raise
        self._last_sent[subject] = self.clock.time()

    def _is_due(self, subject: str) -> bool:
        """Whether this container may send the alert. It may while the table cannot be reached."""
        if self.clock.time() - self._last_sent.get(subject, float("-inf")) < REPEAT_AFTER:
            return False
        try:
            return self.sent.claim(subject, REPEAT_AFTER)
        except AwsError as error:
            logger.warning(
                "table not reached",
                extra={"event": "table_not_reached", "what": "alerts", "error": str(error)},
            )
            return True
