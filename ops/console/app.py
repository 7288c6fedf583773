"""The console's Flask app: its pages, what their templates may use, and its error pages.

Flask and Jinja, because moto needs them anyway; the pages are complete without a script, and htmx
replaces the parts that are live.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from urllib.parse import urlsplit

import click
from flask import Blueprint, Flask, Response, redirect, render_template, request
from markupsafe import Markup
from rich.text import Text
from werkzeug.exceptions import HTTPException

from ops import wording
from ops.cli import UNAVAILABLE
from ops.console import changes, failing, flow, hooks, orders, polls, rehearsal, timeline
from ops.console.console import Console, NotAllowed, current
from ops.console.guard import Refused
from ops.console.journey import found_by
from ops.explain.facts import status_name
from ops.remedies import describe_error, run

PAGES: tuple[Blueprint, ...] = (
    flow.page,
    orders.page,
    timeline.page,
    failing.page,
    polls.page,
    hooks.page,
    rehearsal.page,
    changes.page,
)
"""In the order of the navigation. A page's first route is its entry there."""

ABOUT = {
    "dead-letter|destination|events|failing|messages|undelivered": "Failing",
    "missing-orders|polls|stale-orders": "Polls",
    "hook": "Hooks",
    "^alarm .*(age|errors|unauthorized)": "Timeline",
}
"""The pages with more about a finding of the doctor, by a part of its name."""


def create_app(
    console: Console, more: Iterable[Blueprint] = (), own: Iterable[Blueprint] = PAGES
) -> Flask:
    """The app of a console; `more` are pages that follow its `own`."""
    app = Flask(__name__)
    app.extensions["console"] = console
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    app.config["MAX_CONTENT_LENGTH"] = 1_000_000
    pages = (*own, *more)
    for page in pages:
        app.register_blueprint(page)
    app.add_url_rule("/", view_func=lambda: redirect(f"{pages[0].url_prefix}/"), endpoint="start")
    app.before_request(console.guard.check)
    app.after_request(console.guard.complete)
    app.after_request(_read_file)
    app.context_processor(
        lambda: {
            "console": console,
            "now": console.clock.now(),
            "pages": pages,
            "command": lambda text: run(console.stage, text),
        }
    )
    app.jinja_env.filters.update(
        ago=_ago,
        at=_at,
        count=wording.count,
        duration=wording.duration,
        found_by=found_by,
        iso=lambda moment: f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}",
        page_about=_page_about,
        plain=lambda text: Text.from_markup(text).plain,
        status=status_name,
    )
    app.register_error_handler(Refused, lambda error: _problem(403, "Not let in", str(error)))
    app.register_error_handler(NotAllowed, lambda error: _problem(403, "Not done", str(error)))
    app.register_error_handler(HTTPException, _http_problem)
    app.register_error_handler(
        click.ClickException, lambda error: _problem(409, "Not done", error.format_message())
    )
    for kind in UNAVAILABLE:
        app.register_error_handler(kind, _unavailable)
    return app


def _page_about(finding: str) -> str | None:
    """The page with more about a finding of the doctor."""
    return next((page for part, page in ABOUT.items() if re.search(part, finding)), None)


def _read_file(response: Response) -> Response:
    """Close a static file: werkzeug leaves it open when the browser ends the connection."""
    if request.endpoint == "static":
        response.direct_passthrough = False
        response.get_data()
        response.close()
    return response


def _at(moment: datetime | str | None) -> Markup:
    """A moment to the second in UTC, as the element `time`."""
    if moment is None:
        return Markup("–")
    then = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    then = then.astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(
        then.isoformat(), f"{then:%Y-%m-%d %H:%M:%S}"
    )


def _ago(moment: datetime | str | None) -> Markup:
    """The time since a moment; the moment itself is the element's title."""
    if moment is None:
        return Markup("never")
    then = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return Markup('<time datetime="{}" title="{} UTC">{}</time>').format(
        then.isoformat(),
        f"{then.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
        wording.ago(then, current().clock.now()),
    )


def _problem(code: int, title: str, text: str) -> Response:
    before = urlsplit(request.referrer or "")
    back = before._replace(scheme="", netloc="").geturl() if before.netloc == request.host else ""
    content = render_template("problem.html", title=title, text=text, code=code, back=back)
    return Response(content, code)


def _http_problem(error: HTTPException) -> Response:
    if error.code == 404 and request.endpoint is None:
        return _problem(404, "Not found", "The console has no such page.")
    return _problem(error.code or 500, error.name, error.description or "")


def _unavailable(error: Exception) -> Response:
    return _problem(502, "Not available", describe_error(current().stage, error))
