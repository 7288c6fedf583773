"""The environment of the service: a store, AWS and the events between them.

    with World() as world:
        order_id = world.store.place_order()
        world.poll()
        world.drain()
        assert world.item(order_id)["replication"]["moved_to"] == 9

It reads the tables without code of the service, so that tests compare independent readings.
"""

import base64
import gzip
import json
import os
import time
from decimal import Decimal
from functools import partial
from types import TracebackType
from typing import Any, Literal, Self

from boto3.dynamodb.types import TypeDeserializer
from werkzeug import Response

from sandbox.aws_faults import AwsFault, AwsFaults
from sandbox.bus import Bus
from sandbox.container import timeout
from sandbox.functions import Function
from sandbox.pump import CONSUMERS, Pump
from sandbox.stack import CONSUMED, Aws, Stack
from sandbox.store import Store
from sandbox.store.answers import json_response, no_content
from sandbox.store.clock import ShiftedClock, SimulatedClock
from sandbox.store.control import Control, Route

TOKEN_HEADER = "X-Replication-Token"  # noqa: S105 - the name of a header, not a token

FUNCTIONS = {
    "poll_orders": "poll_orders",
    "cart_converted": "api_handler",
    "replicate_orders": "replicate_orders",
    "follow_orders": "follow_orders",
    "publish_changes": "publish_changes",
}
"""The handlers, each with the name of its function in Chalice."""

HOOKS = {
    "store/cart/converted": "cart-converted",
    "store/order/created": "order-changed",
    "store/order/statusUpdated": "order-changed",
    "store/order/updated": "order-changed",
    "store/order/archived": "order-changed",
    "store/order/refund/created": "order-changed",
    "store/shipment/*": "order-changed",
}
"""The scopes that a stage subscribes to, each with its route."""

LONGEST_JUMP = 366 * 86_400
"""Seconds by which the clock can be advanced at once."""

AWS_FAULT = '{"operation": "dynamodb PutItem orders", "outcome": "refused", "times": 5}'

_deserialize = TypeDeserializer().deserialize


class World:
    """A store, a stage in AWS and a pump. `settings` are environment variables of the service.

    `hooks`: the webhooks that are registered in the store, those of all scopes or of
    store/cart/converted only.
    """

    def __init__(
        self,
        aws: Aws,
        stage: str = "local",
        *,
        clock: SimulatedClock | ShiftedClock | None = None,
        store: Store | None = None,
        store_port: int | None = 0,
        api_port: int = 0,
        hooks: Literal["all", "cart"] = "all",
        **settings: str,
    ) -> None:
        self.clock = clock or SimulatedClock()
        self._aws = aws
        self.store = store or Store(clock=self.clock)
        self.stack = Stack(aws, stage)
        self.pump = Pump(self.stack, self.clock)
        self._ports = (store_port, api_port)
        self._scopes = HOOKS if hooks == "all" else ("store/cart/converted",)
        self._settings = settings
        self._environment_before: dict[str, str] = {}
        self.store.control.more.extend(
            [
                Route("POST", "/sandbox/clock", self._advance_clock, '{"advance": 3600}'),
                Route("POST", "/sandbox/aws-faults", self._add_aws_fault, AWS_FAULT),
                Route("DELETE", "/sandbox/aws-faults", self._clear_aws_faults),
            ]
        )

    def __enter__(self) -> Self:
        store_port, api_port = self._ports
        self._aws.follow(self.clock)
        self.create_stack()
        if store_port is not None:
            self.store.start(store_port)
        self._environment_before = dict(os.environ)
        self.api_url = self.pump.serve(api_port)
        self.configure(**self._settings)
        for scope in self._scopes:
            self.store.register_hook(
                scope=scope,
                destination=f"{self.api_url}/{HOOKS[scope]}",
                headers={TOKEN_HEADER: self.stack.secrets.webhook_token},
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.pump.stop()
        self.store.stop()
        self.aws_faults.clear()
        os.environ.clear()
        os.environ.update(self._environment_before)

    def create_stack(self) -> None:
        self.stack.create()
        self.stack.schedule(self.pump.schedule())

    def configure(self, **settings: str) -> None:
        """Deploy the service with these settings in addition to its defaults."""
        urls = {
            "WEBHOOK_URL": f"{self.api_url}/cart-converted",
            "ORDER_CHANGED_URL": f"{self.api_url}/order-changed",
        }
        given = urls | settings
        store_url = given.pop("BIGCOMMERCE_API_URL", "") or self.store.url
        environment = self.stack.environment(store_url, "sandbox", **given)
        os.environ.update(environment)
        for name in FUNCTIONS:
            self._aws.functions.add(self._function(name, environment))
        self.pump.deploy()

    def function(self, name: str) -> Function:
        """A function in Lambda's API; changing it does not affect the pump."""
        return self._aws.functions[self._function_name(name)]

    def remove_function(self, name: str) -> None:
        """Remove a function from Lambda's API."""
        self._aws.functions.remove(self._function_name(name))

    def _function_name(self, handler: str) -> str:
        return self.stack.name(handler.replace("_", "-"))

    def _function(self, name: str, environment: dict[str, str]) -> Function:
        """A function for Lambda's API, without the credentials in the environment."""
        return Function(
            name=self._function_name(name),
            environment={n: v for n, v in environment.items() if not n.startswith("AWS_")},
            call=partial(self.pump.call, name),
            timeout=int(timeout(FUNCTIONS[name])),
            mapped=True if name in (*CONSUMERS.values(), "publish_changes") else None,
            concurrency=3 if name == "replicate_orders" else 2,
        )

    def poll(self) -> Exception | None:
        """Advance to the next scheduled poll and run it; returns its error, if it failed."""
        if isinstance(self.clock, SimulatedClock):
            self.clock.advance(self.pump.polling_interval())
        return self.pump.poll()

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.advance(seconds)

    @property
    def seconds_ahead(self) -> float:
        """Seconds by which the clock is ahead of the machine's."""
        return self.clock.time() - time.time()

    def _advance_clock(self, _: Control, fields: dict[str, Any]) -> Response:
        """Let so many seconds pass at once, for the store, AWS and the service."""
        seconds = float(fields["advance"])
        if not 0 <= seconds <= LONGEST_JUMP:
            raise ValueError(f"advance must be from 0 to {LONGEST_JUMP} seconds, not {seconds}")
        self.advance(seconds)
        return json_response({"seconds_ahead": round(self.seconds_ahead)})

    @property
    def aws_faults(self) -> AwsFaults:
        return self._aws.faults

    def _add_aws_fault(self, _: Control, fields: dict[str, Any]) -> Response:
        """Make calls to AWS fail."""
        self.aws_faults.add(AwsFault(**fields))
        return json_response({"faults": len(self.aws_faults.active)}, 201)

    def _clear_aws_faults(self, *_: object) -> Response:
        """Remove all faults of AWS."""
        self.aws_faults.clear()
        return no_content()

    def deliver_webhooks(self) -> list[int | None]:
        """Send every callback that is due; returns the statuses of the answers."""
        return [attempt.status for attempt in self.store.deliver_webhooks()]

    def drain(self, consumers: int = 1) -> None:
        """Replicate the visible messages of both queues, those of the orders queue first."""
        self.pump.drain(consumers)

    def settle(self, consumers: int = 1) -> None:
        """Replicate and advance the time until both queues are empty."""
        self.pump.settle(consumers)

    @property
    def bus(self) -> Bus:
        return self._aws.bus

    def publish(self) -> None:
        """Publish every change of the Orders table, advance the time for retries, and deliver.

        Deliveries that fail are attempted again by `deliver_events` only.
        """
        while (due_at := self.pump.stream.due_at) is not None:
            if due_at > self.clock.time():
                self.advance(due_at - self.clock.time() + 0.001)
            self.pump.publish()
        self.bus.deliver()

    def deliver_events(self) -> None:
        """Advance the time until each event is delivered, or in a dead-letter queue."""
        while (next_at := self.bus.next_at) is not None:
            self.advance(max(0.0, next_at - self.clock.time()) + 0.001)
            self.bus.deliver()

    def events(self, destination: str) -> list[dict[str, Any]]:
        """The events in the queue of a destination, in the order of their arrival."""
        return self.stack.events_in(f"to-{destination}")

    def undelivered(self, destination: str) -> list[dict[str, Any]]:
        """The events in the dead-letter queue of a destination."""
        return self.events(f"{destination}-undelivered")

    def item(self, order_id: int) -> dict[str, Any] | None:
        """An item of the Orders table in Python's types, with compressed lists unpacked."""
        answer = self.stack.dynamodb.get_item(
            TableName=self.stack.name("orders"), Key={"id": {"N": str(order_id)}}
        )
        return as_python(answer["Item"]) if "Item" in answer else None

    def order(self, order_id: int) -> dict[str, Any] | None:
        """The order in the item, without the attributes that are the service's."""
        item = self.item(order_id)
        ours = ("replication", "expires_at", "created_day")
        return item and {name: value for name, value in item.items() if name not in ours}

    def items(self, table: str) -> list[dict[str, Any]]:
        """Every item of `orders`, `jobs` or `webhooks`, sorted by key.

        Without the lease, the fields of orders, the operators' actions and the sent alerts in the
        Jobs table.
        """
        name = self.stack.name(table)
        pages = self.stack.dynamodb.get_paginator("scan").paginate(TableName=name)
        items = [as_python(item) for page in pages for item in page["Items"]]
        items = [item for item in items if not _is_of_others(item)]
        return sorted(
            items, key=lambda item: item.get("id") or item.get("started_at") or item["received_at"]
        )

    def order_fields(self) -> dict[str, Any] | None:
        """The item of the Jobs table with the fields of the stage's orders."""
        key = {"store_hash": {"S": "sandbox"}, "started_at": {"S": "order_fields"}}
        answer = self.stack.dynamodb.get_item(TableName=self.stack.name("jobs"), Key=key)
        return as_python(answer["Item"]) if "Item" in answer else None

    def messages(self, *queues: str) -> list[str]:
        """The bodies of the messages in `orders`, `changes` or both, visible or not."""
        return [body for queue in queues or CONSUMED for body in self.stack.bodies(queue)]

    def dead_letters(self, *queues: str) -> list[str]:
        """The bodies of the messages in the dead-letter queue of `orders`, `changes` or both."""
        return self.messages(*(f"{queue}-dead-letters" for queue in queues or CONSUMED))

    def mail(self) -> list[dict[str, Any]]:
        """The e-mails since the last call: `Subject`, `Message`."""
        found = []
        url = self.stack.mailbox_url
        while self.stack.visible("mailbox"):
            answer = self.stack.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
            for message in answer.get("Messages", []):
                found.append(json.loads(message["Body"]))
                self.stack.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return found


def as_python(image: dict[str, Any]) -> dict[str, Any]:
    """An item, or an image of a stream's event, in which binary is base64 text."""
    item: dict[str, Any] = {
        name: base64.b64decode(value["B"])
        if isinstance(value.get("B"), str)
        else _deserialize(value)
        for name, value in image.items()
    }
    for name in item.get("replication", {}).get("encoding", {}):
        packed = gzip.decompress(bytes(item[name]))
        item[name] = json.loads(packed, parse_float=Decimal)
    return item


def _is_of_others(item: dict[str, Any]) -> bool:
    """Whether an item of the Jobs table is neither a poll nor a failing order."""
    name = str(item.get("started_at", ""))
    is_alert = str(item.get("store_hash", "")).startswith("#")
    return is_alert or name in ("lease", "order_fields") or name.startswith("action#")
