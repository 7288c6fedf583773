"""Parsing callbacks of BigCommerce's webhooks."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.callbacks import (
    CHANGE_SCOPES,
    REFUND_CREATED,
    STATUS_UPDATED,
    Callback,
    UnreadableCallback,
)
from tests.factories import (
    UNREADABLE_CALLBACKS,
    UNUSABLE_CALLBACKS,
    callback,
    order_callback,
    shipment_callback,
)


def test_a_callback_about_a_cart_is_read() -> None:
    assert Callback.parse(callback(252)) == Callback(
        scope="store/cart/converted",
        producer="stores/abc123",
        order_id=252,
        hash="b86db7c77d7ef8f9",
        created_at=1561486893,
        cart_id="d30016e2-23c0-4a90",
    )


def test_a_callback_about_an_order_is_read() -> None:
    assert Callback.parse(order_callback("store/order/updated", 252)) == Callback(
        scope="store/order/updated",
        producer="stores/abc123",
        order_id=252,
        hash="b86db7c77d7ef8f9",
        created_at=1561486893,
    )


@pytest.mark.parametrize("scope", [scope for scope in CHANGE_SCOPES if "shipment" not in scope])
def test_every_scope_about_an_order_names_it_as_id(scope: str) -> None:
    assert Callback.parse(order_callback(scope, 252)).order_id == 252


@pytest.mark.parametrize("kind", ["created", "updated", "deleted"])
def test_a_shipment_names_its_order_beside_its_own_id(kind: str) -> None:
    read = Callback.parse(shipment_callback(f"store/shipment/{kind}", 252))

    assert (read.order_id, read.part) == (252, "shipments")


@pytest.mark.parametrize(
    ("body", "part"),
    [
        (order_callback(REFUND_CREATED, refund={"refund_id": 3}), "refunds"),
        (order_callback("store/order/updated"), None),
        (callback(), None),
    ],
)
def test_a_callback_names_the_list_that_may_change_without_the_order(
    body: bytes, part: str | None
) -> None:
    assert Callback.parse(body).part == part


@pytest.mark.parametrize(
    "body",
    [
        callback("252"),
        order_callback("store/order/created", "252"),
        shipment_callback(order_id="252"),
    ],
)
def test_an_id_may_be_sent_as_text(body: bytes) -> None:
    assert Callback.parse(body).order_id == 252


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"previous_status_id": 0, "new_status_id": 11}, 11),
        ({"new_status_id": "11"}, 11),
        ({"new_status_id": None}, None),
        ({"new_status_id": "eleven"}, None),
        ({"new_status_id": [11]}, None),
        ({}, None),
        (None, None),
        (11, None),
        ("11", None),
        ([11], None),
    ],
)
def test_the_new_status_is_none_unless_the_callback_names_one(
    status: object, expected: int | None
) -> None:
    body = order_callback(STATUS_UPDATED, status=status)

    assert Callback.parse(body).new_status_id == expected
    assert Callback.parse(body).order_id == 252


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ({"hash": None, "created_at": None}, (None, None)),
        ({"hash": 7, "created_at": "yesterday"}, (None, None)),
        ({"hash": ["a"], "created_at": True}, (None, None)),
        ({"hash": "a", "created_at": -1}, ("a", None)),
        ({"hash": "a", "created_at": 2**63}, ("a", None)),
        ({"hash": "a", "created_at": 1.5}, ("a", None)),
    ],
)
def test_what_is_only_recorded_may_be_of_any_type(
    overrides: dict[str, Any], expected: tuple[str | None, int | None]
) -> None:
    read = Callback.parse(callback(**overrides))

    assert read.order_id == 252
    assert (read.hash, read.created_at) == expected


@pytest.mark.parametrize("body", UNUSABLE_CALLBACKS.values(), ids=UNUSABLE_CALLBACKS)
def test_a_callback_without_an_order_of_a_registered_scope_names_none(body: bytes) -> None:
    assert Callback.parse(body).order_id is None


@pytest.mark.parametrize("body", UNREADABLE_CALLBACKS.values(), ids=UNREADABLE_CALLBACKS)
def test_a_body_that_is_no_callback_is_an_error(body: bytes) -> None:
    with pytest.raises(UnreadableCallback):
        Callback.parse(body)


@pytest.mark.parametrize("field", ["scope", "producer"])
def test_the_error_contains_no_value_of_the_callback(field: str) -> None:
    with pytest.raises(UnreadableCallback, match=field) as failure:
        Callback.parse(callback(**{field: {"email": "jane.doe@example.com"}}))

    assert "jane" not in str(failure.value)


@given(st.binary(max_size=300))
def test_any_body_is_a_callback_or_a_known_error(body: bytes) -> None:
    with pytest.raises(UnreadableCallback):
        Callback.parse(body)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(
    st.sampled_from(["store/cart/converted", "store/shipment/created", *CHANGE_SCOPES]),
    st.fixed_dictionaries(
        {}, optional=dict.fromkeys(["id", "orderId", "status", "type"], anything)
    ),
)
def test_any_payload_of_a_registered_scope_is_a_callback(scope: str, data: dict[str, Any]) -> None:
    read = Callback.parse(
        json.dumps({**json.loads(callback()), "scope": scope, "data": data}).encode()
    )

    assert read.order_id is None or 1 <= read.order_id < 2**63
