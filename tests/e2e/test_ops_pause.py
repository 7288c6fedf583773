"""`pause`, `resume` and `retry`: what an operator does about orders that are moved or that fail."""

import json

import pytest

from sandbox.store.faults import Fault
from tests.e2e.conftest import Ops
from tests.e2e.journeys import moves, replicated, unmoved

REASON = "the warehouse is closed"


class TestPause:
    def test_a_paused_order_is_stored_and_moved_after_a_resume(self, ops, world, store):
        ops("pause", "--reason", REASON)
        order_id = store.place_order(via="api")
        world.poll()
        world.settle()
        assert unmoved(world, order_id)
        assert world.messages() == []

        done = ops.json("resume")

        assert [job["mode"] for job in done["jobs"]] == ["changes", "sweep"]
        world.settle()
        assert replicated(world, order_id)

    def test_it_records_why_since_when_and_by_whom(self, ops, world):
        began = world.clock.now().isoformat()

        done = ops.json("pause", "--reason", f" {REASON} ")

        (item,) = world.items("jobs")
        assert done["pause"] == {name: item[name] for name in ("reason", "since", "by")}
        assert (item["started_at"], item["reason"]) == ("pause", REASON)
        assert began <= item["since"] <= world.clock.now().isoformat()
        assert item["by"].startswith("arn:aws:")

    def test_a_second_pause_replaces_the_reason_only(self, ops, world):
        first = ops.json("pause", "--reason", "one")
        world.clock.advance(60)

        second = ops.json("pause", "--reason", "two")

        assert second["was_paused"]
        assert second["pause"] == {**first["pause"], "reason": "two"}

    @pytest.mark.parametrize("reason", [(), ("--reason", " ")])
    def test_a_reason_is_required(self, ops, world, reason):
        assert ops("pause", *reason).exit_code == 2
        assert world.items("jobs") == []

    def test_a_resume_without_a_pause_does_nothing(self, ops, world):
        assert ops.json("resume") == {"pause": None, "jobs": [], "error": None}
        assert world.items("jobs") == []

    def test_moves_are_resumed_although_the_sweep_fails(self, ops, world, store):
        ops("pause", "--reason", REASON)
        store.revoke_token()

        assert "Unauthorized" in ops.json("resume", code=1)["error"]
        assert ops.json("status")["pause"] is None

    def test_status_doctor_and_explain_name_the_pause(self, ops, world, store):
        ops("pause", "--reason", REASON)
        order_id = store.place_order(via="api")
        world.poll()
        world.settle()

        explained = ops.json("explain", str(order_id))
        (finding,) = (f for f in ops.json("doctor")["findings"] if f["name"] == "moves")

        assert ops.json("status")["pause"]["reason"] == REASON
        assert (finding["mark"], finding["fix"].endswith("resume")) == ("note", True)
        assert REASON in finding["found"]
        assert explained["conclusion"]["verdict"] == "paused"
        assert REASON in ops("status").output
        assert REASON in ops("explain", str(order_id)).output


@pytest.fixture
def failing(world, store) -> list[int]:
    """Three orders that fail: two for one reason, one for another; all wait for an hour."""
    world.poll()
    ids = [store.place_order(via="api") for _ in range(3)]
    for order_id in ids[:2]:
        store.faults.add(
            Fault(route=f"GET /orders/{order_id}*", kind="html", status=404, times=None)
        )
    store.faults.add(
        Fault(route=f"GET /orders/{ids[2]}/products", kind="status", status=400, times=None)
    )
    world.poll()
    for _ in range(8):
        world.clock.advance(900)
        world.drain()
    assert {item["order_id"] for item in world.items("jobs") if "receives" in item} == set(ids)
    store.faults.clear()
    return ids


def queued(world, *queues: str) -> list[tuple[int, str]]:
    messages = map(json.loads, world.messages(*queues))
    return [(message["order_id"], message["source"]) for message in messages]


class TestRetry:
    def test_an_order_is_retried_at_once_and_is_not_failing_any_more(
        self, ops, world, store, failing
    ):
        assert ops.json("retry", str(failing[0]))["queued"] == [failing[0]]
        assert (failing[0], "retry") in queued(world, "orders")
        world.drain()

        assert replicated(world, failing[0])
        assert ops.json("status")["failing"]["count"] == 2

    def test_all_failing_orders_are_retried(self, ops, world, store, failing):
        assert ops.json("retry", "--all")["queued"] == failing
        world.settle()

        assert all(replicated(world, order_id) for order_id in failing)
        assert ops.json("status")["failing"] == {"count": 0, "oldest": None}

    def test_the_failing_orders_of_one_cause_are_retried(self, ops, failing):
        assert ops.json("retry", "--cause", "Rejected")["queued"] == [failing[2]]

    def test_a_cause_that_no_order_has_is_answered_with_the_causes(self, ops, world, failing):
        before = world.messages()

        result = ops("retry", "--cause", "Unavailable")

        assert result.exit_code == 0
        assert "MalformedResponse (2)" in result.output
        assert world.messages() == before

    def test_without_failing_orders_nothing_is_queued(self, ops, world):
        assert ops.json("retry", "--all")["queued"] == []
        assert world.messages() == []

    @pytest.mark.parametrize(
        "given", [(), ("118", "--all"), ("118", "--cause", "Rejected"), ("--all", "--cause", "X")]
    )
    def test_one_way_to_select_orders_is_required(self, ops, world, given):
        assert ops("retry", *given).exit_code == 2
        assert world.messages() == []

    def test_any_order_is_retried_by_its_id_once(self, ops, world, store):
        order_id = store.place_order(via="api")

        assert ops.json("retry", str(order_id), str(order_id))["queued"] == [order_id]
        world.settle()

        assert replicated(world, order_id)

    def test_an_order_in_the_dead_letter_queue_is_redriven(self, ops, world, store):
        world.poll()
        order_id, beside = store.place_order(via="api"), store.place_order(via="api")
        for poison in (order_id, beside):
            store.faults.add(
                Fault(route=f"GET /orders/{poison}*", kind="html", status=404, times=None)
            )
        world.poll()
        world.settle()
        store.faults.clear()

        done = ops.json("retry", str(order_id))

        assert (done["queued"], done["redriven"]) == ([], [order_id])
        assert queued(world) == [(order_id, "poll")]
        assert [json.loads(body)["order_id"] for body in world.dead_letters()] == [beside]
        world.settle()
        assert replicated(world, order_id)

    def test_a_replayed_order_in_the_dead_letter_queue_is_still_not_moved(self, ops, world, store):
        order_id = store.place_order(via="api")
        fault = Fault(route=f"GET /orders/{order_id}*", kind="html", status=404, times=None)
        store.faults.add(fault)
        ops("replay", str(order_id))
        world.settle()
        store.faults.clear()

        assert ops.json("retry", str(order_id))["redriven"] == [order_id]
        world.settle()

        assert unmoved(world, order_id)
        assert moves(store, order_id) == []


def test_a_failing_order_is_shown_by_status_doctor_and_explain(ops, world, failing):
    status = ops.json("status")["failing"]
    (finding,) = (
        f for f in ops.json("doctor", code=1)["findings"] if f["name"] == "failing orders"
    )
    explained = ops.json("explain", str(failing[2]))

    oldest = status["oldest"]["order_id"]
    assert status["count"] == 3
    assert oldest in failing
    assert finding["mark"] == "fault"
    assert finding["fix"].endswith(f"explain {oldest}")
    assert explained["failing"]["error_class"] == "Rejected"
    assert explained["conclusion"]["verdict"] == "failing"
    assert explained["conclusion"]["next"].endswith(f"retry {failing[2]}")


def test_a_resume_needs_confirmation(ops, world):
    ops("pause", "--reason", REASON)
    asking = Ops(world, asks=True)

    assert asking("resume", answer="n\n").exit_code == 1
    assert ops.json("status")["pause"]
    assert asking("resume", answer="y\n").exit_code == 0
    assert ops.json("status")["pause"] is None
