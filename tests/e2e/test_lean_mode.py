"""SKIP_COUPONS_WITHOUT_DISCOUNT through the whole service: what it saves, and what it risks."""

import pytest

from sandbox.store import Store
from sandbox.world import World

ASKED = "GET /orders/{id}/coupons"


@pytest.fixture
def lean(new_world) -> World:
    return new_world(SKIP_COUPONS_WITHOUT_DISCOUNT="true")


def replicate(world: World, **order) -> int:
    order_id = world.store.place_order(**order)
    assert world.poll() is None
    world.drain()
    return order_id


def test_coupons_are_always_asked_for_by_default(world: World, store: Store):
    order_id = replicate(world, coupons=0)

    assert store.requests[ASKED] == 1
    assert world.order(order_id)["coupons"] == []


def test_an_order_without_a_discount_costs_one_request_less(lean: World):
    order_id = replicate(lean, coupons=0)

    assert lean.store.requests[ASKED] == 0
    assert lean.order(order_id)["coupons"] == []
    assert lean.order(order_id)["products"] == lean.store.whole(order_id)["products"]
    assert lean.store.order(order_id)["status_id"] == 9


def test_coupons_that_gave_a_discount_are_stored(lean: World):
    order_id = replicate(lean, coupons=2)

    coupons = lean.order(order_id)["coupons"]
    assert len(coupons) == 2
    assert coupons == lean.store.whole(order_id)["coupons"]


def test_a_discount_that_is_no_coupon_s_has_them_asked_for_all_the_same(lean: World):
    replicate(lean, coupons=0, discount_amount="5.0000")

    assert lean.store.requests[ASKED] == 1


def test_a_coupon_that_the_order_s_discounts_do_not_count_is_not_stored(lean: World):
    """The risk that the README names: nothing in the order speaks of such a coupon."""
    order_id = replicate(lean, coupons=1, coupon_discount="0.0000")

    assert len(lean.store.whole(order_id)["coupons"]) == 1
    assert lean.order(order_id)["coupons"] == []
