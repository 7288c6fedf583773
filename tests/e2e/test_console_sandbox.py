"""The console's page of the sandbox: what people do at the simulated store, and what breaks."""

import shlex
import subprocess
from collections.abc import Iterator
from functools import partial

import pytest
import requests
from playwright.sync_api import Browser, Page

from sandbox import console as controls
from sandbox.aws_faults import OUTCOMES
from sandbox.receiver import Receiver
from sandbox.store import Store
from sandbox.store.faults import KINDS
from sandbox.store.statuses import Status
from sandbox.world import World
from tests.e2e.browser import Visitor, follow, visiting

pytestmark = pytest.mark.xdist_group("browser")

PATHS = (
    *("orders", "merchant", "outage", "faults", "aws-faults", "faults/end", "token", "receiver"),
    "clock",
)
"""Forms of the page."""

MARKUP = "<script>alert(1)</script>"


@pytest.fixture
def receiver(world: World) -> Receiver:
    return Receiver(clock=world.clock)


@pytest.fixture
def sandbox(browser: Browser, world: World, receiver: Receiver) -> Iterator[Visitor]:
    others = partial(controls.deliveries, receiver)
    with visiting(browser, world, controls.page(world, receiver), others=others) as visitor:
        yield visitor


def submit(visitor: Visitor, path: str, **fields: str) -> Page:
    """Fill a form and send it; the stage of a test asks for a reason."""
    page = visitor.open("/sandbox/")
    form = page.locator(f"form[action='/sandbox/{path}']")
    for name, value in {"reason": "a test", **fields}.items():
        field = form.locator(f"[name={name}]").first
        if field.evaluate("field => field.tagName") == "SELECT":
            field.select_option(value)
        elif field.get_attribute("type") == "radio":
            form.locator(f"[name={name}][value={value}]").check()
        else:
            field.fill(value)
    follow(form.get_by_role("button"))
    return page


@pytest.mark.parametrize("kind", controls.SHOPPER)
def test_a_shopper_buys(sandbox: Visitor, store: Store, kind: str) -> None:
    page = submit(sandbox, "orders", kind=kind)

    (order_id,) = store.order_ids()
    assert f"order {order_id}" in page.inner_text(".result.good")
    types = {line["type"] for line in store.whole(order_id)["products"]}
    assert types == {
        "digital": {"digital"},
        "mixed": {"physical", "digital"},
        "large": {"physical", "digital"},
        "gift_certificate": {"giftcertificate"},
    }.get(kind, {"physical"})
    assert (len(store.whole(order_id)["products"]) > 50) == (kind == "large")


@pytest.mark.parametrize("act", [name for name in controls.MERCHANT if "status" not in name])
def test_the_merchant_decides(sandbox: Visitor, store: Store, act: str) -> None:
    unpaid, paid = Status.AWAITING_PAYMENT, Status.AWAITING_FULFILLMENT
    order_id = store.place_order(kind="physical", status=unpaid if act == "pay" else paid)
    before = (store.parts(order_id), store.order(order_id))

    page = submit(sandbox, "merchant", order=str(order_id), act=act)

    assert "The merchant" in page.inner_text(".result.good")
    assert page.locator(f'.result a[href="/orders/{order_id}"]').count() == 1
    assert before != (store.parts(order_id), store.order(order_id))


def test_the_merchant_sets_any_status(sandbox: Visitor, store: Store) -> None:
    order_id = store.place_order()

    submit(sandbox, "merchant", order=str(order_id), act=f"status_{int(Status.SHIPPED)}")

    assert store.order(order_id)["status_id"] == Status.SHIPPED


def test_what_the_store_refuses_is_said(sandbox: Visitor, store: Store) -> None:
    order_id = store.place_order(kind="digital")

    assert "left to ship" in submit(
        sandbox, "merchant", order=str(order_id), act="ship"
    ).inner_text(".result.bad")
    assert "not found" in submit(sandbox, "merchant", order="999", act="refund").inner_text(
        ".result.bad"
    )


@pytest.mark.parametrize("kind", controls.FAULTS)
def test_every_fault_can_be_set(sandbox: Visitor, store: Store, kind: str) -> None:
    store.place_order()

    submit(sandbox, "faults", kind=kind, times="5")

    (entry,) = store.faults.scheduled
    assert (entry.fault.kind, entry.fault.times) == (kind, 5)


def test_a_fault_is_shown_with_what_it_did_and_ended(sandbox: Visitor, store: Store) -> None:
    order_id, given = store.place_order(), '"status": 418'
    page = submit(sandbox, "faults", kind="status", fields=given, times="null")
    url = f"{store.url}/stores/{store.store_hash}/v2/orders/{order_id}"
    answer = requests.get(url, headers={"X-Auth-Token": store.access_token}, timeout=5)
    assert answer.status_code == 418

    page.reload()
    assert "1 call failed" in page.inner_text(".active")
    row = page.inner_text(".recent tbody tr:first-child").split()
    assert row[1:] == ["GET", f"/v2/orders/{order_id}", "418"]
    sandbox.check()

    assert "no faults" in submit(sandbox, "faults/end").inner_text("#store")
    assert requests.get(url, headers={"X-Auth-Token": store.access_token}, timeout=5).ok


def test_the_command_of_a_fault_sets_the_same_one(sandbox: Visitor, store: Store) -> None:
    page = submit(sandbox, "faults", kind="slow", route=MARKUP, times="5")
    (before,) = store.faults.scheduled
    assert MARKUP in page.inner_text(".active")

    subprocess.run(shlex.split(page.inner_text(".active .command code")), check=True)  # noqa: S603 - the page's curl

    assert [entry.fault for entry in store.faults.scheduled] == [before.fault, before.fault]


def test_fields_that_are_not_json_are_refused(sandbox: Visitor, store: Store) -> None:
    page = submit(sandbox, "faults", kind="status", fields=MARKUP)

    assert "not JSON" in page.inner_text(".result.bad")
    assert store.faults.scheduled == []


def test_the_access_token_is_revoked_until_faults_are_ended(
    sandbox: Visitor, store: Store, world: World
) -> None:
    page = submit(sandbox, "token")
    assert "rejects the access token until you press “End all faults”" in page.inner_text("#store")
    assert page.get_by_role("button", name="End all faults").count() == 1
    assert world.poll() is not None

    submit(sandbox, "faults/end")
    assert world.poll() is None


def test_a_fault_of_aws_is_shown_with_what_it_did_and_ended(sandbox: Visitor, world: World) -> None:
    order_id = world.store.place_order()
    operation = "dynamodb PutItem orders"
    submit(sandbox, "aws-faults", operation=operation, outcome="refused", times="null")
    world.poll()
    world.drain()

    page = sandbox.open("/sandbox/")
    assert "1 call failed" in page.inner_text(".active")
    subprocess.run(shlex.split(page.inner_text(".active .command code")), check=True)  # noqa: S603 - the page's curl
    faults = [(each.operation, each.outcome, each.times) for each in world.aws_faults.active]
    assert faults == [(operation, "refused", None)] * 2
    sandbox.check()

    assert "no faults" in submit(sandbox, "faults/end").inner_text("#store")
    world.settle()
    assert world.item(order_id) is not None


def test_time_passes_for_the_store_and_the_console(sandbox: Visitor, world: World) -> None:
    before = world.clock.time()

    page = submit(sandbox, "clock", seconds="86400")

    assert "1 day" in page.inner_text(".result.good")
    assert "(hours:minutes:seconds) ahead of this machine's" in page.inner_text("main")
    assert 86400 <= world.clock.time() - before < 86460


@pytest.mark.parametrize(("status", "undelivered"), [("503", 0), ("400", 1)])
def test_the_receiver_refuses_events(
    sandbox: Visitor, world: World, receiver: Receiver, status: str, undelivered: int
) -> None:
    world.stack.add_destination("receiver", url="https://receiver.example")
    world.bus.receivers["https://receiver.example"] = receiver
    submit(sandbox, "receiver", status=status)

    world.store.place_order(via="api")
    world.poll()
    world.settle()
    world.publish()

    assert receiver.events == {}
    assert bool(world.undelivered("receiver")) == bool(undelivered)
    submit(sandbox, "receiver", status="200")
    world.deliver_events()
    assert bool(receiver.events) is not bool(undelivered)


def test_the_page_of_a_store_without_orders_is_complete(sandbox: Visitor) -> None:
    sandbox.open("/sandbox/")
    for summary in sandbox.page.locator("summary").all():
        summary.click()

    assert sandbox.page.locator("[name=kind][type=radio]").count() == len(KINDS) - 1
    assert sandbox.page.locator("[name=outcome]").count() == len(OUTCOMES)
    sandbox.check()


def test_a_console_that_only_reads_changes_nothing(
    browser: Browser, world: World, receiver: Receiver
) -> None:
    page_of = controls.page(world, receiver)
    with visiting(browser, world, page_of, writes=False, javascript=False) as visitor:
        page = visitor.open("/sandbox/")
        assert all(button.is_disabled() for button in page.locator("main form button").all())
        for path in PATHS:
            form = {"csrf": visitor.console.guard.csrf, "reason": "a test", "kind": "physical"}
            form |= {"operation": "*", "outcome": "refused", "seconds": "300"}
            answer = page.request.post(
                f"http://{visitor.host}/sandbox/{path}",
                form={**form, "act": "ship", "order": "1", "status": "400", "times": "1"},
                headers={"Origin": f"http://{visitor.host}"},
            )
            assert answer.status == 403, path

    assert (world.store.order_ids(), world.store.faults.scheduled, receiver.status) == ([], [], 200)
    assert not world.store.is_token_revoked
    assert world.aws_faults.active == []
    assert world.seconds_ahead < 60


def test_the_store_is_taken_down_and_recovers(
    sandbox: Visitor, world: World, store: Store, receiver: Receiver
) -> None:
    receiver.status = 400
    submit(sandbox, "outage")
    assert isinstance(world.poll(), Exception)

    page = submit(sandbox, "faults/end")

    assert "no faults" in page.inner_text("main")
    assert world.poll() is None
    assert receiver.status == 200


def test_what_the_receiver_got_is_a_step_of_the_order(
    sandbox: Visitor, world: World, receiver: Receiver
) -> None:
    url = "http://127.0.0.1:9/"
    world.stack.add_destination("receiver", url=url)
    world.bus.receivers[url] = receiver
    receiver.status = 503
    order_id, other = (world.store.place_order(status=Status.SHIPPED) for _ in range(2))
    world.deliver_webhooks()
    world.settle()
    world.publish()
    receiver.status = 200
    world.deliver_events()
    receiver(receiver.deliveries[-1].event)

    texts = [sandbox.text(f"/orders/{n}") for n in (order_id, other)]

    assert all("The receiver did not accept order.created receiver" in text for text in texts)
    assert all("The receiver accepted order.created receiver" in text for text in texts)
    assert [text for text in texts if "received again" in text] != texts
