"""Compares the files of two stores, or of one store at two times."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ops.facts.examination import FORMAT

ABSENT = "-"


@dataclass(frozen=True)
class Difference:
    """What differs: a fact by its name, or a field of a kind of object; and both values."""

    what: str
    one: str
    other: str


def read(path: Path) -> dict[str, Any]:
    """The content of a file that this program has written. Raises UsageError."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise click.UsageError(f"{path} cannot be read ({type(error).__name__})") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise click.UsageError(f"{path} was not written by facts --output, or by another version")
    return content


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[Difference]:
    """Verdicts, and fields and their types. The counts of two stores differ in any case."""
    parts = [(_verdicts(each), _fields(each)) for each in (one, other)]
    return [
        found for first, second in zip(*parts, strict=True) for found in _differing(first, second)
    ]


def _differing(one: Mapping[str, str], other: Mapping[str, str]) -> Iterator[Difference]:
    for name in sorted(one.keys() | other.keys()):
        first, second = one.get(name, ABSENT), other.get(name, ABSENT)
        if first != second:
            yield Difference(name, first, second)


def _verdicts(content: Mapping[str, Any]) -> dict[str, str]:
    """Each fact's verdict, with the names of the fields that are contrary to it."""
    return {
        fact["name"]: ", ".join([fact["verdict"], *fact["fields"]]) for fact in content["facts"]
    }


def _fields(content: Mapping[str, Any]) -> dict[str, str]:
    """The types of each field. A kind that one store has no object of is left out below."""
    return {
        f"{kind}.{name}": ", ".join(types)
        for kind, fields in content["fields"].items()
        for name, types in fields.items()
    }
