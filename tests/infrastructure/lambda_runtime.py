"""Simulates the Python runtime of Lambda: invokes one handler of an unpacked package.

    python -I -S lambda_runtime.py FOLDER... < {"handler": "app.poll_orders", "event": {...}}

Only the given folders and the standard library can be imported. Prints the result as JSON, and
appends the AWS operations that were called to the file in CALLS.
"""

import importlib
import json
import os
import sys
import uuid
from typing import Any

sys.path[:0] = sys.argv[1:]


class Context:
    """The context object, as far as the handlers use it."""

    aws_request_id = str(uuid.uuid4())
    log_group_name = "/aws/lambda/test"
    log_stream_name = "test"

    def get_remaining_time_in_millis(self) -> int:
        """More than the minute that a poll requires for another page."""
        return 180_000


def record_calls(path: str) -> None:
    """Record every operation that a boto3 client calls from now on."""
    import botocore.client

    base: Any = botocore.client.BaseClient
    call = base._make_api_call

    def recorded(client: Any, operation: str, parameters: Any) -> Any:
        with open(path, "a") as calls:
            calls.write(f"{client.meta.service_model.service_name}:{operation}\n")
        return call(client, operation, parameters)

    base._make_api_call = recorded


def main() -> None:
    request = json.load(sys.stdin)
    record_calls(os.environ["CALLS"])
    module, handler = request["handler"].split(".")
    result = getattr(importlib.import_module(module), handler)(request["event"], Context())
    print(json.dumps(result))


main()
