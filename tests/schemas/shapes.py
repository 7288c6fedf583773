"""A schema from lists of field names: every field is required, and no other is allowed."""

from types import GenericAlias
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, create_model

STRICT = ConfigDict(strict=True, extra="forbid")
PRIMITIVES: dict[str, Any] = {
    "text": str,
    "text_or_null": str | None,
    "integer": int,
    "integer_or_null": int | None,
    "number": float,
    "boolean": bool,
}


def shape(name: str, *parents: type[BaseModel], optional: str = "", **fields: Any) -> Any:
    """A model of an object. Under the name of a type stand names of fields, separated by spaces;
    every other argument is a field with its own type. `optional` names fields that may be absent.
    A parent gives its fields."""
    types: dict[str, Any] = {}
    for parent in parents:
        types |= {field: info.annotation for field, info in parent.model_fields.items()}
    for kind, type_ in PRIMITIVES.items():
        types |= dict.fromkeys(fields.pop(kind, "").split(), type_)
    types |= fields
    absent = set(optional.split())
    declared: dict[str, Any] = {
        field: (type_, None) if field in absent else (type_, ...) for field, type_ in types.items()
    }
    return create_model(name, __config__=STRICT, **declared)


def one_of(*values: str) -> Any:
    return Literal[values]


def many(item: Any) -> Any:
    """A list of items of one shape."""
    return GenericAlias(list, (item,))
