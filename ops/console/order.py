"""The page of one order: where it is and why, its journey, its fields, and what to do."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from flask import abort, render_template, request, url_for
from rich.text import Text
from werkzeug import Response

from chalicelib.domain.items import redact
from chalicelib.domain.models import JsonObject, Order
from chalicelib.domain.parts import LISTS
from chalicelib.domain.rules import DecideLater
from chalicelib.edges.aws import AwsError
from chalicelib.edges.bigcommerce import StoreError
from chalicelib.edges.pacing import OutOfTime
from chalicelib.reading import Reader
from chalicelib.switches import Switches
from ops.console.console import Console, current
from ops.console.failing import described
from ops.console.fields import Field, fields_of
from ops.console.journal import Journal, lines_of
from ops.console.journey import journey, readable
from ops.console.returned import LATELY, Returned, returned_in
from ops.dead_letters.command import CONSEQUENCE
from ops.deployment import Deployment
from ops.destinations.destination import UnknownDestination, all_destinations, named
from ops.events.command import summary as published
from ops.events.replay import replay as replay_events
from ops.explain.command import STORE_TIMEOUT, gather
from ops.explain.facts import Facts
from ops.history.actions import actions_since
from ops.history.command import DEFAULT_DAYS
from ops.remedies import PROGRAM, describe_error
from ops.replay.command import queue_orders
from ops.retry.command import retry_orders
from ops.undelivered.command import CONSEQUENCE as NOT_RECEIVED

LOGGED = timedelta(days=14)
"""How far back the logs are searched; a message exists for no longer."""

FETCHERS = 4
"""Lists that are requested from the store at the same time."""

NOT_READ = (*LISTS, "consignments")
"""Fields that the store sends only when they are requested by themselves."""


def show(order_id: int) -> str:
    return _page(order_id)


def act(order_id: int) -> Response | str:
    """Do what the button of the form is named."""
    console, action = current(), request.form.get("action", "")
    back = url_for("Orders.show", order_id=order_id)
    if action == "retry":
        console.record("retry", f"retry 1 order ({order_id})", [order_id])
        done = retry_orders(console.deployment, [order_id])
        return console.report(back, described(done), is_good=not done.refused)
    if action == "replay":
        console.record("replay", "replay 1 order", [order_id])
        queue_orders(console.deployment, (order_id,))
        return console.report(back, f"Order {order_id} is queued, to be read and stored again.")
    if action == "publish":
        return _publish(console, order_id, back)
    if action == "reveal":
        # Recorded as changes are, and so refused without --allow-writes: a console that only reads
        # writes nothing, and who may read only cannot make the record.
        console.record("console", f"show the personal fields of order {order_id}", [order_id])
        return _page(order_id, is_revealed=True)
    return abort(400, "The form has no such action.")


def _publish(console: Console, order_id: int, back: str) -> Response:
    deployment, name = console.deployment, request.form.get("destination") or None
    if name is not None:
        try:
            named(deployment, name).require_enabled()
        except UnknownDestination as error:
            return console.report(back, str(error), is_good=False)
    receiver = f"the destination {name}" if name else "every destination"
    what = f"publish the events of 1 order for {receiver}"
    console.record("events replay", what, [order_id])
    (done,) = replay_events(deployment, [order_id], name)
    text = _plain(published(done, receiver))
    if done.orders:
        text += " Reload this page in some seconds to see what arrived."
    return console.report(back, text, is_good=bool(done.orders))


def _page(order_id: int, *, is_revealed: bool = False) -> str:
    if order_id < 1:
        abort(404)
    console = current()
    deployment, now = console.deployment, console.clock.now()
    explanation = gather(deployment, order_id, is_patient=False)
    facts = explanation.facts
    since = now - LOGGED
    if facts.order:
        # Nothing is logged about an order before it is placed; clocks differ.
        since = max(since, facts.order.date_created - timedelta(hours=1))
    journal = lines_of(deployment, order_id, since)
    actions = actions_since(deployment, now - timedelta(days=DEFAULT_DAYS))
    steps = journey(
        explanation,
        journal.lines,
        (action for action in actions if order_id in action.order_ids),
        (step for step in console.others() if order_id in step.order_ids),
    )
    advice, mark, rest = (explanation.conclusion.next or "").partition(PROGRAM)
    with_lists = "lists" in request.args
    fields, store_problem = _fields(deployment, facts, with_lists, is_revealed)
    return render_template(
        "order.html",
        order_id=order_id,
        facts=facts,
        rows=explanation.rows(now),
        conclusion=explanation.conclusion,
        advice=advice,
        next_command=mark + rest,
        steps=steps,
        waiting=_waiting(journal, facts, now),
        journal=journal,
        record=readable(facts.record) if facts.record else {},
        fields=fields,
        differing=[field for field in fields if field.differs],
        store_problem=store_problem,
        with_lists=with_lists,
        is_revealed=is_revealed,
        explanation=explanation,
        consequence=CONSEQUENCE,
        not_received=NOT_RECEIVED,
        minute=timedelta(minutes=1),
        destinations=all_destinations(deployment),
    )


def _waiting(journal: Journal, facts: Facts, now: datetime) -> Returned | None:
    """The order's last try by the log, if its message was returned to its queue and is retried.

    A message that is long overdue was dropped, or is in a dead-letter queue.
    """
    last = returned_in(journal.lines).get(facts.order_id)
    is_retried = last is not None and not facts.dead_letters and now - last.again_at < LATELY
    return last if is_retried else None


def _fields(
    deployment: Deployment, facts: Facts, with_lists: bool, is_revealed: bool
) -> tuple[list[Field], str | None]:
    """The fields of a stored order beside those of the store, and why these are not known."""
    if facts.record is None or facts.record.is_forgotten:
        return [], None
    stored = deployment.wiring.orders.read(facts.order_id)
    if stored is None:
        return [], None
    table, store, problem = stored[0], None, facts.store_error
    if facts.order and with_lists:
        try:
            store = _whole(deployment, facts.order).fields
        except (AwsError, DecideLater, OutOfTime, StoreError) as error:
            problem = describe_error(deployment.stage, error)
    elif facts.order:
        store, table = _without_lists(facts.order.fields), _without_lists(table)
    if store is not None:
        store = redact(store, facts.policy.redacted_fields)
    return fields_of(table, store, is_revealed=is_revealed), problem


def _without_lists(fields: JsonObject) -> JsonObject:
    return {name: value for name, value in fields.items() if name not in NOT_READ}


def _whole(deployment: Deployment, order: Order) -> Order:
    """The order with its lists, each requested by itself: that never switches anything off."""
    with ThreadPoolExecutor(FETCHERS) as fetchers:
        store = deployment.store_within(STORE_TIMEOUT)
        switches = Switches(deployment.wiring.jobs, deployment.clock)
        return Reader(store, switches, fetchers, uses_embedded=False).whole(order)


def _plain(text: str) -> str:
    """The text of a command without the marks for its terminal."""
    return Text.from_markup(text).plain
