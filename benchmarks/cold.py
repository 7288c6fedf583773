"""A cold container: `python -m benchmarks.cold MODULE...` imports, then handles events once.

The events are a JSON list of [handler, event] pairs on standard input; the milliseconds that each
part took go to standard output. Only the standard library is imported before the time starts.
"""

import importlib
import json
import sys
import time
from typing import Any


class Context:
    """What Lambda passes beside the event."""

    aws_request_id = "00000000-0000-4000-8000-000000000000"
    log_group_name = log_stream_name = "bench"

    def get_remaining_time_in_millis(self) -> int:
        return 900_000


def main() -> None:
    events: list[tuple[str, Any]] = json.load(sys.stdin)
    began, cpu_began = time.perf_counter(), time.process_time()
    module = [importlib.import_module(name) for name in sys.argv[1:]][-1]
    told: dict[str, Any] = {
        "import_ms": (time.perf_counter() - began) * 1000,
        "import_cpu_ms": (time.process_time() - cpu_began) * 1000,
        "modules": len(sys.modules),
        "events_ms": [],
    }
    for handler, event in events:
        began = time.perf_counter()
        getattr(module, handler)(event, Context())
        told["events_ms"].append((time.perf_counter() - began) * 1000)
    print(json.dumps(told))


if __name__ == "__main__":
    main()
