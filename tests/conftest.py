"""Options of the test run, and credentials that give access to nothing."""

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

# No deadline, so that no test depends on the speed of the machine; each run repeats the last one.
for name, examples in (("quick", 50), ("exhaustive", 200)):
    hypothesis.settings.register_profile(
        name,
        database=None,
        deadline=None,
        derandomize=True,
        max_examples=examples,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
    )


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--exhaustive",
        action="store_true",
        default=os.environ.get("CI") == "true",
        help="Run everything, sampling nothing; the default with CI=true.",
    )
    group = parser.getgroup("simulation")
    group.addoption("--runs", type=int, help="Random histories to simulate, from --seed upwards.")
    group.addoption("--seed", type=int, help="The first seed; without --runs the only one.")


def pytest_configure(config: pytest.Config) -> None:
    profile = "exhaustive" if config.getoption("exhaustive") else "quick"
    hypothesis.settings.load_profile(profile)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests marked `exhaustive`, unless the run is exhaustive."""
    if config.getoption("exhaustive"):
        return
    deselected = [item for item in items if item.get_closest_marker("exhaustive")]
    config.hook.pytest_deselected(items=deselected)
    items[:] = [item for item in items if not item.get_closest_marker("exhaustive")]


@pytest.fixture(scope="session", autouse=True)
def fake_credentials() -> Iterator[None]:
    """For the whole session, so that they are set before any fixture makes a client."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ENDPOINT_URL"):
            monkeypatch.delenv(name, raising=False)
        for name, value in AWS.items():
            monkeypatch.setenv(name, value)
        yield


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A Chromium for all tests of a process: Playwright can be started only once in it."""
    # Imported here: most tests need no browser.
    from tests.e2e.browser import chromium

    with chromium() as running:
        yield running


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the numbers that tests recorded with record_property."""
    counts: Counter[str] = Counter()
    for report in terminalreporter.stats.get("passed", []):
        counts.update({what: n for what, n in report.user_properties if isinstance(n, int)})
    for what, number in sorted(counts.items()):
        terminalreporter.write_line(f"simulation: {number} {what}")
