"""CloudWatch Logs: each line of the functions' log, in the log group of its function as JSON.

Lambda writes the fields of a line beside its message, as log_format = "JSON" makes it do.
"""

import json
import logging
import threading
from datetime import UTC, datetime
from typing import Any

from sandbox.pump import CONSUMERS, Pump
from sandbox.stack import Stack
from sandbox.store.clock import Clock

STREAM = "sandbox"
STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
"""The fields of a record that are not of the line's own."""

BY_MODULE = {
    "polling": "poll_orders",
    "hook_check": "poll_orders",
    "webhook": "cart_converted",
    "publishing": "publish_changes",
}
"""The functions of the modules that only one function uses."""

FUNCTIONS = (
    "poll_orders",
    "cart_converted",
    "replicate_orders",
    "follow_orders",
    "publish_changes",
)


class Logs(logging.Handler):
    """Collects lines; `send` puts them into their log groups."""

    def __init__(self, stack: Stack, pump: Pump, clock: Clock) -> None:
        super().__init__(logging.INFO)
        self._stack, self._pump, self._clock = stack, pump, clock
        self._client = stack.aws.client("logs")
        self._lock = threading.Lock()
        self._lines: dict[str, list[dict[str, Any]]] = {}
        for function in FUNCTIONS:
            self._client.create_log_group(logGroupName=self._group(function))
            self._client.create_log_stream(logGroupName=self._group(function), logStreamName=STREAM)

    def emit(self, record: logging.LogRecord) -> None:
        facts = {name: value for name, value in vars(record).items() if name not in STANDARD}
        moment = datetime.fromtimestamp(self._clock.time(), UTC)
        line = {
            "timestamp": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
            **facts,
        }
        entry = {
            "timestamp": int(moment.timestamp() * 1000),
            "message": json.dumps(line, default=str),
        }
        with self._lock:
            self._lines.setdefault(self._function(record), []).append(entry)

    def send(self) -> None:
        """Put the lines since the last call."""
        with self._lock:
            lines, self._lines = self._lines, {}
        for function, entries in lines.items():
            self._client.put_log_events(
                logGroupName=self._group(function),
                logStreamName=STREAM,
                logEvents=sorted(entries, key=lambda entry: entry["timestamp"]),
            )

    def _function(self, record: logging.LogRecord) -> str:
        """Which function wrote a line; the consumers, whose modules are the same, run in turn."""
        if name := BY_MODULE.get(record.name.removeprefix("chalicelib.")):
            return name
        running = list(self._pump.running)
        consumers = [each for each in running if each in CONSUMERS.values()]
        name = next(reversed(consumers or running), "replicate_orders")
        return "cart_converted" if name == "api_handler" else name

    def _group(self, function: str) -> str:
        return f"/aws/lambda/{self._stack.name(function.replace('_', '-'))}"
