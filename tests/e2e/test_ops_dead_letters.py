"""`dead-letters`: list, redrive and drop; an interrupted redrive loses no message."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import count, cycle, islice
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.session import Session, get_session

from chalicelib.edges.aws import AwsError
from ops.dead_letters.inspected import HIDDEN_FOR
from ops.dead_letters.queue import DeadLetterQueue, Tally
from ops.dead_letters.redrive import redrive
from sandbox.stack import Endpoint
from sandbox.store.clock import SimulatedClock
from sandbox.store.faults import Fault
from sandbox.world import World
from tests.e2e.journeys import replicated

INVALID = ("not JSON", "[]", '{"order_id": 0, "source": "poll", "queued_at": ""}', '"\u00fc\u2713"')


def body(order_id: int, **fields: Any) -> str:
    """A message body with the default spaces of json.dumps, to compare byte for byte."""
    queued_at = "2026-01-02T03:04:05+00:00"
    return json.dumps({"order_id": order_id, "source": "poll", "queued_at": queued_at, **fields})


def put(world: World, *bodies: str, queue: str = "orders") -> None:
    """Put messages into a dead-letter queue."""
    for start in range(0, len(bodies), 10):
        world.stack.sqs.send_message_batch(
            QueueUrl=world.stack.url_of(f"{queue}-dead-letters"),
            Entries=[
                {"Id": str(n), "MessageBody": text}
                for n, text in enumerate(bodies[start : start + 10])
            ],
        )


class Interruption:
    """Raises an error in a client's calls with these numbers, before or after their effect."""

    def __init__(self, client: Any, moment: str, error: BaseException) -> None:
        self.calls = 0
        self.at = range(0)
        self._error = error
        client.meta.events.register(f"{moment}.sqs", self._strike)

    def arm(self, at: range) -> None:
        self.calls, self.at = 0, at

    def _strike(self, **_: Any) -> None:
        self.calls += 1
        if self.calls in self.at:
            raise self._error


@pytest.fixture
def queue(world: World) -> DeadLetterQueue:
    # Tests interrupt its client, so it has its own.
    return DeadLetterQueue(
        Endpoint(world.stack.aws.url).client("sqs"),
        world.stack.dead_letter_queue_url,
        "orders",
        world.stack.queue_url,
    )


def ids(queue: DeadLetterQueue, choice: str = "all") -> set[str]:
    """The message ids that a test selects."""
    return {message.message_id for message in queue.messages() if CHOICES[choice](message)}


EVERYONE = {*map(body, range(1, 26)), *INVALID}
CHOICES = {
    "all": lambda message: True,
    "some": lambda message: message.order_id and message.order_id % 2 == 0,
}


def start_over(world: World) -> None:
    """Put 25 orders and the invalid messages into the dead-letter queue, and nothing elsewhere."""
    # SQS allows one purge of a queue per minute.
    assert isinstance(world.clock, SimulatedClock)
    world.clock.advance(61)
    for url in (world.stack.queue_url, world.stack.dead_letter_queue_url):
        world.stack.sqs.purge_queue(QueueUrl=url)
    put(world, *EVERYONE)
    # moto shows a message one millisecond after it was sent.
    world.clock.advance(1)


ENDS = {
    "Ctrl-C": (KeyboardInterrupt(), 1),
    "killed": (KeyboardInterrupt(), 1000),
    "no network": (EndpointConnectionError(endpoint_url=""), 1),
}
"""The error, and the number of consecutive calls that raise it: a killed process ends at once."""


@pytest.mark.parametrize("choice", ["some", pytest.param("all", marks=pytest.mark.exhaustive)])
@pytest.mark.parametrize("moment", ["before-call", "after-call"])
@pytest.mark.parametrize("end", ENDS)
def test_a_redrive_that_ends_at_any_call_loses_no_order(world, queue, choice, moment, end):
    def redrive() -> None:
        queue.redrive(ids(queue, choice), Tally(), lambda _: None)

    error, in_a_row = ENDS[end]
    interruption = Interruption(queue.client, moment, error)
    start_over(world)
    redrive()
    calls = interruption.calls
    assert calls >= 9

    for call in range(1, calls + 1):
        start_over(world)
        interruption.arm(range(call, call + in_a_row))
        # An error while messages are made visible again is suppressed, or raised as it is.
        with suppress(KeyboardInterrupt, AwsError):
            redrive()
        assert interruption.calls >= call
        assert {*world.messages(), *world.dead_letters()} == EVERYONE, call

        world.clock.advance(HIDDEN_FOR + 1)
        assert world.stack.visible("orders-dead-letters") == len(world.dead_letters())
        interruption.arm(range(0))
        redrive()
        assert {*world.messages(), *world.dead_letters()} == EVERYONE, call
        assert not {*world.messages()} & {*world.dead_letters()}


def test_an_interrupted_redrive_makes_the_rest_visible(world, queue):
    start_over(world)
    selected = ids(queue)
    # Receive, send, delete; and the second receive is interrupted.
    Interruption(queue.client, "before-call", KeyboardInterrupt()).arm(range(4, 5))

    with pytest.raises(KeyboardInterrupt):
        queue.redrive(selected, Tally(), lambda _: None)

    assert world.stack.visible("orders-dead-letters") == len(world.dead_letters())


class Rejecting:
    """A client whose SQS rejects one entry, `times` times, in the calls of one operation."""

    def __init__(self, client: Any, operation: str, times: int) -> None:
        self._client = client
        self._operation = operation
        self._times = times
        self._rejected = ""

    def __getattr__(self, name: str) -> Any:
        return self._reject if name == self._operation else getattr(self._client, name)

    def _reject(self, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        def key(entry: dict[str, Any]) -> str:
            return str(entry.get("MessageBody") or entry["ReceiptHandle"])

        self._rejected = self._rejected or key(Entries[0])
        refused = [entry for entry in Entries if self._times and key(entry) == self._rejected]
        self._times -= len(refused)
        taken = [entry for entry in Entries if entry not in refused]
        call = getattr(self._client, self._operation)
        answer = call(QueueUrl=QueueUrl, Entries=taken) if taken else {}
        failed = [{"Id": entry["Id"], "Code": "InternalError"} for entry in refused]
        return {**answer, "Failed": failed}


@pytest.mark.parametrize("operation", ["send_message_batch", "delete_message_batch"])
def test_a_rejected_entry_is_sent_once_more(world, queue, operation):
    put(world, *map(body, range(1, 11)))
    tally = Tally()
    rejecting = replace(queue, client=Rejecting(queue.client, operation, 1))

    rejecting.redrive(ids(queue), tally, lambda _: None)

    assert Counter(world.messages()) == Counter(map(body, range(1, 11)))
    assert len(tally.done) == 10
    assert world.dead_letters() == tally.refused == tally.in_both == []


@pytest.mark.parametrize(
    ("operation", "becomes"),
    [("send_message_batch", "refused"), ("delete_message_batch", "in_both")],
)
def test_an_entry_that_stays_rejected_is_named_and_stays_in_the_dead_letter_queue(
    world, queue, operation, becomes
):
    put(world, *map(body, range(1, 11)))
    tally = Tally()
    rejecting = replace(queue, client=Rejecting(queue.client, operation, 99))

    rejecting.redrive(ids(queue), tally, lambda _: None)

    (rejected,) = getattr(tally, becomes)
    assert len(tally.done) == 9
    assert world.dead_letters() == [rejected.body]
    assert world.stack.visible("orders-dead-letters") == 1
    assert (rejected.body in world.messages()) == (becomes == "in_both")


def test_a_redrive_ends_although_its_messages_fail_again_at_once(world, queue):
    """A queue with a maxReceiveCount of 1, and a consumer that is faster than the redrive."""

    class Failing:
        def __getattr__(self, name: str) -> Any:
            return getattr(queue.client, name)

        def send_message_batch(self, **request: Any) -> Any:
            return queue.client.send_message_batch(**request | {"QueueUrl": queue.url})

    put(world, *map(body, range(1, 26)))
    tally = Tally()

    replace(queue, client=Failing()).redrive(ids(queue), tally, lambda _: None)

    assert len(tally.done) == 25
    assert sorted(world.dead_letters()) == sorted(map(body, range(1, 26)))


def test_large_messages_are_sent_in_batches_that_sqs_accepts(world, queue):
    invalid = [str(n) * 100_000 for n in range(1, 6)]
    for text in invalid:
        put(world, text)

    queue.redrive(ids(queue), Tally(), lambda _: None)

    assert sorted(world.messages()) == invalid


class Endless:
    """A client whose queue has thousands of messages, which reappear after so many receives."""

    def __init__(self, count: int, hidden_for: int) -> None:
        self._shown = cycle(range(count)) if hidden_for < count else iter(range(count))
        self.shown_again: set[str] = set()

    def receive_message(self, MaxNumberOfMessages: int, **_: Any) -> dict[str, Any]:
        attributes = {"SentTimestamp": "1767323045000", "ApproximateReceiveCount": "21"}
        numbers = islice(self._shown, MaxNumberOfMessages)
        return {
            "Messages": [
                {
                    "MessageId": f"m{n}",
                    "ReceiptHandle": f"r{n}",
                    "Body": body(n + 1),
                    "Attributes": attributes,
                }
                for n in numbers
            ]
        }

    def change_message_visibility_batch(self, Entries: Any, **_: Any) -> dict[str, Any]:
        self.shown_again |= {entry["ReceiptHandle"] for entry in Entries}
        return {"Successful": [{"Id": entry["Id"]} for entry in Entries]}


@pytest.mark.parametrize("hidden_for", [1000, 5000])
def test_listing_thousands_of_messages_ends_and_makes_them_visible(hidden_for):
    client = Endless(5000, hidden_for)

    found = DeadLetterQueue(client, "dead-letters", "orders", "orders").messages()

    assert {message.order_id for message in found} == set(range(1, 5001))
    assert client.shown_again == {f"r{n}" for n in range(5000)}


def test_the_list_has_orders_ages_and_receives_and_removes_nothing(ops, world, store):
    world.poll()
    poison = store.place_order(via="api")
    store.faults.add(Fault(route=f"GET /orders/{poison}*", kind="html", status=404, times=None))
    began = world.clock.time()
    world.poll()
    world.settle()
    put(world, "a name and an address")

    failed, invalid = ops.json("dead-letters", "list")

    (ours,) = failed["messages"]
    assert (failed["order_id"], failed["cause"]) == (poison, "MalformedResponse")
    assert (ours["queue"], ours["source"], ours["receive_count"]) == ("orders", "poll", 20)
    assert 13 * 3600 < ours["age_seconds"] <= world.clock.time() - began
    assert (invalid["order_id"], invalid["cause"]) == (None, "invalid message")
    assert invalid["messages"][0]["receive_count"] == 0
    assert invalid["messages"][0]["age_seconds"] <= 3
    assert "address" not in str(invalid)
    assert ops.json("dead-letters", "list")[0]["messages"][0]["receive_count"] == 21
    assert world.stack.visible("orders-dead-letters") == 2


def test_an_empty_dead_letter_queue_is_no_error(ops):
    assert ops.json("dead-letters", "list") == []
    assert ops.json("dead-letters", "redrive", "--all")["redriven"] == []
    assert ops.json("dead-letters", "drop", "--all")["dropped"] == []


def test_a_redriven_order_is_replicated_once_its_fault_is_fixed(ops, world, store):
    world.poll()
    poison, beside = store.place_order(via="api"), store.place_order(via="api")
    store.faults.add(Fault(route=f"GET /orders/{poison}*", kind="html", status=404, times=None))
    store.faults.add(Fault(route=f"GET /orders/{beside}*", kind="html", status=404, times=None))
    world.poll()
    world.settle()
    assert len(world.dead_letters()) == 2
    store.faults.clear()

    report = ops.json("dead-letters", "redrive", f"0{poison}")
    world.settle()

    assert [message["order_id"] for message in report["redriven"]] == [poison]
    assert replicated(world, poison)
    assert [json.loads(text)["order_id"] for text in world.dead_letters()] == [beside]
    assert world.stack.visible("orders-dead-letters") == 1


def test_redrive_all_keeps_every_body_byte_for_byte(ops, world):
    bodies = [*map(body, range(1, 24)), *INVALID]
    put(world, *bodies)

    report = ops.json("dead-letters", "redrive", "--all")

    assert len(report["redriven"]) == len(bodies)
    assert sorted(world.messages()) == sorted(bodies)
    assert world.dead_letters() == []


def test_a_message_is_redriven_to_its_own_queue(ops, world):
    put(world, body(118))
    put(world, body(119), queue="changes")

    report = ops.json("dead-letters", "redrive", "--all")

    assert {(m["order_id"], m["queue"]) for m in report["redriven"]} == {
        (118, "orders"),
        (119, "changes"),
    }
    assert world.messages("orders") == [body(118)]
    assert world.messages("changes") == [body(119)]
    assert world.dead_letters() == []


NEWER = "2026-01-03T03:04:05+00:00"


@pytest.mark.parametrize(
    ("orders", "changes", "redriven"),
    [
        ([body(118), body(118, queued_at=NEWER)], [], [body(118, queued_at=NEWER)]),
        ([body(118)], [body(118, queued_at=NEWER)], [body(118, queued_at=NEWER)]),
        ([body(118)] * 15, [body(118, source="webhook")] * 15, None),
        # Its order is read in any case, which a newer message does not ask for.
        (
            [body(118, queued_at=NEWER)],
            [body(118, source="webhook", part="shipments")],
            [body(118, source="webhook", part="shipments")],
        ),
        # A replay also stores what is out of scope, and never moves.
        (
            [body(118)],
            [body(118, source="replay", queued_at=NEWER)],
            [body(118), body(118, source="replay", queued_at=NEWER)],
        ),
    ],
)
def test_one_message_of_an_order_is_redriven_and_the_others_are_deleted(
    ops, world, orders, changes, redriven
):
    put(world, *orders)
    put(world, *changes, queue="changes")

    report = ops.json("dead-letters", "redrive", "--all")

    assert len(report["redriven"]) + len(report["merged"]) == len(orders) + len(changes)
    assert world.dead_letters() == []
    if redriven is None:
        assert len(world.messages()) == 1
    else:
        assert sorted(world.messages()) == sorted(redriven)


def test_no_message_is_deleted_in_place_of_one_that_is_rejected(world, queue):
    put(world, body(118), body(118, queued_at=NEWER))
    tally = Tally()
    rejecting = replace(queue, client=Rejecting(queue.client, "send_message_batch", 99))

    redrive([rejecting], queue.messages(), tally, lambda _: None)

    assert len(world.dead_letters()) == 2
    assert (len(tally.refused), tally.merged) == (2, [])


def failing(world: World, *order_ids: int) -> None:
    """Note that the orders are failing, as the consumers do."""
    for order_id in order_ids:
        item = {
            "store_hash": "sandbox",
            "started_at": f"failing#{order_id}",
            "since": "2026-01-02T03:04:05+00:00",
            "next_try_at": "2026-01-02T04:04:05+00:00",
            "error_class": "Rejected" if order_id % 2 else "Unavailable",
            "error": f"GET orders/{order_id} -> 400",
        }
        world.stack.dynamodb.put_item(
            TableName=world.stack.name("jobs"),
            Item={name: {"S": text} for name, text in item.items()}
            | {"order_id": {"N": str(order_id)}, "receives": {"N": "20"}},
        )


def test_the_list_is_grouped_by_order_and_by_cause(ops, world):
    put(world, *map(body, (119, 118, 120, 119)))
    put(world, body(121), body(118), queue="changes")
    failing(world, 118, 119, 121)

    listed = ops.json("dead-letters", "list")

    assert [(order["cause"], order["order_id"], len(order["messages"])) for order in listed] == [
        ("Rejected", 119, 2),
        ("Rejected", 121, 1),
        ("Unavailable", 118, 2),
        ("unknown", 120, 1),
    ]
    assert listed[0]["error"] == "GET orders/119 -> 400"


def test_a_dropped_order_does_not_count_as_failing_any_more(ops, world):
    put(world, body(118), body(119), body(119))
    failing(world, 118, 119)
    first, _ = ops.json("dead-letters", "list")[0]["messages"]

    ops("dead-letters", "drop", "118", first["message_id"], "--yes")

    assert [item["started_at"] for item in world.items("jobs")] == ["failing#119"]


def test_an_unknown_id_is_named_and_the_others_are_redriven(ops, world):
    put(world, body(118), body(119), body(118))

    report = ops.json("dead-letters", "redrive", "118", "404", code=1)

    assert [message["order_id"] for message in report["redriven"]] == [118]
    assert [message["order_id"] for message in report["merged"]] == [118]
    assert report["not_found"] == ["404"]
    assert world.dead_letters() == [body(119)]


@pytest.mark.parametrize("action", ["redrive", "drop"])
@pytest.mark.parametrize("given", [[], ["--all", "118"]])
def test_messages_must_be_named_or_all_be_selected(ops, world, action, given):
    put(world, body(118))

    report = ops("dead-letters", action, *given)

    assert report.exit_code == 2
    assert world.dead_letters() == [body(118)]


def test_drop_needs_confirmation_in_every_stage(ops, world):
    put(world, body(118), body(119))

    report = ops("dead-letters", "drop", "118", answer="n\n")

    assert report.exit_code == 1
    assert report.stderr.count("[y/N]") == 1
    assert world.stack.visible("orders-dead-letters") == 2

    report = ops("dead-letters", "drop", "118", answer="y\n")

    assert report.exit_code == 0
    assert world.dead_letters() == [body(119)]
    assert world.messages() == []


def test_an_invalid_message_is_dropped_by_its_message_id(ops, world):
    put(world, "invalid", body(118))
    (failed,) = (each for each in ops.json("dead-letters", "list") if not each["order_id"])
    (invalid,) = failed["messages"]

    report = ops.json("dead-letters", "drop", invalid["message_id"], "404", "--yes", code=1)

    assert [message["message_id"] for message in report["dropped"]] == [invalid["message_id"]]
    assert report["not_found"] == ["404"]
    assert world.dead_letters() == [body(118)]


def test_a_message_that_arrives_after_the_confirmation_is_not_dropped(world, queue):
    put(world, body(118))
    (listed,) = queue.messages()
    put(world, body(118), body(119))
    tally = Tally()

    queue.drop({listed.message_id}, tally, lambda _: None)

    assert [message.message_id for message in tally.done] == [listed.message_id]
    assert sorted(world.dead_letters()) == [body(118), body(119)]
    assert world.stack.visible("orders-dead-letters") == 2


@pytest.fixture
def session() -> Iterator[Session]:
    """The boto3 session of the commands' clients."""
    session = get_session()
    boto3.setup_default_session(botocore_session=session)
    yield session
    boto3.setup_default_session()


@pytest.mark.parametrize(("action", "done"), [("redrive", "redriven"), ("drop", "dropped")])
def test_an_interrupted_command_reports_its_progress(ops, world, session, action, done):
    put(world, *map(body, range(1, 26)))
    deletions = count(1)

    def interrupt(**_: Any) -> None:
        if next(deletions) == 2:
            raise KeyboardInterrupt

    session.register("before-call.sqs.DeleteMessageBatch", interrupt)

    report = ops.json("dead-letters", action, "--all", "--yes", code=1)

    assert len(report[done]) == 10
    assert report["stopped"]
    assert {*world.messages(), *world.dead_letters()} >= {*map(body, range(11, 26))}
    assert world.stack.visible("orders-dead-letters") == 15
