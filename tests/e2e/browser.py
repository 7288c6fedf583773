"""A console in a real browser, which records what must not happen."""

import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Blueprint
from playwright.sync_api import Browser, BrowserContext, Locator, Page, sync_playwright

from ops.clock import OperatorClock
from ops.console.console import Console
from ops.console.journey import Step
from ops.console.server import link, listen
from sandbox.world import World

NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"),
    *("--disable-component-update", "--no-first-run"),
)
T = TypeVar("T")
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
SERIOUS = ("serious", "critical")
TIMEOUT = 60_000
"""Milliseconds; only what never happens takes so long."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """The machine's Chromium; skips without one, and fails in CI."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        reason = "no Chromium is on the PATH: install it with apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=QUIET, timeout=TIMEOUT)
        yield browser
        browser.close()


class Visitor:
    """A person with the link of a console, in a browser of its own."""

    def __init__(self, console: Console, url: str, context: BrowserContext) -> None:
        self.console, self.url = console, url
        context.set_default_timeout(TIMEOUT)
        self.page: Page = context.new_page()
        self.errors: list[str] = []
        self.hosts: set[str] = set()
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        self.open("/")

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc

    def open(self, path: str) -> Page:
        """The page at a path; the token is in the link, as in the one that is printed."""
        mark = "&" if "?" in path else "?"
        self.page.goto(f"http://{self.host}{path}{mark}token={self.console.guard.token}")
        return self.page

    def text(self, path: str) -> str:
        """The text of a page's content."""
        return self.open(path).inner_text("main")

    def check(self, *, ignored: tuple[str, ...] = ()) -> None:
        """The page as it is now, in both themes and both widths, is accessible and fits."""
        for scheme in SCHEMES:
            self.page.emulate_media(color_scheme=scheme)
            found: Any = Axe().run(self.page).response["violations"]
            bad = [each["id"] for each in found if each["impact"] in SERIOUS]
            assert [each for each in bad if each not in ignored] == [], found
        for width in (360, 1200):
            self.page.set_viewport_size({"width": width, "height": 800})
            overflow = self.page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert overflow <= 0, f"{self.page.url} is wider than {width} pixels"

    def _note(self, message: Any) -> None:
        # A page that was not let in is an answer of 403, which the browser logs by itself.
        if message.type == "error" and "403" not in message.text:
            self.errors.append(message.text)


def follow(link: Locator) -> None:
    """Click what leads to another page, and wait for that page."""
    with link.page.expect_navigation():
        link.click()


def paged(page: Page, more: str, read: Callable[[], list[T]]) -> list[list[T]]:
    """What is read on this page and on all that follow it by the link with the name `more`."""
    found = [read()]
    while page.get_by_role("link", name=more).count():
        follow(page.get_by_role("link", name=more))
        found.append(read())
    return found


@contextmanager
def visiting(
    browser: Browser,
    world: World,
    *more: Blueprint,
    writes: bool = True,
    javascript: bool = True,
    others: Callable[[], Iterable[Step]] = tuple,
) -> Iterator[Visitor]:
    """Visit the console of a world's stage. At the end there was no error and no other host."""
    clock = OperatorClock(world.clock)
    console = Console(world.stack.stage, clock, writes, others=others)
    server = listen(console, 0, more)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    context = browser.new_context(java_script_enabled=javascript)
    try:
        visitor = Visitor(console, link(console, server), context)
        yield visitor
        assert visitor.errors == []
        assert visitor.hosts <= {visitor.host}
    finally:
        context.close()
        server.shutdown()
        thread.join()
        server.server_close()
