"""A deployed stage: its resource names come from the environment of its Lambda functions."""

import functools
import json
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from chalicelib.clock import Clock
from chalicelib.edges.aws import AwsError, aws_client, calling
from chalicelib.edges.bigcommerce import BigCommerce
from chalicelib.edges.sqs import OrdersQueue
from chalicelib.settings import Settings
from chalicelib.wiring import Wiring
from ops.stages import PROJECT, Stage, known_stages

POLL, CONVERTED, REPLICATE, FOLLOW, PUBLISH = HANDLERS = (
    "poll-orders",
    "cart-converted",
    "replicate-orders",
    "follow-orders",
    "publish-changes",
)
"""The functions' names without their prefix; cart-converted serves both routes."""

ORDERS, CHANGES = QUEUES = ("orders", "changes")
CONSUMERS = {ORDERS: REPLICATE, CHANGES: FOLLOW}
"""The function that consumes each queue."""

CLIENT = Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 3})
"""Timeouts in seconds: a person waits for the answer."""

POLL_CLIENT = Config(connect_timeout=5, read_timeout=60, retries={"total_max_attempts": 1})
"""A poll must not be started twice. It runs for up to 15 minutes, and nothing is sent meanwhile:
a NAT gateway drops a connection that is idle for 350 seconds, a router at home sooner
(https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-troubleshooting.html). The invocation
continues without its client, so the command follows a longer poll in the Jobs table.

tcp_keepalive does not help: botocore sets no interval, and Linux sends the first probe after two
hours (https://github.com/boto/botocore/issues/2916)."""

_making_clients = threading.Lock()


class NotDeployed(Exception):
    """The stage does not exist in this account and region."""


class UnknownStage(NotDeployed):
    """The stage is neither deployed nor defined in this project."""

    def __init__(self, stage: str, known: list[str]) -> None:
        super().__init__(f"unknown stage {stage}: the stages are {', '.join(known)}")
        self.known = known


@dataclass(frozen=True)
class Deployment:
    """One stage in AWS; `environment` is that of its function poll_orders."""

    stage: str
    clock: Clock
    environment: Mapping[str, str] = field(repr=False)

    @classmethod
    def find(cls, stage: str, clock: Clock) -> "Deployment":
        """Look the stage up in AWS. Raises NotDeployed and AwsError."""
        configure_aws(stage)
        try:
            configuration = function_configuration(f"order-replication-{stage}-{POLL}")
        except NotDeployed:
            if stage not in (known := defined_stages()):
                raise UnknownStage(stage, known) from None
            raise
        variables = configuration.get("Environment", {}).get("Variables")
        if not variables:
            raise NotDeployed(
                f"the environment of order-replication-{stage}-{POLL} is not readable: "
                "the permission to decrypt it may be missing from the AWS credentials"
            )
        found = cls(stage, clock, variables)
        found._refuse_names_of_others()
        return found

    def _refuse_names_of_others(self) -> None:
        """Whoever deploys this stage may write the environment, and must not direct an operator's
        command to the tables, queues or secrets of another stage. Raises NotDeployed.
        """
        ends = {
            **{f"{name.upper()}_TABLE": self.name(name) for name in ("orders", "jobs", "webhooks")},
            **{f"{queue.upper()}_QUEUE_URL": f"/{self.name(queue)}" for queue in QUEUES},
            "ERRORS_TOPIC_ARN": f":{self.name('errors')}",
        }
        secrets = f"/order-replication/{self.stage}/"
        for variable, value in self.environment.items():
            is_ours = value.endswith(ends.get(variable, ""))
            if variable.endswith("_PARAMETER") and value:
                is_ours = value.startswith(secrets)
            if not is_ours:
                raise NotDeployed(
                    f"{variable} of the stage {self.stage} is {value}, which is not a name of this "
                    "stage"
                )

    def secret(self, parameter: str) -> str:
        """The value of an SSM parameter; "" when it is not set, or does not exist.

        Raises AwsError.
        """
        try:
            return self.wiring.secret(parameter).value()
        except AwsError as error:
            if error.reason != "ParameterNotFound":
                raise
            return ""

    @functools.cached_property
    def settings(self) -> Settings:
        """Raises SettingsError, which names every missing or invalid setting."""
        return Settings.from_environment(self.environment)

    @functools.cached_property
    def wiring(self) -> Wiring:
        """The service's own edges: store, tables, queue."""
        return Wiring(self.settings, self.clock)

    def queue_url(self, queue: str) -> str:
        settings = self.settings
        return settings.orders_queue_url if queue == ORDERS else settings.changes_queue_url

    def dead_letter_queue_url(self, queue: str) -> str:
        """The URL of the queue in a queue's redrive policy. Raises NotDeployed."""
        sqs = client("sqs")
        with calling(f"GetQueueAttributes {queue} queue"):
            attributes = sqs.get_queue_attributes(
                QueueUrl=self.queue_url(queue), AttributeNames=["RedrivePolicy"]
            ).get("Attributes", {})
        if "RedrivePolicy" not in attributes:
            raise NotDeployed(f"the {queue} queue has no dead-letter queue")
        arn = json.loads(attributes["RedrivePolicy"])["deadLetterTargetArn"]
        with calling(f"GetQueueUrl dead-letter queue of {queue}"):
            return str(sqs.get_queue_url(QueueName=arn.rsplit(":", 1)[1])["QueueUrl"])

    @property
    def topic_arns(self) -> dict[str, str]:
        """Both topics: `errors` and `dead-letters`."""
        errors = self.settings.errors_topic_arn
        return {"errors": errors, "dead-letters": errors.removesuffix("errors") + "dead-letters"}

    def store_within(self, seconds: float) -> BigCommerce:
        """The stage's store; its requests raise OutOfTime after so many seconds."""
        return self.wiring.store.within(self.clock.time() + seconds)

    def store_beside_orders(self) -> BigCommerce:
        """The stage's store, for a long command: a share of the quota is left to new orders."""
        return self.wiring.store_for_changes

    def name(self, resource: str) -> str:
        return f"order-replication-{self.stage}-{resource}"

    def depth(self, queue_url: str) -> dict[str, int]:
        """Messages of a queue: `visible`, `in_flight`, `delayed`."""
        return OrdersQueue(client("sqs"), queue_url, queue_url.rsplit("/", 1)[-1]).depths()


def client(service: str, *, region: str | None = None, config: Config = CLIENT) -> Any:
    """A boto3 client for a command; the region is that of the environment if none is given.

    The same one for the same session and variables: making one takes longer than most calls.
    """
    variables = tuple((n, value) for n, value in os.environ.items() if n.startswith("AWS_"))
    # boto3's default session is not for several threads; its clients are.
    with _making_clients:
        return _client(service, region, config, boto3.DEFAULT_SESSION, variables)


@functools.lru_cache(maxsize=64)
def _client(service: str, region: str | None, config: Config, *_: object) -> Any:
    return aws_client(service, config, region)


def function_configuration(name: str) -> dict[str, Any]:
    """A function's configuration in AWS. Raises NotDeployed and AwsError."""
    try:
        with calling(f"GetFunctionConfiguration {name}"):
            return dict(client("lambda").get_function_configuration(FunctionName=name))
    except AwsError as error:
        if error.reason != "ResourceNotFoundException":
            raise
        region = client("lambda").meta.region_name
        raise NotDeployed(f"function {name} does not exist in {region} of this account") from None


def defined_stages(project: Path = PROJECT) -> list[str]:
    """The stages that this project can deploy, and the sandbox's."""
    return sorted([*known_stages(project / "terraform"), "local"])


def configure_aws(stage: str, project: Path = PROJECT) -> None:
    """Set the region of a stage in the environment, and for the sandbox its endpoint and keys.

    The sandbox's values are in .chalice/config.json. Raises UnknownStage when neither the project
    nor the environment has a region for the stage.
    """
    stages = json.loads((project / ".chalice" / "config.json").read_text())["stages"]
    variables = stages.get(stage, {}).get("environment_variables", {})
    region = Stage(stage, project / "terraform").value("region") or variables.get(
        "AWS_DEFAULT_REGION"
    )
    # boto3 itself reads AWS_DEFAULT_REGION only.
    region = region or os.environ.get("AWS_REGION")
    if region:
        os.environ |= {"AWS_REGION": region, "AWS_DEFAULT_REGION": region}
    elif not boto3.Session().region_name and stage not in (known := defined_stages(project)):
        raise UnknownStage(stage, known)
    for name, value in variables.items():
        if name.startswith("AWS_"):
            os.environ.setdefault(name, value)
