"""The conclusion of `explain`: each verdict and its next step."""

import ast
import inspect
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.rules import tombstone, why_not_new
from ops.explain import conclusion as explanation
from ops.explain.conclusion import conclude
from ops.explain.facts import Facts, moment, poll_that_listed, status_name
from tests.factories import NOW, SINCE, at, job, moved, order, pending, policy, record, store_date

POLICY = policy()
OPS = ".venv/bin/python -m ops --stage prod"
REPLAY, EXPLAIN, REDRIVE, DROP = (
    f"{OPS} {command} 118"
    for command in ("replay", "explain", "dead-letters redrive", "dead-letters drop")
)
POLLED = job(scope=POLICY.scope, started_at=at(-60).isoformat(), began_at=at(-60).isoformat())
BEFORE = job(scope=POLICY.scope)
NARROW = replace(POLLED, mode="changes", since=at(-100).isoformat())


def facts(**overrides: Any) -> Facts:
    """A new order that is not stored, and that the last poll listed."""
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


NOT_NEW: dict[str, tuple[dict[str, Any], str]] = {
    "archived": ({"is_deleted": True}, REPLAY),
    "too old": ({"date_created": store_date(SINCE.replace(year=2023))}, REPLAY),
    "incomplete": ({"status_id": 0}, REPLAY),
    "of an unknown status": ({"status_id": 15}, REPLAY),
    "shipped": ({"status_id": 10}, REPLAY),
}

CASES: dict[str, tuple[Facts, str, str | None]] = {
    "forgotten": (facts(record=tombstone(moved(), at(-10))), "forgotten", None),
    "forgotten, dead-letter queue": (
        facts(record=tombstone(None, NOW), dead_letters=1),
        "forgotten",
        DROP,
    ),
    "moved": (facts(record=moved(), order=order(status_id=9)), "moved", None),
    "moved and archived": (
        facts(record=moved(), order=order(status_id=2, is_deleted=True)),
        "moved",
        None,
    ),
    "moved and no longer in the store": (facts(record=moved(), order=None), "moved", None),
    "moved, store unavailable": (
        facts(record=moved(), order=None, store_error="down"),
        "moved",
        None,
    ),
    "moved, dead-letter queue": (
        facts(record=moved(), order=order(status_id=9), dead_letters=1),
        "moved",
        DROP,
    ),
    "move unconfirmed": (
        facts(record=moved(move_unconfirmed=True), order=order(status_id=11)),
        "move_unconfirmed",
        "check the order in the store",
    ),
    "move begun": (facts(record=pending()), "move_begun", REPLAY),
    "move begun, messages in the queue": (facts(record=pending(), queued=1), "move_begun", EXPLAIN),
    "move begun, dead-letter queue": (
        facts(record=pending(), dead_letters=1, queued=1),
        "move_begun",
        REDRIVE,
    ),
    "moves disabled": (facts(record=record(), policy=policy(move_status=False)), "stored", None),
    "moves disabled, changed and new": (
        facts(
            record=record(),
            policy=policy(move_status=False),
            order=order(date_modified=store_date(at(-5))),
        ),
        "stored",
        "no action needed",
    ),
    "moves disabled, changed and shipped": (
        facts(
            record=record(),
            policy=policy(move_status=False),
            order=order(status_id=2, date_modified=store_date(at(-5))),
        ),
        "stored",
        None,
    ),
    "moves disabled, dead-letter queue": (
        facts(record=record(), policy=policy(move_status=False), dead_letters=1),
        "stored",
        REDRIVE,
    ),
    "stored by a backfill": (
        facts(record=record(source="backfill"), order=order(status_id=2)),
        "stored_and_not_new",
        None,
    ),
    "stored and not moved": (facts(record=record()), "stored_and_not_moved", REPLAY),
    "stored and no longer in the store": (
        facts(record=record(), order=None),
        "stored_and_not_in_the_store",
        None,
    ),
    "stored, store unavailable": (
        facts(record=record(), order=None, store_error="GET orders/118 -> 503"),
        "stored_and_not_in_the_store",
        EXPLAIN,
    ),
    "unknown order": (facts(order=None), "nowhere", "check the order id"),
    "unknown order, dead-letter queue": (facts(order=None, dead_letters=1), "nowhere", DROP),
    "dead-letter queue": (facts(dead_letters=1), "dead_letter", REDRIVE),
    "dead-letter queue, store unavailable": (
        facts(dead_letters=1, order=None, store_error="down"),
        "dead_letter",
        REDRIVE,
    ),
    "dead-letter queue, not new": (
        facts(dead_letters=1, order=order(status_id=2)),
        "not_new",
        DROP,
    ),
    "store unavailable": (
        facts(order=None, store_error="the store rejects the access token"),
        "store_unknown",
        EXPLAIN,
    ),
    "completed, lines not read": (
        facts(order=order(status_id=10, shipping_address_count=0)),
        "may_be_digital",
        REPLAY,
    ),
    "digital and missed": (facts(order=order("digital", status_id=10)), "missed", REPLAY),
    "listed, messages in the queue": (facts(queued=3), "waiting", EXPLAIN),
    "listed and missed": (facts(), "missed", REPLAY),
    "changed since the last poll": (facts(polls=(BEFORE,)), "not_polled_yet", f"{OPS} poll"),
    "changed since the last poll, messages in the queue": (
        facts(polls=(BEFORE,), queued=1),
        "not_polled_yet",
        f"{OPS} poll",
    ),
    "changed before the polls": (
        facts(order=order(date_modified=store_date(at(-9000))), polls=(NARROW,)),
        "before_the_polls",
        f"{OPS} poll --sweep",
    ),
    "never polled": (facts(polls=()), "never_polled", f"{OPS} poll"),
    "only failed polls": (
        facts(polls=(replace(POLLED, outcome="failed", error="Unauthorized: 401"),)),
        "never_polled",
        f"{OPS} poll",
    ),
} | {
    f"not new: {name}": (facts(order=order(**fields)), "not_new", action)
    for name, (fields, action) in NOT_NEW.items()
}


@pytest.mark.parametrize("case", CASES)
def test_the_facts_determine_the_verdict_and_the_next_step(case):
    known, verdict, action = CASES[case]

    concluded = conclude(known)

    assert concluded.verdict == verdict
    assert concluded.because.endswith(".")
    if action is None:
        assert concluded.next is None
    else:
        assert action in (concluded.next or "")


@pytest.mark.parametrize(
    ("known", "facts_given"),
    [
        (facts(record=moved(), order=order(status_id=2)), ["(11)", "(9)", "Shipped (2)"]),
        (facts(order=order(status_id=0)), ["Incomplete (0)", "Awaiting Fulfillment (11)"]),
        (
            facts(record=record(), order=None, store_error="GET orders/118 -> 503"),
            ["GET orders/118 -> 503"],
        ),
        (
            facts(polls=(replace(POLLED, outcome="failed", error="Unauthorized: 401"),)),
            ["Unauthorized: 401"],
        ),
        (facts(polls=(BEFORE,)), [moment(at(-300)), moment(at(-7200))]),
        (facts(queued=3), [moment(POLLED.started_at), "3 messages"]),
    ],
)
def test_the_reason_contains_the_facts_it_is_based_on(known, facts_given):
    because = conclude(known).because

    assert [fact for fact in facts_given if fact not in because] == []


def test_every_verdict_has_a_case():
    verdicts = {
        node.args[0].value
        for node in ast.walk(ast.parse(inspect.getsource(explanation)))
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", "") == "Conclusion"
        and isinstance(node.args[0], ast.Constant)
    }

    assert verdicts == {verdict for _, verdict, _ in CASES.values()}


@pytest.mark.parametrize("name", NOT_NEW)
def test_the_service_agrees_that_the_order_is_not_new(name):
    fields, _ = NOT_NEW[name]

    assert why_not_new(order(**fields), POLICY)


@pytest.mark.parametrize(
    ("overrides", "listed"),
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
def test_a_poll_listed_an_order_if_it_succeeded_and_covers_its_last_change(overrides, listed):
    poll = replace(POLLED, **overrides)

    assert poll_that_listed(order(), (poll,), POLICY) == (poll if listed else None)


def test_an_earlier_poll_may_have_listed_what_the_last_one_did_not():
    assert poll_that_listed(order(), (NARROW, POLLED), POLICY) is POLLED


def test_an_unknown_status_and_time_have_a_name():
    assert status_name(None) == "an unknown status"
    assert moment(None) == "an unknown time"
