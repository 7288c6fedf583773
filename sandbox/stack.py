"""AWS on this machine: a moto server, and the resources of a stage.

The resources are those that Terraform creates; tests, demo and benchmarks use these.
`python -m sandbox.stack` runs them alone and prints the environment to reach them.
"""

import json
import sys
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Self

import boto3
import click
import moto.core.utils
from botocore.config import Config
from moto.backends import get_backend
from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug import Request, Response
from werkzeug.exceptions import Forbidden

from sandbox.account import ACCOUNT as ACCOUNT
from sandbox.account import REGION as REGION
from sandbox.aws_faults import OWN, AwsFaults
from sandbox.bus import Bus, take_over_from_moto
from sandbox.functions import Functions
from sandbox.gate import answer_of_aws
from sandbox.moto_patches import Dispatcher, patch_moto, wait_by
from sandbox.store.clock import Clock, SystemClock
from sandbox.store.serving import Handler, Server, forward

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "sandbox",
    "AWS_SECRET_ACCESS_KEY": "sandbox",
    "AWS_DEFAULT_REGION": REGION,
}

SERVICES = frozenset(
    ["cloudwatch", "dynamodb", "dynamodbstreams", "events", "logs", "sns", "sqs", "ssm", "sts"]
)
"""The services of moto that the service and its commands use. Lambda is not moto's, see Functions.

Others could harm this machine: moto runs Batch jobs and functions in Docker containers.
"""

VISIBILITY_TIMEOUT = 6 * 180
"""Seconds: six times the consumer's timeout, as AWS recommends for an event source."""

MAX_RECEIVE_COUNT = 20

TABLES: dict[str, Any] = {
    "orders": {
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [
            {"AttributeName": "id", "AttributeType": "N"},
            {"AttributeName": "created_day", "AttributeType": "S"},
        ],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": "by_day",
                "KeySchema": [
                    {"AttributeName": "created_day", "KeyType": "HASH"},
                    {"AttributeName": "id", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    },
    "jobs": {
        "KeySchema": [
            {"AttributeName": "store_hash", "KeyType": "HASH"},
            {"AttributeName": "started_at", "KeyType": "RANGE"},
        ],
        "AttributeDefinitions": [
            {"AttributeName": "store_hash", "AttributeType": "S"},
            {"AttributeName": "started_at", "AttributeType": "S"},
        ],
    },
    "erasures": {
        "KeySchema": [{"AttributeName": "order_id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "order_id", "AttributeType": "N"}],
    },
    "webhooks": {
        "KeySchema": [
            {"AttributeName": "order_id", "KeyType": "HASH"},
            {"AttributeName": "received_at", "KeyType": "RANGE"},
        ],
        "AttributeDefinitions": [
            {"AttributeName": "order_id", "AttributeType": "N"},
            {"AttributeName": "received_at", "AttributeType": "S"},
        ],
    },
}
EXPIRING_TABLES = ("jobs", "webhooks")
CONSUMED = {"orders": "dead-letters", "changes": "changes-dead-letters"}
"""The queues that functions consume, each with the alarm of its dead-letter queue."""

QUEUES = (
    *CONSUMED,
    *(f"{queue}-dead-letters" for queue in CONSUMED),
    *("mailbox", "unpublished-events"),
)


AHEAD = "X-Sandbox-Ahead"
"""A header of every answer: seconds by which the sandbox's clock is ahead of the machine's."""


class AwsHandler(Handler, MotoRequestHandler):
    """Handles requests to moto, which needs headers as they were written."""


class Endpoint:
    """AWS at a URL."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """The boto3 client of this AWS, shared by its stages, since creating one is slow."""
        if service not in self._clients:
            self._clients[service] = self._new_client(service)
        return self._clients[service]

    def _new_client(self, service: str) -> Any:
        return boto3.client(
            service,  # type: ignore[call-overload]  # the name is not a literal
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            config=Config(user_agent_extra=OWN),
        )


class Aws(Endpoint):
    """A moto server in a thread; with a clock, its time is that clock's. `services` None: all."""

    def __init__(
        self,
        clock: Clock | None = None,
        port: int = 0,
        services: Collection[str] | None = SERVICES,
    ) -> None:
        patch_moto()
        self.functions = Functions(Dispatcher(services), has_others=services is None)
        self.bus = Bus(self.functions)
        self.faults = AwsFaults()
        self._clock: Clock = SystemClock()
        take_over_from_moto(self.bus)
        self._server = Server(port, self._answer, AwsHandler)
        super().__init__(f"http://127.0.0.1:{self._server.server_port}")
        if clock:
            self.follow(clock)

    def _answer(self, request: Request) -> Response | None:
        outcome = self.faults.strike(request)
        given = self._given(request) if outcome.has_effect else None
        return answer_of_aws(request, outcome, given)

    def _given(self, request: Request) -> Response:
        try:
            response = forward(request, self.functions)
        except Forbidden as refused:
            response = Response(refused.description, refused.code)
        response.date = moto.core.utils.utcnow()
        response.headers[AHEAD] = f"{self._clock.time() - time.time():.3f}"
        return response

    def follow(self, clock: Clock) -> None:
        """Let visibility timeouts and receive counts pass with this clock, not the machine's.

        moto takes every time from this one function, and has one delivery of events, which other
        servers of this process may have taken over.
        """
        self._clock = clock
        self.bus.follow(clock)
        take_over_from_moto(self.bus)
        vars(moto.core.utils)["utcnow"] = lambda: clock.now().replace(tzinfo=None)
        wait_by(clock)

    def stop(self) -> None:
        self._server.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


@dataclass(frozen=True)
class Secrets:
    """The secrets of a deployed stage in SSM."""

    access_token: str = "sandbox-access-token"  # noqa: S105 - opens nothing but the sandbox
    client_secret: str = "sandbox-client-secret"  # noqa: S105 - opens nothing but the sandbox
    webhook_token: str = "sandbox-webhook-token"  # noqa: S105 - opens nothing but the sandbox
    webhook_token_previous: str = "unset"  # noqa: S105 - stands for none


PARAMETERS = {
    "access_token": "bigcommerce-access-token",
    "client_secret": "bigcommerce-client-secret",
    "webhook_token": "webhook-token",
    "webhook_token_previous": "webhook-token-previous",
}


class Stack:
    """The resources of one stage, and the environment of its functions."""

    def __init__(self, aws: Endpoint, stage: str, secrets: Secrets | None = None) -> None:
        self.aws = aws
        self.stage = stage
        self.secrets = secrets or Secrets()
        self.dynamodb = aws.client("dynamodb")
        self.sqs = aws.client("sqs")
        self.sns = aws.client("sns")
        self.ssm = aws.client("ssm")
        self.cloudwatch = aws.client("cloudwatch")
        self.queue_url = self.url_of("orders")
        self.dead_letter_queue_url = self.url_of("orders-dead-letters")
        self.changes_queue_url = self.url_of("changes")
        self.changes_dead_letter_queue_url = self.url_of("changes-dead-letters")
        self.mailbox_url = self.url_of("mailbox")
        self.errors_topic_arn = self._arn("sns", "errors")
        self.dead_letters_topic_arn = self._arn("sns", "dead-letters")

    def name(self, resource: str) -> str:
        return f"order-replication-{self.stage}-{resource}"

    @property
    def bus_name(self) -> str:
        return f"order-replication-{self.stage}"

    def url_of(self, queue: str) -> str:
        return self._queue_url(self.aws.url, queue)

    def create(self) -> Self:
        """Create every resource, in the order of their references."""
        for table, description in TABLES.items():
            self._create_table(table, description)
        self.sqs.create_queue(QueueName=self.name("mailbox"))
        self.sqs.create_queue(QueueName=self.name("unpublished-events"))
        self.aws.client("events").create_event_bus(Name=self.bus_name)
        for queue in CONSUMED:
            self._create_queue(queue)
        for topic in ("errors", "dead-letters"):
            self._create_topic(topic)
        for name, value in vars(self.secrets).items():
            self.ssm.put_parameter(Name=self.parameter(name), Value=value, Type="SecureString")
        for queue, alarm in CONSUMED.items():
            self._create_alarm(alarm, f"{queue}-dead-letters")
        return self

    def empty(self) -> None:
        """Delete every item and message in moto's memory, which is faster than a new stack.

        Destinations are removed with their queues.
        """
        for name in TABLES:
            table = self.table(name)
            table.items.clear()
            if table.stream_shard:
                table.stream_shard.items.clear()
        for name in QUEUES:
            self.purge(name)
        self._backend("events").event_buses[self.bus_name].rules.clear()
        queues = self._backend("sqs").queues
        for name in [name for name in queues if name.startswith(self.name("to-"))]:
            del queues[name]

    def purge(self, queue: str) -> None:
        """Delete every message of a queue; AWS allows that once a minute."""
        found = self._backend("sqs").queues[self.name(queue)]
        for messages in (found._messages, found.pending_messages, found.deleted_messages):
            messages.clear()

    def table(self, name: str) -> Any:
        """A table in moto's memory."""
        return self._backend("dynamodb").tables[self.name(name)]

    def add_destination(
        self,
        name: str,
        arn: str | None = None,
        pattern: Mapping[str, Any] | None = None,
        *,
        url: str | None = None,
        is_fifo: bool = False,
        retries: int = 185,
        rate: int | None = None,
    ) -> str:
        """A receiver of the stage's events, as Terraform makes it; returns the ARN of the target.

        The target is that of `arn`, an API destination for `url`, or a new queue. `pattern` is for
        the events of the stage; by default it is all of them. What the target does not take after
        the `retries` is in the queue `to-NAME-undelivered`. `rate` are requests per second to the
        URL.
        """
        events, rule = self.aws.client("events"), self.name(f"to-{name}")
        only, pattern = {"only_for": [{"exists": False}, name]}, pattern or {}
        target: dict[str, Any] = {"Id": name}
        if url is not None:
            arn = self._api_destination(rule, url, rate)
        elif arn is None:
            queue = f"to-{name}{'.fifo' if is_fifo else ''}"
            attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
            self.sqs.create_queue(
                QueueName=self.name(queue), Attributes=attributes if is_fifo else {}
            )
            arn = self._arn("sqs", queue)
            if is_fifo:
                target["SqsParameters"] = {"MessageGroupId": "orders"}
        self.sqs.create_queue(QueueName=self.name(f"to-{name}-undelivered"))
        events.put_rule(
            Name=rule,
            EventBusName=self.bus_name,
            EventPattern=json.dumps(
                {
                    "source": [f"order-replication.{self.stage}"],
                    **pattern,
                    "detail": {**only, **pattern.get("detail", {})},
                }
            ),
        )
        target |= {
            "Arn": arn,
            "RetryPolicy": {"MaximumRetryAttempts": retries, "MaximumEventAgeInSeconds": 86_400},
            "DeadLetterConfig": {"Arn": self._arn("sqs", f"to-{name}-undelivered")},
        }
        events.put_targets(Rule=rule, EventBusName=self.bus_name, Targets=[target])
        return arn

    def _api_destination(self, name: str, url: str, rate: int | None) -> str:
        events = self.aws.client("events")
        key = {"ApiKeyName": "X-Api-Key", "ApiKeyValue": "sandbox"}
        connection = events.create_connection(
            Name=name,
            Description="Secret set by the sandbox.",
            AuthorizationType="API_KEY",
            AuthParameters={"ApiKeyAuthParameters": key},
        )
        destination = events.create_api_destination(
            Name=name,
            ConnectionArn=connection["ConnectionArn"],
            InvocationEndpoint=url,
            HttpMethod="POST",
            **({"InvocationRateLimitPerSecond": rate} if rate else {}),
        )
        return str(destination["ApiDestinationArn"])

    def schedule(self, expression: str) -> None:
        """Create the EventBridge rule of poll_orders."""
        events = self.aws.client("events")
        events.put_rule(Name=self.name("poll-orders"), ScheduleExpression=expression)

    def parameter(self, secret: str) -> str:
        return f"/order-replication/{self.stage}/{PARAMETERS[secret]}"

    def environment(self, api_url: str, store_hash: str, **settings: str) -> dict[str, str]:
        """The environment of the functions in Lambda; `settings` add to it or replace it."""
        aws_url = settings.get("AWS_ENDPOINT_URL", self.aws.url)
        return {
            "STAGE": self.stage,
            "AWS_ENDPOINT_URL": aws_url,
            **CREDENTIALS,
            "BIGCOMMERCE_API_URL": api_url,
            "BIGCOMMERCE_STORE_HASH": store_hash,
            "ORDERS_TABLE": self.name("orders"),
            "JOBS_TABLE": self.name("jobs"),
            "WEBHOOKS_TABLE": self.name("webhooks"),
            "ORDERS_QUEUE_URL": self._queue_url(aws_url, "orders"),
            "CHANGES_QUEUE_URL": self._queue_url(aws_url, "changes"),
            "ERRORS_TOPIC_ARN": self.errors_topic_arn,
            "EVENT_BUS_NAME": self.bus_name,
            "ACCESS_TOKEN_PARAMETER": self.parameter("access_token"),
            "CLIENT_SECRET_PARAMETER": self.parameter("client_secret"),
            "WEBHOOK_TOKEN_PARAMETER": self.parameter("webhook_token"),
            "WEBHOOK_TOKEN_PREVIOUS_PARAMETER": self.parameter("webhook_token_previous"),
            "REPLICATE_SINCE": "2020-01-01T00:00:00+00:00",
            **settings,
        }

    def next_visible_at(self, *queues: str) -> float | None:
        """When the next message can be received, in epoch seconds; by default of both queues."""
        times = [
            max(float(message.visible_at), float(message.delayed_until)) / 1000
            for queue in queues or CONSUMED
            for message in self._messages(queue)
        ]
        return min(times, default=None)

    def bodies(self, queue: str) -> list[str]:
        """The bodies of the messages of a queue, visible or not, read without receiving them."""
        return [str(message.body) for message in self._messages(queue)]

    def events_in(self, queue: str) -> list[Any]:
        """The events in a queue, in the order of their arrival."""
        return [json.loads(body) for body in self.bodies(queue)]

    def age_of_oldest(self, now: float, queue: str = "orders") -> float:
        """Age of the oldest message of a queue in seconds; 0 without one."""
        sent = [float(message.sent_timestamp) / 1000 for message in self._messages(queue)]
        return max(0.0, now - min(sent)) if sent else 0.0

    def visible(self, queue: str) -> int:
        """The number of messages of a queue that can be received now."""
        return sum(
            1 for message in self._messages(queue) if message.visible and not message.delayed
        )

    def _messages(self, queue: str) -> list[Any]:
        return list(self._backend("sqs").queues[self.name(queue)]._messages)

    def _backend(self, service: str) -> Any:
        backends: Any = get_backend(service)  # type: ignore[call-overload]  # not a literal
        return backends[ACCOUNT][REGION]

    def _create_table(self, table: str, description: Any) -> None:
        name = self.name(table)
        self.dynamodb.create_table(TableName=name, BillingMode="PAY_PER_REQUEST", **description)
        if table in EXPIRING_TABLES:
            self.dynamodb.update_time_to_live(
                TableName=name,
                TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires_at"},
            )

    def _create_queue(self, queue: str) -> None:
        """A queue and its dead-letter queue."""
        self.sqs.create_queue(QueueName=self.name(f"{queue}-dead-letters"))
        redrive = {
            "deadLetterTargetArn": self._arn("sqs", f"{queue}-dead-letters"),
            "maxReceiveCount": MAX_RECEIVE_COUNT,
        }
        attributes = {
            "VisibilityTimeout": str(VISIBILITY_TIMEOUT),
            "RedrivePolicy": json.dumps(redrive),
        }
        self.sqs.create_queue(QueueName=self.name(queue), Attributes=attributes)

    def _create_topic(self, topic: str) -> None:
        """A topic with a subscription of the mailbox queue in place of e-mail addresses."""
        arn = self.sns.create_topic(Name=self.name(topic))["TopicArn"]
        self.sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=self._arn("sqs", "mailbox"))

    def _create_alarm(self, alarm: str, queue: str) -> None:
        self.cloudwatch.put_metric_alarm(
            AlarmName=self.name(alarm),
            AlarmDescription="At least one message is in the dead-letter queue.",
            AlarmActions=[self.dead_letters_topic_arn],
            Namespace="AWS/SQS",
            MetricName="ApproximateNumberOfMessagesVisible",
            Dimensions=[{"Name": "QueueName", "Value": self.name(queue)}],
            Statistic="Maximum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanOrEqualToThreshold",
        )

    def _arn(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{self.name(resource)}"

    def _queue_url(self, aws_url: str, queue: str) -> str:
        return f"{aws_url}/{ACCOUNT}/{self.name(queue)}"


@click.command()
@click.option("--port", default=0, help="Port to listen on; 0 takes a free one.")
@click.option("--stage", default="local", show_default=True)
@click.option("--store-url", default="http://127.0.0.1:8101", show_default=True)
@click.option("--all-services", is_flag=True, help="Serve all of moto, as tests of Terraform need.")
def main(port: int, stage: str, store_url: str, all_services: bool) -> None:
    """Run AWS alone until standard input closes; print the environment of the functions as JSON."""
    with Aws(port=port, services=None if all_services else SERVICES) as aws:
        stack = Stack(aws, stage).create()
        click.echo(json.dumps(stack.environment(store_url, "sandbox")))
        sys.stdin.read()


if __name__ == "__main__":
    main()
