"""AWS on this machine: a moto server, and the resources a stage of the service has.

The resources are the ones Terraform makes; tests, demo and benchmarks all use these.
`python -m sandbox.stack` runs one alone and prints the environment that leads to it.
"""

import json
import sys
import threading
from dataclasses import dataclass
from typing import Any, Self

import boto3
import click
import moto.core.utils
from moto.backends import get_backend
from moto.dynamodb.exceptions import ItemSizeTooLarge
from moto.dynamodb.models import dynamo_type
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.http import http_date
from werkzeug.serving import BaseWSGIServer, make_server

from sandbox import queues
from sandbox.functions import Functions
from sandbox.store.clock import Clock

REGION = "us-east-1"
ACCOUNT = "123456789012"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "sandbox",
    "AWS_SECRET_ACCESS_KEY": "sandbox",
    "AWS_DEFAULT_REGION": REGION,
}

VISIBILITY_TIMEOUT = 6 * 180
"""Seconds: six times the consumer's time-out, as AWS recommends for an event source."""

MAX_RECEIVE_COUNT = 20

TABLES: dict[str, Any] = {
    "orders": {
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "N"}],
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

HEAVIEST_ITEM = 405_000
"""Bytes, as moto has it; DynamoDB itself takes 400 KB."""


class WeighedItem(dict[str, Any]):
    """An item that knows its weight: moto's own weighs all of it for each of its attributes."""

    def __setitem__(self, name: str, value: Any) -> None:
        before = self.get(name)
        weight = self.__dict__.get("weight", 0) + len(name.encode()) + _weight(value)
        self.weight = weight - (len(name.encode()) + _weight(before) if before is not None else 0)
        if self.weight > HEAVIEST_ITEM:
            raise ItemSizeTooLarge
        super().__setitem__(name, value)


def _weight(value: Any) -> int:
    return int(value.size()) if isinstance(value, DynamoType) else len(str(value).encode())


class Dispatcher(DomainDispatcherApplication):
    """Remembers which service a host is; moto's own reads a directory for every request."""

    def __init__(self) -> None:
        super().__init__(create_backend_app)
        self._known: dict[str | None, Any] = {}

    def get_backend_for_host(self, host: str | None) -> Any:
        if host not in self._known:
            self._known[host] = super().get_backend_for_host(host)
        return self._known[host]


class QuietHandler(MotoRequestHandler):
    """Serves moto without a line per request, and dates its answers as moto dates the rest."""

    def log_request(self, *_: Any) -> None: ...

    def date_time_string(self, timestamp: float | None = None) -> str:
        return http_date(moto.core.utils.utcnow())


class Endpoint:
    """AWS at a URL."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """The boto3 client of this AWS: one for every stage in it, since making one takes long."""
        if service not in self._clients:
            self._clients[service] = self._new_client(service)
        return self._clients[service]

    def _new_client(self, service: str) -> Any:
        return boto3.client(
            service,  # type: ignore[call-overload]  # a name that is no literal
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )


class Aws(Endpoint):
    """A moto server in a thread; with a clock, its time is that clock's."""

    def __init__(self, clock: Clock | None = None, port: int = 0) -> None:
        self.functions = Functions(Dispatcher())
        self._server: BaseWSGIServer = make_server(
            "127.0.0.1",
            port,
            self.functions,
            threaded=True,
            request_handler=QuietHandler,
        )
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        super().__init__(f"http://127.0.0.1:{self._server.server_port}")
        if clock:
            self.follow(clock)
        vars(dynamo_type)["LimitedSizeDict"] = WeighedItem
        queues.mend()

    def follow(self, clock: Clock) -> None:
        """Let visibility timeouts and receive counts pass with this clock, not with the machine's.

        Every time moto tells comes from this one function.
        """
        vars(moto.core.utils)["utcnow"] = lambda: clock.now().replace(tzinfo=None)
        queues.wait_by(clock)

    def start(self) -> Self:
        self._thread.start()
        return self

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


@dataclass(frozen=True)
class Secrets:
    """What a deployed stage keeps in SSM."""

    access_token: str = "sandbox-access-token"  # noqa: S105 - opens nothing but the sandbox
    client_secret: str = "sandbox-client-secret"  # noqa: S105 - opens nothing but the sandbox
    webhook_token: str = "sandbox-webhook-token"  # noqa: S105 - opens nothing but the sandbox


PARAMETERS = {
    "access_token": "bigcommerce-access-token",
    "client_secret": "bigcommerce-client-secret",
    "webhook_token": "webhook-token",
}


class Stack:
    """One stage's resources, and the environment that its functions get."""

    def __init__(self, aws: Endpoint, stage: str, secrets: Secrets | None = None) -> None:
        self.aws = aws
        self.stage = stage
        self.secrets = secrets or Secrets()
        self.dynamodb = aws.client("dynamodb")
        self.sqs = aws.client("sqs")
        self.sns = aws.client("sns")
        self.ssm = aws.client("ssm")
        self.cloudwatch = aws.client("cloudwatch")
        self.queue_url = self._queue_url("orders")
        self.dead_letter_queue_url = self._queue_url("orders-dead-letters")
        self.mailbox_url = self._queue_url("mailbox")
        self.errors_topic_arn = self._arn("sns", "errors")
        self.dead_letters_topic_arn = self._arn("sns", "dead-letters")

    def name(self, resource: str) -> str:
        return f"order-replication-{self.stage}-{resource}"

    def create(self) -> Self:
        """Make every resource, in the order in which they refer to each other."""
        for table, description in TABLES.items():
            self._create_table(table, description)
        for queue in ("orders-dead-letters", "mailbox"):
            self.sqs.create_queue(QueueName=self.name(queue))
        self.sqs.create_queue(QueueName=self.name("orders"), Attributes=self._queue_attributes())
        for topic in ("errors", "dead-letters"):
            self._create_topic(topic)
        for name, value in vars(self.secrets).items():
            self.ssm.put_parameter(Name=self.parameter(name), Value=value, Type="SecureString")
        self._create_alarm()
        return self

    def schedule(self, expression: str) -> None:
        """Make the rule by which EventBridge would call poll_orders."""
        events = self.aws.client("events")
        events.put_rule(Name=self.name("poll-orders"), ScheduleExpression=expression)

    def parameter(self, secret: str) -> str:
        return f"/order-replication/{self.stage}/{PARAMETERS[secret]}"

    def environment(self, api_url: str, store_hash: str, **settings: str) -> dict[str, str]:
        """What Lambda would give the functions, with `settings` beside or instead of it."""
        return {
            "STAGE": self.stage,
            "AWS_ENDPOINT_URL": self.aws.url,
            **CREDENTIALS,
            "BIGCOMMERCE_API_URL": api_url,
            "BIGCOMMERCE_STORE_HASH": store_hash,
            "ORDERS_TABLE": self.name("orders"),
            "JOBS_TABLE": self.name("jobs"),
            "WEBHOOKS_TABLE": self.name("webhooks"),
            "ORDERS_QUEUE_URL": self.queue_url,
            "ERRORS_TOPIC_ARN": self.errors_topic_arn,
            "ACCESS_TOKEN_PARAMETER": self.parameter("access_token"),
            "CLIENT_SECRET_PARAMETER": self.parameter("client_secret"),
            "WEBHOOK_TOKEN_PARAMETER": self.parameter("webhook_token"),
            "REPLICATE_SINCE": "2020-01-01T00:00:00+00:00",
            **settings,
        }

    def next_visible_at(self) -> float | None:
        """When the next message of the orders queue can be received, in epoch seconds."""
        times = [float(message.visible_at) / 1000 for message in self._messages("orders")]
        return min(times, default=None)

    def bodies(self, queue: str) -> list[str]:
        """What the messages of a queue say, visible or not; looking does not receive them."""
        return [str(message.body) for message in self._messages(queue)]

    def age_of_oldest(self, now: float) -> float:
        """Seconds that the oldest message of the orders queue has been there; 0 without one."""
        sent = [float(message.sent_timestamp) / 1000 for message in self._messages("orders")]
        return max(0.0, now - min(sent)) if sent else 0.0

    def visible(self, queue: str) -> int:
        """How many messages of a queue can be received now."""
        return sum(1 for message in self._messages(queue) if message.visible)

    def _messages(self, queue: str) -> list[Any]:
        backends: Any = get_backend("sqs")
        return list(backends[ACCOUNT][REGION].queues[self.name(queue)]._messages)

    def _create_table(self, table: str, description: Any) -> None:
        name = self.name(table)
        self.dynamodb.create_table(TableName=name, BillingMode="PAY_PER_REQUEST", **description)
        if table in EXPIRING_TABLES:
            self.dynamodb.update_time_to_live(
                TableName=name,
                TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires_at"},
            )

    def _queue_attributes(self) -> dict[str, str]:
        redrive = {
            "deadLetterTargetArn": self._arn("sqs", "orders-dead-letters"),
            "maxReceiveCount": MAX_RECEIVE_COUNT,
        }
        return {
            "VisibilityTimeout": str(VISIBILITY_TIMEOUT),
            "RedrivePolicy": json.dumps(redrive),
        }

    def _create_topic(self, topic: str) -> None:
        """A topic whose subscriber is the mailbox, where AWS would send e-mail."""
        arn = self.sns.create_topic(Name=self.name(topic))["TopicArn"]
        self.sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=self._arn("sqs", "mailbox"))

    def _create_alarm(self) -> None:
        self.cloudwatch.put_metric_alarm(
            AlarmName=self.name("dead-letters"),
            AlarmDescription="At least one order lies in the dead-letter queue.",
            AlarmActions=[self.dead_letters_topic_arn],
            Namespace="AWS/SQS",
            MetricName="ApproximateNumberOfMessagesVisible",
            Dimensions=[{"Name": "QueueName", "Value": self.name("orders-dead-letters")}],
            Statistic="Maximum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanOrEqualToThreshold",
        )

    def _arn(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{self.name(resource)}"

    def _queue_url(self, queue: str) -> str:
        return f"{self.aws.url}/{ACCOUNT}/{self.name(queue)}"


@click.command()
@click.option("--port", default=0, help="Port to listen on; 0 takes a free one.")
@click.option("--stage", default="local", show_default=True)
@click.option("--store-url", default="http://127.0.0.1:8101", show_default=True)
def main(port: int, stage: str, store_url: str) -> None:
    """Run AWS alone until standard input closes; print the functions' environment as JSON."""
    with Aws(port=port) as aws:
        stack = Stack(aws, stage).create()
        click.echo(json.dumps(stack.environment(store_url, "sandbox")))
        sys.stdin.read()


if __name__ == "__main__":
    main()
