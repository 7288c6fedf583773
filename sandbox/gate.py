"""The one way out for the functions: every call to the store or to AWS passes here, and may fail.

    World.functions ──► Gate ──► the store
                          └────► AWS

A `script` decides the fate of each call: whether it has its effect, what comes back, and
whether the function dies there. A function that is dead, or whose time is over, goes on
running, as no thread can be stopped; but nothing that it still asks for has any effect.
"""

import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Self
from urllib.parse import parse_qs, urlsplit

from werkzeug.test import create_environ

from sandbox.store.clock import Clock
from sandbox.store.rendering import HANG_UP, Answer, Request, error
from sandbox.store.server import Server

StoreApp = Callable[[Request], Answer | None]
WsgiApp = Callable[[dict[str, Any], Any], Iterable[bytes]]

LENGTHS = ("Content-Length", "Transfer-Encoding")
"""Headers of the one connection that mean nothing on the other."""

STORE_PATH = re.compile(r"/stores/[^/]+/v\d")
DEAD_ANSWER = error(400, "The function is dead.")
FAILED_ANSWER = error(500, "Internal Server Error")
REFUSAL = b'{"__type": "SandboxRefusal", "message": "refused"}'
REFUSAL_XML = (
    b"<ErrorResponse><Error><Type>Sender</Type><Code>SandboxRefusal</Code>"
    b"<Message>refused</Message></Error></ErrorResponse>"
)
"""An error with a code that botocore does not know, and so does not try again."""


LATENCY = 0.01
"""Seconds by the clock that every call takes on its way."""


@dataclass(frozen=True)
class Fate:
    """What becomes of a call: its effect, its answer (as it is, an error, none), a death."""

    has_effect: bool = True
    answer: Literal["given", "error", "none"] = "given"
    dies: bool = False


PASSES = Fate()
REFUSED = Fate(has_effect=False, answer="error")
UNHEARD = Fate(has_effect=False, answer="none")
FAILS_AFTER = Fate(answer="error")
ANSWER_LOST = Fate(answer="none")
DIES_BEFORE = Fate(has_effect=False, answer="error", dies=True)
DIES_AFTER = Fate(answer="error", dies=True)


@dataclass(frozen=True)
class Call:
    """A call on its way out: the how-manieth, of which invocation, and what it asks.

    `name` is the kind ("dynamodb PutItem orders", "store GET /orders/{id}"), `subject` what
    precisely is asked; a retry has both in common with the call before it.
    """

    number: int
    function: str
    invocation: int
    name: str
    subject: str
    at: float


Script = Callable[[Call], Fate]


@dataclass
class Life:
    """One invocation: its time-out in epoch seconds of the functions' clock, and its death."""

    function: str
    number: int
    ends_at: float
    is_over: bool = False


class Died(Exception):
    """The function died, or its time was over, before it could answer."""


class Gate:
    """Listens for the functions on two ports, one for the store and one for AWS."""

    def __init__(self, store: StoreApp, aws: WsgiApp, clock: Clock) -> None:
        self.store, self._aws, self._clock = store, aws, clock
        self._lives: list[Life] = []
        self._born = 0
        self._lock = threading.Lock()
        self.script: Script = lambda call: PASSES
        self.calls: list[tuple[Call, Fate]] = []
        self.dead: set[int] = set()
        """Numbers of the invocations that died."""
        self.heard: Callable[[Call, Request, Answer | None], None] = lambda *_: None
        """Told of every answer of the store that a living function got."""
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

    @contextmanager
    def invocation(self, function: str, seconds: float) -> Iterator[Life]:
        """The life of a function, from its event to its answer; it may hold others inside."""
        self._born += 1
        life = Life(function, self._born, self._clock.time() + seconds)
        self._lives.append(life)
        try:
            yield life
        finally:
            self._lives.remove(life)
            self._expire(life)
            if life.is_over:
                self.dead.add(life.number)

    def _expire(self, life: Life) -> None:
        if self._clock.time() >= life.ends_at:
            life.is_over = True

    def _fate(self, name: str, subject: str) -> tuple[Call, Fate]:
        """What becomes of a call; after a death nothing is counted any more."""
        self._clock.sleep(LATENCY)
        life = self._lives[-1] if self._lives else Life("nobody", 0, float("inf"))
        self._expire(life)
        with self._lock:
            number = len(self.calls) + 1
            call = Call(number, life.function, life.number, name, subject, self._clock.time())
            if life.is_over:
                return call, DIES_BEFORE
            self.calls.append((call, PASSES))
        fate = self.script(call)
        self._expire(life)
        if life.is_over:
            fate = DIES_BEFORE
        life.is_over = life.is_over or fate.dies
        self.calls[number - 1] = (call, fate)
        return call, fate

    def _answer_store(self, request: Request) -> Answer | None:
        path = STORE_PATH.sub("", urlsplit(request.target).path)
        name = f"store {request.method} {re.sub(r'[0-9]+', '{id}', path)}"
        call, fate = self._fate(name, f"{request.method} {request.target}")
        given = self.store(request) if fate.has_effect else DEAD_ANSWER
        if fate.dies:
            return DEAD_ANSWER
        if fate.answer == "none":
            return HANG_UP
        if fate.answer == "error":
            return FAILED_ANSWER
        self.heard(call, request, given)
        return given

    def _answer_aws(self, request: Request) -> Answer | None:
        _, fate = self._fate(aws_call(request), request.body.decode())
        given = answer_of(self._aws, request) if fate.has_effect else None
        if fate.answer == "none":
            return HANG_UP
        if fate.answer == "given" and given:
            return given
        if "X-Amz-Target" in request.headers:
            return Answer(400, REFUSAL, "application/x-amz-json-1.0")
        return Answer(400, REFUSAL_XML, "text/xml")


def answer_of(app: WsgiApp, request: Request) -> Answer:
    """A WSGI application's answer to a request."""
    headers = {name: text for name, text in request.headers.items() if name not in LENGTHS}
    environ = create_environ(
        request.target, method=request.method, headers=headers, data=request.body
    )
    answered: list[Any] = []
    content = b"".join(app(environ, lambda *given: answered.append(given)))
    status, given = answered[0][:2]
    headers = {name.title(): text for name, text in given}
    kept = {name: text for name, text in headers.items() if name not in (*LENGTHS, "Connection")}
    kind = kept.pop("Content-Type", "application/json")
    return Answer(int(status.split()[0]), content, kind, kept)


def aws_call(request: Request) -> str:
    """What a request asks of AWS: "dynamodb PutItem jobs", "sns Publish"."""
    target = request.headers.get("X-Amz-Target")
    if target is None:
        return f"sns {parse_qs(request.body.decode())['Action'][0]}"
    service, operation = target.split(".")
    if service.startswith("DynamoDB"):
        asked = json.loads(request.body)
        table = asked.get("TableName") or next(iter(asked.get("RequestItems", [""])))
        return f"dynamodb {operation} {table.rsplit('-', 1)[-1]}"
    return f"{service.removeprefix('Amazon').lower()} {operation}"
