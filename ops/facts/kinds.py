"""Kinds of JSON values."""

import re
from datetime import datetime
from decimal import Decimal

from chalicelib.domain.models import store_date

MONEY = re.compile(r"-?\d+\.\d{4}")


def is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> bool:
    """A number, or a text that is one."""
    if not isinstance(value, int | Decimal | str) or isinstance(value, bool):
        return False
    try:
        return Decimal(value).is_finite()
    except ArithmeticError:
        return False


def is_json_number(value: object) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def is_money(value: object) -> bool:
    """Text with four decimals."""
    return isinstance(value, str) and MONEY.fullmatch(value) is not None


def is_stub(value: object) -> bool:
    """A link to a list, in place of the list."""
    return isinstance(value, dict) and value.keys() == {"url", "resource"}


def parsed_date(value: object) -> datetime | None:
    try:
        return store_date(value)
    except ValueError:
        return None


def kind_of(value: object) -> str:
    """The name of a JSON type; integers and other numbers are distinguished."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case str():
            return "text"
        case list():
            return "list"
        case dict():
            return "object"
    return "number"
