"""Bad input, end to end: how it is answered, and what is written."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
import requests

from sandbox.store.faults import Fault
from tests.e2e.journeys import moves, replicated, send


def call_back(world, order_id: int) -> int:
    body = world.store.callback_body(order_id)
    headers = {
        "Content-Type": "application/json",
        "X-Replication-Token": world.stack.secrets.webhook_token,
        **world.store.sign(body),
    }
    url = f"{world.api_url}/cart-converted"
    return requests.post(url, data=body, headers=headers, timeout=10).status_code


def test_the_same_callback_ten_times_at_once_is_one_order_and_one_move(world, store):
    order_id = store.place_order(via="api")

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: call_back(world, order_id), range(10)))
    world.drain(consumers=3)
    world.settle()

    assert answers == [200] * 10
    assert replicated(world, order_id)
    assert len(moves(store, order_id)) == 1
    assert store.repeated_puts == []


def test_an_invalid_message_reaches_the_dead_letter_queue_and_does_not_delay_its_batch(
    world, store
):
    invalid = [
        "not JSON",
        "{}",
        '{"order_id": "118"}',
        '{"order_id": 0, "source": "poll"}',
        "[]",
        '""',
    ]
    ids = [store.place_order(via="api") for _ in range(3)]
    for body in invalid:
        world.stack.sqs.send_message(QueueUrl=world.stack.queue_url, MessageBody=body)
    world.poll()

    world.drain()
    assert all(replicated(world, order_id) for order_id in ids)
    world.settle()

    assert world.messages() == []
    assert sorted(world.dead_letters()) == sorted(invalid)
    assert world.pump.evaluate_alarm()
    assert "dead-letters" in world.mail()[0]["Subject"]


MALFORMED_ANSWERS: dict[str, dict[str, Any]] = {
    "HTML": {"kind": "html", "status": 200},
    "cut JSON": {"kind": "cut"},
    "half a JSON": {"kind": "body", "body": b'[{"id": 1'},
    "an object for a list": {"kind": "body", "body": b'{"id": 7}'},
    "a null order": {"kind": "body", "body": b"[null]"},
    "an order without an id": {"kind": "body", "body": b'[{"status_id": 11}]'},
    "null": {"kind": "body", "body": b"null"},
}


@pytest.mark.parametrize("path", ["", "/products"], ids=["order", "products"])
def test_a_malformed_answer_is_retried_and_nothing_incomplete_is_written(world, store, path):
    ids = []
    for answer in MALFORMED_ANSWERS.values():
        ids.append(store.place_order(via="api"))
        store.skip_ids(1000)
        store.faults.add(Fault(route=f"GET /orders/{ids[-1]}{path}", times=None, **answer))
    send(world, *ids)

    world.drain()
    assert world.items("orders") == []
    assert len(world.messages()) == len(ids)
    store.faults.clear()
    world.settle()

    assert [order_id for order_id in ids if not replicated(world, order_id)] == []


def test_a_malformed_page_is_requested_again_in_smaller_ones(world, store):
    for name, answer in MALFORMED_ANSWERS.items():
        order_id = store.place_order(via="api")
        store.faults.add(Fault(route="GET /orders", times=5, **answer))

        assert world.poll() is None, name
        world.drain()

        assert replicated(world, order_id), name


def test_a_poll_whose_pages_stay_malformed_fails_with_an_alert_and_the_next_succeeds(world, store):
    order_id = store.place_order(via="api")
    store.faults.add(Fault(route="GET /orders", kind="html", status=200, times=None))

    assert world.poll() is not None
    (mail,) = world.mail()
    assert "poll_orders" in mail["Subject"]
    assert [job["outcome"] for job in world.items("jobs")] == ["failed"]
    store.faults.clear()
    assert world.poll() is None
    world.drain()

    assert replicated(world, order_id)


def test_an_order_too_large_for_an_item_reaches_the_dead_letter_queue_within_minutes(
    world, store, caplog
):
    order_id = store.place_order(staff_notes="x" * 500_000, via="api")
    others = [store.place_order(via="api") for _ in range(2)]
    world.poll()

    began = world.clock.time()
    world.settle()

    assert world.clock.time() - began < 15 * 60
    assert world.item(order_id) is None
    assert len(world.dead_letters()) == 1
    assert moves(store, order_id) == []
    assert all(replicated(world, other) for other in others)
    assert any(
        "ItemTooLarge" in str(vars(line)) and "bytes" in str(vars(line)) for line in caplog.records
    )


def test_a_number_that_cannot_be_stored_exactly_is_an_error_with_its_name(world, store, caplog):
    numbers = {"huge": Decimal("1E400"), "long": Decimal("1." + "3" * 40), "integer": 10**39 + 1}
    for name, number in numbers.items():
        store.place_order(odd={name: number}, via="api")
    world.poll()

    world.settle()

    assert world.items("orders") == []
    assert len(world.dead_letters()) == 3
    logged = str([vars(line) for line in caplog.records])
    assert all(f"odd.{name}" in logged for name in numbers)
