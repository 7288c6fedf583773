"""What a cold start costs: importing, by library, the first event of each function, the package."""

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
"""Fresh interpreters; their median is what is told."""

WEBHOOK_NEEDS = (
    "boto3",
    "botocore.config",
    "chalice.app",
    "chalicelib.settings",
    "chalicelib.edges.sns",
    "chalicelib.webhook",
)
"""All that cart_converted uses of what app.py imports."""

BUDGET = 50.0
"""Milliseconds that importing what a function does not use may cost it."""

LIBRARIES = {
    "botocore": "botocore, boto3",
    "boto3": "botocore, boto3",
    "s3transfer": "botocore, boto3",
    "jmespath": "botocore, boto3",
    "dateutil": "botocore, boto3",
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
    """Processor time, which other work on the machine disturbs least."""
    whole = [containers.start(["app"], {}) for _ in range(STARTS)]
    needed = [containers.start(WEBHOOK_NEEDS, {}) for _ in range(STARTS)]
    all_ms = median(each["import_cpu_ms"] for each in whole)
    needed_ms = median(each["import_cpu_ms"] for each in needed)
    yield Figure("imports.app", "import of app.py, all functions", all_ms, "ms", 0)
    yield Figure("imports.webhook", "of it, what cart_converted uses", needed_ms, "ms", 0)
    yield Figure(
        "imports.unused",
        "of it, what cart_converted does not use",
        all_ms - needed_ms,
        "ms",
        0,
        at_most=BUDGET,
    )
    yield Figure("imports.modules", "modules imported", whole[0]["modules"], digits=0)


def _by_library() -> Iterator[Figure]:
    """Where that time goes; the interpreter's own report makes everything a little slower."""
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
    """A container's first event, in which it connects and reads secrets, and its second."""
    makers: dict[str, tuple[str, Callable[[int], dict[str, Any]]]] = {
        "cart_converted": ("app", events.request),
        "replicate_orders": ("replicate_orders", events.delivery),
        "poll_orders": ("poll_orders", lambda _: events.scheduled()),
    }
    with stage.stage(2 * STARTS, quota=stage.PLENTY) as measured:
        for name, (handler, make) in makers.items():
            told = [
                containers.start(
                    ["app"],
                    measured.environment,
                    (handler, make(FIRST_ID + number)),
                    (handler, make(FIRST_ID + STARTS + number)),
                )["events_ms"]
                for number in range(STARTS)
            ]
            first, second = (median(each[n] for each in told) for n in (0, 1))
            yield Figure(f"imports.first.{name}", f"{name}: first event", first, "ms", 0)
            yield Figure(f"imports.second.{name}", f"{name}: second event", second, "ms", 0)


def _package() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(  # noqa: S603 - our own module, no shell
            [sys.executable, "-m", "ops.deploy.package", "--stage", "prod", "--terraform", folder],
            check=True,
            capture_output=True,
        )
        archives = sorted(Path(folder).glob("*.zip"))
        packed = sum(archive.stat().st_size for archive in archives) / 1e6
        unpacked = sum(unpacked_sizes(archive).total() for archive in archives) / 1e6
    yield Figure("package.packed", "the package, zipped", packed, "MB", 2, at_most=8.0)
    yield Figure("package.unpacked", "the package, unpacked", unpacked, "MB", 1)
