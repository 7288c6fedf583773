"""Measurements in fresh Python interpreters."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any


def start(
    modules: Sequence[str], environment: dict[str, str], *events: tuple[str, Any]
) -> dict[str, Any]:
    """Import the modules, handle the events, and return the report of benchmarks.cold."""
    result = _python("-m", "benchmarks.cold", *modules, stdin=json.dumps(events), **environment)
    report: dict[str, Any] = json.loads(result.stdout)
    return report


def import_times(module: str) -> Counter[str]:
    """Microseconds spent in each module itself while `module` is imported."""
    result = _python("-X", "importtime", "-c", f"import {module}")
    rows = [line.removeprefix("import time:").split("|") for line in result.stderr.splitlines()]
    times: Counter[str] = Counter()
    for row in rows:
        if len(row) == 3 and row[0].strip().isdigit():
            # Python reports a module twice when its own package imports it first.
            times[row[2].strip()] += int(row[0])
    return times


def _python(
    *arguments: str, stdin: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - this Python, no shell
        [sys.executable, *arguments],
        input=stdin,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
