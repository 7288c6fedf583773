"""Messages of the queues, and what the messages of one order ask for together."""

import json
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.messages import Delivery, OrderMessage, Task
from tests.factories import NOW, at, delivery, message, sqs_record


def test_a_message_holds_no_field_of_the_order_but_its_id() -> None:
    assert json.loads(message(252, source="webhook").to_json()) == {
        "order_id": 252,
        "source": "webhook",
        "queued_at": "2025-06-02T12:00:00Z",
    }


def test_a_message_names_the_part_that_changed() -> None:
    sent = message(part="refunds")

    assert json.loads(sent.to_json())["part"] == "refunds"
    assert OrderMessage.model_validate_json(sent.to_json()) == sent


def test_deliveries_are_read_from_an_sqs_event() -> None:
    body = message().to_json()
    event = {
        "Records": [
            sqs_record(body, attributes={"ApproximateReceiveCount": "7"}),
            sqs_record(body, messageId="m2", receiptHandle="r2"),
        ]
    }

    assert Delivery.from_event(event) == [
        Delivery("m1", "r1", 7, message()),
        Delivery("m2", "r2", 1, message()),
    ]


def read(body: str) -> OrderMessage | None:
    (one,) = Delivery.from_event({"Records": [sqs_record(body)]})
    return one.message


@pytest.mark.parametrize("source", ["poll", "webhook", "replay", "backfill"])
def test_a_message_of_version_1_0_is_valid(source: str) -> None:
    body = f'{{"order_id":118,"source":"{source}","queued_at":"2025-06-02T12:00:00+00:00"}}'

    assert read(body) == message(source=source)


def test_a_message_with_an_unknown_field_is_valid() -> None:
    assert read(json.dumps({**json.loads(message().to_json()), "added_later": 1})) == message()


@pytest.mark.parametrize(
    "body",
    [
        "",
        "118",
        "null",
        "[]",
        "{}",
        "not JSON",
        '{"order_id": 118}',
        '{"order_id": 118, "source": "poll"}',
        '{"order_id": "118", "source": "poll", "queued_at": "2025-06-02T12:00:00Z"}',
        '{"order_id": 0, "source": "poll", "queued_at": "2025-06-02T12:00:00Z"}',
        '{"order_id": true, "source": "poll", "queued_at": "2025-06-02T12:00:00Z"}',
        '{"order_id": 9223372036854775808, "source": "poll", "queued_at": "2025-06-02T12:00:00Z"}',
        '{"order_id": 118, "source": "elsewhere", "queued_at": "2025-06-02T12:00:00Z"}',
        '{"order_id": 118, "source": "poll", "queued_at": "soon"}',
        '{"order_id": 118, "source": "poll", "queued_at": "2025-06-02T12:00:00"}',
        '{"order_id": 118, "source": "poll", "queued_at": "2025-06-02T12:00:00Z", "part": 5}',
    ],
)
def test_an_invalid_message_is_a_delivery_without_a_message(body: str) -> None:
    (foreign,) = Delivery.from_event({"Records": [sqs_record(body)]})

    assert foreign == Delivery("m1", "r1", 1, None)


def united(*messages: OrderMessage, receives: tuple[int, ...] = ()) -> Task:
    (one,) = Task.of(
        delivery(message=each, receive_count=receives[n] if receives else 1)
        for n, each in enumerate(messages)
    )
    return one


def test_the_messages_of_one_order_are_one_task() -> None:
    tasks = Task.of([delivery(118), delivery(119), delivery(118, message_id="m3")])

    assert [task.order_id for task in tasks] == [118, 119]


def test_an_invalid_message_asks_for_nothing() -> None:
    assert Task.of([delivery(message=None)]) == []


def test_a_task_is_as_new_as_its_newest_message_and_as_old_as_its_most_received() -> None:
    newest = message(queued_at=NOW, source="webhook")
    older = message(queued_at=NOW - timedelta(minutes=1))

    task = united(older, newest, older, receives=(7, 1, 2))

    assert (task.queued_at, task.source, task.receive_count) == (NOW, "webhook", 7)


def sent(*sources: str, **overrides: Any) -> list[OrderMessage]:
    """Messages of these sources, the first the newest."""
    return [
        message(source=source, queued_at=at(-n), **overrides) for n, source in enumerate(sources)
    ]


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (["poll"], True),
        (["sweep"], True),
        (["fill"], True),
        (["webhook"], True),
        (["retry"], True),
        (["replay"], False),
        (["backfill"], False),
        (["replay", "backfill"], False),
        (["replay", "poll"], True),
        (["poll", "replay"], True),
        (["backfill", "retry"], True),
    ],
)
def test_a_task_may_move_its_order_if_one_of_its_messages_may(
    sources: list[str], expected: bool
) -> None:
    assert united(*sent(*sources)).may_move == expected


@pytest.mark.parametrize(
    ("sources", "must_read", "is_sweep"),
    [
        (["poll"], False, False),
        (["webhook"], False, False),
        (["backfill"], False, False),
        (["sweep"], False, True),
        (["fill"], False, True),
        (["replay"], True, True),
        (["retry"], True, True),
        (["poll", "retry"], True, True),
        (["webhook", "sweep"], False, True),
    ],
)
def test_an_operators_message_has_its_order_read_and_a_sweeps_its_short_lists(
    sources: list[str], must_read: bool, is_sweep: bool
) -> None:
    task = united(*sent(*sources))

    assert (task.must_read, task.is_sweep) == (must_read, is_sweep)


def test_one_message_of_an_archived_order_makes_an_archival() -> None:
    assert united(message(), message(part="is_deleted")).is_archival
    assert not united(message(), message(part="shipments")).is_archival


def test_an_order_is_read_if_one_of_its_messages_names_a_part() -> None:
    assert united(message(), message(part="shipments")).must_read


@pytest.mark.parametrize(
    ("sources", "source"),
    [
        (["fill"], "fill"),
        (["fill", "fill"], "fill"),
        (["fill", "webhook"], "webhook"),
        (["fill", "poll", "webhook"], "poll"),
        (["webhook", "fill"], "webhook"),
    ],
)
def test_an_order_is_found_by_a_fill_only_if_nothing_else_asks_for_it(
    sources: list[str], source: str
) -> None:
    task = united(*sent(*sources))

    assert task.source == source
    assert (task.queued_at, task.listed_at) == (NOW, at(1 - len(sources)))
