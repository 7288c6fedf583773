"""What a check has found, and the commands that mend things."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Mark: TypeAlias = Literal["ok", "fault", "note"]


@dataclass(frozen=True)
class Finding:
    """One line of a check-up; a fault says with which command it is mended."""

    name: str
    mark: Mark
    found: str
    mend: str | None = None


def ok(name: str, found: str) -> Finding:
    return Finding(name, "ok", found)


def fault(name: str, found: str, mend: str) -> Finding:
    return Finding(name, "fault", found, mend)


def note(name: str, found: str, mend: str | None = None) -> Finding:
    """Something to know that stops nothing."""
    return Finding(name, "note", found, mend)
