"""The event bus: calls of the allowed size, refused entries, and what a batch reports."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from chalicelib.domain.events import UnreadableRecord
from chalicelib.domain.models import JsonObject
from chalicelib.edges.aws import aws_client
from chalicelib.edges.eventbridge import LARGEST_ENTRY, Entry, EventBus, NotTaken
from chalicelib.publishing import Publisher
from sandbox.container import Context
from tests.factories import NOW, FakeClock, events, order_fields, record
from tests.integration.conftest import Service, Stage, requests_of
from tests.unit.test_events import change

SOURCE = "order-replication.test"
REFUSED = {"ErrorCode": "ThrottlingException", "ErrorMessage": "jane.doe@example.com"}
TAKEN = {"EventId": "1"}


def entry(number: int = 0, size: int = 0) -> Entry:
    return Entry("order.changed", json.dumps({"n": number, "text": "x" * size}), NOW)


def bus_of(client: Any, name: str, clock: FakeClock, seconds: float = 60) -> EventBus:
    return EventBus(client, name, SOURCE, clock, clock.time() + seconds)


class TestTheBus:
    @pytest.fixture
    def bus(self, stage: Stage, clock: FakeClock) -> EventBus:
        """A bus with a receiver, of a client of its own."""
        stage.add_destination("erp")
        client = boto3.client("events", endpoint_url=stage.aws.url)
        return EventBus(client, stage.bus_name, f"order-replication.{stage.stage}", clock, 2e9)

    def test_an_entry_arrives_as_an_event(self, stage: Stage, bus: EventBus) -> None:
        bus.put([entry(7)])
        stage.aws.bus.deliver()  # type: ignore[attr-defined]  # the stage's AWS is an Aws

        (event,) = stage.events_in("to-erp")
        assert event["detail-type"] == "order.changed"
        assert event["source"] == f"order-replication.{stage.stage}"
        assert event["detail"]["n"] == 7
        assert event["time"] == NOW.isoformat()

    def test_a_call_has_ten_entries_at_most_in_their_order(
        self, stage: Stage, bus: EventBus
    ) -> None:
        calls = requests_of(bus.client, "PutEvents")

        bus.put([entry(n) for n in range(25)])

        assert [len(call["Entries"]) for call in calls] == [10, 10, 5]
        put = [json.loads(each["Detail"])["n"] for call in calls for each in call["Entries"]]
        assert put == list(range(25))

    def test_a_call_is_no_larger_than_is_allowed(self, stage: Stage, bus: EventBus) -> None:
        calls = requests_of(bus.client, "PutEvents")

        bus.put([entry(n, size=100_000) for n in range(5)])

        assert [len(call["Entries"]) for call in calls] == [2, 2, 1]

    def test_nothing_is_put_without_an_entry(self, bus: EventBus) -> None:
        calls = requests_of(bus.client, "PutEvents")

        bus.put([])

        assert calls == []


def test_an_entry_fits_up_to_its_size_in_bytes(clock: FakeClock) -> None:
    bus = bus_of(None, "bus", clock)
    fixed = bus.size_of(Entry("t", "", NOW))
    assert fixed == 14 + len(SOURCE) + 1

    assert bus.fits(Entry("t", "x" * (LARGEST_ENTRY - fixed), NOW))
    assert not bus.fits(Entry("t", "x" * (LARGEST_ENTRY - fixed - 1) + "ž", NOW))


class TestRefusals:
    @pytest.fixture
    def stub(self) -> Iterator[Stubber]:
        with Stubber(aws_client("events", region="us-east-1")) as stub:
            yield stub

    def answers(self, stub: Stubber, *answers: Sequence[JsonObject]) -> None:
        for entries in answers:
            failed = sum(1 for each in entries if "ErrorCode" in each)
            stub.add_response("put_events", {"FailedEntryCount": failed, "Entries": list(entries)})

    def test_only_the_refused_entries_are_put_again(self, stub: Stubber, clock: FakeClock) -> None:
        seen = requests_of(stub.client, "PutEvents")
        self.answers(stub, [TAKEN, REFUSED, TAKEN, REFUSED], [REFUSED, TAKEN], [TAKEN])

        bus_of(stub.client, "bus", clock).put([entry(n) for n in range(4)])

        put = [[json.loads(e["Detail"])["n"] for e in call["Entries"]] for call in seen]
        assert put == [[0, 1, 2, 3], [1, 3], [1]]
        assert clock.sleeps == [0.2, 0.4]

    def test_an_entry_that_is_always_refused_is_named_with_those_after_its_call(
        self, stub: Stubber, clock: FakeClock
    ) -> None:
        self.answers(stub, [TAKEN] * 9 + [REFUSED], *([REFUSED] for _ in range(4)))

        with pytest.raises(NotTaken, match=r"^PutEvents bus -> ThrottlingException$") as failure:
            bus_of(stub.client, "bus", clock).put([entry(n) for n in range(12)])

        assert failure.value.entries == (9, 10, 11)
        assert failure.value.is_refusal
        assert sum(clock.sleeps) == pytest.approx(3.0)

    def test_a_call_that_fails_names_its_entries_and_those_after_them(
        self, stub: Stubber, clock: FakeClock
    ) -> None:
        self.answers(stub, [TAKEN] * 10)
        stub.add_client_error("put_events", "InternalFailure")

        with pytest.raises(NotTaken, match=r"^PutEvents bus -> InternalFailure$") as failure:
            bus_of(stub.client, "bus", clock).put([entry(n) for n in range(21)])

        assert failure.value.entries == tuple(range(10, 21))
        assert not failure.value.is_refusal

    def test_nothing_is_put_when_too_little_time_is_left(
        self, stub: Stubber, clock: FakeClock
    ) -> None:
        with pytest.raises(NotTaken, match="OutOfTime") as failure:
            bus_of(stub.client, "bus", clock, seconds=14).put([entry()])

        assert failure.value.entries == (0,)

    def test_an_entry_is_not_put_again_when_too_little_time_is_left(
        self, stub: Stubber, clock: FakeClock
    ) -> None:
        self.answers(stub, [REFUSED])

        with pytest.raises(NotTaken, match="OutOfTime"):
            bus_of(stub.client, "bus", clock, seconds=15.1).put([entry()])


FIELDS = order_fields()


def stream_record(number: int, **images: Any) -> JsonObject:
    """A record of the stream: an order that is new, or with these images."""
    stored = {**change(None, (FIELDS, record())), "SequenceNumber": str(number)}
    return {"eventName": "INSERT", "dynamodb": {**stored, **images}}


def read_only(number: int) -> JsonObject:
    images = change((FIELDS, record()), (FIELDS, record(read_at=NOW)))
    return {"eventName": "MODIFY", "dynamodb": {**images, "SequenceNumber": str(number)}}


def foreign(number: int) -> JsonObject:
    return stream_record(number, NewImage={"id": {"N": "7"}}, Keys={"id": {"N": "7"}})


class TestABatch:
    """What a batch of records reports to Lambda, for the answers of EventBridge."""

    @pytest.fixture
    def stub(self) -> Iterator[Stubber]:
        with Stubber(aws_client("events", region="us-east-1")) as stub:
            yield stub

    @pytest.fixture
    def publisher(self, stub: Stubber, clock: FakeClock) -> Publisher:
        return Publisher(bus_of(stub.client, "bus", clock), "abc123", False, False)

    def answer(self, stub: Stubber, *entries: JsonObject) -> None:
        stub.add_response("put_events", {"FailedEntryCount": 0, "Entries": list(entries)})

    def test_a_batch_without_an_event_makes_no_call(self, publisher: Publisher) -> None:
        assert publisher.publish([read_only(1), read_only(2)]) is None

    def test_a_batch_that_is_published_reports_nothing_and_is_logged_by_its_ids(
        self, stub: Stubber, publisher: Publisher, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("INFO")
        self.answer(stub, TAKEN, TAKEN)

        assert publisher.publish([stream_record(1), read_only(2), stream_record(3)]) is None

        assert events(caplog) == ["event_published"] * 2
        assert "jane.doe@example.com" not in caplog.text

    def test_the_first_record_that_was_refused_is_reported(
        self, stub: Stubber, publisher: Publisher, caplog: pytest.LogCaptureFixture
    ) -> None:
        self.answer(stub, TAKEN, REFUSED, TAKEN)
        for _ in range(4):
            self.answer(stub, REFUSED)

        records = [stream_record(1), read_only(2), stream_record(3), stream_record(4)]

        caplog.set_level("INFO")
        assert publisher.publish(records) == "3"
        assert events(caplog) == [*("event_published",) * 2, "events_not_published"]

    def test_a_first_record_that_is_refused_fails_the_batch(
        self, stub: Stubber, publisher: Publisher
    ) -> None:
        self.answer(stub, REFUSED, TAKEN)
        for _ in range(4):
            self.answer(stub, REFUSED)

        with pytest.raises(NotTaken):
            publisher.publish([stream_record(1), stream_record(2)])

    def test_while_eventbridge_is_down_the_first_record_is_reported(
        self, stub: Stubber, publisher: Publisher
    ) -> None:
        stub.add_client_error("put_events", "InternalFailure")

        assert publisher.publish([stream_record(1), stream_record(2)]) == "1"

    def test_what_is_before_an_unreadable_record_is_published(
        self, stub: Stubber, publisher: Publisher, caplog: pytest.LogCaptureFixture
    ) -> None:
        self.answer(stub, TAKEN)

        assert publisher.publish([stream_record(1), foreign(2), stream_record(3)]) == "2"
        stub.assert_no_pending_responses()
        assert "record_unreadable" in events(caplog)

    def test_an_unreadable_record_that_is_the_first_fails_the_batch(
        self, publisher: Publisher
    ) -> None:
        with pytest.raises(UnreadableRecord, match="order 7"):
            publisher.publish([foreign(1), stream_record(2)])


def test_the_function_publishes_and_reports_in_lambdas_form(stage: Stage, service: Service) -> None:
    stage.add_destination("erp", pattern={"source": [SOURCE]})
    context = Context("publish_changes", 60, service.clock)

    answer = service.module.publish_changes({"Records": [stream_record(1)]}, context)

    stage.aws.bus.deliver()  # type: ignore[attr-defined]  # the stage's AWS is an Aws
    assert answer == {"batchItemFailures": []}
    (event,) = stage.events_in("to-erp")
    assert event["detail"]["event_id"] == f"118-{record().sequence}-created"
