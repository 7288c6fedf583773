"""Figures: what was measured, its unit and its goal; how they are kept and how they are written."""

import json
import os
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any, Self

RESULTS = Path(__file__).with_name("results.json")


@dataclass(frozen=True)
class Figure:
    """One thing measured. `at_most` and `at_least` are its goal, if it has one."""

    key: str
    what: str
    value: float
    unit: str = ""
    digits: int = 1
    at_most: float | None = None
    at_least: float | None = None

    @property
    def measured(self) -> str:
        """The value as people read it."""
        return self._said(self.value)

    @property
    def goal(self) -> str:
        if self.at_most is not None:
            return f"≤ {self._said(self.at_most)}"
        return "" if self.at_least is None else f"≥ {self._said(self.at_least)}"

    @property
    def is_reached(self) -> bool:
        """Whether the goal is met; a figure without one meets it."""
        too_much = self.at_most is not None and self.value > self.at_most
        too_little = self.at_least is not None and self.value < self.at_least
        return not too_much and not too_little

    def _said(self, value: float) -> str:
        if self.unit == "%":
            return f"{value:.{self.digits}%}".replace("%", " %")
        if self.unit == "$":
            return f"${value:,.{self.digits}f}"
        return f"{value:,.{self.digits}f} {self.unit}".rstrip()


@dataclass(frozen=True)
class Results:
    """Figures by benchmark, each benchmark with the machine it ran on."""

    machines: dict[str, dict[str, Any]]
    figures: dict[str, list[Figure]]

    @classmethod
    def load(cls, path: Path = RESULTS) -> Self:
        """What was measured last; nothing when there is no file."""
        if not path.exists():
            return cls({}, {})
        kept = json.loads(path.read_text())
        return cls(
            {name: part["machine"] for name, part in kept.items()},
            {name: [Figure(**each) for each in part["figures"]] for name, part in kept.items()},
        )

    def with_part(self, name: str, figures: Iterable[Figure]) -> "Results":
        """The same with a benchmark measured anew."""
        return Results({**self.machines, name: machine()}, {**self.figures, name: list(figures)})

    def save(self, path: Path = RESULTS) -> None:
        """Write the file; a figure that did not change leaves its lines as they are."""
        kept = {
            name: {"machine": self.machines[name], "figures": [_kept(each) for each in figures]}
            for name, figures in sorted(self.figures.items())
        }
        path.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")

    def __getitem__(self, key: str) -> Figure:
        for figures in self.figures.values():
            for figure in figures:
                if figure.key == key:
                    return figure
        raise KeyError(f"{key}: not measured yet")

    def value(self, key: str) -> float:
        return self[key].value


def machine() -> dict[str, Any]:
    """The facts of this machine that figures depend on."""
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.system(),
        "processor": platform.machine(),
    }


def percentile(values: Iterable[float], percent: int) -> float:
    """The value that so many in a hundred do not exceed."""
    return quantiles(values, n=100, method="inclusive")[percent - 1]


def _kept(figure: Figure) -> dict[str, Any]:
    told = {name: value for name, value in asdict(figure).items() if value is not None}
    return told | {"value": float(f"{figure.value:.6g}")}
