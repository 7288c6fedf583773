"""The console's pages of the flow, the polls and the webhooks, and what can be changed there."""

import re

import pytest
from playwright.sync_api import Browser

from ops.clock import OperatorClock
from ops.deployment import Deployment
from ops.doctor.symptoms import Symptoms
from sandbox.logs import Logs
from sandbox.metrics import Metrics
from sandbox.store import Store
from sandbox.store.faults import Fault
from sandbox.store.statuses import Status
from sandbox.world import World
from tests.e2e.browser import Visitor, follow, visiting
from tests.e2e.conftest import Ops

pytestmark = pytest.mark.xdist_group("browser")

MARKUP = "<script>alert(1)</script> & stocktaking"


def poison(world: World) -> int:
    """An order that ends in the dead-letter queue, and the alarm of that."""
    order_id = world.store.place_order(via="api")
    route = f"GET /orders/{order_id}/products"
    world.store.faults.add(Fault(route=route, kind="cut", times=None))
    world.poll()
    world.settle()
    world.pump.evaluate_alarm()
    return order_id


def test_the_flow_of_an_empty_stage(visitor: Visitor) -> None:
    text = visitor.text("/flow/")

    assert "no poll has succeeded in the last days" in text
    assert "ops --stage" in visitor.page.inner_text(".verdict .command")
    visitor.check()


def test_the_flow_of_a_healthy_stage(visitor: Visitor, world: World, metrics: Metrics) -> None:
    world.stack.add_destination("warehouse")
    world.store.place_order()
    world.poll()
    world.settle()
    world.deliver_webhooks()
    metrics.publish()

    text = visitor.text("/flow/")

    assert "nothing needs attention" in visitor.page.inner_text(".verdict")
    assert "1 replication in 24 h" in text
    assert "sqs, enabled" in text
    # The first sweep has no earlier one to compare with.
    assert visitor.page.locator(".promises .good").count() == 2
    assert text.count("not measured") == 2
    visitor.check()
    world.advance(25 * 3600)
    world.poll()
    metrics.publish()
    visitor.open("/flow/")
    assert visitor.page.locator(".promises .good").count() == 4


def test_each_hour_has_the_orders_of_its_own_minutes(
    visitor: Visitor, world: World, metrics: Metrics
) -> None:
    world.advance(3600 - world.clock.time() % 3600 + 45 * 60)
    for _ in range(2):
        world.store.place_order()
        world.deliver_webhooks()
        world.settle()
        metrics.publish()
        world.advance(30 * 60)

    text = visitor.text("/flow/")

    (replicated,) = re.findall(r"(\d+) replications in 24 h", text)
    (since,) = re.findall(r"(\d+) since \d\d:00", text)
    assert 0 < int(since) < int(replicated)


def test_the_flow_shows_that_orders_are_retried(visitor: Visitor, world: World, logs: Logs) -> None:
    world.poll()
    order_id = world.store.place_order(via="api")
    route = f"GET /orders/{order_id}/products"
    world.store.faults.add(Fault(route=route, kind="html", status=200, times=None))
    world.poll()
    world.drain()
    world.advance(20)
    logs.send()

    assert f"No fault yet: 1 order being retried\n\n{order_id} was returned" in visitor.text(
        "/flow/"
    )
    visitor.check()
    follow(visitor.page.get_by_role("link", name="Failing").last)
    assert str(order_id) in visitor.page.inner_text("#returned")


def test_a_poll_that_runs_does_not_hide_those_that_failed(
    visitor: Visitor, world: World, store: Store
) -> None:
    world.poll()
    store.revoke_token()
    world.poll()
    item = {**world.stack.dynamodb.scan(TableName=world.stack.name("jobs"))["Items"][0]}
    item["started_at"] = {"S": world.clock.now().isoformat()}
    item |= {"outcome": {"S": "running"}, "mode": {"S": "changes"}}
    item |= {"began_at": item["started_at"], "store_hash": {"S": "sandbox"}}
    world.stack.dynamodb.put_item(TableName=world.stack.name("jobs"), Item=item)

    assert "the last poll, " in visitor.text("/flow/")
    assert "failed: Unauthorized" in visitor.text("/flow/")


def test_the_flow_of_a_failing_stage_says_what_to_do(
    visitor: Visitor, world: World, store: Store
) -> None:
    world.stack.add_destination("warehouse")
    order_id = poison(world)
    url = world.stack.url_of("to-warehouse-undelivered")
    world.stack.sqs.send_message(QueueUrl=url, MessageBody="an event")
    store.revoke_token()
    world.poll()

    text = visitor.text("/flow/")

    assert "alarm dead-letters" in text
    assert "failed: Unauthorized" in text
    assert f"explain {order_id}" in text
    assert "events undelivered" in text
    assert "1 events not published or delivered" in text.replace("\n", " ")
    assert visitor.page.locator(".station.bad").count() == 3
    links = visitor.page.locator(".findings > li > a").all_inner_texts()
    assert {"Failing", "Polls"} <= set(links)
    visitor.check()


def test_the_numbers_are_loaded_again_by_themselves(visitor: Visitor, world: World) -> None:
    visitor.page.clock.install()
    page = visitor.open("/flow/")
    poison(world)

    page.clock.fast_forward(31_000)

    page.wait_for_selector(".verdict >> text=alarm dead-letters")


def test_the_flow_reads_what_the_doctor_finds(ops: Ops, world: World) -> None:
    poison(world)

    found = ops.json("doctor", code=1)["findings"]
    clock = OperatorClock(world.clock)
    symptoms = Symptoms.of(Deployment.find(world.stack.stage, clock))

    whole = {(each["name"], each["found"]) for each in found}
    assert {(each.name, each.found) for each in symptoms.findings} <= whole


def test_the_checkup_is_shown_in_the_page(visitor: Visitor, store: Store) -> None:
    page = visitor.open("/flow/")
    assert not store.requests

    page.click("text=Run all checks")

    page.wait_for_selector("#checkup summary")
    assert page.url.endswith("/flow/") and store.requests
    # Nothing but alarms leads there, such as message-age: neither "stage" nor "alerts: errors".
    assert page.locator("#checkup li", has_text="Timeline").all_text_contents() == []
    visitor.check()


def test_without_javascript_everything_is_readable(browser: Browser, world: World) -> None:
    world.poll()
    with visiting(browser, world, javascript=False) as visitor:
        page = visitor.open("/flow/")
        assert "nothing needs attention" in page.inner_text(".verdict")
        page.click("text=Run all checks")
        assert "without a finding" in page.inner_text("#checkup")

        page.goto(f"http://{visitor.host}/flow/")
        page.click("text=Last sweep")
        assert "no earlier sweep is old enough" in page.inner_text("main")


def test_moves_are_paused_and_resumed(visitor: Visitor, ops: Ops, world: World) -> None:
    page = visitor.open("/flow/")
    page.fill("form[action='/flow/pause'] [name=reason]", MARKUP)
    page.click("text=Pause moves")

    assert "Moves are paused" in page.inner_text(".result")
    assert MARKUP in page.inner_text(".verdict") + page.inner_text("#flow")
    assert ops.json("status")["pause"]["reason"] == MARKUP
    visitor.check()

    page.fill("form[action='/flow/resume'] [name=reason]", "done")
    page.click("text=Resume moves")

    assert "Sweep succeeded" in page.inner_text(".result")
    assert ops.json("status")["pause"] is None
    actions = ops.json("history")["actions"]
    assert [(a["command"], a["reason"]) for a in actions] == [
        ("console: resume", "done"),
        ("console: pause", MARKUP),
    ]


def test_a_poll_is_run_from_the_page(visitor: Visitor, ops: Ops, store: Store) -> None:
    store.place_order(via="api")
    page = visitor.open("/flow/")
    form = page.locator("form", has=page.get_by_role("button", name="Poll now"))
    form.locator("[name=reason]").fill("a test")
    follow(form.get_by_role("button"))

    assert "1 queued" in page.inner_text(".result.good")
    assert {job["mode"] for job in ops.json("status")["polls"]} == {"changes", "sweep"}


def test_a_poll_that_fails_says_why(visitor: Visitor, store: Store) -> None:
    store.revoke_token()
    page = visitor.open("/flow/")
    form = page.locator("form", has=page.get_by_role("button", name="Sweep now"))
    form.locator("[name=reason]").fill("a test")
    follow(form.get_by_role("button"))

    assert "Unauthorized" in page.inner_text(".result.bad")


POSTS = ("/flow/pause", "/flow/resume", "/flow/poll", "/hooks/register", "/hooks/test")


@pytest.mark.parametrize("writes", [True, False])
def test_nothing_is_changed_without_a_reason_or_when_it_only_reads(
    browser: Browser, world: World, ops: Ops, writes: bool
) -> None:
    ops("pause", "--reason", "stocktaking")
    world.store.lose_hooks()
    before = ops.json("history")
    with visiting(browser, world, writes=writes) as visitor:
        for path in ("/flow/", "/hooks/"):
            page = visitor.open(path)
            for button in page.locator("main form button").all():
                assert button.is_disabled() is not writes
        for path in POSTS:
            answer = page.request.post(
                f"http://{visitor.host}{path}",
                form={"csrf": visitor.console.guard.csrf, "reason": " " if writes else "a test"},
                headers={"Origin": f"http://{visitor.host}"},
            )
            assert answer.status == 403, path

    assert ops.json("history") == before
    assert ops.json("status")["pause"]["reason"] == "stocktaking"
    assert world.items("jobs")[-1].get("mode") is None
    assert ops.json("webhook", "list")["hooks"] == []


def test_the_polls_are_paged_and_link_to_what_each_found(
    visitor: Visitor, world: World, store: Store
) -> None:
    for _ in range(53):
        world.poll()
    store.revoke_token()
    world.poll()
    began = sorted(job["started_at"] for job in world.items("jobs") if job.get("mode"))

    page = visitor.open("/polls/")
    assert "Unauthorized: GET orders" in page.inner_text("tbody tr:first-child")
    visitor.check()
    shown = [_began(visitor)]
    page.click("text=Older")
    shown.append(_began(visitor))
    assert [len(each) for each in shown] == [50, len(began) - 50]
    assert [each for part in shown for each in part] == [b[:19] for b in reversed(began)]

    page.click("text=Newest")
    page.click("tbody tr:first-child a")
    assert "TF_VAR_bigcommerce_access_token" in page.inner_text("main")
    visitor.check()


def _began(visitor: Visitor) -> list[str]:
    times = visitor.page.locator("tbody td:first-child time").all()
    return [str(each.get_attribute("datetime"))[:19] for each in times]


def test_sweeps_are_shown_alone_and_say_what_they_found(
    visitor: Visitor, world: World, store: Store, logs: Logs
) -> None:
    old = [store.place_order(status=Status.SHIPPED) for _ in range(3)]
    world.advance(3 * 24 * 3600)
    world.poll()
    new = store.place_order(via="api")
    world.settle()
    world.poll()
    world.settle()
    logs.send()

    page = visitor.open("/polls/?mode=sweep")
    assert page.locator("tbody tr").count() == 1
    page.click("tbody a")

    (job,) = [each for each in world.items("jobs") if each.get("mode") == "sweep"]
    text = page.inner_text("main")
    assert f"{job['listed']} orders; an order that is in two of its lists counts twice" in text
    assert f"twice: {job['queued']} queued" in text
    assert "every order was listed" in text
    assert f"by the log: {', '.join(map(str, old))}." in text and str(new) not in text
    visitor.check()
    visitor.page.get_by_role("link", name="All that happened then").click()
    assert "Sweep succeeded" in page.inner_text(".timeline")


def test_a_poll_of_changes_names_the_orders_it_has_found(
    visitor: Visitor, world: World, store: Store, logs: Logs
) -> None:
    world.poll()
    found = [store.place_order(via="api") for _ in range(2)]
    world.advance(5)
    world.poll()
    world.settle()
    logs.send()
    world.advance(60)

    page = visitor.open("/polls/?mode=changes")
    page.click("tbody a >> nth=0")

    assert f"by the log: {found[0]}, {found[1]}." in page.inner_text("main")


@pytest.mark.parametrize("name", ["lease", "pause", "2026-01-01T00:00:00+00:00", "<script>"])
def test_only_polls_have_a_page(visitor: Visitor, world: World, ops: Ops, name: str) -> None:
    ops("pause", "--reason", "stocktaking")
    visitor.open("/polls/")
    answer = visitor.page.request.get(f"http://{visitor.host}/polls/{name}")

    assert answer.status == 404
    assert "stocktaking" not in answer.text() and "<script>&" not in answer.text()


def test_an_error_with_markup_is_shown_as_text(visitor: Visitor, world: World) -> None:
    world.poll()
    table, (job, *_) = world.stack.name("jobs"), world.items("jobs")
    world.stack.dynamodb.update_item(
        TableName=table,
        Key={name: {"S": job[name]} for name in ("store_hash", "started_at")},
        UpdateExpression="SET outcome = :failed, #e = :error",
        ExpressionAttributeNames={"#e": "error"},
        ExpressionAttributeValues={":failed": {"S": "failed"}, ":error": {"S": f"[red]{MARKUP}"}},
    )

    for path in ("/polls/", f"/polls/{job['started_at']}"):
        assert f"[red]{MARKUP}" in visitor.text(path)


def test_missing_and_broken_webhooks_are_registered(
    visitor: Visitor, world: World, store: Store, ops: Ops
) -> None:
    assert "All webhooks are registered" in visitor.text("/hooks/")
    assert world.stack.secrets.webhook_token not in visitor.page.content()
    visitor.check()
    store.lose_hooks()
    store.register_hook(destination=f"{world.api_url}/cart-converted", headers={"X-Other": "1"})

    text = visitor.text("/hooks/")
    assert "6 webhooks missing" in text and "missing secret" in text
    visitor.check()
    visitor.page.fill("form[action='/hooks/register'] [name=reason]", "a test")
    visitor.page.click("form[action='/hooks/register'] button")

    assert "6 webhooks registered" in visitor.page.inner_text(".result.good")
    assert "All webhooks are registered" in visitor.page.inner_text(".verdict")
    assert ops.json("history")["actions"][0]["command"] == "console: webhook register"
    visitor.page.fill("form[action='/hooks/register'] [name=reason]", "again")
    visitor.page.click("form[action='/hooks/register'] button")
    assert "nothing was changed" in visitor.page.inner_text(".result.good")
    assert len(ops.json("history")["actions"]) == 1


def test_the_webhooks_are_tested(visitor: Visitor, world: World, store: Store) -> None:
    order_id = store.place_order(via="api")
    page = visitor.open("/hooks/")
    form = page.locator("form[action='/hooks/test']")
    form.locator("[name=reason]").fill("a test")
    follow(form.get_by_role("button"))
    assert f"callbacks were sent for order {order_id}; all" in page.inner_text(".result.good")
    assert "The forged ones count as rejected." in page.inner_text(".result.good")
    assert any(str(order_id) in body for body in world.messages())

    store.lose_hooks()
    form.locator("[name=reason]").fill("a test")
    form.locator("[name=order]").fill(str(order_id))
    follow(form.get_by_role("button"))
    assert "not registered at the store" in page.inner_text(".result.bad")
