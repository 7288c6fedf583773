"""What a test does where this machine lacks a tool."""

import os
from typing import NoReturn

import pytest


def unavailable(reason: str) -> NoReturn:
    """Skip what this machine cannot do; the gate cannot do without it."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
