"""`embedded-reads`: whether the embedded lists of the store can be trusted."""

from collections.abc import Callable

import pytest

from sandbox.store import Store
from sandbox.store.faults import Fault
from sandbox.world import World
from tests.e2e.conftest import Ops
from tests.e2e.journeys import LISTS, replicated, send, skip_to


@pytest.fixture
def world(new_world: Callable[..., World]) -> World:
    return new_world(EMBEDDED_READS="true")


@pytest.fixture
def differing(world: World, store: Store) -> int:
    """An order that differed, because of which the stage reads list by list."""
    skip_to(store, compared=True)
    order_id = store.place_order(via="api")
    store.faults.add(Fault(route="GET /orders*", kind="embedded", without="weight", times=None))
    send(world, order_id)
    world.drain()
    return order_id


def test_orders_that_are_the_same_both_ways_are_a_proof(ops: Ops, store: Store) -> None:
    for kind in ("physical", "mixed", "pickup", "digital", "gift_certificate"):
        store.place_order(kind=kind, via="api")
    large = store.place_order(lines=60, via="api")

    found = ops.json("embedded-reads")

    assert (found["orders"], found["equal"], found["differing"]) == (6, 5, {})
    assert found["not_used"] == {"warning": 1}
    assert (found["was_off"], found["is_off"]) == (False, False)
    assert store.order(large)["status_id"] == 11, "the store is only read"


def test_the_newest_orders_are_compared(ops: Ops, store: Store) -> None:
    ids = [store.place_order(via="api") for _ in range(5)]

    found = ops.json("embedded-reads", "--orders", "3")

    assert found["orders"] == 3
    assert store.requests[LISTS[0]] == 3
    assert len(ids) == 5


def test_a_difference_is_named_and_ends_with_1(ops: Ops, differing: int, store: Store) -> None:
    done = ops("embedded-reads")

    assert done.exit_code == 1
    assert f"Order {differing} differs in products.weight." in done.output
    found = ops.json("embedded-reads", code=1)
    assert found["differing"] == {str(differing): ["products.weight"]}
    assert (found["was_off"], found["is_off"]) == (True, True)


def test_a_stage_uses_embedded_lists_again_once_there_is_no_difference(
    ops: Ops, world: World, store: Store, differing: int
) -> None:
    store.faults.clear()

    found = ops.json("embedded-reads")

    assert (found["was_off"], found["is_off"]) == (True, False)
    before = store.requests[LISTS[0]]
    other = store.place_order(via="api", coupons=0)
    world.advance(60)
    send(world, other)
    world.drain()
    assert replicated(world, other)
    assert store.requests[LISTS[0]] == before


def test_a_store_without_comparable_orders_proves_nothing(ops: Ops, store: Store) -> None:
    assert ops.json("embedded-reads", code=1)["orders"] == 0

    store.place_order(lines=60, via="api")

    assert ops.json("embedded-reads", code=1)["not_used"] == {"warning": 1}


def test_status_and_doctor_name_the_order_that_differed(ops: Ops, differing: int) -> None:
    off = ops.json("status")["embedded_off"]
    (finding,) = [
        each for each in ops.json("doctor", code=1)["findings"] if each["name"] == "embedded reads"
    ]

    assert (off["order_id"], off["fields"]) == (differing, ["products.weight"])
    assert str(differing) in finding["found"]
    assert finding["fix"].endswith("embedded-reads")
