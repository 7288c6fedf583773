"""The console's page of the sandbox: shoppers, the merchant, faults, and time.

All but the token and the receiver is a request to the sandbox's control API, as curl sends it.
"""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
from flask import Blueprint, render_template, request
from werkzeug import Response

from ops.console.console import current
from ops.console.journey import Step
from sandbox.aws_faults import OPERATIONS
from sandbox.receiver import Delivered, Receiver
from sandbox.store.faults import KINDS
from sandbox.store.statuses import LABELS
from sandbox.world import World

HOME = "/sandbox/"
END_ALL = "you press “End all faults”"
LATELY = 12
"""Answers of the store on the page."""

ANSWERS = {
    200: "takes events",
    503: "is down: events are retried for a day",
    400: "rejects events: they are undelivered at once",
}
"""How the receiver of events answers."""

FAULTS = {
    "status": "answers with an error",
    "html": "answers with an HTML page, as its gateway does",
    "missing": "answers that there is no such order (404)",
    "body": "answers 200 with an empty list, or another body",
    "cut": "sends half of its answer",
    "drop_before": "closes the connection and does nothing",
    "drop_after": "does what was asked, and closes the connection without an answer",
    "hang": "never answers",
    "slow": "waits before it does what was asked",
    "late": "does what was asked, and waits before it answers",
    "drip": "does what was asked, and sends its answer slowly",
    "stale": "shows orders as they were before their last change",
    "short": "leaves out the last line of an order",
    "embedded": "leaves out the lines of embedded consignments",
    "unservable": "answers with error 500 whenever one certain order is in the answer",
}
"""The effect of each kind. What `before` does is a function, which no request can name."""

ROUTES = {
    "GET /orders*": "every read: the list of orders, one order and its parts",
    "GET /orders": "the list of orders only, which polls read",
    "GET /orders/*/products": "the products of every order",
    "GET /orders/118*": "order 118 and its parts",
    "PUT /orders/*": "every change of a status: the moves",
    "*": "every call",
}

AWS_OUTCOMES = {
    "refused": "refuses the call: nothing happens, and the answer is an error",
    "error_after": "does what was asked, but answers with an error",
    "lost": "does nothing, and closes the connection without an answer",
    "answer_lost": "does what was asked, and closes the connection without an answer",
}

TIMES = {"null": "every call until it is ended", "1": "the next call", "5": "the next 5 calls"}


@dataclass(frozen=True)
class Act:
    """A request to the control API; {id} in its path is an order's id."""

    label: str
    method: str
    path: str
    fields: Mapping[str, Any] = field(default_factory=dict)

    def curl(self, url: str, order_id: int = 0) -> str:
        """The command that does the same."""
        body = f" -d {shlex.quote(json.dumps(self.fields))}" if self.fields else ""
        return f"curl -X {self.method} {url}{self.path.format(id=order_id)}{body}"


def _buy(label: str, **fields: Any) -> Act:
    return Act(label, "POST", "/sandbox/orders", fields)


def _act(label: str, name: str, **fields: Any) -> Act:
    return Act(label, "POST", f"/sandbox/orders/{{id}}/{name}", fields)


def _put(label: str, **fields: Any) -> Act:
    return Act(label, "PUT", "/sandbox/orders/{id}", fields)


SHOPPER = {
    "physical": _buy("goods to be shipped", kind="physical"),
    "digital": _buy("digital goods", kind="digital"),
    "mixed": _buy("both", kind="mixed"),
    "pickup": _buy("goods to be picked up", kind="pickup"),
    "partial_pickup": _buy("some shipped, some picked up", kind="partial_pickup"),
    "gift_certificate": _buy("a gift certificate", kind="gift_certificate"),
    "large": _buy("a large order of 120 lines", kind="mixed", lines=120),
}

MERCHANT = {
    "ship": _act("ships it", "ship", tracking_number="1Z-EXAMPLE"),
    "refund": _act("refunds all of it", "refund"),
    "refund_part": _act("refunds 1.00", "refund", amount="1.00"),
    "cancel": _put("cancels it", status=5),
    "archive": Act("archives it", "DELETE", "/sandbox/orders/{id}"),
    "add_line": _act("adds a line", "add_line", price="3.00"),
    "address": _act("changes its address", "change_address", city="Example City"),
    "edit": _put("edits its notes", fields={"staff_notes": "Wrap it as a gift"}),
    "pay": _act("enters a payment", "pay"),
    "message": _act("writes to the customer", "add_message", text="On its way"),
    **{f"status_{n}": _put(f"sets {name} ({n})", status=int(n)) for n, name in LABELS.items()},
}

ENDS = (
    Act("end the faults of the store", "DELETE", "/sandbox/faults"),
    Act("end the faults of AWS", "DELETE", "/sandbox/aws-faults"),
)

OUTAGE = Act(
    "take the store down",
    "POST",
    "/sandbox/faults",
    {"route": "*", "kind": "status", "status": 503, "times": None},
)

JUMPS = {
    str(seconds): Act(label, "POST", "/sandbox/clock", {"advance": seconds})
    for seconds, label in {
        300: "5 minutes",
        1200: "20 minutes",
        3600: "1 hour",
        86400: "1 day",
    }.items()
}


def deliveries(receiver: Receiver) -> list[Step]:
    """What the receiver was sent, for the journey of an order."""
    return [_delivered(each) for each in list(receiver.deliveries)]


def _delivered(each: Delivered) -> Step:
    accepted = "accepted" if each.is_new else "received again"
    what = f"The receiver {accepted if each.status == 200 else 'did not accept'}"
    detail = each.event["detail"]
    changed = f", changed: {', '.join(detail['changed'])}" if detail["changed"] else ""
    return Step(
        datetime.fromtimestamp(each.at, UTC),
        f"{what} {each.event['detail-type']}",
        "receiver",
        f"answered {each.status}{changed}",
        "good" if each.status == 200 else "wait",
        (detail["order_id"],),
    )


def page(world: World, receiver: Receiver | None = None) -> Blueprint:
    """The page of a world, and of its receiver of events; templates are in sandbox/templates."""
    made = Blueprint("Sandbox", __name__, url_prefix="/sandbox", template_folder="templates")
    store = world.store

    @made.get("/")
    def index() -> str:
        newest = max(store.order_ids(), default=100)
        with store.lock:
            faults = [(entry, _fault_fields(entry.fault)) for entry in store.faults.scheduled]
        return render_template(
            "sandbox.html",
            shopper=SHOPPER,
            merchant=MERCHANT,
            jumps=JUMPS,
            ahead=timedelta(seconds=max(0, round(world.seconds_ahead))),
            kinds=FAULTS,
            details=KINDS,
            routes=ROUTES,
            operations=OPERATIONS,
            outcomes=AWS_OUTCOMES,
            times=TIMES,
            ends=(OUTAGE, *ENDS),
            answers=ANSWERS,
            end_all=END_ALL,
            url=store.url,
            newest=newest,
            chosen=request.args.get("order", newest, int),
            faults=faults,
            aws_faults=[
                (each, _aws_fault(each.operation, each.outcome, each.times))
                for each in world.aws_faults.active
            ],
            revoked=store.is_token_revoked,
            recent=[(datetime.fromtimestamp(a.at, UTC), a) for a in store.recent[:LATELY]],
            receiver=receiver,
        )

    def do(act: Act, order_id: int = 0) -> tuple[Any, Response | None]:
        """What the control API answers; the second is the page's answer if it refuses."""
        current().permit()
        answer = requests.request(
            act.method, store.url + act.path.format(id=order_id), json=act.fields, timeout=30
        )
        content = answer.json() if answer.content else {}
        if answer.ok:
            return content, None
        reason = content[0]["message"] if isinstance(content, list) else answer.reason
        return content, current().report(HOME, f"Not done: {reason}", is_good=False)

    @made.post("/orders")
    def buy() -> Response:
        act = SHOPPER[request.form["kind"]]
        content, refusal = do(act)
        return refusal or current().report(
            HOME, f"A shopper bought {act.label}: order", order_ids=[content["id"]]
        )

    @made.post("/merchant")
    def decide() -> Response:
        act, order_id = MERCHANT[request.form["act"]], int(request.form["order"])
        _, refusal = do(act, order_id)
        return refusal or current().report(
            f"{HOME}?order={order_id}", f"The merchant {act.label}: order", order_ids=[order_id]
        )

    @made.post("/faults")
    def break_something() -> Response:
        current().permit()
        try:
            fields = _given_fault(max(store.order_ids(), default=100))
        except ValueError as error:
            return current().report(HOME, f"The fields are not JSON: {error}", is_good=False)
        _, refusal = do(Act("", "POST", "/sandbox/faults", fields))
        text = f"A fault is set on {fields['route']}: {TIMES[request.form['times']]}."
        return refusal or current().report(HOME, text)

    @made.post("/outage")
    def take_down() -> Response:
        _, refusal = do(OUTAGE)
        text = f"The store answers every call with 503 until {END_ALL}. Flow shows what follows."
        return refusal or current().report(HOME, text)

    @made.post("/aws-faults")
    def break_aws() -> Response:
        current().permit()
        operation, outcome, times = (request.form[n] for n in ("operation", "outcome", "times"))
        _, refusal = do(_aws_fault(operation, outcome, json.loads(times)))
        text = f"A fault of AWS is set on calls that {OPERATIONS[operation]}: {TIMES[times]}."
        return refusal or current().report(HOME, text)

    @made.post("/faults/end")
    def end() -> Response:
        for act in ENDS:
            do(act)
        store.restore_token()
        if receiver is not None:
            receiver.status = 200
        return current().report(HOME, "All faults are ended.")

    @made.post("/clock")
    def advance() -> Response:
        act = JUMPS[request.form["seconds"]]
        _, refusal = do(act)
        return refusal or current().report(
            HOME, f"The sandbox's clock was advanced by {act.label}."
        )

    @made.post("/token")
    def revoke() -> Response:
        current().permit()
        store.revoke_token()
        return current().report(HOME, f"The store rejects the access token until {END_ALL}.")

    @made.post("/receiver")
    def receive() -> Response:
        current().permit()
        status = int(request.form["status"])
        if receiver is not None:
            receiver.status = status
        return current().report(HOME, f"The receiver {ANSWERS[status]}.")

    return made


def _given_fault(newest: int) -> dict[str, Any]:
    """The fault of the form; without fields that of the example, for the newest order."""
    kind, text = request.form["kind"], request.form.get("fields", "").strip()
    fields: dict[str, Any] = json.loads(f"{{{text or KINDS[kind][1]}}}")
    if "order_id" in fields and not text:
        fields["order_id"] = newest
    times = json.loads(request.form["times"])
    return {"route": request.form["route"], "kind": kind, **fields, "times": times}


def _aws_fault(operation: str, outcome: str, times: int | None) -> Act:
    fields = {"operation": operation, "outcome": outcome, "times": times}
    return Act("", "POST", "/sandbox/aws-faults", fields)


def _fault_fields(fault: Any) -> Act:
    """The request that adds a fault, with the fields that are not the default."""
    plain = type(fault)(route=fault.route, kind=fault.kind)
    fields = {
        name: value.decode() if isinstance(value, bytes) else value
        for name, value in vars(fault).items()
        if name in ("route", "kind") or (name != "act" and value != getattr(plain, name))
    }
    return Act("", "POST", "/sandbox/faults", fields)
