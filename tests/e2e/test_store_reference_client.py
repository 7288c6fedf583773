"""BigCommerce's own Python client reads the simulated store: a reader that knows nothing of it.

The client (0.23.4) is from 2021 and insists on https://api.bigcommerce.com, so an adapter under its
session takes the requests to the simulator. What it cannot do against the API of today, live as
here: show an empty collection (a 204 becomes one object without fields), read more than the first
50 lines of an order by `.products()`, and save an order with the read-only fields that it read."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from bigcommerce.api import BigcommerceApi
from bigcommerce.exception import (
    ClientRequestException,
    RateLimitingException,
)
from requests.adapters import HTTPAdapter

from sandbox.store import Store
from sandbox.store.clock import SimulatedClock
from sandbox.store.statuses import Status

HOST = "https://api.bigcommerce.com"


class ToTheSandbox(HTTPAdapter):
    """Sends what is meant for BigCommerce to a simulated store."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self._url = store.url

    def send(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> requests.Response:
        request.url = str(request.url).replace(HOST, self._url, 1)
        return super().send(request, *args, **kwargs)


@pytest.fixture
def store() -> Iterator[Store]:
    with Store(clock=SimulatedClock(1_750_000_000), quota=50) as store:
        yield store


@pytest.fixture
def api(store: Store) -> Iterator[BigcommerceApi]:
    api = BigcommerceApi(
        client_id="any", store_hash=store.store_hash, access_token=store.access_token
    )
    api.connection._session.mount(HOST, ToTheSandbox(store))
    yield api
    api.connection._session.close()


def test_the_client_pages_through_all_orders(store: Store, api: BigcommerceApi) -> None:
    placed = store.place_orders(260)

    assert [order.id for order in api.Orders.iterall()] == placed


def test_the_client_lists_by_status_in_pages(store: Store, api: BigcommerceApi) -> None:
    placed = store.place_orders(5, statuses=[Status.AWAITING_PAYMENT])
    store.place_order()

    assert [order.id for order in api.Orders.all(status_id=7, limit=2, page=2)] == placed[2:4]


def test_the_client_counts(store: Store, api: BigcommerceApi) -> None:
    store.place_orders(3)

    assert api.Orders.count() == 3


def test_the_client_reads_an_order_with_its_sub_resources(
    store: Store, api: BigcommerceApi
) -> None:
    order_id = store.place_order(lines=3, addresses=2, coupons=1)
    whole = store.whole(order_id)

    order = api.Orders.get(order_id)

    assert (order.status_id, order.billing_address) == (11, whole["billing_address"])
    assert [line.name for line in order.products()] == [line["name"] for line in whole["products"]]
    assert [to.city for to in order.shipping_addresses()] == [
        to["city"] for to in whole["shipping_addresses"]
    ]
    assert [coupon.code for coupon in order.coupons()] == [whole["coupons"][0]["code"]]


def test_the_client_takes_an_empty_collection_for_an_object_without_fields(
    store: Store, api: BigcommerceApi
) -> None:
    order = api.Orders.get(store.place_order(kind="digital", coupons=0))

    for nothing in (order.coupons(), order.shipping_addresses()):
        assert nothing.keys() <= {"_connection"}


def test_the_client_reads_fifty_lines_of_an_order(store: Store, api: BigcommerceApi) -> None:
    order = api.Orders.get(store.place_order(lines=51))

    assert len(order.products()) == 50


def test_the_client_moves_an_order(store: Store, api: BigcommerceApi) -> None:
    order_id = store.place_order()

    moved = api.Orders.get(order_id).update(status_id=9)

    assert moved.status == "Awaiting Shipment"
    assert store.order(order_id)["status_id"] == 9


def test_the_client_cannot_send_an_order_back_as_it_was(store: Store, api: BigcommerceApi) -> None:
    order = api.Orders.get(store.place_order())

    with pytest.raises(ClientRequestException, match="cannot be written to"):
        order.update(id=order.id, status_id=9)


def test_the_client_understands_the_rate_limit(store: Store, api: BigcommerceApi) -> None:
    api.Orders.all()
    assert api.connection.rate_limit["requests_remaining"] == 49

    store.use_quota(49)
    with pytest.raises(RateLimitingException):
        api.Orders.all()


def test_the_client_registers_a_webhook(store: Store, api: BigcommerceApi) -> None:
    made = api.Webhooks.create(
        scope="store/cart/converted", destination="https://example.com/", headers={"X-A": "b"}
    )

    assert [hook.id for hook in api.Webhooks.all()] == [made.id]
    assert api.Webhooks.get(made.id).headers == {"X-A": "b"}


def test_the_client_creates_and_archives_an_order(store: Store, api: BigcommerceApi) -> None:
    made = api.Orders.create(
        billing_address={"zip": "1"}, products=[{"name": "Mug", "quantity": 1}]
    )

    made.delete()

    assert made.status == "Pending"
    assert store.order(made.id)["is_deleted"] is True
