"""The poll: what it lists and queues, how it continues, and what it records."""

import pytest

from sandbox.store.faults import Fault
from sandbox.store.statuses import Status
from tests.e2e.journeys import replicated


def jobs(world):
    return world.items("jobs")


def facts(mail):
    """The facts below the subject of an alert, by name."""
    return dict(line.split(": ", 1) for line in mail["Message"].splitlines()[2:])


def test_the_first_poll_is_a_sweep_and_the_next_lists_changes_only(world, store):
    store.place_order(via="api")
    world.poll()
    world.poll()

    assert [job["mode"] for job in jobs(world)] == ["sweep", "changes"]
    assert [job["listed"] for job in jobs(world)] == [1, 0]
    assert jobs(world)[1]["since"] < jobs(world)[0]["began_at"]


def test_a_day_later_a_sweep_finds_what_was_missed(world, store):
    world.poll()
    missed = store.place_order(via="api")
    store.faults.add(Fault(route="GET /orders", kind="body", body=b"[]", times=None))
    world.poll()
    store.faults.clear()
    for _ in range(11):
        world.poll()
    world.drain()

    assert jobs(world)[-1]["mode"] == "sweep"
    assert replicated(world, missed)


def test_a_poll_records_its_counts_and_its_outcome(world, store):
    for status in (Status.AWAITING_FULFILLMENT, Status.AWAITING_PAYMENT, Status.SHIPPED):
        store.place_order(status=status, via="api")

    world.poll()

    job = jobs(world)[0]
    assert job["counts"] == {"11": 1, "7": 1, "10": 0}
    assert (job["listed"], job["queued"], job["already_replicated"]) == (2, 2, 0)
    assert job["requests"] == 5  # the webhook, the counts, and a page of each new status
    assert job["outcome"] == "succeeded"
    assert job["expires_at"] > world.clock.time() + 89 * 86400


def test_an_order_that_was_moved_is_not_queued_again(world, store):
    order_id = store.place_order(via="api")
    world.poll()
    world.drain()
    store.set_status(order_id, Status.AWAITING_FULFILLMENT)

    world.poll()

    assert jobs(world)[1]["already_replicated"] == 1
    assert world.messages() == []


def test_no_order_is_left_out_when_the_listed_status_empties_between_two_pages(world, store):
    """Replication itself does so; a second page by number would then be empty."""
    ids = [store.place_order(via="api") for _ in range(251)]
    store.faults.add(Fault(route="GET /orders", kind="slow", seconds=850, times=1))
    world.poll()
    for order_id in ids[:250]:
        store.set_status(order_id, Status.AWAITING_SHIPMENT)

    world.poll()

    assert jobs(world)[1]["queued"] == 1
    assert len(world.messages()) == 251


def test_two_polls_never_run_at_once(world, store):
    store.place_order(via="api")
    world.poll()
    holder = {"store_hash": {"S": "sandbox"}, "started_at": {"S": "lease"}}
    later = int(world.clock.time()) + 10**6
    world.stack.dynamodb.put_item(
        TableName=world.stack.name("jobs"),
        Item={**holder, "held_by": {"S": "another"}, "held_until": {"N": str(later)}},
    )

    world.poll()

    assert len(jobs(world)) == 1


def test_an_expired_lease_does_not_prevent_a_poll(world):
    holder = {"store_hash": {"S": "sandbox"}, "started_at": {"S": "lease"}}
    world.stack.dynamodb.put_item(
        TableName=world.stack.name("jobs"),
        Item={**holder, "held_by": {"S": "dead"}, "held_until": {"N": "1"}},
    )

    world.poll()

    assert jobs(world)[0]["outcome"] == "succeeded"


def test_a_poll_without_time_left_stops_without_an_alert_and_the_next_continues_it(world, store):
    for _ in range(251):
        store.place_order(lines=1, via="api")
    store.faults.add(Fault(route="GET /orders", kind="slow", seconds=850, times=1))

    assert world.poll() is None
    first = jobs(world)[0]
    assert (first["outcome"], first["listed"]) == ("stopped", 250)
    assert world.mail() == []
    world.poll()

    second = jobs(world)[1]
    assert (second["outcome"], second["mode"], second["listed"]) == ("succeeded", "sweep", 1)
    assert second["began_at"] == first["began_at"]
    assert len(world.messages()) == 251


def test_a_poll_that_fails_is_recorded_and_the_next_one_succeeds(world, store):
    order_id = store.place_order(via="api")
    store.revoke_token()

    assert "Unauthorized" in repr(world.poll())

    (job,) = jobs(world)
    assert job["outcome"] == "failed"
    assert job["error"] == "Unauthorized: GET orders/count -> 401"
    assert job["finished_at"] >= job["started_at"]
    store.restore_token()
    world.poll()
    world.drain()
    assert replicated(world, order_id)


def test_each_poll_that_fails_sends_an_alert_that_names_its_invocation(world, store):
    store.revoke_token()

    for _ in range(2):
        world.poll()

    first, second = (facts(mail) for mail in world.mail())
    assert first.pop("request id") != second.pop("request id")
    assert (
        first
        == second
        == {
            "function": "poll_orders",
            "log group": "/aws/lambda/order-replication-poll_orders",
            "log stream": "sandbox",
            "error": "Unauthorized: GET orders/count -> 401",
            "runbook": "docs/operations.md#function-failed",
        }
    )


@pytest.mark.parametrize("date", ["yesterday", "Mon, 06 May 99999999999999999999 07:27:05 +0000"])
def test_an_unreadable_order_in_a_page_does_not_hide_its_neighbours(world, store, date):
    bad = store.place_order(date_modified=date, via="api")
    good = store.place_order(via="api")

    assert world.poll() is None
    world.settle()

    assert replicated(world, good)
    assert len(world.dead_letters()) == 1
    assert world.item(bad) is None


def test_a_backlog_larger_than_the_quota_is_replicated_without_running_into_429(world, store):
    ids = [store.place_order(lines=1, coupons=0, via="api") for _ in range(60)]

    world.poll()
    world.drain()

    assert len(store.windows) >= 1
    assert store.answers[429] == 0
    assert {change.order_id for change in store.status_changes} == set(ids)
