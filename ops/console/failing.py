"""The page of what is stuck: failing orders, dead letters and undelivered events, by cause."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeVar

from flask import Blueprint, abort, render_template, request, url_for
from werkzeug import Response

from chalicelib.domain.failing import FailingOrder
from chalicelib.edges.aws import AwsError
from ops.console.console import Console, current
from ops.console.returned import LATELY, returned_lately
from ops.dead_letters import redrive as both
from ops.dead_letters.command import CONSEQUENCE
from ops.dead_letters.groups import Failed, failed_messages
from ops.dead_letters.inspected import Outcomes
from ops.dead_letters.message import DeadLetter
from ops.dead_letters.queue import Tally
from ops.deployment import Deployment
from ops.destinations.backlog import Backlog
from ops.destinations.destination import all_destinations
from ops.remedies import describe_error, for_cause
from ops.retry.command import Retried, retry_orders
from ops.undelivered import queue as undelivered
from ops.undelivered.command import CONSEQUENCE as NOT_RECEIVED
from ops.undelivered.message import Undelivered
from ops.wording import count, listed

M = TypeVar("M", DeadLetter, Undelivered)
T = TypeVar("T")

PATH = "/failing/"
LISTED = f"{PATH}?dead-letters=1"
"""The page with the messages, which are received to be listed."""

SHOWN = 50
"""Orders or messages of a cause that are shown; all are counted and processed."""

page = Blueprint("Failing", __name__, url_prefix="/failing")


@dataclass(frozen=True)
class Messages:
    """What is in the dead-letter queues, and what destinations did not take, each by its cause."""

    dead_letters: list[tuple[str, list[Failed]]]
    undelivered: list[tuple[tuple[str, str], list[Undelivered]]]


@page.get("/")
def index() -> str:
    console = current()
    deployment = console.deployment
    failing = sorted(deployment.wiring.jobs.all_failing(), key=lambda order: order.since)
    queues = both.dead_letter_queues(deployment)
    returned, failing_ids = returned_lately(deployment), {order.order_id for order in failing}
    causes = _grouped(failing, lambda order: order.error_class)
    return render_template(
        "failing.html",
        causes=sorted(causes, key=lambda cause: -len(cause[1])),
        returned=[each for order_id, each in returned.items() if order_id not in failing_ids],
        tried=returned,
        lately=LATELY,
        every=console.seconds_between_reads,
        remedies={cause: for_cause(console.stage, cause) for cause, _ in causes},
        depths={queue.name: sum(deployment.depth(queue.url).values()) for queue in queues},
        backlog=Backlog.of(deployment),
        messages=_messages(deployment) if request.args.get("dead-letters") else None,
        listed_path=LISTED,
        shown=SHOWN,
        consequence=CONSEQUENCE,
        not_received=NOT_RECEIVED,
    )


@page.post("/retry")
def retry() -> Response:
    console, cause = current(), request.form.get("cause", "")
    failing: Iterable[FailingOrder] = console.deployment.wiring.jobs.all_failing()
    ids = sorted(order.order_id for order in failing if order.error_class == cause)
    if not ids:
        return console.report(PATH, f"No order is failing with the cause {cause} any more.")
    console.record("retry", f"retry {count(len(ids), 'order')} ({listed(ids)})", ids)
    done = retry_orders(console.deployment, ids)
    return console.report(PATH, described(done), is_good=not done.refused, order_ids=ids)


def described(done: Retried) -> str:
    """What a retry did. Its links lead to the orders, where the command prints how to see them."""
    text = f"{count(len(done.queued) + len(done.redriven), 'order')} queued"
    if done.refused:
        text += f"; SQS rejected the message of {listed(done.refused)}"
    return f"{text}. Each is tried within seconds; its page shows the result:"


@page.post("/dead-letters")
def dead_letters() -> Response:
    console = current()
    deployment, action = console.deployment, _action()
    queues = both.dead_letter_queues(deployment)
    messages = both.messages_in(queues)

    def work(selected: list[DeadLetter], tally: Tally) -> None:
        if action == "redrive":
            return both.redrive(queues, selected, tally, lambda number: None)
        try:
            both.drop(queues, selected, tally, lambda number: None)
        finally:
            both.remove_failing(deployment, messages, tally.done)

    return _process(console, "dead-letters", "message", messages, work)


@page.post("/events")
def events() -> Response:
    console = current()
    deployment, action = console.deployment, _action()
    queues = undelivered.queues_of(all_destinations(deployment))

    def work(selected: list[Undelivered], tally: undelivered.Tally) -> None:
        if action == "redrive":
            undelivered.redrive(deployment, queues, selected, tally)
        else:
            undelivered.drop(queues, selected, tally)

    return _process(console, "events", "event", undelivered.messages_in(queues), work)


def _process(
    console: Console,
    command: str,
    noun: str,
    messages: Sequence[M],
    work: Callable[[list[M], Outcomes[M]], None],
) -> Response:
    """Redrive or drop the messages that the form lists: no other, whatever came since."""
    wanted, action = set(request.form.getlist("message")), _action()
    order_id = request.form.get("order", type=int)
    back = url_for("Orders.show", order_id=order_id) if order_id else LISTED
    if action == "drop" and request.form.get("confirmed", "").strip() != str(len(wanted)):
        text = f"Nothing was dropped. To confirm, type the number of them: {len(wanted)}."
        return console.report(back, text, is_good=False)
    selected = [message for message in messages if message.message_id in wanted]
    if not selected:
        return console.report(back, f"These {noun}s are not there any more.", is_good=False)
    ids = sorted({message.order_id for message in selected if message.order_id})
    what = f"{action} {count(len(selected), noun)} ({listed(ids) or 'invalid ones'})"
    console.record(f"{command} {action}", what, ids)
    tally = Outcomes[M]()
    problem = ""
    try:
        work(selected, tally)
    except AwsError as error:
        problem = f" {describe_error(console.stage, error)}"
    done = {"redrive": "redriven", "drop": "dropped"}[action]
    text = f"{_outcome(noun, done, len(wanted), tally)}{problem}"
    is_good = len(tally.done) + len(tally.merged) == len(wanted) and not problem
    return console.report(back, text, is_good=is_good)


def _outcome(noun: str, done: str, wanted: int, tally: Outcomes[M]) -> str:
    text = f"{len(tally.done)} of {count(wanted, noun)} {done}."
    for number, what in (
        (len(tally.merged), "deleted instead: another one of the order is enough, or it was"),
        (len(tally.in_both), "sent, and still here"),
        (len(tally.refused), "refused, and still here"),
    ):
        text += f" {number} {what}." if number else ""
    return text


def _messages(deployment: Deployment) -> Messages:
    messages = both.messages_in(both.dead_letter_queues(deployment))
    queues = undelivered.queues_of(all_destinations(deployment))
    return Messages(
        _grouped(failed_messages(deployment, messages), lambda order: order.cause),
        _grouped(undelivered.messages_in(queues), lambda event: (event.destination, event.cause)),
    )


K = TypeVar("K", str, tuple[str, str])


def _grouped(members: Iterable[T], key: Callable[[T], K]) -> list[tuple[K, list[T]]]:
    return [(name, list(group)) for name, group in groupby(sorted(members, key=key), key)]


def _action() -> str:
    action = request.form.get("action", "")
    return action if action in ("redrive", "drop") else abort(400, "The form has no such action.")
