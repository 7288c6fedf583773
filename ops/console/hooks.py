"""The page of the webhooks that are registered at the store."""

from collections import Counter

from flask import Blueprint, render_template, request
from werkzeug import Response

from ops.cli import ORDER_ID
from ops.console.console import current
from ops.webhook.listing import Listing, works
from ops.webhook.plan import Plan
from ops.webhook.trial import Trial, try_routes
from ops.wording import count

page = Blueprint("Hooks", __name__, url_prefix="/hooks")

HOME = "/hooks/"


@page.get("/")
def index() -> str:
    return render_template("hooks.html", listing=Listing.of(current().deployment), works=works)


@page.post("/register")
def register() -> Response:
    console = current()
    console.permit()
    plan = Plan.of(console.deployment)
    if not plan.changes:
        return console.report(HOME, "Every webhook is registered; nothing was changed.")
    console.record("webhook register", plan.changes)
    done = Counter(result for result, _ in plan.apply() if result != "nothing")
    text = ", ".join(f"{count(number, 'webhook')} {result}" for result, number in done.items())
    return console.report(HOME, f"{text or plan.changes}. It may take a minute to take effect.")


@page.post("/test")
def test() -> Response:
    console, given = current(), request.form.get("order", "").strip()
    order_id = ORDER_ID(given) if given else None
    change = "send test callbacks, which queue an order"
    console.record("webhook test", change, [order_id] if order_id else ())
    trial = try_routes(console.deployment, order_id)
    return console.report(HOME, _outcome(trial), is_good=trial.is_passed)


def _outcome(trial: Trial) -> str:
    """How many callbacks were answered as expected, and each one that was not."""
    answers = [(route, answer) for route in trial.routes for answer in route.responses.values()]
    wrong = [
        f"{route.scope}, {answer.callback}: answered {answer.answer.status}, not {answer.expected}"
        for route, answer in answers
        if not answer.is_expected
    ]
    wrong += [f"{scope}: {', '.join(found)}" for scope, found in trial.hook_problems.items()]
    sent = f"{len(answers)} callbacks were sent for order {trial.order_id}"
    if wrong:
        return f"{sent}. {'; '.join(wrong)}."
    return f"{sent}; all were answered as expected. The forged ones count as rejected."
