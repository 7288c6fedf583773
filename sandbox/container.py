"""A Lambda container: app.py imported afresh, and the context of each invocation."""

import importlib.util
import json
import uuid
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from chalice.app import Chalice

from sandbox.store.clock import Clock

PROJECT = Path(__file__).resolve().parent.parent
CONFIG = PROJECT / ".chalice" / "config.json"

API = "api_handler"
"""The function that serves all routes; its handler is the app itself."""

E = TypeVar("E")


class Context:
    """The attributes of Lambda's context object that handlers use."""

    def __init__(self, function: str, seconds: float, clock: Clock) -> None:
        self.function_name = f"order-replication-{function}"
        self.aws_request_id = str(uuid.uuid4())
        self.log_group_name = f"/aws/lambda/{self.function_name}"
        self.log_stream_name = "sandbox"
        self._clock = clock
        self._ends_at = clock.time() + seconds

    def get_remaining_time_in_millis(self) -> int:
        return int((self._ends_at - self._clock.time()) * 1000)


class Container:
    """A Lambda container: app.py imported afresh, with nothing read or connected yet."""

    def __init__(self, clock: Clock) -> None:
        spec = importlib.util.spec_from_file_location(f"app_{uuid.uuid4().hex}", PROJECT / "app.py")
        if spec is None or spec.loader is None:
            raise ImportError("app.py cannot be loaded")
        self._clock = clock
        self._module: ModuleType = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self._module)
        vars(self._module)["clock"] = clock
        self.app: Chalice = self._module.app

    def invoke(self, function: str, event: dict[str, Any]) -> Any:
        """Call a handler with an event, as Lambda does; returns or raises what the handler does."""
        handler = self.app if function == API else getattr(self._module, function)
        return handler(event, Context(function, timeout(function), self._clock))

    def close(self) -> None:
        """Close the connections that the clients of the container hold open."""
        wiring = self._module.wiring
        edges = vars(wiring()).values() if wiring.cache_info().currsize else ()
        for edge in edges:
            for client in (edge, getattr(edge, "client", None), getattr(edge, "session", None)):
                close = getattr(client, "close", None)
                if close:
                    close()

    def source(self, kind: type[E], function: str) -> E:
        """The event source of a function, of this kind."""
        (source,) = [each for each in self.app.event_sources if function_of(each) == function]
        if not isinstance(source, kind):
            raise TypeError(f"the event source of {function} is {source!r}")
        return source


def function_of(source: Any) -> str:
    """The handler's name of one of Chalice's event sources."""
    return str(source.handler_string.removeprefix("app."))


@cache
def timeout(function: str) -> float:
    """The timeout of a function in seconds, from Chalice's configuration."""
    functions = json.loads(CONFIG.read_text())["lambda_functions"]
    return float(functions[function]["lambda_timeout"])
