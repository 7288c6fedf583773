"""The result of one check."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Mark: TypeAlias = Literal["ok", "fault", "note"]


@dataclass(frozen=True)
class Finding:
    """One line of output; a fault has the command or step that fixes it."""

    name: str
    mark: Mark
    found: str
    fix: str | None = None


def ok(name: str, found: str) -> Finding:
    return Finding(name, "ok", found)


def fault(name: str, found: str, fix: str) -> Finding:
    return Finding(name, "fault", found, fix)


def note(name: str, found: str, fix: str | None = None) -> Finding:
    """Information that is not a fault."""
    return Finding(name, "note", found, fix)
