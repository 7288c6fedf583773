"""The console's page of what happened at a stage between two times."""

from datetime import timedelta

import pytest
from playwright.sync_api import Browser

from ops.console.journey import Step
from sandbox.logs import Logs
from sandbox.store.faults import Fault
from sandbox.world import World
from tests.e2e.browser import Visitor, follow, paged, visiting
from tests.e2e.conftest import Ops
from tests.e2e.journeys import come_to_rest, send
from tests.e2e.test_console_orders import Expected

pytestmark = pytest.mark.xdist_group("browser")


def rows(visitor: Visitor) -> list[str]:
    return [
        " ".join(text.split()) for text in visitor.page.locator(".timeline li").all_inner_texts()
    ]


def test_a_time_is_shown_in_the_order_of_its_events(
    visitor: Visitor, world: World, ops: Ops, logs: Logs
) -> None:
    before = world.store.place_order()
    come_to_rest(world)
    world.advance(3600)
    order_id = world.store.place_order()
    world.deliver_webhooks()
    world.advance(1)
    ops("pause", "--reason", "stocktaking")
    world.advance(1)
    world.settle()
    logs.send()

    visitor.open("/timeline/")

    texts = rows(visitor)
    known = ("Webhook answered", "Operator: pause all moves", f"{order_id} Order returned")
    places = [next(n for n, text in enumerate(texts) if each in text) for each in known]
    assert places == sorted(places)
    assert not any(f" {before} " in text for text in texts)
    assert visitor.page.get_by_role("link", name=str(order_id), exact=True).count()
    visitor.check()


def test_a_time_is_chosen_and_moved(visitor: Visitor, world: World, logs: Logs) -> None:
    world.poll()
    began = world.clock.now()
    world.advance(3 * 3600)
    logs.send()

    page = visitor.open("/timeline/")
    assert "Nothing happened between" in page.inner_text("main")
    page.get_by_label("From").fill(f"{began - timedelta(minutes=5):%Y-%m-%dT%H:%M:%S}")
    page.get_by_label("until").fill(f"{began + timedelta(minutes=5):%Y-%m-%dT%H:%M:%S}")
    follow(page.get_by_role("button", name="Show"))

    assert any("Sweep succeeded" in text for text in rows(visitor))
    visitor.check()
    follow(page.get_by_role("link", name="← Earlier"))
    assert rows(visitor) == []
    follow(page.get_by_role("link", name="Later →"))
    assert any("Sweep succeeded" in text for text in rows(visitor))
    follow(page.get_by_role("link", name="Last day"))
    assert any("Poll of changes succeeded" in text for text in rows(visitor))


def test_only_what_went_wrong_is_shown(
    visitor: Visitor, world: World, ops: Ops, logs: Logs
) -> None:
    failing, other = (world.store.place_order(via="api") for _ in range(2))
    route = f"GET /orders/{failing}/products"
    world.store.faults.add(Fault(route=route, kind="html", status=200, times=None))
    send(world, failing, other)
    world.drain()
    ops("pause", "--reason", "stocktaking")
    logs.send()

    visitor.open("/timeline/?show=problems")

    returned, paused = rows(visitor)
    assert f"{failing} Order returned to the queue" in returned
    assert "Operator: pause all moves" in paused


def test_many_steps_are_shown_in_pages(browser: Browser, world: World) -> None:
    now = world.clock.now()
    steps = [Step(now - timedelta(seconds=n), f"Step {n}", "elsewhere") for n in range(500)]
    with visiting(browser, world, others=lambda: steps) as visitor:
        page = visitor.open("/timeline/")
        seen = paged(page, "on →", lambda: rows(visitor))

    assert [len(each) for each in seen] == [200, 200, 100]
    names = [text.split("Step ")[1].split()[0] for each in seen for text in each]
    assert names == [str(n) for n in reversed(range(500))]


def test_log_groups_that_do_not_exist_are_a_sentence(visitor: Visitor) -> None:
    assert "The log group of replicate-orders does not exist." in visitor.text("/timeline/")


@pytest.mark.parametrize(
    "query",
    [
        "from=yesterday",
        "from=2026-01-02&until=2026-01-01",
        "from=2020-01-01T00:00:00&until=2026-01-01",
        "until=0001-01-01",
        "last=99999999999999999999",
    ],
)
def test_what_is_no_time_is_said(visitor: Visitor, query: str) -> None:
    visitor.errors = Expected()

    page = visitor.open(f"/timeline/?{query}")

    assert page.title().startswith("Bad Request")
