"""The console's page of what is stuck: grouped by cause, and retried, redriven or dropped."""

import json

import pytest
from playwright.sync_api import Browser, Locator

from sandbox.bus import Answer
from sandbox.logs import Logs
from sandbox.store.faults import Fault
from sandbox.store.statuses import Status
from sandbox.world import World
from tests.e2e.browser import Visitor, follow, visiting
from tests.e2e.conftest import Ops
from tests.e2e.journeys import come_to_rest, replicated, send
from tests.e2e.test_console_orders import MARKUP, put_failing, refused_post
from tests.e2e.test_ops_undelivered import Endpoint

pytestmark = pytest.mark.xdist_group("browser")

OMS = "https://oms.example.com/orders"
LISTED = "/failing/?dead-letters=1"


@pytest.fixture
def dead(world: World) -> list[int]:
    """Two orders in the dead-letter queue, which could be replicated now."""
    ids = [int(world.store.place_order(via="api")) for _ in range(2)]
    for n in ids:
        world.store.faults.add(
            Fault(route=f"GET /orders/{n}/products", kind="html", status=200, times=None)
        )
    send(world, *ids)
    world.settle()
    world.store.faults.clear()
    return ids


def group(visitor: Visitor, cause: str) -> Locator:
    return visitor.page.locator("article.group", has_text=cause)


def press(part: Locator, label: str, reason: str = "fixed") -> None:
    form = part.locator("form", has=part.page.get_by_role("button", name=label))
    form.get_by_label("Reason").fill(reason)
    follow(form.get_by_role("button", name=label))


def result(visitor: Visitor) -> str:
    return visitor.page.inner_text(".result")


def changes(ops: Ops) -> list[tuple[str, list[int]]]:
    return [(each["command"], each["order_ids"]) for each in ops.json("history")["actions"]]


def receives(world: World) -> set[int]:
    """How often each message in the dead-letter queue was received, without receiving it."""
    messages = world.stack.sqs.receive_message(
        QueueUrl=world.stack.dead_letter_queue_url,
        MaxNumberOfMessages=10,
        VisibilityTimeout=0,
        AttributeNames=["ApproximateReceiveCount"],
    )["Messages"]
    return {int(each["Attributes"]["ApproximateReceiveCount"]) for each in messages}


def test_nothing_fails(visitor: Visitor) -> None:
    assert "No order is failing." in visitor.text("/failing/")
    visitor.check()
    text = visitor.text(LISTED)
    assert "The dead-letter queues are empty." in text and "Every event was delivered" in text
    visitor.check()


def test_failing_orders_are_grouped_by_cause_and_all_of_one_retried(
    visitor: Visitor, world: World, ops: Ops
) -> None:
    ids = [int(world.store.place_order(via="api")) for _ in range(3)]
    for order_id in ids[:2]:
        put_failing(world, order_id, error=f"GET orders -> {MARKUP}")
    ops("retry", str(ids[2]))
    world.store.faults.add(
        Fault(route=f"GET /orders/{ids[2]}/products", kind="html", status=200, times=None)
    )
    for _ in range(3):
        world.drain()
        world.advance(600)

    text = visitor.text("/failing/")
    links = group(visitor, "Unavailable").get_by_role("link").all_inner_texts()

    assert sorted(links) == [str(n) for n in ids[:2]]
    assert "MalformedResponse" in text and f"GET orders -> {MARKUP}" in text
    assert "status.bigcommerce.com" in text
    assert "retry --cause Unavailable" in text
    visitor.check()
    press(group(visitor, "Unavailable"), "Retry 2 orders")
    assert f"its page shows the result: {ids[0]}, {ids[1]}" in result(visitor)
    assert changes(ops)[0] == ("console: retry", ids[:2])
    world.drain()
    assert [replicated(world, order_id) for order_id in ids] == [True, True, False]


def test_an_order_that_fails_is_shown_before_it_counts_as_failing(
    visitor: Visitor, world: World, logs: Logs
) -> None:
    read, waiting = (int(world.store.place_order(via="api")) for _ in range(2))
    for order_id in (read, waiting):
        route = f"GET /orders/{order_id}/products"
        times = 1 if order_id == read else None
        world.store.faults.add(Fault(route=route, kind="html", status=200, times=times))
    send(world, read, waiting)
    world.drain()
    world.advance(60)
    world.drain()
    logs.send()

    text = visitor.text("/failing/")

    assert "Retried, not failing yet" in text and "No order is failing." in text
    returned = visitor.page.locator("#returned")
    assert returned.get_by_role("link").all_inner_texts() == [str(waiting)]
    assert "GET orders/…/products -> 200, not JSON" in returned.inner_text()
    visitor.check()
    world.store.faults.clear()
    world.settle()
    assert "not failing yet" not in visitor.text("/failing/")


def test_an_order_that_is_skipped_is_not_retried(
    visitor: Visitor, world: World, logs: Logs
) -> None:
    order_id = int(world.store.place_order(via="api"))
    route = f"GET /orders/{order_id}/products"
    world.store.faults.add(Fault(route=route, kind="html", status=200, times=None))
    send(world, order_id)
    world.drain()
    world.store.faults.clear()
    world.store.set_status(order_id, Status.INCOMPLETE)
    world.advance(60)
    world.drain()
    world.advance(2)
    logs.send()

    assert "not failing yet" not in visitor.text("/failing/")
    assert "retried automatically" not in visitor.text(f"/orders/{order_id}")


def test_a_retry_that_fails_is_shown_with_its_time_and_reason(
    visitor: Visitor, world: World, ops: Ops, logs: Logs
) -> None:
    order_id = int(world.store.place_order(via="api"))
    put_failing(world, order_id, error="GET orders -> 500")
    route = f"GET /orders/{order_id}/products"
    world.store.faults.add(Fault(route=route, kind="html", status=200, times=None))
    world.advance(3600)
    ops("retry", str(order_id))
    world.drain()
    world.advance(2)
    logs.send()

    text = visitor.text("/failing/")

    assert "not failing yet" not in text
    assert f"GET orders/{order_id}/products -> 200, not JSON" in text
    assert "overdue" not in text
    text = visitor.text(f"/orders/{order_id}")
    assert "The last try, at " in text and "The order is retried automatically at" in text
    world.advance(3 * 3600)
    assert "retried automatically" not in visitor.text(f"/orders/{order_id}")


def test_what_fails_is_loaded_again_unless_its_form_is_filled_in(
    visitor: Visitor, world: World
) -> None:
    order_id = int(world.store.place_order(via="api"))
    put_failing(world, order_id)
    visitor.page.clock.install()
    page = visitor.open("/failing/")
    put_failing(world, order_id + 1)
    page.clock.fast_forward(31_000)
    page.get_by_role("button", name="Retry 2 orders").wait_for()

    page.get_by_label("Reason").fill("the store is back")
    reads: list[str] = []
    page.on("request", lambda request: reads.append(request.url))
    page.clock.fast_forward(31_000)
    assert page.get_by_label("Reason").input_value() == "the store is back"
    put_failing(world, order_id + 2)
    page.get_by_label("Reason").fill("")
    page.get_by_label("Reason").blur()
    page.clock.fast_forward(31_000)
    page.get_by_role("button", name="Retry 3 orders").wait_for()

    assert len(reads) == 1


def test_dead_letters_are_counted_and_received_only_when_they_are_listed(
    visitor: Visitor, world: World, dead: list[int]
) -> None:
    (before,) = receives(world)

    text = visitor.text("/failing/")
    assert "2 messages" in text and "counts as a receive" in text
    assert receives(world) == {before + 1}
    follow(visitor.page.get_by_role("link", name="List the messages"))

    links = group(visitor, "2 messages").get_by_role("link")
    assert {str(order_id) for order_id in dead} <= set(links.all_inner_texts())
    assert receives(world) == {before + 3}
    assert world.stack.visible("orders-dead-letters") == 2
    visitor.check()


def test_dead_letters_of_a_cause_are_redriven(
    visitor: Visitor, world: World, ops: Ops, dead: list[int]
) -> None:
    visitor.open(LISTED)
    world.stack.sqs.send_message(
        QueueUrl=world.stack.dead_letter_queue_url, MessageBody="came after the page"
    )

    press(group(visitor, "2 messages"), "Redrive 2 messages")
    world.drain()

    assert "2 of 2 messages redriven." in result(visitor)
    assert changes(ops) == [("console: dead-letters redrive", dead)]
    assert all(replicated(world, order_id) for order_id in dead)
    assert world.dead_letters() == ["came after the page"]


def test_dead_letters_are_dropped_after_their_number_was_typed(
    visitor: Visitor, world: World, ops: Ops, dead: list[int]
) -> None:
    body = json.dumps({"order_id": 5, "source": MARKUP, "queued_at": ""})
    world.stack.sqs.send_message(QueueUrl=world.stack.dead_letter_queue_url, MessageBody=body)
    visitor.open(LISTED)

    for typed, kept in (("3", 3), ("2", 1)):
        messages = group(visitor, "2 messages")
        messages.get_by_text("Drop 2 messages …").click()
        messages.get_by_label("Type 2 to confirm").fill(typed)
        press(messages.locator("details"), "Drop 2 messages")
        assert len(world.dead_letters()) == kept

    assert "2 of 2 messages dropped." in result(visitor)
    assert changes(ops) == [("console: dead-letters drop", dead)]
    assert "No order is failing." in visitor.text(LISTED)
    assert "invalid message" in visitor.text(LISTED)
    visitor.check()


@pytest.fixture
def undelivered(world: World) -> int:
    """An order whose event a destination has not taken."""
    world.stack.add_destination("oms", url=OMS, retries=2)
    world.bus.receivers[OMS] = lambda event: Answer(400)
    order_id = int(world.store.place_order(status=Status.SHIPPED))
    come_to_rest(world)
    world.publish()
    world.deliver_events()
    return order_id


def test_undelivered_events_are_redriven(
    visitor: Visitor, world: World, ops: Ops, undelivered: int
) -> None:
    assert "Undelivered to oms" in visitor.text("/failing/")
    receiver = Endpoint(200)
    world.bus.receivers[OMS] = receiver
    assert "the endpoint answered 400" in visitor.text(LISTED)
    visitor.check()

    press(group(visitor, "oms"), "Redrive 1 event")
    world.deliver_events()

    assert "1 of 1 event redriven." in result(visitor)
    assert [event["detail"]["order_id"] for event in receiver.taken] == [undelivered]
    assert changes(ops) == [("console: events redrive", [undelivered])]


def test_undelivered_events_are_dropped(
    visitor: Visitor, world: World, ops: Ops, undelivered: int
) -> None:
    visitor.open(LISTED)
    events = group(visitor, "oms")
    events.get_by_text("Drop 1 event …").click()
    events.get_by_label("Type 1 to confirm").fill("1")
    press(events.locator("details"), "Drop 1 event")

    assert "1 of 1 event dropped." in result(visitor)
    assert world.undelivered("oms") == []
    assert changes(ops) == [("console: events drop", [undelivered])]


def test_without_javascript_the_page_is_complete(
    browser: Browser, world: World, dead: list[int]
) -> None:
    with visiting(browser, world, javascript=False) as visitor:
        assert all(str(order_id) in visitor.text(LISTED) for order_id in dead)


def test_a_console_that_only_reads_refuses_every_action(
    browser: Browser, world: World, ops: Ops, dead: list[int], undelivered: int
) -> None:
    put_failing(world, dead[0])
    before = (sorted(world.dead_letters()), len(world.undelivered("oms")))
    with visiting(browser, world, writes=False) as visitor:
        page = visitor.open(LISTED)
        buttons = page.locator("form[method=post] button:not(.copy)")
        assert all(buttons.nth(n).is_disabled() for n in range(buttons.count()))
        messages = page.locator("form[action='/failing/dead-letters'] [name=message]")
        events = page.locator("form[action='/failing/events'] [name=message]")
        message, event = (each.first.input_value() for each in (messages, events))

        answers = [refused_post(visitor, "/failing/retry", cause="Unavailable", reason="because")]
        for action in ("redrive", "drop"):
            form = {"action": action, "confirmed": "1", "reason": "because"}
            answers.append(refused_post(visitor, "/failing/dead-letters", message=message, **form))
            answers.append(refused_post(visitor, "/failing/events", message=event, **form))

    assert answers == [403] * 5
    assert (sorted(world.dead_letters()), len(world.undelivered("oms"))) == before
    assert ops.json("history")["actions"] == []
