"""Where the consumer's processor time goes, by library and by function, with a store at 0 ms."""

import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import stage
from benchmarks.figures import Figure
from benchmarks.imports import LIBRARIES

ORDERS = 200
LONGEST = 25
"""Functions that the list names."""

REPORT = Path(__file__).with_name("profile.txt")


def measure() -> list[Figure]:
    """The shares of the libraries; the longest functions go to profile.txt."""
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / "profile.json"
        with stage.stage(ORDERS, quota=stage.PLENTY) as measured:
            stage.run(measured.environment, stage.poll)
            stage.run(measured.environment, consume, str(kept))
        functions = json.loads(kept.read_text())
    REPORT.write_text(_report(functions))
    return list(_shares(functions))


def consume(kept: str) -> stage.Work:
    """Empty the queue under a profiler that knows threads; what it saw goes to the file `kept`."""
    # Here alone: on import it tries names that Python 3 does not have, and warns about them.
    import yappi

    work = stage.consume()

    def profiled() -> None:
        yappi.set_clock_type("cpu")
        yappi.start()
        work()
        yappi.stop()
        seen = [
            {"where": _where(each.module), "name": each.name, "calls": each.ncall, "s": each.tsub}
            for each in yappi.get_func_stats()
        ]
        Path(kept).write_text(json.dumps(seen))

    return profiled


def _where(path: str) -> str:
    """A module's place below the folder that packages are in; built-in ones have no file."""
    for folder in ("/site-packages/", "/lib-dynload/", f"/python3.{sys.version_info.minor}/"):
        if folder in path:
            return path.rsplit(folder, 1)[1]
    here = str(Path(__file__).resolve().parent.parent) + "/"
    return path.removeprefix(here)


def _shares(functions: list[dict[str, Any]]) -> Iterator[Figure]:
    spent: Counter[str] = Counter()
    for each in functions:
        spent[_library(each["where"])] += each["s"]
    whole = spent.total()
    for library, seconds in spent.most_common():
        what = f"share of the consumer's processor time: {library}"
        yield Figure(f"profile.{library}", what, seconds / whole, "%", 0)


def _library(where: str) -> str:
    top = where.split("/")[0].removesuffix(".py")
    if top in ("sandbox", "benchmarks"):
        return "the benchmark itself"
    return LIBRARIES.get(top, "standard library")


def _report(functions: list[dict[str, Any]]) -> str:
    """The functions with the most time of their own, milliseconds an order."""
    functions.sort(key=lambda each: -each["s"])
    lines = [
        f"{each['s'] / ORDERS * 1000:8.3f} ms {each['calls'] / ORDERS:8.1f} calls  "
        f"{each['where']}:{each['name']}"
        for each in functions[:LONGEST]
    ]
    head = "Processor time of an order in the consumer, under a profiler that slows every call:"
    return "\n".join([head, "", *lines]) + "\n"
