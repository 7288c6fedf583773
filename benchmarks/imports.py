"""Cold starts: import time by library, the first event of each function, the package size."""

import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import containers, events, stage
from benchmarks.figures import Figure
from ops.deploy.package import unpacked_sizes
from sandbox.store.shop import FIRST_ID

STARTS = 9
"""Fresh interpreters per figure, which is their median."""

WEBHOOK_IMPORTS = (
    "boto3",
    "botocore.config",
    "chalice.app",
    "chalicelib.settings",
    "chalicelib.edges.sns",
    "chalicelib.webhook",
)
"""Modules that cart_converted uses; they import the rest of what it needs."""

BUDGET = 50.0
"""Milliseconds that cart_converted may spend on imports it does not use."""

LIBRARIES = {
    "botocore": "boto3",
    "boto3": "boto3",
    "s3transfer": "boto3",
    "jmespath": "boto3",
    "dateutil": "boto3",
    "pydantic": "pydantic",
    "pydantic_core": "pydantic",
    "annotated_types": "pydantic",
    "typing_extensions": "pydantic",
    "typing_inspection": "pydantic",
    "requests": "requests",
    "charset_normalizer": "requests",
    "idna": "requests",
    "certifi": "requests",
    "urllib3": "urllib3",
    "chalice": "chalice",
    "standardwebhooks": "standardwebhooks",
    "app": "the service",
    "chalicelib": "the service",
}


def measure() -> list[Figure]:
    return [*_imports(), *_by_library(), *_first_events(), *_package()]


def _imports() -> Iterator[Figure]:
    """CPU time, because other load on the machine affects it least."""
    everything = [containers.start(["app"], {}) for _ in range(STARTS)]
    used = [containers.start(WEBHOOK_IMPORTS, {}) for _ in range(STARTS)]
    all_ms = median(each["import_cpu_ms"] for each in everything)
    used_ms = median(each["import_cpu_ms"] for each in used)
    yield Figure("imports.app", "import of app.py", all_ms, "ms", 0)
    yield Figure("imports.webhook", "import of what cart_converted uses", used_ms, "ms", 0)
    yield Figure(
        "imports.unused",
        "import of what cart_converted does not use",
        all_ms - used_ms,
        "ms",
        0,
        at_most=BUDGET,
    )
    yield Figure("imports.modules", "modules imported", everything[0]["modules"], digits=0)


def _by_library() -> Iterator[Figure]:
    """Import time by library, from `python -X importtime`, which adds a small overhead."""
    runs = []
    for _ in range(5):
        spent: Counter[str] = Counter()
        for module, microseconds in containers.import_times("app").items():
            spent[LIBRARIES.get(module.split(".")[0], "standard library")] += microseconds
        runs.append(spent)
    for library in sorted(set(LIBRARIES.values()) | {"standard library"}):
        spent_ms = median(run[library] for run in runs) / 1000
        yield Figure(f"imports.of.{library}", f"import of {library}", spent_ms, "ms")


def _first_events() -> Iterator[Figure]:
    """The first event, which includes connecting and reading secrets, and the second."""
    functions: dict[str, tuple[str, Callable[[int], dict[str, Any]]]] = {
        "cart_converted": ("app", events.request),
        "replicate_orders": ("replicate_orders", events.delivery),
        "poll_orders": ("poll_orders", lambda _: events.scheduled()),
    }
    with stage.stage(2 * STARTS, quota=stage.UNLIMITED) as measured:
        for name, (handler, make) in functions.items():
            durations = [
                containers.start(
                    ["app"],
                    measured.environment,
                    (handler, make(FIRST_ID + number)),
                    (handler, make(FIRST_ID + STARTS + number)),
                )["events_ms"]
                for number in range(STARTS)
            ]
            first, second = (median(each[n] for each in durations) for n in (0, 1))
            yield Figure(f"imports.first.{name}", f"{name}: first event", first, "ms", 0)
            yield Figure(f"imports.second.{name}", f"{name}: second event", second, "ms", 0)


def _package() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(  # noqa: S603 - a module of this project, no shell
            [sys.executable, "-m", "ops.deploy.package", "--stage", "prod", "--terraform", folder],
            check=True,
            capture_output=True,
        )
        archives = sorted(Path(folder).glob("*.zip"))
        packed = sum(archive.stat().st_size for archive in archives) / 1e6
        unpacked = sum(unpacked_sizes(archive).total() for archive in archives) / 1e6
    yield Figure("package.packed", "deployment package, zipped", packed, "MB", 2, at_most=12.0)
    yield Figure("package.unpacked", "deployment package, unpacked", unpacked, "MB", 1)
