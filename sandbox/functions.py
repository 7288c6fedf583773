"""Lambda's API for the functions of a world: their configuration and invocation.

moto would run a function in a container; here the pump runs it. All other services are passed on to
moto.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

FUNCTION = re.compile(r"/2015-03-31/functions/([^/]+)/(configuration|invocations)")
MAPPINGS = re.compile(r"/2015-03-31/event-source-mappings/?")
ACCOUNT_SETTINGS = re.compile(r"/2016-08-19/account-settings/?")

CONCURRENCY = 1000
"""Concurrent executions of an account; a new account has less
(https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html)."""


@dataclass
class Function:
    """A function; `call` invokes it, `mapped`: whether its event source mapping is on.

    `concurrency` is the maximum concurrency of the mapping.
    """

    name: str
    environment: Mapping[str, str]
    call: Callable[[dict[str, Any]], Any]
    timeout: int
    mapped: bool | None = None
    concurrency: int = 2
    state: str = "Active"
    update: str = "Successful"


class Functions:
    """A WSGI application in front of that of moto, which may have other functions."""

    def __init__(self, behind: WSGIApplication, has_others: bool) -> None:
        self._behind = behind
        self._has_others = has_others
        self._functions: dict[str, Function] = {}
        self.concurrency = CONCURRENCY

    def add(self, function: Function) -> None:
        self._functions[function.name] = function

    def remove(self, name: str) -> None:
        del self._functions[name]

    def __contains__(self, name: str) -> bool:
        return name in self._functions

    def __getitem__(self, name: str) -> Function:
        return self._functions[name]

    def __call__(self, environ: WSGIEnvironment, respond: StartResponse) -> Iterable[bytes]:
        path = unquote(environ.get("PATH_INFO", ""))
        if match := FUNCTION.fullmatch(path):
            function = self._functions.get(match[1])
            if function and match[2] == "configuration":
                return _answer(respond, _configuration(function))
            if function:
                return _invoke(function, environ, respond)
            if not self._has_others:
                return _missing(match[1], respond)
        if MAPPINGS.fullmatch(path):
            (name,) = parse_qs(environ.get("QUERY_STRING", "")).get("FunctionName", [""])
            function = self._functions.get(name)
            if function or not self._has_others:
                return _answer(respond, {"EventSourceMappings": _mappings(function)})
        if ACCOUNT_SETTINGS.fullmatch(path):
            return _answer(respond, {"AccountLimit": self._limit()})
        return self._behind(environ, respond)

    def _limit(self) -> dict[str, int]:
        """The account's limits, none of which is reserved; moto does not implement this call."""
        return {
            "ConcurrentExecutions": self.concurrency,
            "UnreservedConcurrentExecutions": self.concurrency,
        }


def _configuration(function: Function) -> dict[str, Any]:
    return {
        "FunctionName": function.name,
        "State": function.state,
        "LastUpdateStatus": function.update,
        "Timeout": function.timeout,
        "MemorySize": 512,
        "Environment": {"Variables": dict(function.environment)},
    }


def _mappings(function: Function | None) -> list[dict[str, Any]]:
    if function is None or function.mapped is None:
        return []
    state = "Enabled" if function.mapped else "Disabled"
    scaling = {"MaximumConcurrency": function.concurrency}
    return [{"UUID": "1", "State": state, "ScalingConfig": scaling}]


def _invoke(
    function: Function, environ: WSGIEnvironment, respond: StartResponse
) -> Iterable[bytes]:
    event = json.loads(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))
    try:
        return _answer(respond, function.call(event))
    except Exception as error:  # as Lambda does, which answers 200 for a function that failed
        failure = {"errorMessage": str(error), "errorType": type(error).__name__}
        return _answer(respond, failure, ("X-Amz-Function-Error", "Unhandled"))


def _missing(name: str, respond: StartResponse) -> Iterable[bytes]:
    error = ("X-Amzn-ErrorType", "ResourceNotFoundException")
    return _answer(
        respond, {"Message": f"Function not found: {name}"}, error, status="404 NOT FOUND"
    )


def _answer(
    respond: StartResponse, content: Any, *headers: tuple[str, str], status: str = "200 OK"
) -> Iterable[bytes]:
    respond(status, [("Content-Type", "application/json"), *headers])
    return [json.dumps(content).encode()]
