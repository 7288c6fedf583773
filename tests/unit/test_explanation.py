"""The conclusion of `explain`: each verdict, what it says, and what is to be done."""

import ast
import inspect
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.rules import tombstone, why_not_new
from ops.explain import conclusion as explanation
from ops.explain.conclusion import conclude
from ops.explain.facts import Facts, moment, poll_that_saw, status_name
from tests.factories import NOW, SINCE, at, job, moved, order, pending, policy, record, store_date

POLICY = policy()
OPS = "python -m ops --stage prod"
REPLAY, REDRIVE, DROP = (
    f"{OPS} {deed} 118" for deed in ("replay", "dead-letters redrive", "dead-letters drop")
)
POLLED = job(scope=POLICY.scope, started_at=at(-60).isoformat(), began_at=at(-60).isoformat())
BEFORE = job(scope=POLICY.scope)
NARROW = replace(POLLED, mode="changes", since=at(-100).isoformat())


def facts(**overrides: Any) -> Facts:
    """A new order that is not stored, and that the last poll could see."""
    return Facts(
        **{
            "stage": "prod",
            "order_id": 118,
            "policy": POLICY,
            "order": order(),
            "polls": (POLLED,),
            **overrides,
        }
    )


NOT_NEW = {
    "archived": ({"is_deleted": True}, "archived in the store", REPLAY),
    "too old": (
        {"date_created": store_date(SINCE.replace(year=2023))},
        "created at 2023-01-01 00:00:00 UTC, before REPLICATE_SINCE (2024-01-01 00:00:00 UTC)",
        "an earlier replicate_since, deployed",
    ),
    "incomplete": (
        {"status_id": 0},
        "Incomplete (0) is none of the new statuses: Awaiting Fulfillment (11), Awaiting Payment",
        "polls find it once it has one of those statuses",
    ),
    "of an unknown status": ({"status_id": 15}, "status 15 is none of the new", "polls find it"),
    "shipped": ({"status_id": 10}, "completed and not digital", REPLAY),
}

CASES: dict[str, tuple[Facts, str, str, str | None]] = {
    "forgotten": (
        facts(record=tombstone(moved(), at(-10))),
        "forgotten",
        f"forgotten at {moment(at(-10))}, at a person's request",
        None,
    ),
    "forgotten and dead": (
        facts(record=tombstone(None, NOW), dead_letters=1),
        "forgotten",
        "is not stored again",
        DROP,
    ),
    "moved": (
        facts(record=moved(), order=order(status_id=9)),
        "moved",
        "It was moved from Awaiting Fulfillment (11) to Awaiting Shipment (9) at "
        "2025-06-02 11:58:20 UTC.",
        None,
    ),
    "moved and shipped since": (
        facts(record=moved(), order=order(status_id=2)),
        "moved",
        "In the store it is Shipped (2) now.",
        None,
    ),
    "moved and archived since": (
        facts(record=moved(), order=order(status_id=2, is_deleted=True)),
        "moved",
        "archived in the store by now",
        None,
    ),
    "moved and gone since": (
        facts(record=moved(), order=None),
        "moved",
        "The store has no such order any more",
        None,
    ),
    "moved, the store silent": (
        facts(record=moved(), order=None, store_error="down"),
        "moved",
        "2025-06-02 11:58:20 UTC.",
        None,
    ),
    "moved, with a dead letter": (
        facts(record=moved(), order=order(status_id=9), dead_letters=1),
        "moved",
        "It was moved",
        DROP,
    ),
    "move unconfirmed": (
        facts(record=moved(move_unconfirmed=True), order=order(status_id=11)),
        "move_unconfirmed",
        "nobody could tell whether that happened: somebody changed it meanwhile. "
        "In the store it is Awaiting Fulfillment (11) now.",
        "look at the order in the store",
    ),
    "move begun": (
        facts(record=pending()),
        "move_begun",
        "A move to Awaiting Shipment (9) was begun, and nobody has seen its end",
        REPLAY,
    ),
    "move begun, messages waiting": (
        facts(record=pending(), queued=1),
        "move_begun",
        "was begun",
        "wait some minutes, and ask again",
    ),
    "move begun, dead": (
        facts(record=pending(), dead_letters=1, queued=1),
        "move_begun",
        "was begun",
        f"once that is mended: {REDRIVE}",
    ),
    "nothing is moved": (
        facts(record=record(), policy=policy(move_status=False)),
        "stored",
        "Nothing is moved in this stage (MOVE_STATUS=false).",
        None,
    ),
    "nothing is moved, changed since": (
        facts(
            record=record(),
            policy=policy(move_status=False),
            order=order(date_modified=store_date(at(-5))),
        ),
        "stored",
        "Nothing is moved",
        "the next poll has it stored again",
    ),
    "nothing is moved, shipped since": (
        facts(
            record=record(),
            policy=policy(move_status=False),
            order=order(status_id=2, date_modified=store_date(at(-5))),
        ),
        "stored",
        "Nothing is moved",
        None,
    ),
    "nothing is moved, its change dead": (
        facts(record=record(), policy=policy(move_status=False), dead_letters=1),
        "stored",
        "Nothing is moved",
        REDRIVE,
    ),
    "stored by a backfill": (
        facts(record=record(source="backfill"), order=order(status_id=2)),
        "stored_and_not_new",
        "first found by backfill. It was not moved: it is not new, since Shipped (2)",
        None,
    ),
    "stored by a replay": (
        facts(record=record(source="replay"), order=order(status_id=10)),
        "stored_and_not_new",
        "first found by replay. It was not moved: it is not new, since it is completed",
        None,
    ),
    "stored, its move failed": (
        facts(record=record()),
        "stored_and_not_moved",
        "It is new, and is not moved yet.",
        REPLAY,
    ),
    "stored, gone": (
        facts(record=record(), order=None),
        "stored_and_not_in_the_store",
        "the store has no such order any more",
        None,
    ),
    "stored, the store silent": (
        facts(record=record(), order=None, store_error="GET orders/118 -> 503"),
        "stored_and_not_in_the_store",
        "the store cannot be asked (GET orders/118 -> 503)",
        "once the store can be asked",
    ),
    "nowhere": (facts(order=None), "nowhere", "neither in the store nor in the table", "the id"),
    "nowhere but dead": (facts(order=None, dead_letters=1), "nowhere", "neither", DROP),
    "a dead letter": (
        facts(dead_letters=1),
        "dead_letter",
        "replication gave it up, and it is a dead letter",
        REDRIVE,
    ),
    "a dead letter, the store silent": (
        facts(dead_letters=1, order=None, store_error="down"),
        "dead_letter",
        "is a dead letter",
        REDRIVE,
    ),
    "a dead letter that is not new": (
        facts(dead_letters=1, order=order(status_id=2)),
        "not_new",
        "Shipped (2)",
        DROP,
    ),
    "the store silent": (
        facts(order=None, store_error="the store refuses the access token"),
        "store_unknown",
        "the store cannot be asked (the store refuses the access token)",
        "once the store can be asked",
    ),
    "maybe digital": (
        facts(order=order(status_id=10, shipping_address_count=0)),
        "may_be_digital",
        "Only its lines tell",
        REPLAY,
    ),
    "digital, and missed": (
        facts(order=order("digital", status_id=10)),
        "missed",
        "the queue is empty",
        REPLAY,
    ),
    "found and waiting": (
        facts(queued=3),
        "waiting",
        "3 messages are in the queue, and it may be one of them",
        "wait some minutes",
    ),
    "found and missed": (
        facts(),
        "missed",
        f"there for the poll of {moment(POLLED.started_at)} to find. But the queue is empty.",
        REPLAY,
    ),
    "changed since the last poll": (
        facts(polls=(BEFORE,)),
        "not_polled_yet",
        f"it changed last at {moment(at(-300))}, after the last poll began ({moment(at(-7200))}).",
        f"wait for the next poll, or: {OPS} poll",
    ),
    "changed since, its webhook queued": (
        facts(polls=(BEFORE,), queued=1),
        "not_polled_yet",
        "1 message is in the queue; its webhook may have put it there.",
        f"{OPS} poll",
    ),
    "behind the polls": (
        facts(order=order(date_modified=store_date(at(-9000))), polls=(NARROW,)),
        "before_the_polls",
        "no poll since has looked that far back",
        f"{OPS} poll --sweep",
    ),
    "never polled": (facts(polls=()), "never_polled", "no poll has succeeded lately.", "poll"),
    "only failed polls": (
        facts(polls=(replace(POLLED, outcome="failed", error="Unauthorized: 401"),)),
        "never_polled",
        "The last one: Unauthorized: 401.",
        f"{OPS} poll",
    ),
} | {
    f"not new: {name}": (facts(order=order(**fields)), "not_new", because, then)
    for name, (fields, because, then) in NOT_NEW.items()
}


@pytest.mark.parametrize("case", CASES)
def test_the_facts_lead_to_a_verdict_with_its_reason_and_what_to_do(case):
    known, verdict, because, then = CASES[case]

    concluded = conclude(known)

    assert concluded.verdict == verdict
    assert because in concluded.because
    assert concluded.because.endswith(".")
    if then is None:
        assert concluded.next is None
    else:
        assert then in (concluded.next or "")


def test_every_verdict_has_a_case():
    verdicts = {
        node.args[0].value
        for node in ast.walk(ast.parse(inspect.getsource(explanation)))
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", "") == "Conclusion"
        and isinstance(node.args[0], ast.Constant)
    }

    assert verdicts == {verdict for _, verdict, _, _ in CASES.values()}


@pytest.mark.parametrize("name", NOT_NEW)
def test_an_order_is_not_new_for_people_when_it_is_not_for_the_service(name):
    fields, _, _ = NOT_NEW[name]

    assert why_not_new(order(**fields), POLICY)


@pytest.mark.parametrize(
    ("overrides", "saw"),
    [
        ({}, True),
        ({"outcome": "failed"}, False),
        ({"outcome": "running"}, False),
        ({"began_at": at(-300).isoformat()}, False),
        ({"scope": "11 since another day"}, False),
        ({"mode": "changes", "since": at(-300).isoformat()}, True),
        ({"mode": "changes", "since": at(-299).isoformat()}, False),
    ],
)
def test_a_poll_saw_an_order_when_it_succeeded_and_looked_where_that_was(overrides, saw):
    poll = replace(POLLED, **overrides)

    assert poll_that_saw(order(), (poll,), POLICY) == (poll if saw else None)


def test_an_earlier_poll_may_have_seen_what_the_last_one_did_not():
    assert poll_that_saw(order(), (NARROW, POLLED), POLICY) is POLLED


def test_a_status_or_a_time_that_nobody_knows_is_said_so():
    assert status_name(None) == "an unknown status"
    assert moment(None) == "an unknown time"
