"""EventBridge's delivery of the events on a bus to the targets of its rules.

    PutEvents ──► the rules of the bus ──► target ──► retries ──► dead-letter queue

moto keeps buses, rules, targets and API destinations, and matches patterns. It would deliver every
event once, at once, and to few kinds of targets; so this takes over where a rule has matched.

Not as in EventBridge: the waits between retries, which AWS does not document; the requests of an
API destination with a rate are spaced evenly; OAuth connections send no token; the input of a
target is the whole event. moto matches the operators of patterns that it knows, which do not
include `wildcard` and `$or`.
"""

import base64
import json
import threading
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import moto.events.models
import requests
from moto.backends import get_backend

from sandbox.account import ACCOUNT, REGION
from sandbox.functions import Functions
from sandbox.store.clock import Clock, SystemClock

MOST_RETRIES, LONGEST_AGE = 185, 86_400
"""A target's retry policy by default: retries, and seconds
(https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html)."""

LONGEST_WAIT = 480.0
"""Seconds between two retries, which double from one second: 185 of them take a day."""

TIMEOUT = 5.0
"""Seconds in which an API destination has to answer
(https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-api-destinations.html)."""

RETRIED = frozenset({401, 407, 409, 429})
"""Statuses of an API destination, besides 5xx, after which EventBridge tries again."""

ASYNCHRONOUS = (60.0, 120.0)
"""Seconds after which Lambda invokes a function again that failed with an event
(https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html)."""


@dataclass(frozen=True)
class Answer:
    """A receiver's answer to an HTTP request: its status, and after how many seconds."""

    status: int = 200
    seconds: float = 0.1


Receiver = Callable[[dict[str, Any]], Answer]


class Failed(Exception):
    """A target did not take an event. `is_final`: another attempt would not help."""

    def __init__(self, code: str, reason: str, *, is_final: bool = False) -> None:
        super().__init__(reason)
        self.code = code
        self.is_final = is_final


@dataclass
class Delivery:
    """An event on its way to one target; times in epoch seconds."""

    rule_arn: str
    target: dict[str, Any]
    event: dict[str, Any]
    accepted_at: float
    next_at: float
    attempts: int = 0
    calls: list[str] = field(default_factory=list)


class Bus:
    """Delivers the events of all buses. Nothing happens until `deliver` is called."""

    def __init__(self, functions: Functions) -> None:
        self._functions = functions
        self._clock: Clock = SystemClock()
        self._lock = threading.Lock()
        self._waiting: list[Delivery] = []
        self._free_at: dict[str, float] = {}
        self.receivers: dict[str, Receiver] = {}
        """Receivers in this process, by the URL of their API destination. Others are called."""
        self.on_failure: Callable[[Delivery, str, float | None], None] = lambda *_: None
        """Called after each attempt that failed, with the reason, and with the seconds to the next
        one if there is one."""
        self.dropped: list[Delivery] = []
        """What no target and no dead-letter queue has taken, oldest first."""

    def follow(self, clock: Clock) -> None:
        self._clock = clock

    def forget(self) -> None:
        """Drop every event that is on its way, and every receiver."""
        with self._lock:
            self._waiting.clear()
            self._free_at.clear()
        self.receivers.clear()
        self.on_failure = lambda *_: None
        self.dropped.clear()

    @property
    def waiting(self) -> int:
        """The number of deliveries that are on their way."""
        return len(self._waiting)

    @property
    def next_at(self) -> float | None:
        """When the next delivery is attempted, in epoch seconds; None when there is none."""
        with self._lock:
            return min((delivery.next_at for delivery in self._waiting), default=None)

    def accept(self, rule: Any, event: dict[str, Any]) -> None:
        """Take an event for the targets of a rule, if the rule matches it."""
        is_selective = bool(rule.event_pattern.get_pattern())
        if rule.state == "DISABLED" or not is_selective:
            return
        if not rule.event_pattern.matches_event(event):
            return
        now = self._now()
        sent = {name: value for name, value in event.items() if name != "ingestion-time"}
        sent["time"] = datetime.fromtimestamp(float(event["time"]), UTC).isoformat()
        with self._lock:
            self._waiting += [
                Delivery(rule.arn, dict(target), sent, now, now) for target in rule.targets
            ]

    def deliver(self, pool: Executor | None = None) -> int:
        """Attempt every delivery that is due, once; returns how many were attempted.

        With a `pool` to all targets at the same time: in real time, a receiver that does not answer
        must not delay the others.
        """
        now = self._now()
        with self._lock:
            due = [delivery for delivery in self._waiting if delivery.next_at <= now]
            self._waiting = [delivery for delivery in self._waiting if delivery.next_at > now]
        by_target: dict[str, list[Delivery]] = {}
        for delivery in due:
            by_target.setdefault(delivery.target["Arn"], []).append(delivery)
        for _ in (pool.map if pool else map)(self._attempt_all, by_target.values()):
            pass
        return len(due)

    def _attempt_all(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            self._attempt(delivery)

    def _attempt(self, delivery: Delivery) -> None:
        if (free_at := self._take_turn(delivery.target["Arn"])) is not None:
            delivery.next_at = free_at
            with self._lock:
                self._waiting.append(delivery)
            return
        delivery.attempts += 1
        try:
            self._send(delivery)
        except Failed as failure:
            self._after(delivery, failure)

    def _take_turn(self, arn: str) -> float | None:
        """None if the rate of the target allows a request now, or else when it does."""
        if ":api-destination/" not in arn:
            return None
        destination = _backend("events").destinations.get(arn.split("/")[1])
        rate = getattr(destination, "invocation_rate_limit_per_second", None)
        if rate is None:
            return None
        now, free_at = self._now(), self._free_at.get(arn, 0.0)
        if free_at > now:
            return free_at
        self._free_at[arn] = now + 1 / float(rate)
        return None

    def _after(self, delivery: Delivery, failure: Failed) -> None:
        """Attempt a delivery again later, or put it into the target's dead-letter queue."""
        policy = delivery.target.get("RetryPolicy") or {}
        retries = delivery.attempts - 1
        ends_at = delivery.accepted_at + policy.get("MaximumEventAgeInSeconds", LONGEST_AGE)
        next_at = self._now() + min(2.0**retries, LONGEST_WAIT)
        exhausted = None
        if retries >= policy.get("MaximumRetryAttempts", MOST_RETRIES):
            exhausted = "MaximumRetryAttempts"
        elif next_at > ends_at:
            exhausted = "MaximumEventAgeInSeconds"
        is_retried = not (failure.is_final or exhausted)
        self.on_failure(delivery, str(failure), next_at - self._now() if is_retried else None)
        if is_retried:
            delivery.next_at = next_at
            with self._lock:
                self._waiting.append(delivery)
            return
        queue = (delivery.target.get("DeadLetterConfig") or {}).get("Arn")
        if queue is None:
            self.dropped.append(delivery)
            return
        facts = {
            "RULE_ARN": delivery.rule_arn,
            "TARGET_ARN": delivery.target["Arn"],
            "ERROR_CODE": failure.code,
            "ERROR_MESSAGE": str(failure),
            "RETRY_ATTEMPTS": str(retries),
            **({"EXHAUSTED_RETRY_CONDITION": exhausted} if exhausted else {}),
        }
        _backend("sqs").send_message(
            queue_name=queue.rsplit(":", 1)[1],
            message_body=json.dumps(delivery.event),
            message_attributes={
                name: {"DataType": "String", "StringValue": value} for name, value in facts.items()
            },
        )

    def _send(self, delivery: Delivery) -> None:
        target, event = delivery.target, delivery.event
        unsupported = target.keys() & {"Input", "InputPath", "InputTransformer"}
        if unsupported:
            raise NotImplementedError(f"the sandbox sends the whole event, without {unsupported}")
        service, resource = target["Arn"].split(":", 5)[2::3]
        if service == "sqs":
            return _send_to_queue(resource, target, event)
        if service == "lambda":
            return self._send_to_function(resource.removeprefix("function:"), delivery)
        if service == "events" and resource.startswith("event-bus/"):
            return _send_to_bus(target["Arn"], event)
        if service == "events" and resource.startswith("api-destination/"):
            return self._send_to_endpoint(resource.split("/")[1], event)
        raise NotImplementedError(f"the sandbox delivers no events to {target['Arn']}")

    def _send_to_function(self, name: str, delivery: Delivery) -> None:
        """Invoke a function. It fails with the event for itself: Lambda has taken the event."""
        if name not in self._functions:
            raise Failed("RESOURCE_NOT_FOUND", f"no function {name}", is_final=True)
        try:
            self._functions[name].call(delivery.event)
        except Exception as error:  # as Lambda does, which answers EventBridge before
            delivery.calls.append(type(error).__name__)
            if len(delivery.calls) > len(ASYNCHRONOUS):
                self.dropped.append(delivery)
                return
            delivery.next_at = self._now() + ASYNCHRONOUS[len(delivery.calls) - 1]
            with self._lock:
                self._waiting.append(delivery)

    def _send_to_endpoint(self, name: str, event: dict[str, Any]) -> None:
        events = _backend("events")
        destination = events.destinations.get(name)
        if destination is None:
            raise Failed("RESOURCE_NOT_FOUND", f"no API destination {name}", is_final=True)
        url = destination.invocation_endpoint
        receiver = self.receivers.get(url)
        headers = _authorization(events, destination.connection_arn)
        answer = receiver(event) if receiver else _request(destination, event, headers)
        if answer.seconds > TIMEOUT:
            raise Failed("TIMEOUT", f"the endpoint did not answer within {TIMEOUT:.0f} seconds")
        reason = f"the endpoint answered {answer.status}"
        if answer.status in RETRIED or answer.status >= 500:
            raise Failed("SDK_CLIENT_ERROR", reason)
        if answer.status >= 300:
            raise Failed("SDK_CLIENT_ERROR", reason, is_final=True)

    def _now(self) -> float:
        return self._clock.time()


def take_over_from_moto(bus: Bus) -> None:
    """Have this bus deliver what moto's rules match."""

    def send_to_targets(rule: Any, event: dict[str, Any], transform_input: bool = True) -> None:
        bus.accept(rule, event)

    type.__setattr__(moto.events.models.Rule, "send_to_targets", send_to_targets)


def _send_to_queue(name: str, target: dict[str, Any], event: dict[str, Any]) -> None:
    sqs = _backend("sqs")
    if name not in sqs.queues:
        raise Failed("NO_PERMISSIONS", f"no queue {name}", is_final=True)
    group = (target.get("SqsParameters") or {}).get("MessageGroupId")
    sqs.send_message(queue_name=name, message_body=json.dumps(event), group_id=group)


def _send_to_bus(arn: str, event: dict[str, Any]) -> None:
    events = _backend("events")
    if arn.rsplit("/", 1)[1] not in events.event_buses:
        raise Failed("RESOURCE_NOT_FOUND", f"no bus {arn}", is_final=True)
    events.put_events(
        [
            {
                "Source": event["source"],
                "DetailType": event["detail-type"],
                "Detail": json.dumps(event["detail"]),
                "EventBusName": arn,
            }
        ]
    )


def _request(destination: Any, event: dict[str, Any], headers: dict[str, str]) -> Answer:
    try:
        answer = requests.request(
            destination.http_method,
            destination.invocation_endpoint,
            json=event,
            headers=headers,
            timeout=TIMEOUT,
            allow_redirects=False,
        )
    except requests.RequestException as error:
        raise Failed("CONNECTION_FAILURE", type(error).__name__) from None
    return Answer(answer.status_code)


def _authorization(events: Any, connection_arn: str) -> dict[str, str]:
    """The header by which a connection authorizes; none with OAuth."""
    connection = events.connections.get(connection_arn.split("/")[1])
    parameters = connection.auth_parameters if connection else {}
    if key := parameters.get("ApiKeyAuthParameters"):
        return {key["ApiKeyName"]: key["ApiKeyValue"]}
    if basic := parameters.get("BasicAuthParameters"):
        pair = f"{basic['Username']}:{basic['Password']}".encode()
        return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
    return {}


def _backend(service: str) -> Any:
    backends: Any = get_backend(service)  # type: ignore[call-overload]  # not a literal
    return backends[ACCOUNT][REGION]
