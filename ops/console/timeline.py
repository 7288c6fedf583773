"""The page of what has happened at a stage between two moments, whichever order it was about."""

from datetime import UTC, datetime, timedelta

from flask import Blueprint, abort, render_template, request

from chalicelib.domain.jobs import Job
from ops.console.console import current
from ops.console.journal import EVERY, PROBLEMS, lines_between
from ops.console.journey import timeline
from ops.history.actions import Action, actions_since
from ops.tables import jobs_items

SHOWN = 200
"""Steps on a page."""

SPAN = 15
"""Minutes before now that the page shows without a time in its address."""

CLOCKS_DIFFER = timedelta(seconds=5)
"""By this much this machine's clock may be behind that of the functions."""

FIRST = datetime(2000, 1, 1, tzinfo=UTC)
"""Nothing is older, and CloudWatch takes no time before 1970."""

LONGEST = timedelta(days=31)
"""The logs are kept for a month."""

page = Blueprint("Timeline", __name__, url_prefix="/timeline")


@page.get("/")
def index() -> str:
    console = current()
    deployment, now = console.deployment, console.clock.now()
    try:
        until = _moment("until") or now + CLOCKS_DIFFER
        since = _moment("from") or until - timedelta(minutes=request.args.get("last", SPAN, int))
    except (OverflowError, ValueError):
        abort(400, "A time is written like 2026-01-31T14:05:00.")
    if not timedelta(0) < until - since <= LONGEST or since < FIRST:
        abort(400, "The first time must be before the second one, at most a month.")
    problems_only = request.args.get("show") == "problems"
    journal = lines_between(deployment, since, until, PROBLEMS if problems_only else EVERY)
    steps = timeline(
        journal.lines,
        _polls(since, journal.until),
        _actions(since, journal.until),
        console.others(),
    )
    steps = [
        step
        for step in steps
        if since <= step.at <= journal.until
        and not (problems_only and step.kind in ("good", "quiet") and step.source != "history")
    ]
    rest = steps[SHOWN].at if len(steps) > SHOWN else journal.until
    return render_template(
        "timeline.html",
        since=since,
        until=until,
        steps=steps[:SHOWN],
        later=rest if rest < until else None,
        journal=journal,
        problems_only=problems_only,
        span=until - since,
    )


def _polls(since: datetime, until: datetime) -> list[Job]:
    items = jobs_items(current().deployment, since.isoformat(), until.isoformat())
    return [Job.from_item(item) for item in items]


def _actions(since: datetime, until: datetime) -> list[Action]:
    return [each for each in actions_since(current().deployment, since) if each.at <= until]


def _moment(name: str) -> datetime | None:
    """A time of the address in UTC, as a field of the kind datetime-local has it."""
    given = request.args.get(name, "")
    moment = datetime.fromisoformat(given) if given else None
    return moment and (moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC))
