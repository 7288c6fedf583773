"""Intercepts every call of the functions to the store or to AWS, and may let it fail.

    functions ──► Gate ──► the store
                    └────► AWS

A `script` decides the outcome of each call: whether it takes effect, what is answered, and whether
the function dies there. A dead function, or one whose time is over, keeps running, since a thread
cannot be stopped; but none of its further calls takes effect.
"""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Self
from urllib.parse import parse_qs
from wsgiref.types import WSGIApplication

from werkzeug import Request, Response

from sandbox.store.answers import error
from sandbox.store.clock import Clock
from sandbox.store.serving import Answer, Server, forward

STORE_PATH = re.compile(r"/stores/[^/]+/v\d")
REFUSAL = b'{"__type": "SandboxRefusal", "message": "refused"}'
REFUSAL_XML = (
    b"<ErrorResponse><Error><Type>Sender</Type><Code>SandboxRefusal</Code>"
    b"<Message>refused</Message></Error></ErrorResponse>"
)
"""An error with a code that botocore does not know, and so does not retry."""

LATENCY = 0.01
"""Seconds by the clock that every call takes."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of a call: its effect, its answer (the real one, an error, none), a death."""

    has_effect: bool = True
    answer: Literal["given", "error", "none"] = "given"
    dies: bool = False


PASSES = Outcome()
REFUSED = Outcome(has_effect=False, answer="error")
LOST = Outcome(has_effect=False, answer="none")
FAILS_AFTER = Outcome(answer="error")
ANSWER_LOST = Outcome(answer="none")
DIES_BEFORE = Outcome(has_effect=False, answer="error", dies=True)
DIES_AFTER = Outcome(answer="error", dies=True)


@dataclass(frozen=True)
class Call:
    """A call of a function: its ordinal number, its invocation, and its request.

    `name` is the kind ("dynamodb PutItem orders", "store GET /orders/{id}"), `subject` the request
    in full; a retry has the same name and subject as the call before it.
    """

    number: int
    function: str
    invocation: int
    name: str
    subject: str
    at: float


Script = Callable[[Call], Outcome]


@dataclass
class Invocation:
    """One invocation of a function; `ends_at` in epoch seconds of the functions' clock."""

    function: str
    number: int
    ends_at: float
    is_over: bool = False


class FunctionDied(Exception):
    """The function died, or its time was over, before it answered."""


class Gate:
    """Serves the functions on two ports, one for the store and one for AWS."""

    def __init__(self, store: Answer, aws: WSGIApplication, clock: Clock) -> None:
        self.store, self._aws, self._clock = store, aws, clock
        self._running: list[Invocation] = []
        self._invocations = 0
        self._lock = threading.Lock()
        self.script: Script = lambda call: PASSES
        self.on_call: Callable[[Call], None] = lambda _: None
        """Called with every call of a living function, before it has any effect."""
        self.calls: list[tuple[Call, Outcome]] = []
        self.dead: set[int] = set()
        """Numbers of the invocations that died."""
        self.on_answer: Callable[[Call, Request, Response | None], None] = lambda *_: None
        """Called with every answer of the store that a living function received."""
        self.on_aws: Callable[[Call], None] = lambda _: None
        """Called after every call to AWS that had an effect."""
        self._servers: list[Server] = []

    def __enter__(self) -> Self:
        self._servers = [Server(0, answer) for answer in (self._answer_store, self._answer_aws)]
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._servers:
            server.stop()

    @property
    def store_url(self) -> str:
        return f"http://127.0.0.1:{self._servers[0].server_port}"

    @property
    def aws_url(self) -> str:
        return f"http://127.0.0.1:{self._servers[1].server_port}"

    @property
    def invocation_now(self) -> int:
        """The number of the invocation that makes the present call; 0 outside of any."""
        return self._running[-1].number if self._running else 0

    @contextmanager
    def invocation(self, function: str, seconds: float) -> Iterator[Invocation]:
        """An invocation, from its event to its answer; others may run inside it."""
        self._invocations += 1
        invocation = Invocation(function, self._invocations, self._clock.time() + seconds)
        self._running.append(invocation)
        try:
            yield invocation
        finally:
            self._running.remove(invocation)
            self._expire(invocation)
            if invocation.is_over:
                self.dead.add(invocation.number)

    def _expire(self, invocation: Invocation) -> None:
        if self._clock.time() >= invocation.ends_at:
            invocation.is_over = True

    def _outcome(self, name: str, subject: str) -> tuple[Call, Outcome]:
        """The outcome of a call; calls after a death are not counted."""
        self._clock.sleep(LATENCY)
        running = self._running[-1] if self._running else Invocation("none", 0, float("inf"))
        self._expire(running)
        with self._lock:
            number = len(self.calls) + 1
            now = self._clock.time()
            call = Call(number, running.function, running.number, name, subject, now)
            if running.is_over:
                return call, DIES_BEFORE
            self.calls.append((call, PASSES))
        self.on_call(call)
        outcome = self.script(call)
        self._expire(running)
        if running.is_over:
            outcome = DIES_BEFORE
        running.is_over = running.is_over or outcome.dies
        self.calls[number - 1] = (call, outcome)
        return call, outcome

    def _answer_store(self, request: Request) -> Response | None:
        path = STORE_PATH.sub("", request.path)
        name = f"store {request.method} {re.sub(r'[0-9]+', '{id}', path)}"
        call, outcome = self._outcome(name, f"{request.method} {request.full_path.rstrip('?')}")
        given = self.store(request) if outcome.has_effect else None
        if outcome.dies:
            return error(400, "The function is dead.")
        if outcome.answer == "none":
            return None
        if outcome.answer == "error":
            return error(500, "Internal Server Error")
        self.on_answer(call, request, given)
        return given

    def _answer_aws(self, request: Request) -> Response | None:
        call, outcome = self._outcome(aws_call(request), request.get_data(as_text=True))
        given = forward(request, self._aws) if outcome.has_effect else None
        if outcome.has_effect:
            self.on_aws(call)
        return answer_of_aws(request, outcome, given)


def answer_of_aws(request: Request, outcome: Outcome, given: Response | None) -> Response | None:
    """The answer to a call to AWS with this outcome; `given` is the real one, if it had an effect.

    None closes the connection without an answer.
    """
    if outcome.answer == "none":
        return None
    if outcome.answer == "given" and given:
        return given
    if "X-Amz-Target" in request.headers:
        return Response(REFUSAL, 400, content_type="application/x-amz-json-1.0")
    return Response(REFUSAL_XML, 400, content_type="text/xml")


def aws_call(request: Request) -> str:
    """The name of a call to AWS: "dynamodb PutItem jobs", "sns Publish"."""
    target = request.headers.get("X-Amz-Target")
    if target is None:
        return f"sns {parse_qs(request.get_data(as_text=True))['Action'][0]}"
    service, operation = target.split(".")
    if service.startswith("DynamoDB"):
        content = json.loads(request.get_data())
        table = content.get("TableName") or next(iter(content.get("RequestItems", [""])))
        return f"dynamodb {operation} {table.rsplit('-', 1)[-1]}"
    return f"{service.removeprefix('Amazon').removeprefix('AWS').lower()} {operation}"
