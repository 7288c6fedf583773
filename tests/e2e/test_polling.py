"""The poll: what it lists and queues, how it continues, and what it records."""

import json

import pytest

from sandbox.store import Store
from sandbox.store.clock import SimulatedClock
from sandbox.store.faults import Fault
from sandbox.store.statuses import Status
from tests.e2e.journeys import DAY, come_to_rest, replicated


def jobs(world):
    return world.items("jobs")


def queued(world, queue):
    """The ids of the orders in a queue."""
    return sorted(json.loads(body)["order_id"] for body in world.messages(queue))


def hold_lease(world, *, until):
    lease = {"store_hash": {"S": "sandbox"}, "started_at": {"S": "lease"}}
    world.stack.dynamodb.put_item(
        TableName=world.stack.name("jobs"),
        Item={**lease, "held_by": {"S": "another"}, "held_until": {"N": str(int(until))}},
    )


def facts(mail):
    """The facts below the subject of an alert, by name."""
    return dict(line.split(": ", 1) for line in mail["Message"].splitlines()[2:])


def test_every_poll_lists_the_changes_and_the_first_one_sweeps_as_well(world, store):
    store.place_order(status=Status.SHIPPED, via="api")
    world.poll()
    world.poll()

    assert [job["mode"] for job in jobs(world)] == ["changes", "sweep", "changes"]
    assert [job["listed"] for job in jobs(world)] == [0, 1, 0]
    assert jobs(world)[2]["since"] < jobs(world)[0]["began_at"]


def test_new_orders_and_changes_have_a_queue_each(world, store):
    world.poll()
    new, shipped, _ = (
        store.place_order(status=status, via="api")
        for status in (Status.AWAITING_FULFILLMENT, Status.SHIPPED, Status.PENDING)
    )

    world.poll()

    assert (queued(world, "orders"), queued(world, "changes")) == ([new], [shipped])


def test_a_day_later_a_sweep_finds_what_was_missed(world, store):
    world.poll()
    missed = store.place_order(via="api")
    store.faults.add(Fault(route="GET /orders", kind="body", body=b"[]", times=None))
    world.poll()
    store.faults.clear()
    world.clock.advance(DAY)
    world.poll()
    world.drain()

    assert jobs(world)[-1]["mode"] == "sweep"
    assert replicated(world, missed)


def test_a_poll_records_its_counts_and_its_outcome(world, store):
    for status in (Status.AWAITING_FULFILLMENT, Status.AWAITING_PAYMENT, Status.SHIPPED):
        store.place_order(status=status, via="api")

    world.poll()

    changes, sweep = jobs(world)
    assert sweep["counts"] == {"11": 1, "7": 1, "10": 0}
    assert (sweep["listed"], sweep["queued"], sweep["already_replicated"]) == (5, 3, 0)
    assert changes["requests"] == 1
    assert sweep["requests"] == 6, "hooks, counts, three new statuses and the modified orders"
    assert changes["outcome"] == sweep["outcome"] == "succeeded"
    assert sweep["expires_at"] > world.clock.time() + 89 * 86400


def test_an_order_that_is_replicated_as_it_is_now_is_not_queued(world, store):
    world.poll()
    store.place_order()
    come_to_rest(world)

    world.poll()

    assert (jobs(world)[-1]["listed"], jobs(world)[-1]["already_replicated"]) == (1, 1)
    assert world.messages() == []


def test_an_order_that_cannot_be_listed_is_queued_by_its_id_and_hides_no_other(world, store):
    ids = [store.place_order(via="api") for _ in range(3)]
    unpaid = store.place_order(status=Status.AWAITING_PAYMENT, via="api")
    bad = ids[1]
    store.faults.add(Fault(route="GET /orders", kind="unservable", order_id=bad, times=None))

    assert world.poll() is None

    sweep = jobs(world)[-1]
    assert (sweep["outcome"], sweep["unserved"]) == ("succeeded", [bad])
    assert queued(world, "orders") == [ids[0], ids[2], unpaid]
    assert queued(world, "changes") == [bad]
    world.drain()
    assert all(replicated(world, order_id) for order_id in [*ids, unpaid])


def test_a_listing_that_fails_hides_no_order_of_the_others(world, store):
    """The changes are listed first, then the statuses 11, 7 and 10, then what was modified."""
    new = store.place_order(via="api")
    unpaid = store.place_order(status=Status.AWAITING_PAYMENT, via="api")
    shipped = store.place_order(status=Status.SHIPPED, via="api")
    store.faults.add(Fault(route="GET /orders", kind="status", status=422, skip=2))

    assert "422" in repr(world.poll())

    assert jobs(world)[-1]["outcome"] == "failed"
    assert (queued(world, "orders"), queued(world, "changes")) == ([new, unpaid], [shipped])
    assert world.poll() is None
    assert jobs(world)[-1]["outcome"] == "succeeded"


def test_two_polls_never_run_at_once(world):
    hold_lease(world, until=world.clock.time() + 10**6)

    assert world.poll() is None

    assert jobs(world) == []


def test_an_expired_lease_does_not_prevent_a_poll(world):
    hold_lease(world, until=1)

    world.poll()

    assert jobs(world)[0]["outcome"] == "succeeded"


def test_a_sweep_without_time_left_stops_without_an_alert_and_the_next_poll_continues_it(
    world, store
):
    """Although replication has emptied the listed status meanwhile."""
    ids = [store.place_order(lines=1, via="api") for _ in range(251)]
    store.faults.add(Fault(route="GET /orders", kind="slow", seconds=850, skip=1))

    assert world.poll() is None
    first = jobs(world)[-1]
    assert (first["mode"], first["outcome"], first["listed"]) == ("sweep", "stopped", 250)
    assert world.mail() == []
    world.stack.purge("orders")
    for order_id in ids[:250]:
        store.set_status(order_id, Status.AWAITING_SHIPMENT)
    world.poll()

    second = jobs(world)[-1]
    assert (second["mode"], second["outcome"]) == ("sweep", "succeeded")
    assert second["began_at"] == first["began_at"]
    assert queued(world, "orders") == [ids[250]]


def test_a_poll_that_fails_is_recorded_and_the_next_one_succeeds(world, store):
    order_id = store.place_order(via="api")
    store.revoke_token()

    assert "Unauthorized" in repr(world.poll())

    (job,) = jobs(world)
    assert job["outcome"] == "failed"
    assert job["error"] == "Unauthorized: GET orders -> 401"
    assert job["finished_at"] >= job["started_at"]
    store.restore_token()
    world.poll()
    world.drain()
    assert replicated(world, order_id)


def test_each_poll_that_fails_sends_an_alert_that_names_its_invocation(world, store):
    """A poll follows two hours after the previous one."""
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
            "error": "Unauthorized: GET orders -> 401",
            "next": f".venv/bin/python -m ops --stage {world.stack.stage} doctor",
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


def test_a_backlog_larger_than_the_quota_is_replicated_without_running_into_429(new_world):
    clock = SimulatedClock()
    store = Store(clock=clock, quota=40)
    world = new_world(clock=clock, store=store)
    ids = [store.place_order(lines=1, coupons=0, via="api") for _ in range(20)]

    world.poll()
    world.drain()

    assert len(store.windows) >= 1
    assert store.answers[429] == 0
    assert {change.order_id for change in store.status_changes} == set(ids)
