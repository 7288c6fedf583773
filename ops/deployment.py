"""A deployed stage, found by its name: the functions say what they were told about the rest."""

import functools
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from chalicelib.clock import Clock
from chalicelib.edges.aws import AwsError, calling
from chalicelib.edges.bigcommerce import BigCommerce
from chalicelib.settings import Settings
from chalicelib.wiring import Wiring
from ops.stages import PROJECT, Stage

POLL, CONVERTED, REPLICATE = HANDLERS = ("poll-orders", "cart-converted", "replicate-orders")
"""The functions' names without their prefix."""

FOR_A_POLL = Config(read_timeout=910, retries={"total_max_attempts": 1})
"""A poll runs for up to 900 seconds, and is not to be started twice."""


class NotDeployed(Exception):
    """There is no such stage in this account and region."""


@dataclass(frozen=True)
class Deployment:
    """One stage in AWS; `environment` is what its poll_orders was given."""

    stage: str
    clock: Clock
    environment: Mapping[str, str] = field(repr=False)

    @classmethod
    def find(cls, stage: str, clock: Clock) -> "Deployment":
        """Ask AWS for the stage. Raises NotDeployed and AwsError."""
        use_aws_of(stage)
        configuration = function_configuration(f"order-replication-{stage}-{POLL}")
        variables = configuration.get("Environment", {}).get("Variables")
        if not variables:
            raise NotDeployed(
                f"order-replication-{stage}-{POLL} does not show its environment: "
                "these credentials may not decrypt it"
            )
        return cls(stage, clock, variables)

    @functools.cached_property
    def settings(self) -> Settings:
        """Raises SettingsError naming what is missing or wrong."""
        return Settings.from_environment(self.environment)

    @functools.cached_property
    def wiring(self) -> Wiring:
        """The service's own edges: store, tables, queue."""
        return Wiring(self.settings, self.clock)

    @functools.cached_property
    def dead_letter_queue_url(self) -> str:
        """As the orders queue names it. Raises NotDeployed when it names none."""
        sqs = client("sqs")
        with calling("GetQueueAttributes orders queue"):
            attributes = sqs.get_queue_attributes(
                QueueUrl=self.settings.orders_queue_url, AttributeNames=["RedrivePolicy"]
            ).get("Attributes", {})
        if "RedrivePolicy" not in attributes:
            raise NotDeployed("the orders queue has no dead-letter queue; deploy the stage again")
        arn = json.loads(attributes["RedrivePolicy"])["deadLetterTargetArn"]
        with calling("GetQueueUrl dead-letter queue"):
            return str(sqs.get_queue_url(QueueName=arn.rsplit(":", 1)[1])["QueueUrl"])

    @property
    def topic_arns(self) -> dict[str, str]:
        """Both topics: `errors` and `dead-letters`."""
        errors = self.settings.errors_topic_arn
        return {"errors": errors, "dead-letters": errors.removesuffix("errors") + "dead-letters"}

    @property
    def webhook_url(self) -> str:
        """Where BigCommerce is to call."""
        return self.settings.webhook_url

    def store_within(self, seconds: float) -> BigCommerce:
        """The stage's store, for a person who waits so long."""
        until = self.clock.time() + seconds
        return self.wiring.store.within(lambda: until - self.clock.time())

    def name(self, resource: str) -> str:
        return f"order-replication-{self.stage}-{resource}"

    def depth(self, queue_url: str) -> dict[str, int]:
        """Messages of a queue: `visible`, `in_flight`, `delayed`; AWS calls them approximate."""
        names = {
            "visible": "ApproximateNumberOfMessages",
            "in_flight": "ApproximateNumberOfMessagesNotVisible",
            "delayed": "ApproximateNumberOfMessagesDelayed",
        }
        with calling("GetQueueAttributes"):
            attributes = client("sqs").get_queue_attributes(
                QueueUrl=queue_url,
                AttributeNames=list(names.values()),
            )["Attributes"]
        return {ours: int(attributes.get(theirs, 0)) for ours, theirs in names.items()}


def client(service: str, config: Config | None = None) -> Any:
    """A boto3 client that gives up within half a minute."""
    usual = Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 3})
    return boto3.client(service, config=config or usual)  # type: ignore[call-overload]  # a name that is no literal


def function_configuration(name: str) -> dict[str, Any]:
    """A function as AWS has it. Raises NotDeployed and AwsError."""
    try:
        with calling(f"GetFunctionConfiguration {name}"):
            return dict(client("lambda").get_function_configuration(FunctionName=name))
    except AwsError as error:
        if error.reason != "ResourceNotFoundException":
            raise
        region = client("lambda").meta.region_name
        raise NotDeployed(f"there is no function {name} in {region} of this account") from None


def use_aws_of(stage: str, project: Path = PROJECT) -> None:
    """Turn to the region of a stage, as its file of values says.

    A stage that runs on this machine says in .chalice/config.json where its AWS is.
    """
    region = Stage(stage, project / "terraform").value("region")
    if region:
        os.environ |= {"AWS_REGION": region, "AWS_DEFAULT_REGION": region}
    stages = json.loads((project / ".chalice" / "config.json").read_text())["stages"]
    variables = stages.get(stage, {}).get("environment_variables", {})
    for name, value in variables.items():
        if name.startswith("AWS_"):
            os.environ.setdefault(name, value)
