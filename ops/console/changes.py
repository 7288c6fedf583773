"""The page of what operators have changed."""

from datetime import timedelta

from flask import Blueprint, render_template

from ops.console.console import current
from ops.history.actions import actions_since
from ops.history.command import DEFAULT_DAYS

page = Blueprint("History", __name__, url_prefix="/history")

MOST = 200
"""Changes on the page."""


@page.get("/")
def index() -> str:
    console = current()
    since = console.clock.now() - timedelta(days=DEFAULT_DAYS)
    actions = []
    for action in actions_since(console.deployment, since):
        actions.append(action)
        if len(actions) == MOST:
            break
    return render_template("history.html", actions=actions, days=DEFAULT_DAYS, most=MOST)
