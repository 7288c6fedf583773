"""`dead-letters`: shown, sent back, dropped, and none lost wherever a redrive ends."""

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
from ops.dead_letters.queue import HIDDEN_FOR, DeadLetters, Tally
from sandbox.stack import Endpoint
from sandbox.store.faults import Fault
from sandbox.world import World
from tests.e2e.journeys import replicated

JUNK = ("not JSON", "[]", '{"order_id": 0, "source": "poll", "queued_at": ""}', '"\u00fc\u2713"')


def body(order_id: int, **fields: Any) -> str:
    """With the spaces that nobody else would write, to be told byte for byte."""
    queued_at = "2026-01-02T03:04:05+00:00"
    return json.dumps({"order_id": order_id, "source": "poll", "queued_at": queued_at, **fields})


def bury(world: World, *bodies: str) -> None:
    """Put messages into the dead-letter queue."""
    for start in range(0, len(bodies), 10):
        world.stack.sqs.send_message_batch(
            QueueUrl=world.stack.dead_letter_queue_url,
            Entries=[
                {"Id": str(n), "MessageBody": text}
                for n, text in enumerate(bodies[start : start + 10])
            ],
        )


class Interruption:
    """Ends a client's calls from outside: those of these numbers, before or after their effect."""

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
def letters(world: World) -> DeadLetters:
    # A client of its own, since tests interrupt it.
    return DeadLetters(
        Endpoint(world.stack.aws.url).client("sqs"),
        world.stack.dead_letter_queue_url,
        world.stack.queue_url,
    )


EVERYONE = {*map(body, range(1, 26)), *JUNK}
CHOICES = {
    "all": lambda letter: True,
    "some": lambda letter: letter.order_id and letter.order_id % 2 == 0,
}


def started_over(world: World) -> None:
    """25 orders and the junk are dead letters, and nothing else is anywhere."""
    # SQS purges a queue once a minute.
    world.clock.advance(61)
    for url in (world.stack.queue_url, world.stack.dead_letter_queue_url):
        world.stack.sqs.purge_queue(QueueUrl=url)
    bury(world, *EVERYONE)
    # moto shows a message once its first millisecond is over.
    world.clock.advance(1)


ENDS = {
    "Ctrl-C": (KeyboardInterrupt(), 1),
    "killed": (KeyboardInterrupt(), 1000),
    "no network": (EndpointConnectionError(endpoint_url=""), 1),
}
"""What strikes, and how many calls in a row: a run that is killed does not tidy up."""


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("moment", ["before-call", "after-call"])
@pytest.mark.parametrize("end", ENDS)
def test_a_redrive_that_ends_at_any_call_loses_no_order(world, letters, choice, moment, end):
    def redrive() -> None:
        letters.redrive(CHOICES[choice], len(EVERYONE), Tally(), lambda _: None)

    error, in_a_row = ENDS[end]
    interruption = Interruption(letters.client, moment, error)
    started_over(world)
    redrive()
    calls = interruption.calls
    assert calls >= 9

    for call in range(1, calls + 1):
        started_over(world)
        interruption.arm(range(call, call + in_a_row))
        # What ends while letters are made visible again is no failure: they become so anyway.
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


def test_an_interrupted_redrive_shows_the_rest_at_once(world, letters):
    started_over(world)
    # Receive, send, delete; and the second receive is interrupted.
    Interruption(letters.client, "before-call", KeyboardInterrupt()).arm(range(4, 5))

    with pytest.raises(KeyboardInterrupt):
        letters.redrive(lambda letter: letter.order_id == 1, 29, Tally(), lambda _: None)

    assert world.stack.visible("orders-dead-letters") == len(world.dead_letters())


class Refusing:
    """A client whose SQS refuses one entry, so many times, in the calls of one operation."""

    def __init__(self, client: Any, operation: str, times: int) -> None:
        self._client = client
        self._operation = operation
        self._times = times
        self._victim = ""

    def __getattr__(self, name: str) -> Any:
        return self._refuse if name == self._operation else getattr(self._client, name)

    def _refuse(self, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        def key(entry: dict[str, Any]) -> str:
            return str(entry.get("MessageBody") or entry["ReceiptHandle"])

        self._victim = self._victim or key(Entries[0])
        refused = [entry for entry in Entries if self._times and key(entry) == self._victim]
        self._times -= len(refused)
        taken = [entry for entry in Entries if entry not in refused]
        call = getattr(self._client, self._operation)
        answer = call(QueueUrl=QueueUrl, Entries=taken) if taken else {}
        failed = [{"Id": entry["Id"], "Code": "InternalError"} for entry in refused]
        return {**answer, "Failed": failed}


@pytest.mark.parametrize("operation", ["send_message_batch", "delete_message_batch"])
def test_an_entry_that_sqs_refuses_is_tried_once_more(world, letters, operation):
    bury(world, *map(body, range(1, 11)))
    tally = Tally()
    refusing = replace(letters, client=Refusing(letters.client, operation, 1))

    refusing.redrive(CHOICES["all"], 10, tally, lambda _: None)

    assert Counter(world.messages()) == Counter(map(body, range(1, 11)))
    assert len(tally.done) == 10
    assert world.dead_letters() == tally.refused == tally.in_both == []


@pytest.mark.parametrize(
    ("operation", "becomes"),
    [("send_message_batch", "refused"), ("delete_message_batch", "in_both")],
)
def test_an_entry_that_sqs_refuses_stays_a_visible_dead_letter_and_is_named(
    world, letters, operation, becomes
):
    bury(world, *map(body, range(1, 11)))
    tally = Tally()
    refusing = replace(letters, client=Refusing(letters.client, operation, 99))

    refusing.redrive(CHOICES["all"], 10, tally, lambda _: None)

    (stayed,) = getattr(tally, becomes)
    assert len(tally.done) == 9
    assert world.dead_letters() == [stayed.body]
    assert world.stack.visible("orders-dead-letters") == 1
    assert (stayed.body in world.messages()) == (becomes == "in_both")


def test_a_letter_that_dies_again_at_once_does_not_keep_a_redrive_going(world, letters):
    """A queue that gives up after one try, and a consumer quicker than the redrive."""

    class Failing:
        def __getattr__(self, name: str) -> Any:
            return getattr(letters.client, name)

        def send_message_batch(self, **request: Any) -> Any:
            return letters.client.send_message_batch(**request | {"QueueUrl": letters.url})

    bury(world, *map(body, range(1, 26)))
    tally = Tally()

    replace(letters, client=Failing()).redrive(CHOICES["all"], 25, tally, lambda _: None)

    assert len(tally.done) == 25
    assert sorted(world.dead_letters()) == sorted(map(body, range(1, 26)))


def test_large_junk_goes_in_batches_that_sqs_takes(world, letters):
    junk = [str(n) * 100_000 for n in range(1, 6)]
    for text in junk:
        bury(world, text)

    letters.redrive(CHOICES["all"], 5, Tally(), lambda _: None)

    assert sorted(world.messages()) == junk


class Endless:
    """A client whose queue holds thousands, and shows them again when they were hidden so long."""

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
def test_a_look_at_thousands_ends_and_shows_them_again(hidden_for):
    client = Endless(5000, hidden_for)

    found = DeadLetters(client, "dead-letters", "orders").look()

    assert {letter.order_id for letter in found} == set(range(1, 5001))
    assert client.shown_again == {f"r{n}" for n in range(5000)}


def test_list_shows_orders_ages_and_receives_and_takes_nothing_away(ops, world, store):
    poison = store.place_order(via="api")
    store.faults.add(Fault(route=f"GET /orders/{poison}*", kind="html", status=404, times=None))
    began = world.clock.time()
    world.poll()
    world.settle()
    bury(world, "a name and an address")

    ours, junk = ops.json("dead-letters", "list")
    told = ops("dead-letters", "list").output

    assert (ours["order_id"], ours["source"], ours["receive_count"]) == (poison, "poll", 20)
    assert 13 * 3600 < ours["age_seconds"] <= world.clock.time() - began
    assert junk["order_id"] is None
    assert junk["receive_count"] == 0
    assert junk["age_seconds"] <= 1
    for words in (str(poison), "poll", "h  ", "not ours", junk["message_id"]):
        assert words in told
    assert "address" not in told + str(junk)
    assert ops.json("dead-letters", "list")[0]["receive_count"] == 22
    assert world.stack.visible("orders-dead-letters") == 2


def test_without_dead_letters_there_is_nothing_to_do(ops):
    assert "There are no dead letters" in ops("dead-letters", "list").output
    assert ops.json("dead-letters", "list") == []
    assert ops.json("dead-letters", "redrive", "--all")["redriven"] == []
    assert ops.json("dead-letters", "drop", "--all")["dropped"] == []


def test_a_redriven_order_is_replicated_once_its_fault_is_mended(ops, world, store):
    poison, beside = store.place_order(via="api"), store.place_order(via="api")
    store.faults.add(Fault(route=f"GET /orders/{poison}*", kind="html", status=404, times=None))
    store.faults.add(Fault(route=f"GET /orders/{beside}*", kind="html", status=404, times=None))
    world.poll()
    world.settle()
    assert len(world.dead_letters()) == 2
    store.faults.clear()

    told = ops("dead-letters", "redrive", f"0{poison}")
    world.drain()

    assert told.exit_code == 0
    assert f"1 dead letter redriven: {poison}." in told.output
    assert replicated(world, poison)
    assert [json.loads(text)["order_id"] for text in world.dead_letters()] == [beside]
    assert world.stack.visible("orders-dead-letters") == 1


def test_redrive_all_passes_every_body_on_byte_for_byte(ops, world):
    bodies = [*map(body, range(1, 24)), *JUNK]
    bury(world, *bodies)

    told = ops.json("dead-letters", "redrive", "--all")

    assert len(told["redriven"]) == len(bodies)
    assert sorted(world.messages()) == sorted(bodies)
    assert world.dead_letters() == []


def test_an_id_that_is_no_dead_letter_is_named_and_the_others_are_redriven(ops, world):
    bury(world, body(118), body(119), body(118))

    told = ops.json("dead-letters", "redrive", "118", "404", code=1)

    assert [letter["order_id"] for letter in told["redriven"]] == [118, 118]
    assert told["not_found"] == ["404"]
    assert world.dead_letters() == [body(119)]
    assert "Not among the dead letters: 404" in ops("dead-letters", "redrive", "404").output


@pytest.mark.parametrize("deed", ["redrive", "drop"])
@pytest.mark.parametrize("given", [[], ["--all", "118"]])
def test_which_letters_are_meant_must_be_said(ops, world, deed, given):
    bury(world, body(118))

    told = ops("dead-letters", deed, *given)

    assert told.exit_code == 2
    assert "or give --all" in told.output
    assert world.dead_letters() == [body(118)]


def test_drop_shows_what_is_lost_and_asks_in_every_stage(ops, world):
    bury(world, body(118), body(119))

    told = ops("dead-letters", "drop", "118", answer="n\n")

    assert told.exit_code == 1
    assert "not replicated, unless a sweep finds that it is still new" in told.output
    assert "Drop 1 dead letter (118)?" in told.output
    assert world.stack.visible("orders-dead-letters") == 2

    told = ops("dead-letters", "drop", "118", answer="y\n")

    assert told.exit_code == 0
    assert "1 dead letter dropped: 118." in told.output
    assert world.dead_letters() == [body(119)]
    assert world.messages() == []


def test_junk_is_dropped_by_its_message_id(ops, world):
    bury(world, "junk", body(118))
    (junk,) = (letter for letter in ops.json("dead-letters", "list") if not letter["order_id"])

    told = ops.json("dead-letters", "drop", junk["message_id"], "404", "--yes", code=1)

    assert [letter["message_id"] for letter in told["dropped"]] == [junk["message_id"]]
    assert told["not_found"] == ["404"]
    assert world.dead_letters() == [body(118)]


def test_a_letter_that_comes_after_the_question_is_not_dropped(world, letters):
    bury(world, body(118))
    (shown,) = letters.look()
    bury(world, body(118), body(119))
    tally = Tally()

    letters.drop({shown.message_id}, tally, lambda _: None)

    assert [letter.message_id for letter in tally.done] == [shown.message_id]
    assert sorted(world.dead_letters()) == [body(118), body(119)]
    assert world.stack.visible("orders-dead-letters") == 2


@pytest.fixture
def session() -> Iterator[Session]:
    """The session of the command line's own clients."""
    session = get_session()
    boto3.setup_default_session(botocore_session=session)
    yield session
    boto3.setup_default_session()


@pytest.mark.parametrize(("deed", "done"), [("redrive", "redriven"), ("drop", "dropped")])
def test_an_interrupted_command_says_how_far_it_came(ops, world, session, deed, done):
    bury(world, *map(body, range(1, 26)))
    deletions = count(1)

    def interrupt(**_: Any) -> None:
        if next(deletions) == 2:
            raise KeyboardInterrupt

    session.register("before-call.sqs.DeleteMessageBatch", interrupt)

    told = ops.json("dead-letters", deed, "--all", "--yes", code=1)

    assert len(told[done]) == 10
    assert told["stopped"]
    assert {*world.messages(), *world.dead_letters()} >= {*map(body, range(11, 26))}
    assert world.stack.visible("orders-dead-letters") == 15


def test_an_interrupted_redrive_says_it_in_words_too(ops, world, session):
    bury(world, body(118))
    session.register("after-call.sqs.SendMessageBatch", _interrupt)

    told = ops("dead-letters", "redrive", "--all")

    assert told.exit_code == 1
    assert "0 dead letters redriven." in told.output
    assert "Stopped. The others are dead letters still" in told.output
    assert world.dead_letters() == world.messages() == [body(118)]


def _interrupt(**_: Any) -> None:
    raise KeyboardInterrupt
