"""The page that forecasts what the service would do with the store, as the command rehearse."""

import shlex
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import click
from flask import Blueprint, current_app, redirect, render_template, request
from werkzeug import Response

from ops.cli import UNAVAILABLE
from ops.clock import OperatorClock
from ops.console.console import current
from ops.rehearse import choices, subject
from ops.rehearse.connection import Connection
from ops.rehearse.progress import Update
from ops.rehearse.run import USUAL_LIMIT, run
from ops.rehearse.sections import headline, sections
from ops.rehearse.subject import Subject
from ops.remedies import describe_error

page = Blueprint("Rehearsal", __name__, url_prefix="/rehearsal")

HOME = "/rehearsal/"
LIMIT = click.IntRange(1, 5000)
"""Orders that a rehearsal may read: the page has a link for each."""

_starting = threading.Lock()


@dataclass
class Attempt:
    """A rehearsal that runs, or has ended with a report or with a problem."""

    limit: int = USUAL_LIMIT
    given: tuple[str, ...] = ()
    read: int = 0
    total: int | None = None
    facts: dict[str, Any] | None = None
    problem: str = "It ended unexpectedly. The terminal of the console shows the error."
    ended_at: datetime | None = None
    is_stopped: bool = False

    @property
    def command(self) -> str:
        sets = (part for each in self.given for part in ("--set", each))
        return shlex.join(["rehearse", "--limit", str(self.limit), *sets])

    def perform(self, of: Subject, clock: OperatorClock) -> None:
        """Rehearse, for a thread of its own."""
        try:
            self.facts = run(of, Stoppable(clock, self), self.limit, self._progress).facts()
        except KeyboardInterrupt:
            self.problem = "It was stopped before an order was read."
        except click.ClickException as error:
            self.problem = error.format_message()
        except UNAVAILABLE as error:
            self.problem = describe_error(of.stage, error)
        finally:
            self.ended_at = clock.now()

    def check(self) -> None:
        """Raises KeyboardInterrupt, which ends a rehearsal with what was found, when stopped."""
        if self.is_stopped:
            raise KeyboardInterrupt

    @contextmanager
    def _progress(self, _: Connection, total: int) -> Iterator[Update]:
        self.total = total

        def update(description: str, completed: int | None = None) -> None:
            self.read = completed or 0
            self.check()

        yield update


class Stoppable(OperatorClock):
    """A clock whose sleeps end within a second when a rehearsal is stopped."""

    def __init__(self, clock: OperatorClock, attempt: Attempt) -> None:
        super().__init__(clock)
        self._attempt = attempt

    def sleep(self, seconds: float) -> None:
        while seconds > 0:
            self._attempt.check()
            super().sleep(min(seconds, 1.0))
            seconds -= 1.0


def _last() -> Attempt | None:
    """The last rehearsal of this console, which is in memory only."""
    found: Attempt | None = current_app.extensions.get("rehearsal")
    return found


@page.get("/")
def index() -> str:
    last = _last()
    shown = last or Attempt()
    return render_template(
        "rehearsal.html",
        last=last,
        line=shown.command,
        limit=request.args.get("limit", shown.limit),
        given=request.args.get("set", "\n".join(shown.given)),
        most=LIMIT.max,
        names=choices.DECISIVE,
        headline=headline,
        sections=sections,
    )


@page.post("/")
def start() -> Response:
    """Only reads, so that it needs no permission to change something, and no record."""
    console = current()
    limit, text = request.form.get("limit", ""), request.form.get("set", "")
    given = tuple(line.strip() for line in text.splitlines() if line.strip())
    try:
        attempt = Attempt(LIMIT(limit), given)
        of = subject.of_stage(console.deployment, choices.chosen(given, None))
    except click.UsageError as error:
        back = f"{HOME}?{urlencode({'limit': limit, 'set': text})}"
        return console.report(back, error.format_message(), is_good=False)
    with _starting:
        if (last := _last()) and not last.ended_at:
            return console.report(HOME, "A rehearsal is running; stop it first.", is_good=False)
        current_app.extensions["rehearsal"] = attempt
    # A daemon, so that the console ends without waiting for it.
    threading.Thread(
        target=attempt.perform, args=(of, console.clock), name="rehearsal", daemon=True
    ).start()
    return redirect(HOME, 303)


@page.post("/stop")
def stop() -> Response:
    if last := _last():
        last.is_stopped = True
    return redirect(HOME, 303)
