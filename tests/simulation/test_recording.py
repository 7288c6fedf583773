"""A recorded history is the one that runs unrecorded, and the browser shows its calls."""

import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from ops.console.app import create_app
from ops.console.console import Console
from ops.console.server import link, listen
from tests.e2e.browser import Visitor, follow
from tests.simulation.console import page
from tests.simulation.random_history import simulate
from tests.simulation.recording import Recording, record

pytestmark = pytest.mark.xdist_group("browser")

SEED = 7


@pytest.fixture(scope="module")
def recording(aws: Any) -> Recording:
    return record(aws, SEED)


def shown(recording: Recording, query: str) -> tuple[int, str]:
    """The status and text of the page of a call."""
    console = Console("simulated")
    client = create_app(console, [page(recording)], own=()).test_client()
    answer = client.get(
        f"/simulation/?token={console.guard.token}{query}",
        base_url="http://127.0.0.1:1",
        follow_redirects=True,
    )
    return answer.status_code, re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", answer.text))


def test_recording_does_not_change_a_history(aws: Any, recording: Recording) -> None:
    assert recording.history.trace == simulate(aws, SEED).trace
    assert len(recording.moments) == len(recording.outcomes)


def test_a_moment_is_the_state_just_before_its_call(recording: Recording) -> None:
    """A put is seen by the call after it, and a move in the store as well."""
    moments = recording.moments
    puts = [
        number
        for number, moment in enumerate(moments[:-1])
        if moment.call.name == "dynamodb PutItem orders" and recording.outcomes[number].has_effect
    ]
    assert puts
    for number in puts:
        order_id = int(re.search(r'"id": \{"N": "(\d+)"', moments[number].call.subject)[1])  # type: ignore[index]
        rows = {row.order_id: row for row in moments[number + 1].rows}
        assert rows[order_id].in_table is not None


def test_the_page_of_a_call_shows_its_request_outcome_and_orders(recording: Recording) -> None:
    number = next(n for n, moment in enumerate(recording.moments, 1) if moment.rows)

    status, text = shown(recording, f"&call={number}")

    moment = recording.moments[number - 1]
    assert status == 200
    assert moment.call.name in text
    assert all(str(row.order_id) in text for row in moment.rows)
    assert recording.events_until(number)[-1] in text


@pytest.mark.parametrize("query", ["&call=0", "&call=100000"])
def test_a_call_that_the_history_does_not_have_is_not_found(
    recording: Recording, query: str
) -> None:
    status, text = shown(recording, query)

    assert status == 404
    assert f"1 to {len(recording.moments)}" in text


def test_violations_are_shown_first(recording: Recording) -> None:
    wrong, recording.history.wrong = recording.history.wrong, ["order 7 was <b>lost</b>"]
    try:
        assert "order 7 was &lt;b&gt;lost&lt;/b&gt;" in shown(recording, "&call=1")[1]
    finally:
        recording.history.wrong = wrong


@pytest.fixture
def visitor(recording: Recording, browser: Browser) -> Iterator[Visitor]:
    console = Console("simulated")
    server = listen(console, 0, [page(recording)], own=())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    context = browser.new_context()
    visitor = Visitor(console, link(console, server), context)
    yield visitor
    context.close()
    server.shutdown()
    thread.join()
    server.server_close()
    assert visitor.errors == []


def test_a_reader_steps_through_the_calls(visitor: Visitor, recording: Recording) -> None:
    visitor.open("/simulation/")
    follow(visitor.page.get_by_role("link", name="Next call"))
    follow(visitor.page.get_by_role("link", name="Next invocation"))

    number = recording.next_invocation(2)
    assert f"call={number}" in visitor.page.url
    assert recording.moments[number - 1].call.name in visitor.page.inner_text("main")
    visitor.check()
