"""The console's page of the rehearsal: the report of the command, and nothing but GET requests."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from ops.rehearse.sections import number, sections
from sandbox.store import Store
from sandbox.store.faults import Fault
from sandbox.store.statuses import Status
from sandbox.world import World
from tests.e2e.browser import Visitor, follow, visiting
from tests.e2e.conftest import Ops

pytestmark = pytest.mark.xdist_group("browser")

MARKUP = "<script>alert(1)</script>"


def rehearse(visitor: Visitor, limit: int = 1000, *settings: str) -> Page:
    """Fill the form and send it; returns the page when it has a report, or the problem."""
    page = submit(visitor, str(limit), *settings)
    page.wait_for_selector("#rehearsal .verdict")
    return page


def submit(visitor: Visitor, limit: str, *settings: str) -> Page:
    page = visitor.open("/rehearsal/")
    # The browser would not send a number that is too large.
    page.locator(".rehearsal").evaluate("form => { form.noValidate = true }")
    page.fill("[name=limit]", limit)
    page.fill("[name=set]", "\n".join(settings))
    follow(page.get_by_role("button", name="Rehearse", exact=True))
    return page


def expected(facts: Any) -> dict[str, list[list[str]]]:
    """The cells of the tables of a report, by the heading; ids without the spaces."""

    def text(cell: str | int | list[int]) -> str:
        if isinstance(cell, list):
            return ",".join(map(str, cell))
        return number(cell) if isinstance(cell, int) else cell

    tables = [section for section in sections(facts) if section.rows]
    return {each.title: [[text(cell) for cell in row] for row in each.rows] for each in tables}


def shown(page: Page) -> dict[str, list[list[str]]]:
    """The same of the page."""
    return {
        str(table.get_attribute("aria-label")): [
            [
                ",".join(cell.locator("a").all_text_contents()) or str(cell.text_content())
                for cell in row.locator("td").all()
            ]
            for row in table.locator("tbody tr").all()
        ]
        for table in page.locator("#rehearsal .table").all()
    }


@contextmanager
def waiting(visitor: Visitor, store: Store) -> Iterator[None]:
    """The rehearsal waits for the quota after its first page until the end of the block."""
    released = threading.Event()
    visitor.console.clock.on_sleep = lambda _: released.wait()
    store.faults.add(Fault(route="GET /orders", kind="before", act=lambda: store.use_quota(150)))
    try:
        yield
    finally:
        released.set()


def test_the_report_is_that_of_the_command_and_only_get_requests_are_sent(
    browser: Browser, world: World, store: Store, ops: Ops
) -> None:
    store.place_orders(90)
    facts = ops.json("rehearse", "--limit", "80", "--set", "MOVE_UNPAID=false")
    # What the command used of the quota is not that of another app.
    world.clock.sleep(60)
    store.requests.clear()

    with visiting(browser, world, writes=False) as visitor:
        page = rehearse(visitor, 80, "MOVE_UNPAID=false")

        assert shown(page) == expected(facts)
        assert facts["moves"] and "80 of 90 orders" in page.inner_text("#rehearsal .verdict")
        assert "--limit 80 --set MOVE_UNPAID=false" in page.inner_text(".command")
        visitor.check()
        folded = page.locator("#rehearsal details").first
        folded.locator("summary").click()
        order_id = folded.locator("a").first.inner_text()
        folded.locator("a").first.click()
        assert page.url.endswith(f"/orders/{order_id}")

    assert {each.split()[0] for each in store.requests} == {"GET"}
    assert ops.json("history")["actions"] == []


def test_a_stop_leaves_what_was_found_as_a_partial_report(visitor: Visitor, store: Store) -> None:
    store.place_orders(300, statuses=[Status.SHIPPED])
    with waiting(visitor, store):
        page = submit(visitor, "1000")
        page.wait_for_selector("#rehearsal >> text=250 of 300 orders read")
        visitor.check()
        follow(page.get_by_role("button", name="Rehearse", exact=True))
        assert "is running" in page.inner_text(".result.bad")
        page.get_by_role("button", name="Stop").focus()
        # The button keeps the focus when this part of the page is loaded again.
        with page.expect_response(lambda response: "/rehearsal/" in response.url):
            pass
        with page.expect_navigation():
            page.keyboard.press("Enter")
        assert "stopping" in page.inner_text("#rehearsal")

    page.wait_for_selector("#rehearsal >> text=Partial report")
    assert "250 of 300 orders" in page.inner_text("#rehearsal .verdict")
    assert page.get_by_role("button", name="Stop").count() == 0


@pytest.mark.parametrize(
    ("limit", "setting", "reason"),
    [
        ("10", f"ORDERS_TABLE={MARKUP}", "use NAME=VALUE with one of"),
        ("10", "MOVE_UNPAID", "use NAME=VALUE with one of"),
        ("10", "NEW_STATUS_IDS=9", "NEW_STATUS_IDS"),
        ("5001", "MOVE_UNPAID=false", "1<=x<=5000"),
    ],
)
def test_a_wrong_entry_is_refused_with_its_reason_and_stays_in_the_form(
    visitor: Visitor, store: Store, limit: str, setting: str, reason: str
) -> None:
    page = submit(visitor, limit, setting)

    assert reason in page.inner_text(".result.bad")
    assert page.input_value("[name=limit]") == limit
    assert page.input_value("[name=set]") == setting
    assert not store.requests


def test_an_error_of_the_store_is_described_as_the_command_does(
    visitor: Visitor, store: Store, ops: Ops
) -> None:
    store.revoke_token()

    page = rehearse(visitor)

    said = ops("rehearse").output
    assert page.inner_text("#rehearsal .verdict p") in said.replace("\n", " ")


def test_an_error_after_some_orders_leaves_a_partial_report(visitor: Visitor, store: Store) -> None:
    store.place_orders(300, statuses=[Status.SHIPPED])
    store.faults.add(Fault(route="GET /orders*", kind="status", status=401, skip=2, times=None))

    page = rehearse(visitor)

    assert "Partial report" in page.inner_text("#rehearsal .verdict")
    assert "access token" in page.inner_text("#rehearsal .result.bad")


def test_without_javascript_a_reload_shows_the_progress_and_the_report(
    browser: Browser, world: World, store: Store
) -> None:
    store.place_orders(300, statuses=[Status.SHIPPED])
    threads = set(threading.enumerate())
    with visiting(browser, world, javascript=False) as visitor:
        with waiting(visitor, store):
            page = submit(visitor, "1000")
            page.reload()
            assert page.get_by_role("button", name="Stop").is_visible()
            (thread,) = (
                each for each in set(threading.enumerate()) - threads if each.name == "rehearsal"
            )
        thread.join()
        page.reload()
        assert "300 of 300 orders" in page.inner_text("#rehearsal .verdict")
