"""The console's pages of orders: found by id and day, explained, compared, and replicated again."""

import logging
from collections.abc import Callable
from datetime import UTC
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from ops.console.journey import Step
from sandbox.bus import Answer
from sandbox.logs import Logs
from sandbox.store.faults import Fault
from sandbox.store.statuses import Status
from sandbox.world import World
from tests.e2e.browser import Visitor, follow, paged, visiting
from tests.e2e.conftest import Ops
from tests.e2e.journeys import DAY, come_to_rest, moves, record, send
from tests.e2e.test_ops_undelivered import Endpoint

pytestmark = pytest.mark.xdist_group("browser")

OMS = "https://oms.example.com/orders"
MARKUP = "<script>alert(1)</script>"


@pytest.fixture
def moved(world: World) -> int:
    order_id = int(world.store.place_order())
    come_to_rest(world)
    return order_id


def press(page: Page, label: str, reason: str = "a customer called") -> str:
    """Submit the form with this button; returns what the page reports."""
    form = page.locator("form", has=page.get_by_role("button", name=label, exact=True))
    form.get_by_label("Reason").fill(reason)
    follow(form.get_by_role("button", name=label, exact=True))
    return page.locator("main").inner_text()


def ids_on(page: Page) -> list[int]:
    return [int(text) for text in page.locator("table.orders a").all_inner_texts()]


def row(page: Page, order_id: int) -> str:
    link = page.get_by_role("link", name=str(order_id), exact=True)
    return page.locator("table.orders tr", has=link).inner_text()


def today(world: World) -> str:
    return world.clock.now().astimezone(UTC).date().isoformat()


def put_orders(world: World, ids: range, status: int = Status.AWAITING_SHIPMENT) -> None:
    """Items with the attributes that the page reads."""
    for order_id in ids:
        item = {
            "id": {"N": str(order_id)},
            "status_id": {"N": str(status)},
            "created_day": {"S": today(world)},
            "replication": {
                "M": {
                    "source": {"S": "poll"},
                    "version": {"N": "1700000000"},
                    "digest": {"S": "0"},
                    "replicated_at": {"S": world.clock.now().isoformat()},
                }
            },
        }
        world.stack.dynamodb.put_item(TableName=world.stack.name("orders"), Item=item)


def test_a_day_is_shown_in_pages_by_id(visitor: Visitor, world: World) -> None:
    put_orders(world, range(100, 221))
    put_orders(world, range(221, 222), Status.SHIPPED)

    page = visitor.open("/orders/")
    pages = paged(page, "Orders below", lambda: ids_on(page))

    assert [len(each) for each in pages] == [50, 50, 22]
    assert [order_id for each in pages for order_id in each] == list(range(221, 99, -1))
    assert ids_on(visitor.open(f"/orders/?status={Status.SHIPPED.value}")) == [221]


def test_orders_are_listed_with_their_states_and_filtered(
    visitor: Visitor, world: World, ops: Ops, moved: int
) -> None:
    store = world.store
    followed, forgotten = store.place_order(), store.place_order(status=Status.CANCELLED)
    archived, waiting = store.place_order(status=Status.SHIPPED), store.place_order()
    come_to_rest(world)
    store.set_status(followed, Status.SHIPPED)
    store.archive(archived)
    come_to_rest(world)
    ops("forget", "--order", str(forgotten))
    ops("pause", "--reason", "stocktaking")
    new = store.place_order()
    world.deliver_webhooks()
    world.drain()
    put_failing(world, waiting)

    page = visitor.open("/orders/")

    states = {moved: "moved", followed: "followed", archived: "archived"}
    states |= {waiting: "failing", new: "new"}
    assert {n: next(s for s in states.values() if s in row(page, n)) for n in states} == states
    assert forgotten not in ids_on(page)
    visitor.check()
    assert ids_on(visitor.open("/orders/?state=failing")) == [waiting]
    assert ids_on(visitor.open(f"/orders/?status={Status.SHIPPED.value}")) == [archived, followed]
    assert "None of the 5 orders" in visitor.text("/orders/?state=incomplete")


def put_failing(world: World, order_id: int, error: str = "GET orders -> 500") -> None:
    now = world.clock.now().isoformat()
    item: dict[str, Any] = {
        "store_hash": {"S": "sandbox"},
        "started_at": {"S": f"failing#{order_id}"},
        "order_id": {"N": str(order_id)},
        "receives": {"N": "4"},
        "error_class": {"S": "Unavailable"},
        "error": {"S": error},
        "since": {"S": now},
        "next_try_at": {"S": now},
    }
    world.stack.dynamodb.put_item(TableName=world.stack.name("jobs"), Item=item)


def test_an_empty_day_leads_to_the_days_around_it(visitor: Visitor, world: World) -> None:
    assert "No stored order was created on this day." in visitor.text("/orders/")
    visitor.check()
    put_orders(world, range(100, 101))
    world.advance(2 * DAY)

    page = visitor.open(f"/orders/?day={today(world)}")
    follow(page.locator("a[rel=prev]"))
    follow(page.locator("a[rel=prev]"))

    assert ids_on(page) == [100]
    assert ids_on(visitor.open("/orders/")) == [100]
    visitor.errors = Expected()
    assert visitor.open("/orders/?day=yesterday").title().startswith("Bad Request")


@pytest.mark.parametrize("wanted", ["Jane", "0", "99999999999999999999", MARKUP])
def test_what_cannot_be_searched_is_said(visitor: Visitor, wanted: str) -> None:
    visitor.errors = Expected()

    assert "Orders cannot be searched by a text." in visitor.text(f"/orders/?id={wanted}")


class Expected(list[str]):
    """Errors of a browser that a test provokes: it logs each answer that is no success."""

    def append(self, error: str) -> None:
        assert "the server responded with a status of" in error


def test_a_moved_order_is_explained_with_its_journey(
    visitor: Visitor, world: World, logs: Logs
) -> None:
    order_id = world.store.place_order()
    come_to_rest(world)
    logs.send()

    page = visitor.open("/orders/")
    page.get_by_label("Order", exact=True).fill(str(order_id))
    follow(page.get_by_role("button", name="Open"))

    assert page.url.endswith(f"/orders/{order_id}")
    assert "It was moved from Awaiting Fulfillment (11)" in page.locator(".conclusion").inner_text()
    journey = page.locator(".journey li").all_inner_texts()
    known = ("Placed", "Callback received", "Stored first", "Moved", "Read, stored and moved")
    places = [next(n for n, each in enumerate(journey) if name in each) for name in known]
    assert places == sorted(places)
    assert "log of replicate-orders" in page.inner_text(".journey")
    assert "same in the table and in the store" in page.inner_text("main")
    visitor.check()


def test_each_try_of_a_failing_order_is_shown_with_its_reason(
    visitor: Visitor, world: World, logs: Logs
) -> None:
    order_id, other = (world.store.place_order(via="api") for _ in range(2))
    for each in (order_id, other):
        fault = Fault(route=f"GET /orders/{each}/products", kind="html", status=200, times=None)
        world.store.faults.add(fault)
    send(world, order_id, other)
    for _ in range(4):
        world.drain()
        world.advance(600)
    logs.send()

    page = visitor.open(f"/orders/{order_id}")

    steps = page.locator(".journey .step").all_inner_texts()
    tries = [step for step in steps if "Order returned to the queue" in step]
    assert len(tries) == 4
    assert all(f"GET orders/{order_id}/products -> 200, not JSON" in each for each in tries)
    assert str(other) not in page.inner_text(".journey")
    assert page.locator(".journey .gap").count() >= 3
    assert f"retry {order_id}" in page.inner_text(".conclusion")
    visitor.check()


def test_missing_log_groups_are_a_sentence(visitor: Visitor, moved: int) -> None:
    assert "The log group of replicate-orders does not exist." in visitor.text(f"/orders/{moved}")


def test_the_log_follows_the_clock_of_its_own_world(new_world: Callable[..., World]) -> None:
    """CloudWatch takes no line that is older than two weeks, or of the future."""
    before = new_world()
    Logs(before.stack, before.pump, before.clock)
    world = new_world()
    world.advance(60 * DAY)
    logs = Logs(world.stack, world.pump, world.clock)

    logs.emit(logging.makeLogRecord({"name": "chalicelib.polling", "msg": "a line"}))
    logs.send()

    client = world.stack.aws.client("logs")
    group = f"/aws/lambda/{world.stack.name('poll-orders')}"
    assert len(client.filter_log_events(logGroupName=group)["events"]) == 1


def test_lines_older_than_an_hour_are_found(visitor: Visitor, world: World, logs: Logs) -> None:
    order_id = world.store.place_order()
    come_to_rest(world)
    logs.send()
    world.advance(30 * 3600)

    assert "Read, stored and moved" in visitor.text(f"/orders/{order_id}")


def test_a_difference_of_the_store_is_marked(visitor: Visitor, world: World, moved: int) -> None:
    line = world.store.whole(moved)["products"][0]["id"]
    world.store.set_status(moved, Status.SHIPPED)
    edit = world.stack.dynamodb.get_item(
        TableName=world.stack.name("orders"), Key={"id": {"N": str(moved)}}
    )["Item"]
    edit["products"]["L"][0]["M"]["quantity"] = {"N": "77"}
    world.stack.dynamodb.put_item(TableName=world.stack.name("orders"), Item=edit)

    page = visitor.open(f"/orders/{moved}")
    differing = page.locator("[aria-label='Fields that differ'] tr.differs")

    assert any("status_id" in text for text in differing.all_inner_texts())
    assert not any("products" in text for text in differing.all_inner_texts())
    follow(page.get_by_role("link", name="Compare the lists, too"))
    (quantity,) = (t for t in differing.all_inner_texts() if f"products[{line}].quantity" in t)
    assert "77" in quantity
    visitor.check()


def test_personal_fields_are_hidden_until_it_is_recorded_that_they_are_shown(
    visitor: Visitor, world: World, ops: Ops
) -> None:
    order_id = world.store.place_order(customer_message=MARKUP, staff_notes="Ring twice, please")
    come_to_rest(world)
    item = world.order(order_id)
    assert item is not None
    addresses = [item["billing_address"], *item["shipping_addresses"]]
    names = ("first_name", "last_name", "street_1", "city", "zip", "phone", "email", "company")
    personal = {str(each[name]) for each in addresses for name in names}
    personal |= {item["ip_address"], item["geoip_country"], "Ring twice, please", "alert(1)"}
    personal = {text for text in personal if len(text) > 4}
    before = [visitor.open(f"/orders/{order_id}{each}").content() for each in ("", "?lists=1")]

    text = press(visitor.page, "Show personal fields")

    assert not {text for text in personal for content in before if text in content}
    assert all(text in visitor.page.content() for text in ("Ring twice, please", "&lt;script&gt;"))
    assert MARKUP in text and item["billing_address"]["email"] in text
    (action,) = ops.json("history")["actions"]
    assert action["what"] == f"show the personal fields of order {order_id}"
    assert (action["order_ids"], action["reason"]) == ([order_id], "a customer called")
    visitor.check()
    assert "Ring twice, please" not in visitor.open(f"/orders/{order_id}").content()


def test_markup_of_the_store_and_of_errors_is_text(visitor: Visitor, world: World) -> None:
    order_id = world.store.place_order()
    come_to_rest(world)
    key = {"id": {"N": str(order_id)}}
    table = world.stack.name("orders")
    item = world.stack.dynamodb.get_item(TableName=table, Key=key)["Item"]
    item["products"]["L"][0]["M"]["name"] = {"S": MARKUP}
    world.stack.dynamodb.put_item(TableName=table, Item=item)
    put_failing(world, order_id, error=f"GET orders -> {MARKUP}")

    page = visitor.open(f"/orders/{order_id}?lists=1")

    assert f"GET orders -> {MARKUP}" in page.inner_text(".journey")
    assert MARKUP in page.inner_text("[aria-label='Fields that differ']")
    assert page.locator("main script").count() == 0


def test_a_forgotten_order_shows_its_record_only(
    visitor: Visitor, world: World, ops: Ops, moved: int
) -> None:
    ops("forget", "--order", str(moved))

    text = visitor.text(f"/orders/{moved}")

    assert "Only its id is kept" in text
    assert "Table and store" not in text
    visitor.check()


def test_an_order_outside_the_table_and_one_that_does_not_exist(
    visitor: Visitor, world: World
) -> None:
    world.poll()
    order_id = world.store.place_order(status=Status.INCOMPLETE, via="api")

    assert "The order is not stored" in visitor.text(f"/orders/{order_id}")
    visitor.check()
    assert "neither in the store nor in the table" in visitor.text("/orders/999999")
    visitor.check()


def test_an_order_is_explained_while_the_store_is_down(
    visitor: Visitor, world: World, moved: int
) -> None:
    world.store.faults.add(Fault(route="*", kind="status", status=503, times=None))

    text = visitor.text(f"/orders/{moved}")

    assert "It was moved from Awaiting Fulfillment" in text
    assert "The store could not be read" in text
    visitor.check()


def test_a_store_that_is_down_does_not_keep_the_page_waiting(
    visitor: Visitor, world: World, moved: int
) -> None:
    world.store.faults.add(Fault(route="*", kind="status", status=503, times=None))
    before = world.clock.time()

    text = visitor.text(f"/orders/{moved}")

    assert world.clock.time() - before < 10
    assert f"GET orders/{moved} -> 503" in text


def test_the_actions_come_before_the_journey_where_both_share_a_column(
    visitor: Visitor, moved: int
) -> None:
    page = visitor.open(f"/orders/{moved}")

    places = []
    for width in (360, 1200):
        page.set_viewport_size({"width": width, "height": 800})
        boxes = [page.locator(f"#{name}").bounding_box() for name in ("actions", "journey")]
        places.append([(box["x"], box["y"]) for box in boxes if box])

    (narrow_actions, narrow_journey), (wide_actions, wide_journey) = places
    assert narrow_actions[1] < narrow_journey[1]
    assert wide_actions[0] > wide_journey[0]
    assert wide_actions[1] == wide_journey[1]


def test_a_dead_letter_and_undelivered_events_are_redriven_on_the_page_of_their_order(
    visitor: Visitor, world: World, ops: Ops
) -> None:
    world.stack.add_destination("oms", url=OMS, retries=2)
    world.bus.receivers[OMS] = lambda event: Answer(400)
    order_id, other = (int(world.store.place_order()) for _ in range(2))
    come_to_rest(world)
    world.publish()
    world.deliver_events()
    for each in (order_id, other):
        route = f"GET /orders/{each}/products"
        world.store.faults.add(Fault(route=route, kind="html", status=200, times=None))
        world.store.set_status(each, Status.SHIPPED)
    send(world, order_id, other)
    world.settle()
    world.store.faults.clear()
    world.bus.receivers[OMS] = taken = Endpoint(200)

    page = visitor.open(f"/orders/{order_id}")
    visitor.check()
    redriven = press(page, "Redrive 1 message")
    number = len(world.undelivered("oms"))
    again = press(page, f"Redrive {number // 2} events")
    world.settle()
    world.deliver_events()

    assert page.url.startswith(f"http://{visitor.host}/orders/{order_id}?")
    assert "1 of 1 message redriven." in redriven and "events redriven." in again
    assert record(world, order_id)["version"] > record(world, other)["version"]
    assert len(world.dead_letters()) == 1
    assert {event["detail"]["order_id"] for event in taken.taken} == {order_id}
    assert all(action["order_ids"] == [order_id] for action in ops.json("history")["actions"])


def test_what_a_sandbox_knows_besides_is_in_the_journey(
    browser: Browser, world: World, moved: int
) -> None:
    now = world.clock.now()
    steps = [Step(now, f"Seen {n}", "elsewhere", order_ids=(n,)) for n in (moved, moved + 1)]
    with visiting(browser, world, others=lambda: steps) as visitor:
        text = visitor.text(f"/orders/{moved}")

    assert f"Seen {moved} elsewhere" in text
    assert f"Seen {moved + 1}" not in text


def test_an_order_is_retried(visitor: Visitor, world: World, ops: Ops) -> None:
    world.poll()
    order_id = world.store.place_order(via="api")

    text = press(visitor.open(f"/orders/{order_id}"), "Retry now")
    world.settle()

    assert "1 order queued. Each is tried within seconds" in text
    assert moves(world.store, order_id)
    (action,) = ops.json("history")["actions"]
    assert (action["command"], action["order_ids"]) == ("console: retry", [order_id])
    assert f"Operator: retry 1 order ({order_id})" in visitor.text(f"/orders/{order_id}")


def test_an_order_is_replayed(visitor: Visitor, world: World) -> None:
    world.poll()
    order_id = world.store.place_order(via="api")

    press(visitor.open(f"/orders/{order_id}"), "Replay")
    world.settle()

    assert record(world, order_id)["source"] == "replay"
    assert not moves(world.store, order_id)


def test_the_events_of_an_order_are_sent_to_a_destination_again(
    visitor: Visitor, world: World
) -> None:
    for name in ("erp", "oms"):
        world.stack.add_destination(name)
    order_id = world.store.place_order(status=Status.SHIPPED)
    come_to_rest(world)
    world.publish()
    before = {name: len(world.events(name)) for name in ("erp", "oms")}

    page = visitor.open(f"/orders/{order_id}")
    page.get_by_text("Send its events to one destination …").click()
    form = page.locator("form", has=page.get_by_role("button", name="Send events to erp"))
    assert f"events replay --destination erp {order_id}" in form.inner_text()
    text = press(page, "Send events to erp")
    world.publish()

    assert "1 event of 1 order published for the destination erp." in text
    assert len(world.events("erp")) == before["erp"] + 1
    assert len(world.events("oms")) == before["oms"]


def test_without_javascript_the_pages_are_complete(
    browser: Browser, world: World, moved: int
) -> None:
    with visiting(browser, world, javascript=False) as visitor:
        assert ids_on(visitor.open("/orders/")) == [moved]
        text = visitor.text(f"/orders/{moved}")

    assert "It was moved from" in text and "Stored first" in text


@pytest.mark.parametrize("action", ["retry", "replay", "publish", "reveal"])
def test_a_console_that_only_reads_refuses_every_action(
    browser: Browser, world: World, ops: Ops, moved: int, action: str
) -> None:
    with visiting(browser, world, writes=False) as visitor:
        page = visitor.open(f"/orders/{moved}")
        buttons = page.locator("form[method=post] button:not(.copy)")
        assert buttons.count() == 4
        assert all(button.is_disabled() for button in buttons.all())

        answer = refused_post(visitor, f"/orders/{moved}", action=action, reason="because")

    assert answer == 403
    assert ops.json("history")["actions"] == []
    assert world.messages() == []


def refused_post(visitor: Visitor, path: str, **form: str) -> int:
    """The status of a form that is sent although its button is disabled."""
    url = f"http://{visitor.host}{path}"
    response = visitor.page.request.post(
        url,
        form={"csrf": visitor.console.guard.csrf, **form},
        headers={"Origin": f"http://{visitor.host}"},
    )
    return response.status


def test_a_reason_is_required(visitor: Visitor, world: World, ops: Ops, moved: int) -> None:
    visitor.open(f"/orders/{moved}")

    assert refused_post(visitor, f"/orders/{moved}", action="reveal", reason=" ") == 403
    assert ops.json("history")["actions"] == []
