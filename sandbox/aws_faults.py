"""Faults of AWS: calls that fail, in each of the ways in which a call to AWS can fail.

They affect the functions, the console and the commands. The calls of the sandbox itself, such as
those of the event sources, never fail.
"""

import threading
from copy import copy
from dataclasses import dataclass, field

from werkzeug import Request

from sandbox.gate import ANSWER_LOST, FAILS_AFTER, LOST, PASSES, REFUSED, Outcome, aws_call

OWN = "sandbox/itself"
"""Part of the user agent of the sandbox's own clients."""

OPERATIONS = {
    "*": "do any of the following",
    "dynamodb PutItem orders": "store an order: DynamoDB PutItem, Orders table",
    "dynamodb UpdateItem orders": "record a move: DynamoDB UpdateItem, Orders table",
    "dynamodb BatchGetItem orders": "read stored orders: DynamoDB BatchGetItem, Orders table",
    "dynamodb Query orders": "list the orders of a day: DynamoDB Query, Orders table",
    "dynamodb PutItem webhooks": "store a webhook: DynamoDB PutItem, Webhooks table",
    "dynamodb PutItem jobs": "record a poll or a failing order: DynamoDB PutItem, Jobs table",
    "dynamodb DeleteItem jobs": "remove a failing order: DynamoDB DeleteItem, Jobs table",
    "dynamodb GetItem jobs": "read the known fields: DynamoDB GetItem, Jobs table",
    "dynamodb BatchGetItem jobs": "read the pause of moves: DynamoDB BatchGetItem, Jobs table",
    "dynamodb Query jobs": "read the last polls: DynamoDB Query, Jobs table",
    "sqs SendMessageBatch": "queue orders: SQS SendMessageBatch",
    "sqs ChangeMessageVisibilityBatch": "retry orders later: SQS ChangeMessageVisibilityBatch",
    "sqs GetQueueAttributes": "read the length of a queue: SQS GetQueueAttributes",
    "events PutEvents": "publish changes: EventBridge PutEvents",
    "sns Publish": "send an alert: SNS Publish",
    "ssm GetParameter": "read a secret: SSM GetParameter",
}
"""The operations that the functions call, each with what it is called for."""

OUTCOMES = {
    "refused": REFUSED,
    "error_after": FAILS_AFTER,
    "lost": LOST,
    "answer_lost": ANSWER_LOST,
}


@dataclass
class AwsFault:
    """A fault on the calls of `operation`, one of OPERATIONS, with one of OUTCOMES.

    `times` calls fail (None: no maximum); `failed` is the number of those that have.
    """

    operation: str
    outcome: str
    times: int | None = 1
    failed: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if self.outcome not in OUTCOMES:
            raise ValueError(f"unknown outcome: {self.outcome}; one of {', '.join(OUTCOMES)}")
        if self.operation not in OPERATIONS:
            raise ValueError(f"unknown operation: {self.operation}; one of {', '.join(OPERATIONS)}")
        if self.times is not None and not (isinstance(self.times, int) and self.times > 0):
            raise ValueError(f"times must be a positive integer or null, not {self.times}")

    def matches(self, name: str) -> bool:
        return name in OPERATIONS and self.operation in ("*", name)


class AwsFaults:
    """The faults of one AWS. A call that several match fails by the one that was added first."""

    def __init__(self) -> None:
        self._faults: list[AwsFault] = []
        self._lock = threading.Lock()

    def add(self, fault: AwsFault) -> None:
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    @property
    def active(self) -> list[AwsFault]:
        """Those that have not failed all their calls yet, as they are now."""
        with self._lock:
            return [copy(fault) for fault in self._faults]

    def strike(self, request: Request) -> Outcome:
        """The outcome of a call, which is counted if it fails."""
        if not self._faults or OWN in request.headers.get("User-Agent", ""):
            return PASSES
        name = _operation(request)
        with self._lock:
            fault = next((fault for fault in self._faults if fault.matches(name)), None)
            if fault is None:
                return PASSES
            fault.failed += 1
            if fault.failed == fault.times:
                self._faults.remove(fault)
            return OUTCOMES[fault.outcome]


def _operation(request: Request) -> str:
    """The name of a call; "" of one without a name, such as those of Lambda's API."""
    try:
        return aws_call(request)
    except (KeyError, ValueError):
        return ""
