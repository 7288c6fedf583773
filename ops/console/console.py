"""What the pages of a console share: the stage, what they may change, and how they say it."""

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from flask import current_app, redirect, request
from werkzeug import Response

from ops.cli import UNCONFIRMED
from ops.clock import OperatorClock
from ops.console.guard import Guard
from ops.console.journey import Step
from ops.deployment import Deployment
from ops.history.actions import Action, caller
from ops.remedies import LOCAL

MOST_RESULTS = 100
"""Results of changes that are kept to be shown."""


class NotAllowed(Exception):
    """A change that this console does not make; the text says what would allow it."""


@dataclass(frozen=True)
class Result:
    """What a change did, in a sentence, and to which orders."""

    text: str
    is_good: bool = True
    order_ids: tuple[int, ...] = ()


@dataclass
class Console:
    """A stage's console. `writes`: whether its pages may change anything.

    `others` are what has happened by sources that only a sandbox has.
    """

    stage: str
    clock: OperatorClock = field(default_factory=OperatorClock)
    writes: bool = False
    guard: Guard = field(default_factory=Guard)
    others: Callable[[], Iterable[Step]] = tuple
    _results: dict[str, Result] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _found: Deployment | None = None

    @property
    def deployment(self) -> Deployment:
        """Found once, by the first page that needs it. Raises NotDeployed and AwsError."""
        with self._lock:
            if self._found is None:
                self._found = Deployment.find(self.stage, self.clock)
            return self._found

    @property
    def needs_reason(self) -> bool:
        return self.stage not in UNCONFIRMED

    @property
    def seconds_between_reads(self) -> int:
        """How often the live parts of a page are read again; a stage's requests to AWS cost."""
        return 5 if self.stage == LOCAL else 30

    def permit(self) -> str | None:
        """The reason of the form, if the page may change something. Raises NotAllowed."""
        if not self.writes:
            raise NotAllowed(
                "This console only reads. To change something, start it with --allow-writes."
            )
        reason = request.form.get("reason", "").strip() or None
        if self.needs_reason and reason is None:
            raise NotAllowed("State a reason; it is recorded with the change.")
        return reason

    def record(self, command: str, change: str, order_ids: Iterable[int] = ()) -> Action:
        """Record a change before it is made, with the reason of the form; returns the record.

        Raises NotAllowed, and AwsError when it cannot be recorded: then it must not be made.
        """
        reason = self.permit()
        action = Action(
            self.clock.now(), caller(), f"console: {command}", change, tuple(order_ids), reason
        )
        action.write(self.deployment)
        return action

    def report(
        self, back: str, text: str, *, is_good: bool = True, order_ids: Iterable[int] = ()
    ) -> Response:
        """Return to the page at the path `back`, which shows what a change did."""
        with self._lock:
            number = str(next(self._numbers))
            self._results[number] = Result(text, is_good, tuple(order_ids))
            while len(self._results) > MOST_RESULTS:
                del self._results[next(iter(self._results))]
        mark = "&" if "?" in back else "?"
        return redirect(f"{back}{mark}result={number}", 303)

    @property
    def result(self) -> Result | None:
        """What the change did that led to this page."""
        return self._results.get(request.args.get("result", ""))


def current() -> Console:
    """The console that answers the request."""
    console: Any = current_app.extensions["console"]
    assert isinstance(console, Console)  # noqa: S101 - create_app has put it there
    return console
