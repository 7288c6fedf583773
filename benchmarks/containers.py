"""Containers started for measuring, each in a fresh interpreter."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any


def start(
    modules: Sequence[str], environment: dict[str, str], *events: tuple[str, Any]
) -> dict[str, Any]:
    """What benchmarks.cold says of importing the modules and handling the events."""
    result = _python("-m", "benchmarks.cold", *modules, stdin=json.dumps(events), **environment)
    told: dict[str, Any] = json.loads(result.stdout)
    return told


def import_times(module: str) -> dict[str, int]:
    """Microseconds that each module took by itself when `module` was imported."""
    result = _python("-X", "importtime", "-c", f"import {module}")
    rows = [line.removeprefix("import time:").split("|") for line in result.stderr.splitlines()]
    return {
        row[2].strip(): int(row[0]) for row in rows if len(row) == 3 and row[0].strip().isdigit()
    }


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
