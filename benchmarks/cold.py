"""A cold container: `python -m benchmarks.cold MODULE...` imports modules, then handles events.

Standard input is a JSON list of [handler, event] pairs, standard output the duration of each part
in milliseconds. Before the time starts, only the standard library is imported.
"""

import importlib
import json
import sys
import time
from typing import Any


class Context:
    """The context object that Lambda passes with the event."""

    aws_request_id = "00000000-0000-4000-8000-000000000000"
    log_group_name = log_stream_name = "bench"

    def get_remaining_time_in_millis(self) -> int:
        return 900_000


def main() -> None:
    events: list[tuple[str, Any]] = json.load(sys.stdin)
    started, cpu_started = time.perf_counter(), time.process_time()
    module = [importlib.import_module(name) for name in sys.argv[1:]][-1]
    report: dict[str, Any] = {
        "import_ms": (time.perf_counter() - started) * 1000,
        "import_cpu_ms": (time.process_time() - cpu_started) * 1000,
        "modules": len(sys.modules),
        "events_ms": [],
    }
    for handler, event in events:
        started = time.perf_counter()
        getattr(module, handler)(event, Context())
        report["events_ms"].append((time.perf_counter() - started) * 1000)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
