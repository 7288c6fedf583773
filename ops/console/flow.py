"""The first page: the journey of an order with the numbers of now, and what to do."""

from collections import Counter
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Thread

from flask import Blueprint, current_app, render_template, request
from werkzeug import Response

from chalicelib.domain.jobs import Job
from ops.cli import Operator
from ops.console.console import Console, current
from ops.console.returned import returned_lately
from ops.doctor.checkup import findings
from ops.doctor.symptoms import Symptoms
from ops.metrics import HOUR, Hour
from ops.pause.pause import Pause, remove
from ops.poll.command import Result, described, run_poll

page = Blueprint("Flow", __name__, url_prefix="/flow")

HOME = "/flow/"
DAY = timedelta(days=1)
MODES = ("changes", "sweep")
PATIENCE = 20.0
"""Seconds for which a form waits for the end of a poll, which takes up to 15 minutes."""


@page.get("/")
def index() -> str:
    deployment = current().deployment
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(returned_lately, deployment)
        found = Symptoms.of(deployment)
        returned = reading.result()
    history = found.status.history
    last = {mode: next((j for j in history if j.mode == mode), None) for mode in MODES}
    return render_template(
        "flow.html",
        found=found,
        status=found.status,
        last=last,
        day=_day(found),
        every=current().seconds_between_reads,
        is_measured=_is_measured(history, found.status.now),
        returned=returned.keys() - {order.order_id for order in found.status.failing},
    )


def _is_measured(history: Iterable[Job], now: datetime) -> bool:
    """Whether a sweep of the last day had an earlier one by which it counts what is missing."""
    return any(
        job.mode == "sweep" and job.due and job.finished_at and now - job.finished_at <= DAY
        for job in history
    )


def _day(found: Symptoms) -> list[Hour]:
    """The orders replicated in each of the last 24 hours, those without any included."""
    totals: Counter[datetime] = Counter()
    for hour in found.status.replicated:
        totals[_hour(hour.start)] += hour.total
    hours = [_hour(found.status.now) - HOUR * back for back in reversed(range(24))]
    return [Hour(hour, totals[hour]) for hour in hours]


def _hour(moment: datetime) -> datetime:
    """The beginning of its hour in UTC."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


@page.get("/checkup")
def checkup() -> str:
    found = list(findings(_operator(current())))
    return render_template("checkup.html", findings=found)


@page.post("/pause")
def pause() -> Response:
    console = current()
    console.permit()
    reason = request.form.get("reason", "").strip()
    if not reason:
        return console.report(HOME, "Moves were not paused: state a reason.", is_good=False)
    action = console.record("pause", "pause all moves")
    Pause.begin(console.deployment, reason, action.by)
    text = "Moves are paused. A batch that is under way may move orders for one more minute."
    return console.report(HOME, text)


@page.post("/resume")
def resume() -> Response:
    console = current()
    console.permit()
    if Pause.read(console.deployment) is None:
        return console.report(HOME, "Moves are not paused; nothing was changed.")
    console.record("resume", "allow moves again and run a sweep of the store")
    remove(console.deployment)
    return _poll(console, "Moves are allowed again.", sweep=True)


@page.post("/poll")
def poll() -> Response:
    console, sweep = current(), "sweep" in request.form
    command = "poll --sweep" if sweep else "poll"
    console.record(command, "run a sweep of the store" if sweep else "poll the store")
    return _poll(console, "", sweep=sweep)


def _poll(console: Console, before: str, *, sweep: bool) -> Response:
    ended: Future[Result] = Future()

    def run() -> None:
        try:
            ended.set_result(run_poll(_operator(console), sweep=sweep))
        except Exception as error:  # raised again by the page that waits
            ended.set_exception(error)

    # A daemon, so that the console ends without waiting for it; the poll itself runs on.
    Thread(target=run, daemon=True).start()
    try:
        result = ended.result(PATIENCE)
    except TimeoutError:
        return console.report(HOME, f"{before} A poll is running; Polls shows how it ends.".strip())
    plain = current_app.jinja_env.filters["plain"]
    text = " ".join([before, *map(plain, described(console.stage, result))])
    return console.report(HOME, text.strip(), is_good=result.is_done)


def _operator(console: Console) -> Operator:
    """An operator of the commands who prints nothing."""
    return Operator(console.stage, console.clock, as_json=True)
