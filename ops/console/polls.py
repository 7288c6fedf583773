"""The pages of the polls and sweeps: what each has found, and what to do about a failed one."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice

from flask import Blueprint, abort, render_template, request

from chalicelib.domain.jobs import Job
from chalicelib.edges.dynamodb_jobs import LAST_DATE
from ops.console.console import current
from ops.console.journal import lines_between, of_sources
from ops.deployment import CONSUMERS
from ops.poll.command import meaning, remedy
from ops.tables import JobsItem, jobs_items

page = Blueprint("Polls", __name__, url_prefix="/polls")

PAGE = 50
"""Polls on a page."""

RECENT = timedelta(minutes=15)
"""How long a poll's page says what happens next."""

FOLLOWED = timedelta(hours=1)
"""How long after a poll the log is searched for the orders that it has queued."""


@page.get("/")
def index() -> str:
    mode = request.args.get("mode", "")
    until = request.args.get("until", "")
    found = list(islice(_jobs(mode, until), PAGE + 1))
    older = found[PAGE].started_at.isoformat() if len(found) > PAGE else None
    return render_template("polls.html", jobs=found[:PAGE], mode=mode, until=until, older=older)


def _jobs(mode: str, until: str) -> Iterator[Job]:
    """The recorded polls from a moment back, newest first."""
    last = _moment(until).isoformat() if until else LAST_DATE
    for item in jobs_items(current().deployment, "0", last):
        job = Job.from_item(item)
        if mode in ("", job.mode):
            yield job


@page.get("/<started>")
def one(started: str) -> str:
    stage = current().stage
    item = JobsItem(current().deployment, _moment(started).isoformat()).read()
    if item is None:
        abort(404, "No poll that began then is recorded. Polls expire after 30 days by default.")
    job = Job.from_item(item)
    fix = remedy(stage, job) if job.outcome == "failed" else None
    until = _next(job)
    sources = ("sweep", "fill") if job.mode == "sweep" else ("poll",)
    journal = lines_between(
        current().deployment, job.started_at, until, of_sources(*sources), CONSUMERS.values()
    )
    return render_template(
        "poll.html",
        job=job,
        lines=meaning(stage, job),
        fix=fix,
        until=until,
        is_recent=current().clock.now() - job.started_at < RECENT,
        journal=journal,
        replicated=sorted({line.fields["order_id"] for line in journal.lines}),
    )


def _next(job: Job) -> datetime:
    """When the next poll of its mode began, or FOLLOWED later: the orders after that may be its."""
    last = job.started_at + FOLLOWED
    items = jobs_items(current().deployment, job.started_at.isoformat(), last.isoformat())
    later = [
        other.started_at
        for other in map(Job.from_item, items)
        if other.mode == job.mode and other.started_at > job.started_at
    ]
    return min([*later, last, current().clock.now()])


def _moment(text: str) -> datetime:
    """When a poll began; other items of the table have no date."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        abort(404, f"{text} is not the time of a poll.")
