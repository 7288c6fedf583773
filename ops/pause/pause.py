"""The pause of a stage: an item of the Jobs table, which the consumers read with every batch."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from chalicelib.edges.dynamodb_jobs import PAUSE
from ops.deployment import Deployment
from ops.tables import JobsItem
from ops.wording import duration


@dataclass(frozen=True)
class Pause:
    """Why moves are paused, since when, and the ARN of who paused them."""

    reason: str
    since: datetime | None = None
    by: str | None = None

    @classmethod
    def read(cls, deployment: Deployment) -> Self | None:
        """None while moves are not paused. Raises AwsError."""
        item = JobsItem(deployment, PAUSE).read()
        if item is None:
            return None
        since = item.get("since")
        return cls(
            str(item.get("reason", "")), since and datetime.fromisoformat(since), item.get("by")
        )

    @classmethod
    def begin(cls, deployment: Deployment, reason: str, by: str | None) -> Self:
        """Pause moves, or replace the reason of the pause. Raises AwsError."""
        before = cls.read(deployment)
        since = (before and before.since) or deployment.clock.now()
        paused = cls(reason.strip(), since, by)
        paused.write(deployment)
        return paused

    def write(self, deployment: Deployment) -> None:
        """Raises AwsError."""
        JobsItem(deployment, PAUSE).write(self.facts())

    def facts(self) -> dict[str, Any]:
        """For JSON, and as stored."""
        since = self.since and self.since.isoformat()
        return {"reason": self.reason, "since": since, "by": self.by}

    def described(self, now: datetime) -> str:
        """How long, by whom and why, for one line of output."""
        span = f" for {duration((now - self.since).total_seconds())}" if self.since else ""
        by = f" by {self.by}" if self.by else ""
        return f"moves have been paused{span}{by}: {self.reason}"


def remove(deployment: Deployment) -> None:
    """Raises AwsError."""
    JobsItem(deployment, PAUSE).remove()
