"""What every test starts from: credentials that open nothing, and no profile of anybody's."""

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest

AWS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}

# A slow machine must not fail a test, and a run must repeat what the last one did.
hypothesis.settings.register_profile(
    "repeatable",
    database=None,
    deadline=None,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("repeatable")


@pytest.fixture(scope="session", autouse=True)
def aws_of_nobody() -> Iterator[None]:
    """For the whole session, so that it is there before any fixture makes a client."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ENDPOINT_URL"):
            monkeypatch.delenv(name, raising=False)
        for name, value in AWS.items():
            monkeypatch.setenv(name, value)
        yield


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("simulation")
    group.addoption("--runs", type=int, help="Random histories to simulate, from --seed upwards.")
    group.addoption("--seed", type=int, help="The first seed; without --runs the only one.")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say how many histories were simulated; the tests that count them record it."""
    counts: Counter[str] = Counter()
    for report in terminalreporter.stats.get("passed", []):
        counts.update({what: n for what, n in report.user_properties if isinstance(n, int)})
    for what, number in sorted(counts.items()):
        terminalreporter.write_line(f"simulation: {number} {what}, each come to rest as it should")
