"""The conclusion of `explain`: each verdict and its next step."""

import ast
import inspect
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.rules import tombstone, why_not_moved
from ops.explain import conclusion as explanation
from ops.explain.conclusion import conclude
from ops.explain.facts import Facts, moment, poll_that_listed, status_name
from ops.explain.reasons import why_not_new
from ops.pause.pause import Pause
from tests.factories import (
    NOW,
    SINCE,
    at,
    failing,
    job,
    moved,
    order,
    pending,
    policy,
    record,
    store_date,
)

POLICY = policy()
OPS = ".venv/bin/python -m ops --stage prod"
RETRY, REPLAY, EXPLAIN, DROP = (
    f"{OPS} {command} 118" for command in ("retry", "replay", "explain", "dead-letters drop")
)
POLLED = job(scope=POLICY.scope, started_at=at(-60), began_at=at(-60))
BEFORE = job(scope=POLICY.scope)
NARROW = replace(POLLED, mode="changes", since=at(-100))


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


MOVED = order(status_id=9)
EDITED = order(status_id=9, date_modified=store_date(at(-50)))

OLD: dict[str, Any] = {"date_created": store_date(NOW - timedelta(days=31))}
KEPT: dict[str, Any] = {"retention_days": 30}

OUT_OF_SCOPE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "too old": ({"date_created": store_date(SINCE.replace(year=2023))}, {}),
    "of an ignored status": ({"status_id": 0}, {}),
    "of another channel": ({"channel_id": 2}, {"channels": (1,)}),
    "older than the retention": (OLD, KEPT),
}

NOT_NEW: dict[str, tuple[dict[str, Any], dict[str, Any]]] = OUT_OF_SCOPE | {
    "archived": ({"is_deleted": True}, {}),
    "of an unknown status": ({"status_id": 15}, {}),
    "shipped": ({"status_id": 10}, {}),
}

CASES: dict[str, tuple[Facts, str, str | None]] = {
    "forgotten": (
        facts(record=tombstone(moved(), at(-10)), order=MOVED),
        "forgotten",
        None,
    ),
    "forgotten, dead-letter queue": (
        facts(record=tombstone(moved(), NOW), order=MOVED, dead_letters=1),
        "forgotten",
        DROP,
    ),
    "forgotten before its move": (
        facts(record=tombstone(None, NOW)),
        "forgotten_and_not_moved",
        RETRY,
    ),
    "moved": (facts(record=moved(), order=MOVED), "moved", None),
    "moved and archived": (
        facts(
            record=moved(archived_at=at(-10), status_id=2),
            order=order(status_id=2, is_deleted=True),
        ),
        "moved",
        None,
    ),
    "moved and no longer in the store": (
        facts(record=moved(archived_at=at(-10)), order=None),
        "moved",
        None,
    ),
    "moved, store unavailable": (
        facts(record=moved(), order=None, store_error="down"),
        "moved",
        None,
    ),
    "moved, dead-letter queue": (
        facts(record=moved(), order=MOVED, dead_letters=1),
        "moved",
        DROP,
    ),
    "moved, not confirmed by another read": (
        facts(record=moved(read_at=at(-299)), order=MOVED),
        "moved",
        None,
    ),
    "moved by somebody else": (
        facts(record=moved(moved_from=None), order=MOVED),
        "moved_elsewhere",
        None,
    ),
    "move unconfirmed": (
        facts(record=moved(move_unconfirmed=True, status_id=11), order=order(status_id=11)),
        "move_unconfirmed",
        "check the order in the store",
    ),
    "older than the retention": (
        facts(record=moved(), order=order(**OLD), policy=policy(**KEPT)),
        "expired",
        f"{OPS} expire",
    ),
    "older than the retention, its move begun": (
        facts(record=pending(), order=order(**OLD), policy=policy(**KEPT), dead_letters=1),
        "expired",
        DROP,
    ),
    "older than the retention and forgotten": (
        facts(record=tombstone(None, NOW), order=order(**OLD), policy=policy(**KEPT)),
        "forgotten",
        None,
    ),
    "move begun": (facts(record=pending()), "move_begun", RETRY),
    "move begun, messages in the queues": (
        facts(record=pending(), queued=1),
        "move_begun",
        EXPLAIN,
    ),
    "move begun, dead-letter queue": (
        facts(record=pending(), dead_letters=1, queued=1),
        "move_begun",
        f"fix the error in the log, then: {RETRY}",
    ),
    "another version": (facts(record=moved(), order=EDITED, polls=(BEFORE,)), "stale", "poll"),
    "another version that a poll listed": (
        facts(record=moved(), order=order(status_id=2)),
        "stale",
        RETRY,
    ),
    "another version, failing": (
        facts(record=moved(), order=EDITED, failing=failing()),
        "stale",
        f"fix the error in the log, then: {RETRY}",
    ),
    "archived without a callback": (facts(record=moved(), order=None), "stale", RETRY),
    "moves disabled": (facts(record=record(), policy=policy(move_status=False)), "stored", None),
    "moves disabled, dead-letter queue": (
        facts(record=record(), policy=policy(move_status=False), dead_letters=1),
        "stored",
        DROP,
    ),
    "moves paused": (
        facts(record=record(), pause=Pause("stock-taking")),
        "paused",
        f"{OPS} resume",
    ),
    "unpaid": (
        facts(
            record=record(status_id=7),
            order=order(status_id=7),
            policy=policy(move_unpaid=False),
        ),
        "waiting_for_payment",
        None,
    ),
    "incomplete": (facts(record=record(incomplete=("products",))), "incomplete", RETRY),
    "incomplete and believed": (
        facts(record=record(incomplete=("products",), believed=True)),
        "stored_and_not_moved",
        RETRY,
    ),
    "stored by a backfill": (
        facts(record=record(source="backfill", status_id=5), order=order(status_id=5)),
        "stored_and_not_new",
        None,
    ),
    "stored and not moved": (facts(record=record()), "stored_and_not_moved", RETRY),
    "stored and no longer in the store": (
        facts(record=record(archived_at=at(-10)), order=None),
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
    "dead-letter queue": (facts(dead_letters=1), "dead_letter", RETRY),
    "dead-letter queue, store unavailable": (
        facts(dead_letters=1, order=None, store_error="down"),
        "dead_letter",
        RETRY,
    ),
    "dead-letter queue, out of scope": (
        facts(dead_letters=1, order=order(status_id=0)),
        "out_of_scope",
        DROP,
    ),
    "failing": (facts(failing=failing(), queued=1), "failing", RETRY),
    "store unavailable": (
        facts(order=None, store_error="the store rejects the access token"),
        "store_unknown",
        EXPLAIN,
    ),
    "archived": (facts(order=order(is_deleted=True)), "archived", REPLAY),
    "shipped and missed": (facts(order=order(status_id=2)), "missed", RETRY),
    "listed, messages in the queues": (facts(queued=3), "waiting", EXPLAIN),
    "listed and missed": (facts(), "missed", RETRY),
    "changed since the last poll": (facts(polls=(BEFORE,)), "not_polled_yet", f"{OPS} poll"),
    "changed since the last poll, messages in the queues": (
        facts(polls=(BEFORE,), queued=1),
        "not_polled_yet",
        f"{OPS} poll",
    ),
    "queued by a webhook since the last poll": (
        facts(polls=(BEFORE,), queued=1, called_at=at(0)),
        "waiting",
        EXPLAIN,
    ),
    "queued by a webhook, and the queues are empty": (
        facts(polls=(), called_at=at(0)),
        "missed",
        RETRY,
    ),
    "a webhook before the last change": (
        facts(polls=(BEFORE,), queued=1, called_at=at(-9000)),
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
    f"out of scope: {name}": (
        facts(order=order(**fields), policy=policy(**settings)),
        "out_of_scope",
        "orders_retention_days" if "retention_days" in settings else REPLAY,
    )
    for name, (fields, settings) in OUT_OF_SCOPE.items()
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
        (
            facts(record=moved(status_id=2), order=order(status_id=2)),
            ["(11)", "(9)", "Shipped (2)"],
        ),
        (facts(order=order(status_id=0)), ["Incomplete (0)", "IGNORED_STATUS_IDS"]),
        (facts(order=order(channel_id=3), policy=policy(channels=(1, 2))), ["channel 3", "(1, 2)"]),
        (facts(record=record(), pause=Pause("stock-taking")), ["stock-taking"]),
        (
            facts(record=record(incomplete=("shipments", "refunds"))),
            ["incomplete", "shipments, refunds"],
        ),
        (
            facts(record=moved(incomplete=("refunds",), believed=True), order=MOVED),
            ["too few refunds", "15 minutes"],
        ),
        (
            facts(failing=failing()),
            ["5 times", "Rejected: PUT orders/118 -> 409", moment(at(-3600)), moment(at(1800))],
        ),
        (facts(failing=failing(dead_at=at(-5))), ["on the way to the dead-letter queue"]),
        (facts(failing=failing(), dead_letters=1), ["in a dead-letter queue", "5 times"]),
        (
            facts(record=moved(archived_at=at(-10)), order=None),
            [moment(at(-10)), "no longer exists"],
        ),
        (facts(record=moved(), order=EDITED), [moment(at(-50)), moment(at(-200))]),
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
def test_a_reason_has_the_words_of_the_fact_that_the_rules_name(name):
    fields, settings = NOT_NEW[name]
    known = order(**fields), policy(**settings)

    assert why_not_moved(*known)
    assert why_not_new(*known)


def test_a_new_order_has_no_reason():
    assert why_not_new(order(), POLICY) is None


@pytest.mark.parametrize(
    ("overrides", "listed"),
    [
        ({}, True),
        ({"outcome": "failed"}, False),
        ({"outcome": "running"}, False),
        ({"began_at": at(-300)}, False),
        ({"scope": "11 since another day"}, False),
        ({"since": at(-299)}, True),
        ({"since": at(-299), "scope": "another"}, False),
        ({"mode": "changes", "since": at(-300)}, True),
        ({"mode": "changes", "since": at(-299)}, False),
    ],
)
def test_a_poll_listed_an_order_if_it_succeeded_and_covers_its_last_change(overrides, listed):
    poll = replace(POLLED, **overrides)

    assert poll_that_listed(order(), (poll,), POLICY) == (poll if listed else None)


def test_a_sweep_lists_only_recent_changes_of_orders_that_are_not_new():
    sweep = replace(POLLED, since=at(-299))

    assert poll_that_listed(order(status_id=2), (sweep,), POLICY) is None
    assert poll_that_listed(order(status_id=10), (sweep,), POLICY) is None


def test_an_earlier_poll_may_have_listed_what_the_last_one_did_not():
    assert poll_that_listed(order(), (NARROW, POLLED), POLICY) is POLLED


def test_an_unknown_status_and_time_have_a_name():
    assert status_name(None) == "an unknown status"
    assert moment(None) == "an unknown time"
