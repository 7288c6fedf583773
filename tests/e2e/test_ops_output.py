"""The text output of every command, one snapshot each.

To accept a change: pytest tests/e2e/test_ops_output.py --snapshot-update
"""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import Result
from syrupy.assertion import SnapshotAssertion

from sandbox.store.clock import SimulatedClock
from sandbox.store.faults import Fault
from sandbox.store.statuses import Status
from sandbox.world import World
from tests.e2e.conftest import Ops
from tests.e2e.journeys import confirm

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
RANGE = ("--since", "2025-01-01", "--until", "2027-01-01")

VARYING = {
    r"http://127\.0\.0\.1:\d+": "http://HOST",
    r"\b[0-9a-f]{8}-[0-9a-f-]{27}\b *": "MESSAGE-ID ",
    r"^\d+ orders, [\d-]+ ━+.*\n": "",
    r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?": "TIME",
    r"\d\d \w{3} \d\d:00": "HOUR",
    r"\d+ (s|ms|min|h|days)\b": r"N \1",
    r"\d+ of \d+ requests left": "N of N requests left",
    r"\d+ requests to": "N requests to",
    r"[ \t]+$": "",
}
"""What differs from run to run: ports, ids of messages, times, and the requests of a window."""


@pytest.fixture
def world(new_world: Callable[..., World]) -> World:
    return new_world(clock=SimulatedClock(NOW.timestamp()))


@pytest.fixture
def output(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Run a command; its exit code and normalised output."""
    # rich draws its tables as wide as the terminal.
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments: str) -> str:
        is_drop = arguments[:2] == ("dead-letters", "drop")
        return normalised(Ops(world, asks=is_drop)(*arguments), world.stack.stage)

    return run


def normalised(result: Result, stage: str) -> str:
    text = re.sub(rf"\b{stage}\b", "STAGE", result.output)
    for pattern, replacement in VARYING.items():
        text = re.sub(pattern, replacement, text, flags=re.MULTILINE)
    return f"exit code {result.exit_code}\n{text}"


def poisoned(world: World) -> int:
    """A replicated order, and one in the dead-letter queue, whose id is returned."""
    world.poll()
    world.store.place_order(via="api")
    order_id = world.store.place_order(via="api")
    world.store.faults.add(
        Fault(route=f"GET /orders/{order_id}*", kind="html", status=404, times=None)
    )
    world.poll()
    world.settle()
    return order_id


def test_audit(world, output, snapshot: SnapshotAssertion):
    poisoned(world)
    world.store.faults.clear()
    world.store.place_order(status=Status.INCOMPLETE, via="api")

    assert output("audit", "--wait", "0") == snapshot


def test_backfill(world, output, snapshot: SnapshotAssertion):
    bad, short, *_ = world.store.place_orders(5, statuses=[Status.SHIPPED])
    world.store.edit(short, items_total=99)
    world.store.faults.add(
        Fault(route=f"GET /orders/{bad}/products", kind="html", status=404, times=None)
    )

    text = output("backfill", *RANGE)

    # The progress bar and the waits before retries vary.
    assert text[text.index("5 orders:") :] == snapshot


def test_dead_letters_list(world, output, snapshot: SnapshotAssertion):
    order_id = poisoned(world)
    body = {"order_id": order_id, "source": "webhook", "queued_at": NOW.isoformat()}
    world.stack.sqs.send_message(
        QueueUrl=world.stack.changes_dead_letter_queue_url, MessageBody=json.dumps(body)
    )
    world.stack.sqs.send_message(
        QueueUrl=world.stack.dead_letter_queue_url, MessageBody="an invalid message"
    )

    assert output("dead-letters", "list") == snapshot


def test_dead_letters_redrive(world, output, snapshot: SnapshotAssertion):
    text = output("dead-letters", "redrive", str(poisoned(world)), "404")

    assert text[text.index("1 message redriven") :] == snapshot


def test_dead_letters_drop(world, output, snapshot: SnapshotAssertion):
    assert output("dead-letters", "drop", str(poisoned(world))) == snapshot


def test_doctor(world, output, snapshot: SnapshotAssertion):
    poisoned(world)
    hook_id = next(iter(world.store.callbacks.hooks))
    world.store.callbacks.change(hook_id, is_active=False)
    world.store.register_hook(
        destination="https://earlier.example.com", headers={"X-Replication-Token": "outdated"}
    )
    world.poll()
    world.settle()

    assert output("doctor") == snapshot


def test_explain(world, output, snapshot: SnapshotAssertion):
    assert output("explain", str(poisoned(world))) == snapshot


def test_fields(world, output, snapshot: SnapshotAssertion):
    for fields in ({}, {"tier": "gold", "ip_address": {"v4": "x"}}):
        world.store.place_order(via="api", coupons=0, fees=0, **fields)
        world.poll()
        world.settle()
        confirm(world)

    assert [output("fields"), output("fields", "--accept"), output("fields")] == snapshot


def test_forget(world, output, snapshot: SnapshotAssertion):
    order_id = poisoned(world)

    assert output("forget", "--order", str(order_id), "--order", str(order_id - 1)) == snapshot


def test_poll(world, output, snapshot: SnapshotAssertion):
    world.store.place_order(via="api")

    assert output("poll") == snapshot


def test_pause(output, snapshot: SnapshotAssertion):
    assert output("pause", "--reason", "the warehouse is closed") == snapshot


def test_resume(world, output, snapshot: SnapshotAssertion):
    output("pause", "--reason", "the warehouse is closed")
    world.store.place_order(via="api")

    assert output("resume") == snapshot


def test_retry(world, output, snapshot: SnapshotAssertion):
    assert output("retry", str(poisoned(world)), "404") == snapshot


def test_rehearse(world, output, snapshot: SnapshotAssertion):
    world.store.place_orders(20, over=timedelta(days=10))
    world.store.place_order(date_modified="never")

    text = output("rehearse")

    # The progress bar varies.
    assert text[text.index("21 of 21") :] == snapshot


def test_facts(world, output, snapshot: SnapshotAssertion):
    world.store.place_orders(20, over=timedelta(days=10))
    world.store.place_order(channel_id="main")

    text = output("facts")

    # The tables repeat the declarations, and the number of requests is that of the orders.
    assert text[text.rindex("facts: ") - 4 :] == snapshot


def test_replay(output, snapshot: SnapshotAssertion):
    assert output("replay", "118", "119") == snapshot


def test_status(world, output, metrics, snapshot: SnapshotAssertion):
    poisoned(world)
    output("pause", "--reason", "the warehouse is closed")
    world.store.place_order()
    world.deliver_webhooks()
    world.drain()
    world.clock.advance(timedelta(hours=1).total_seconds())
    world.poll()
    metrics.publish()

    assert output("status") == snapshot


def test_webhook_register(world, output, snapshot: SnapshotAssertion):
    world.store.register_hook(
        destination="https://earlier.example.com", headers={"X-Replication-Token": "outdated"}
    )

    world.store.callbacks.change(next(iter(world.store.callbacks.hooks)), is_active=False)

    assert output("webhook", "register", "--email", "ops@example.com") == snapshot


def test_webhook_list(world, output, snapshot: SnapshotAssertion):
    hook_id = next(iter(world.store.callbacks.hooks))
    world.store.callbacks.change(hook_id, headers={"X-Replication-Token": "outdated"})
    world.store.register_hook(destination="https://elsewhere.example.com")

    assert output("webhook", "list") == snapshot


def test_webhook_test(world, output, snapshot: SnapshotAssertion):
    world.store.place_order(via="api")
    hook_id = next(iter(world.store.callbacks.hooks))
    world.store.callbacks.change(hook_id, headers={"X-Replication-Token": "outdated"})

    assert output("webhook", "test") == snapshot


def test_webhook_remove(output, snapshot: SnapshotAssertion):
    assert output("webhook", "remove") == snapshot
