"""Measured figures with their units and goals, and the file that stores them."""

import json
import os
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles
from typing import Any, Self

RESULTS = Path(__file__).with_name("results.json")


@dataclass(frozen=True)
class Figure:
    """A measured or calculated value. `at_most` and `at_least` are its goal, if it has one.

    A value in `%` is a fraction: 0.5 is 50 %.
    """

    key: str
    what: str
    value: float
    unit: str = ""
    digits: int = 1
    at_most: float | None = None
    at_least: float | None = None

    @property
    def text(self) -> str:
        """The value with its unit."""
        return self._format(self.value)

    @property
    def goal(self) -> str:
        if self.at_most is not None:
            return f"≤ {self._format(self.at_most)}"
        return "" if self.at_least is None else f"≥ {self._format(self.at_least)}"

    @property
    def is_reached(self) -> bool:
        """Whether the value meets the goal; always true without a goal."""
        too_high = self.at_most is not None and self.value > self.at_most
        too_low = self.at_least is not None and self.value < self.at_least
        return not too_high and not too_low

    def _format(self, value: float) -> str:
        if self.unit == "%":
            return f"{value:.{self.digits}%}".replace("%", " %")
        if self.unit == "$":
            return f"${value:,.{self.digits}f}"
        return f"{value:,.{self.digits}f} {self.unit}".rstrip()


@dataclass(frozen=True)
class Results:
    """Figures by benchmark, and the conditions of each measurement."""

    conditions: dict[str, dict[str, Any]]
    figures: dict[str, list[Figure]]

    @classmethod
    def load(cls, path: Path = RESULTS) -> Self:
        stored = json.loads(path.read_text())
        return cls(
            {name: part["conditions"] for name, part in stored.items()},
            {name: [Figure(**each) for each in part["figures"]] for name, part in stored.items()},
        )

    def with_part(self, name: str, figures: Iterable[Figure]) -> "Results":
        """These results with the figures of one benchmark, measured here and today."""
        return Results(
            {**self.conditions, name: conditions()}, {**self.figures, name: list(figures)}
        )

    def save(self, path: Path = RESULTS) -> None:
        """Write the file with one figure per line, so that a diff shows what changed."""
        parts = []
        for name, figures in sorted(self.figures.items()):
            lines = ",\n  ".join(_to_json(figure) for figure in figures)
            head = f'"conditions": {json.dumps(self.conditions[name])}'
            parts.append(f'"{name}": {{\n {head},\n "figures": [\n  {lines}\n ]\n}}')
        path.write_text("{\n" + ",\n".join(parts) + "\n}\n")

    def __getitem__(self, key: str) -> Figure:
        for figures in self.figures.values():
            for figure in figures:
                if figure.key == key:
                    return figure
        raise KeyError(f"{key} is not in the results: run make bench")

    def value(self, key: str) -> float:
        return self[key].value


def conditions() -> dict[str, Any]:
    """The date, and the properties of this machine that affect figures."""
    return {
        "measured_on": datetime.now(UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.system(),
        "processor": platform.machine(),
    }


def percentile(values: Iterable[float], percent: int) -> float:
    """The value that `percent` percent of the values do not exceed."""
    return quantiles(values, n=100, method="inclusive")[percent - 1]


def _to_json(figure: Figure) -> str:
    fields = {name: value for name, value in asdict(figure).items() if value is not None}
    return json.dumps(fields | {"value": float(f"{figure.value:.6g}")})
