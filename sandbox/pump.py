"""The parts of AWS between the functions, one step at a time: schedule, event source, API, alarm.

It invokes the handlers of app.py as Lambda does, with the same events and context. Schedule, queue,
batch size and timeouts are read from the app's decorators and configuration.
"""

import json
import logging
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

from chalice.app import Chalice, DynamoDBEventConfig, ScheduledEventConfig, SQSEventConfig
from chalice.config import Config
from chalice.local import ChaliceRequestHandler, CustomLocalChalice, LocalDevServer

from sandbox.container import API, Container, timeout
from sandbox.gate import FunctionDied, Gate, Invocation
from sandbox.stack import ACCOUNT, CONSUMED, REGION, Stack
from sandbox.store.clock import Clock
from sandbox.store.serving import LocalHandler
from sandbox.stream import Published, Stream

logger = logging.getLogger(__name__)

PER_CALL = 10
"""Messages of a call to SQS."""

POLLING_INTERVAL = 120
"""Minutes; the default of the Terraform variable that the schedule refers to."""

CONTAINERS = {
    "poll_orders": "poll",
    "cart_converted": "api",
    "replicate_orders": "replicate 1",
    "follow_orders": "follow 1",
    "publish_changes": "publish",
}
"""The container that an invocation by Lambda's API gets."""

CONSUMERS = {"replicate": "replicate_orders", "follow": "follow_orders"}
"""The functions that read a queue, by the first word of their containers' names."""

QUEUES = {"${module.order_queue.arn}": "orders", "${module.changes_queue.arn}": "changes"}
"""The queues by their ARN in app.py."""


@dataclass(frozen=True)
class Batch:
    """The result of one batch of messages: how many were received, and how many failed."""

    received: int
    returned: int
    error: Exception | None = None


class Pump:
    """Delivers events to the functions on request.

    With a `gate`, functions can die; `functions_clock` is the clock of Lambda's machines.
    """

    def __init__(
        self,
        stack: Stack,
        clock: Clock,
        gate: Gate | None = None,
        functions_clock: Clock | None = None,
    ) -> None:
        self._stack = stack
        self._clock = clock
        self._gate = gate
        self._functions_clock = functions_clock or clock
        self._containers: dict[str, Container] = {}
        self._server: LocalDevServer | None = None
        self._in_alarm: dict[str, bool] = {}
        self.stream = Stream(stack, clock, "publish_changes")
        self.running: list[str] = []
        """The functions that run at this moment, the last one begun last."""

    def deploy(self) -> None:
        """Discard every container: the next event starts a new one with the current settings."""
        self._discard_containers()
        if self._server:
            self._server.server.RequestHandlerClass = self._api_handler()

    def schedule(self) -> str:
        """The schedule expression of poll_orders."""
        source = self._container("poll").source(ScheduledEventConfig, "poll_orders")
        expression = str(source.schedule_expression)
        return expression.replace("${var.polling_interval}", str(POLLING_INTERVAL))

    def polling_interval(self) -> float:
        """Seconds between two polls, from the schedule of poll_orders."""
        rate = re.fullmatch(r"rate\((\d+) minutes?\)", self.schedule())
        if rate is None:
            raise ValueError(f"unsupported schedule: {self.schedule()}")
        return int(rate[1]) * 60.0

    def call(self, function: str, event: dict[str, Any]) -> Any:
        """Invoke a function as Lambda's API does; returns or raises what the function does."""
        container = CONTAINERS[function]
        return self._container(container).invoke(API if container == "api" else function, event)

    def poll(self, container: str = "poll") -> Exception | None:
        """Run the schedule once; returns the error with which the poll failed, if it did."""
        source = self._container(container).source(ScheduledEventConfig, "poll_orders")
        event = {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": ACCOUNT,
            "time": self._clock.now().isoformat(),
            "region": REGION,
            "resources": [f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{source.name}"],
            "detail": {},
        }
        try:
            self._invoke(container, "poll_orders", event)
        except Exception as error:  # as Lambda does, which continues after a failure
            return error
        return None

    def deliver(self, container: str = "replicate 1") -> Batch | None:
        """Deliver one batch of the visible messages of the consumer's queue; None without any.

        The container is `replicate 1`, `follow 1` or one with another number.
        """
        function = consumer_in(container)
        source = self._container(container).source(SQSEventConfig, function)
        queue = QUEUES[str(source.queue_arn)]
        messages = self._receive(queue, source)
        if not messages:
            return None
        try:
            event = {"Records": [_record(message, queue) for message in messages]}
            answer = self._invoke(container, function, event)
        except Exception as error:  # the whole batch becomes visible again after its timeout
            return Batch(len(messages), len(messages), error)
        failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        self._delete(queue, [each for each in messages if each["MessageId"] not in failed])
        return Batch(len(messages), len(failed))

    def _delete(self, queue: str, messages: list[Any]) -> None:
        for start in range(0, len(messages), PER_CALL):
            self._stack.sqs.delete_message_batch(
                QueueUrl=self._stack.url_of(queue),
                Entries=[
                    {"Id": str(index), "ReceiptHandle": message["ReceiptHandle"]}
                    for index, message in enumerate(messages[start : start + PER_CALL])
                ],
            )

    def _receive(self, queue: str, source: SQSEventConfig) -> list[Any]:
        """A batch of the visible messages; as Lambda, which waits for a full one."""
        messages = self._visible(queue, source.batch_size)
        if 0 < len(messages) < source.batch_size and source.maximum_batching_window_in_seconds:
            self._clock.sleep(source.maximum_batching_window_in_seconds)
            messages += self._visible(queue, source.batch_size - len(messages))
        return messages

    def _visible(self, queue: str, wanted: int) -> list[Any]:
        """Up to so many visible messages, of which SQS returns at most ten at a time."""
        messages: list[Any] = []
        for limit in (min(wanted - start, PER_CALL) for start in range(0, wanted, PER_CALL)):
            some = self._stack.sqs.receive_message(
                QueueUrl=self._stack.url_of(queue),
                MaxNumberOfMessages=limit,
                AttributeNames=["All"],
            ).get("Messages", [])
            messages += some
            if len(some) < limit:
                break
        return messages

    def publish(self) -> Published | None:
        """Deliver one batch of the Orders table's stream; None when there is none, or not yet."""
        source = self._container("publish").source(DynamoDBEventConfig, "publish_changes")
        return self.stream.deliver(
            partial(self._invoke, "publish", "publish_changes"), source.batch_size
        )

    def warm(self, container: str = "replicate 1") -> None:
        """Initialize a consumer with an event without records."""
        self._container(container).invoke(consumer_in(container), {"Records": []})

    def drain(self, consumers: int = 1, after: Callable[[Batch], None] | None = None) -> None:
        """Deliver both queues until no message is visible, the orders queue first.

        `consumers` is the number of concurrent consumers of the orders queue. The changes queue has
        one, which delivers its next batch when the orders queue is empty.
        """
        after = after or (lambda _: None)
        self._drain_orders(consumers, after)
        while batch := self.deliver("follow 1"):
            after(batch)
            self._drain_orders(consumers, after)

    def _drain_orders(self, consumers: int, after: Callable[[Batch], None]) -> None:
        def consume(number: int) -> None:
            while batch := self.deliver(f"replicate {number}"):
                after(batch)

        if consumers == 1:
            consume(1)
            return
        with ThreadPoolExecutor(consumers) as pool:
            list(pool.map(consume, range(1, consumers + 1)))

    def settle(self, consumers: int = 1, after: Callable[[Batch], None] | None = None) -> None:
        """Drain and advance the time until both queues are empty."""
        self.drain(consumers, after)
        while (visible_at := self._stack.next_visible_at()) is not None:
            # In moto a message is visible after the end of its timeout, not at that millisecond.
            self._clock.sleep(max(0.0, visible_at - self._clock.time()) + 0.002)
            self.drain(consumers, after)

    def evaluate_alarm(self) -> bool:
        """Evaluate the dead-letter alarms; publishes and returns True when one enters ALARM."""
        fired = [self._evaluate(alarm, queue) for queue, alarm in CONSUMED.items()]
        return any(fired)

    def _evaluate(self, alarm: str, queue: str) -> bool:
        visible = self._stack.visible(f"{queue}-dead-letters")
        fires = visible >= 1
        if self._in_alarm.get(alarm) == fires:
            return False
        self._in_alarm[alarm] = fires
        self._stack.cloudwatch.set_alarm_state(
            AlarmName=self._stack.name(alarm),
            StateValue="ALARM" if visible else "OK",
            StateReason=f"{visible} messages visible",
        )
        if fires:
            self._stack.sns.publish(
                TopicArn=self._stack.dead_letters_topic_arn,
                Subject=f'ALARM: "{self._stack.name(alarm)}" in US East (N. Virginia)',
                Message=json.dumps(
                    {
                        "AlarmName": self._stack.name(alarm),
                        "NewStateValue": "ALARM",
                        "NewStateReason": f"Threshold Crossed: 1 datapoint [{visible}.0] was "
                        "greater than or equal to the threshold (1.0).",
                    }
                ),
            )
        return fires

    def serve(self, port: int = 0) -> str:
        """Serve the API in a thread, as `chalice local` does; returns its URL."""
        app, config = self._local_app()
        self._server = LocalDevServer(app, config, "127.0.0.1", port)
        http = self._server.server
        http.RequestHandlerClass = self._api_handler()
        threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}).start()
        return f"http://127.0.0.1:{http.server_port}"

    def stop(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server.server_close()
            self._server = None
        self._discard_containers()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _invoke(self, container: str, function: str, event: dict[str, Any]) -> Any:
        """Invoke a function; raises FunctionDied in place of a dead one's answer or error."""
        answer: Any = None
        failure: Exception | None = None
        with self.invocation(container, function) as invocation:
            try:
                answer = self._container(container).invoke(function, event)
            except Exception as error:  # raised again below, unless the function died
                failure = error
        if invocation and invocation.is_over:
            raise FunctionDied(function)
        if failure:
            raise failure
        return answer

    @contextmanager
    def invocation(self, container: str, function: str) -> Iterator[Invocation | None]:
        """An invocation in a container, which is discarded when the function dies."""
        self.running.append(function)
        try:
            if self._gate is None:
                yield None
                return
            with self._gate.invocation(function, timeout(function)) as invocation:
                yield invocation
            if invocation.is_over:
                self._containers.pop(container, None)
        finally:
            self.running.remove(function)

    def _api_handler(self) -> Any:
        app, config = self._local_app()
        return partial(_ApiHandler, pump=self, app_object=app, config=config)

    def refresh_api(self) -> None:
        """Serve the API from a new container if the last one died."""
        if self._server and "api" not in self._containers:
            self._server.server.RequestHandlerClass = self._api_handler()

    def _local_app(self) -> tuple[Chalice, Config]:
        """The API's app for Chalice's local server: one current request per thread."""
        app = self._container("api").app
        app.__class__ = CustomLocalChalice
        return app, Config(
            chalice_stage="sandbox",
            config_from_disk={"lambda_timeout": timeout("api_handler")},
        )

    def _discard_containers(self) -> None:
        for container in self._containers.values():
            container.close()
        self._containers.clear()

    def _container(self, name: str) -> Container:
        if name not in self._containers:
            self._containers[name] = Container(self._functions_clock)
        return self._containers[name]


class _ApiHandler(LocalHandler, ChaliceRequestHandler):
    """Serves the API without access log; answers 504 for a function that died."""

    def __init__(self, *args: Any, pump: Pump, **options: Any) -> None:
        self._pump = pump
        self._answer: tuple[int, Any, str | bytes | None] = (504, {}, "")
        super().__init__(*args, **options)

    def _generic_handle(self) -> None:
        with self._pump.invocation("api", "api_handler") as invocation:
            super()._generic_handle()
        self._pump.refresh_api()
        is_dead = invocation is not None and invocation.is_over
        super()._send_http_response(*((504, {}, "") if is_dead else self._answer))

    def _send_http_response(self, code: int, headers: Any, body: str | bytes | None) -> None:
        """Keep the answer until it is known whether the function died."""
        self._answer = (code, headers, body)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = do_PATCH = do_OPTIONS = _generic_handle

    def log_message(self, *_: Any) -> None: ...


def consumer_in(container: str) -> str:
    """The function that reads a queue in a container."""
    return CONSUMERS[container.split()[0]]


def _record(message: dict[str, Any], queue: str) -> dict[str, Any]:
    """A message as a record of Lambda's SQS event."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}",
        "awsRegion": REGION,
    }
