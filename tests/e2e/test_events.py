"""Events: every change of an order reaches every receiver, and no receiver hurts another."""

import itertools
import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import jsonschema
import pytest

from sandbox.bus import Answer
from sandbox.store.statuses import Status
from sandbox.stream import RETRIES
from sandbox.world import World
from tests.e2e.conftest import Ops
from tests.e2e.journeys import DAY, come_to_rest, record, send
from tests.factories import PROJECT

SCHEMA = json.loads((PROJECT / "docs" / "event-v1.schema.json").read_text())
URL = "https://oms.example.com/orders"


@pytest.fixture
def world(new_world) -> World:
    made: World = new_world()
    made.stack.add_destination("erp")
    return made


def published(world: World, destination: str = "erp") -> list[dict[str, Any]]:
    """The events that a receiver has got so far."""
    world.publish()
    found = world.events(destination)
    for event in found:
        jsonschema.Draft202012Validator(SCHEMA).validate(event)
    return found


def types(events: Iterable[dict[str, Any]]) -> list[str]:
    return [event["detail-type"] for event in events]


def details(world: World, order_id: int, destination: str = "erp") -> list[dict[str, Any]]:
    found = [event["detail"] for event in published(world, destination)]
    return [detail for detail in found if detail["order_id"] == order_id]


def test_the_life_of_an_order_is_published(world, store):
    order_id = store.place_order()
    come_to_rest(world)
    world.advance(60)
    store.edit(order_id, staff_notes="gift")
    come_to_rest(world)
    store.archive(order_id)
    come_to_rest(world)
    Ops(world)("forget", "--order", str(order_id))

    found = published(world)

    assert types(found) == [
        *("order.created", "order.moved", "order.changed", "order.archived", "order.forgotten")
    ]
    detail = [event["detail"] for event in found]
    assert [(d["previous_status_id"], d["status_id"]) for d in detail] == [
        *((None, 11), (11, 9), (9, 9), (9, 9), (9, None))
    ]
    assert "staff_notes" in detail[2]["changed"]
    assert detail[3]["changed"] == ["is_deleted"]
    assert [d["found_by"] for d in detail] == [*("webhook",) * 4, "forget"]
    assert [d["sequence"] for d in detail] == sorted({d["sequence"] for d in detail})
    assert {d["store_hash"] for d in detail} == {"sandbox"}
    assert detail[-1]["sequence"] == record(world, order_id)["sequence"]
    assert {event["source"] for event in found} == {f"order-replication.{world.stack.stage}"}


def test_a_read_that_finds_no_change_is_not_published(world, store):
    order_id = store.place_order()
    come_to_rest(world)
    before = published(world)

    world.advance(600)
    send(world, order_id, source="replay")
    come_to_rest(world)

    assert published(world) == before


def test_an_event_is_without_the_order_by_default_and_with_it_where_it_is_wanted(new_world):
    world = new_world(EVENT_CONTENT="order")
    world.stack.add_destination("erp")
    small = world.store.place_order(exact=Decimal("1.10"))
    large = world.store.place_order(lines=620)
    come_to_rest(world)

    by_id = {event["detail"]["order_id"]: event["detail"] for event in published(world)}

    assert by_id[small]["order"] == json.loads(json.dumps(world.order(small), default=float))
    assert by_id[large]["order_omitted"] is True
    assert "order" not in by_id[large]


def test_the_event_of_a_forgotten_order_is_without_the_order(new_world):
    world = new_world(EVENT_CONTENT="order")
    world.stack.add_destination("erp", pattern={"detail-type": ["order.forgotten"]})
    order_id = world.store.place_order()
    come_to_rest(world)
    Ops(world)("forget", "--order", str(order_id))

    (detail,) = details(world, order_id)

    assert detail.keys().isdisjoint({"order", "order_omitted"})


class TestTheFirstFill:
    def test_the_orders_that_were_there_before_are_not_published(self, world, store):
        old = [store.place_order(via="api", status=Status.SHIPPED) for _ in range(3)]
        world.advance(3600)
        recent = store.place_order(via="api", status=Status.SHIPPED)
        world.poll()
        come_to_rest(world)

        assert [record(world, n)["found_by"] for n in (*old, recent)] == [*("fill",) * 4]
        assert published(world) == []

    def test_an_order_that_is_new_is_published_when_it_is_moved(self, world, store):
        order_id = store.place_order(via="api")
        world.poll()
        come_to_rest(world)

        assert types(published(world)) == ["order.moved"]
        assert record(world, order_id)["source"] == "fill"

    def test_with_the_setting_they_are_published(self, new_world):
        world = new_world(PUBLISH_FIRST_FILL="true")
        world.stack.add_destination("erp")
        world.store.place_order(via="api", status=Status.SHIPPED)
        world.poll()
        come_to_rest(world)

        (event,) = published(world)
        assert (event["detail-type"], event["detail"]["found_by"]) == ("order.created", "fill")

    def test_an_order_that_changes_later_is_published(self, world, store):
        order_id = store.place_order(status=Status.SHIPPED, via="api")
        world.poll()
        come_to_rest(world)
        store.edit(order_id, staff_notes="gift")
        come_to_rest(world)

        assert types(published(world)) == ["order.changed"]

    def test_an_order_edited_between_the_listing_of_the_fill_and_its_read_is_published(
        self, world, store
    ):
        order_id = store.place_order(status=Status.SHIPPED, via="api")
        world.poll()
        world.advance(30)
        store.edit(order_id, staff_notes="gift")
        for callback in list(store.pending_callbacks):
            store.pending_callbacks.remove(callback)
        world.settle()

        (detail,) = details(world, order_id)
        assert detail["found_by"] == "sweep"

    def test_an_order_of_which_a_webhook_tells_as_well_is_published(self, world, store):
        order_id = store.place_order(status=Status.SHIPPED)
        world.poll()
        world.deliver_webhooks()
        come_to_rest(world)

        (detail,) = details(world, order_id)
        assert (detail["found_by"], detail["sequence"]) == (
            "webhook",
            record(world, order_id)["sequence"],
        )

    def test_a_missed_change_that_a_fill_finds_is_published(self, new_world):
        world = new_world()
        world.stack.add_destination("erp")
        order_id = world.store.place_order(status=Status.SHIPPED)
        come_to_rest(world)
        world.store.edit(order_id, staff_notes="missed")
        world.store.pending_callbacks.clear()
        world.poll()
        come_to_rest(world)

        assert types(published(world)) == ["order.created", "order.changed"]
        assert details(world, order_id)[1]["found_by"] == "fill"

    def test_an_order_that_a_later_sweep_finds_is_published(self, world, store):
        world.poll()
        order_id = store.place_order(status=Status.SHIPPED, via="api")
        world.poll()
        world.stack.purge("changes")
        world.advance(DAY)
        world.poll()
        come_to_rest(world)

        assert [detail["found_by"] for detail in details(world, order_id)] == ["sweep"]

    def test_a_backfill_publishes_nothing(self, new_world):
        world = new_world(REPLICATE_SINCE="2099-01-01T00:00:00Z")
        world.stack.add_destination("erp")
        order_id = world.store.place_order(via="api", status=Status.SHIPPED)
        Ops(world)("backfill", "--since", "2019-01-01", "--until", "2100-01-01")

        assert record(world, order_id)["found_by"] == "backfill"
        assert published(world) == []


class TestReceivers:
    def test_a_receiver_gets_what_its_pattern_selects(self, world, store):
        world.stack.add_destination("new", pattern={"detail-type": ["order.created"]})
        world.stack.add_destination("channel", pattern={"detail": {"channel_id": [2]}})
        world.stack.add_destination("shipped", pattern={"detail": {"status_id": [2]}})
        first, second = store.place_order(), store.place_order(channel_id=2)
        come_to_rest(world)

        assert len(published(world)) == 4
        assert types(world.events("new")) == ["order.created"] * 2
        assert {e["detail"]["order_id"] for e in world.events("channel")} == {second}
        assert world.events("shipped") == []
        assert first != second

    def test_a_queue_with_an_order_gets_the_events_of_a_stage_in_it(self, world, store):
        world.stack.add_destination("fifo", is_fifo=True)
        store.place_order()
        come_to_rest(world)
        world.publish()

        assert types(world.stack.events_in("to-fifo.fifo")) == ["order.created", "order.moved"]

    def test_a_receiver_that_is_down_gets_everything_later_and_hurts_nobody(self, world, store):
        got: list[dict[str, Any]] = []
        back_at = world.clock.time() + 4 * 3600

        def oms(event: dict[str, Any]) -> Answer:
            if float(world.clock.time()) < back_at:
                return Answer(503)
            got.append(event)
            return Answer()

        world.stack.add_destination("oms", url=URL)
        world.bus.receivers[URL] = oms
        order_id = store.place_order()
        come_to_rest(world)

        assert types(published(world)) == ["order.created", "order.moved"]
        assert got == []
        assert record(world, order_id)["moved_at"]
        world.deliver_events()
        assert sorted(types(got)) == ["order.created", "order.moved"]
        assert world.undelivered("oms") == []

    def test_what_a_receiver_does_not_take_is_in_its_dead_letter_queue(self, world, store):
        world.stack.add_destination("oms", url=URL, retries=3)
        calls: list[str] = []
        failures: list[tuple[str, int | None]] = []
        world.bus.on_failure = lambda delivery, reason, wait: failures.append(
            (reason, wait and round(wait))
        )

        def refuse(event: dict[str, Any]) -> Answer:
            calls.append(event["detail"]["event_id"])
            return Answer(500)

        world.bus.receivers[URL] = refuse
        store.place_order(status=Status.SHIPPED)
        come_to_rest(world)
        world.publish()
        world.deliver_events()

        assert len(calls) == 4
        assert failures == [("the endpoint answered 500", wait) for wait in (1, 2, 4, None)]
        assert world.undelivered("oms") == world.events("erp")

    @pytest.mark.parametrize(
        ("answer", "attempts"),
        [(Answer(400), 1), (Answer(429), 2), (Answer(200, seconds=6), 2), (Answer(204), 1)],
    )
    def test_an_answer_decides_whether_an_event_is_sent_again(
        self, world, store, answer: Answer, attempts: int
    ):
        calls: list[dict[str, Any]] = []

        def receive(event: dict[str, Any]) -> Answer:
            calls.append(event)
            return Answer(answer.status, answer.seconds)

        world.stack.add_destination("oms", url=URL, retries=1)
        world.bus.receivers[URL] = receive
        store.place_order(status=Status.SHIPPED)
        come_to_rest(world)
        world.publish()
        world.deliver_events()

        assert len(calls) == attempts
        assert bool(world.undelivered("oms")) == (answer != Answer(204))

    def test_an_endpoint_with_a_rate_gets_no_more_requests_per_second(self, world, store):
        times: list[float] = []

        def receive(event: dict[str, Any]) -> Answer:
            times.append(world.clock.time())
            return Answer()

        world.stack.add_destination("oms", url=URL, rate=2)
        world.bus.receivers[URL] = receive
        for _ in range(4):
            store.place_order(status=Status.SHIPPED)
        come_to_rest(world)
        world.publish()
        world.deliver_events()

        gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
        assert len(gaps) == 3
        assert min(gaps) >= 0.5


class TestPublishing:
    def test_while_eventbridge_is_down_nothing_is_lost_and_replication_goes_on(self, world, store):
        world.configure(EVENT_BUS_NAME="order-replication-not-there")
        order_id = store.place_order()
        come_to_rest(world)
        for _ in range(3):
            world.pump.publish()
            world.advance(60)

        assert record(world, order_id)["moved_at"]
        assert world.events("erp") == []
        world.configure()
        assert types(published(world)) == ["order.created", "order.moved"]

    def test_a_damaged_item_fails_alone_and_is_reported(self, world, store):
        for _ in range(3):
            store.place_order(status=Status.SHIPPED)
        come_to_rest(world)
        put(world, {"id": {"N": "7"}, "note": {"S": "of another program"}})
        store.place_order(status=Status.SHIPPED)
        come_to_rest(world)

        assert types(published(world)) == ["order.created"] * 4
        (body,) = world.stack.bodies("unpublished-events")
        batch = json.loads(body)["DDBStreamBatchInfo"]
        assert batch["batchSize"] == 1
        assert json.loads(body)["requestContext"]["approximateInvokeCount"] == RETRIES + 1
        (mail,) = world.mail()
        assert "publish_changes failed: UnreadableRecord" in mail["Subject"]
        assert "order 7: KeyError" in mail["Message"]


def put(world: World, item: dict[str, Any]) -> None:
    world.stack.dynamodb.put_item(TableName=world.stack.name("orders"), Item=item)


def test_a_batch_is_published_again_with_the_same_ids_when_its_answer_is_lost(world, store):
    store.place_order()
    come_to_rest(world)
    once = published(world)

    world.pump.call("publish_changes", {"Records": world.pump.stream.records})
    world.bus.deliver()

    twice = world.events("erp")
    assert [event["detail"] for event in twice] == [event["detail"] for event in once] * 2
    assert len({event["id"] for event in twice}) == 4
