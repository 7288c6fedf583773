"""The pages of the polls and sweeps: what each has found, and what to do about a failed one."""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from flask import Blueprint, abort, render_template, request

from chalicelib.domain.jobs import Job
from chalicelib.edges.dynamodb_jobs import LAST_DATE
from ops.console.console import current
from ops.poll.command import meaning, remedy
from ops.tables import JobsItem, jobs_items

page = Blueprint("Polls", __name__, url_prefix="/polls")

PAGE = 50
"""Polls on a page."""


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
    return render_template("poll.html", job=job, lines=meaning(stage, job), fix=fix)


def _moment(text: str) -> datetime:
    """When a poll began; other items of the table have no date."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        abort(404, f"{text} is not the time of a poll.")
