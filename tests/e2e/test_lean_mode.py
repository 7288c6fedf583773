"""SKIP_COUPONS_WITHOUT_DISCOUNT: what it saves, and what it may miss."""

import pytest

from tests.e2e.journeys import replicated

COUPONS = "GET /orders/{id}/coupons"


@pytest.fixture
def lean(new_world):
    return new_world(SKIP_COUPONS_WITHOUT_DISCOUNT="true")


def replicate(world, **order):
    order_id = world.store.place_order(**order)
    assert world.poll() is None
    world.drain()
    return order_id


def test_an_order_without_a_discount_causes_one_request_less(lean):
    order_id = replicate(lean, coupons=0)

    assert lean.store.requests[COUPONS] == 0
    assert lean.order(order_id)["coupons"] == []
    assert replicated(lean, order_id)


def test_coupons_that_gave_a_discount_are_stored(lean):
    order_id = replicate(lean, coupons=2)

    coupons = lean.order(order_id)["coupons"]
    assert len(coupons) == 2
    assert coupons == lean.store.whole(order_id)["coupons"]


def test_a_coupon_without_a_discount_in_the_order_is_not_stored(lean):
    """The documented limit: no field of the order shows such a coupon."""
    order_id = replicate(lean, coupons=1, coupon_discount="0.0000")

    assert len(lean.store.whole(order_id)["coupons"]) == 1
    assert lean.order(order_id)["coupons"] == []
