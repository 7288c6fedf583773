"""Every request to the store is one that BigCommerce's reference documents.

`tests/schemas/requests.py` states the reference. What differs from it, and why, is in DEPARTURES.
"""

from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from requests.adapters import HTTPAdapter

from sandbox.store.faults import Fault
from sandbox.store.statuses import Status
from sandbox.world import World
from tests.e2e.conftest import Ops
from tests.e2e.journeys import DAY, come_to_rest
from tests.schemas.requests import OPERATIONS, differences

DEPARTURES = {
    "PUT /v2/orders/0: ('status_id',) missing": "doctor asks whether the token may change orders, "
    "with a request that cannot change one",
}

OF_FEES = dict.fromkeys(
    (f"GET /v2/orders/{{id}}/fees has no parameter {name}" for name in ("page", "limit")),
    "every list is requested in pages; the reference leaves open what an unknown parameter does",
)
"""Departures for a store that does not return the fees with the order."""

WITHOUT_EMBEDDED = {"GET /v2/orders/{id}/consignments", "GET /v2/orders/{id}/fees"}
"""Operations that are needed only if a store does not return both with the order."""

Sent = list[tuple[str, str, str | bytes | None]]


def record(world: World, monkeypatch: pytest.MonkeyPatch) -> Sent:
    """A list that gets the method, URL and body of every request to the store."""
    found: Sent = []
    original: Any = HTTPAdapter.send

    def send(adapter: HTTPAdapter, request: requests.PreparedRequest, **options: Any) -> Any:
        if request.url and request.url.startswith(f"{world.store.url}/stores/"):
            found.append((str(request.method), request.url, request.body))
        return original(adapter, request, **options)

    monkeypatch.setattr(HTTPAdapter, "send", send)
    return found


def live(world: World) -> None:
    """What the service does in the life of orders of every kind, and what an operator does."""
    store = world.store
    store.place_orders(12)
    world.poll()
    world.settle()
    order_id = store.place_order(lines=3, coupons=2, fees=1)
    pickup = store.place_order(kind="pickup")
    many = store.place_order(lines=260)
    come_to_rest(world)
    for each in (order_id, many):
        store.ship(each)
        store.refund(each, "1.00")
    store.edit(pickup, staff_notes="called")
    come_to_rest(world)
    store.archive(order_id)
    come_to_rest(world)
    for _ in range(3):
        store.place_order(via="api", status=Status.SHIPPED)
    world.advance(DAY)
    world.poll()
    world.settle()


def operate(world: World) -> None:
    ops = Ops(world)
    order_id = world.store.place_order(via="api")
    hook_id = next(iter(world.store.callbacks.hooks))
    world.store.callbacks.change(hook_id, is_active=False)
    for command in (
        f"replay {order_id}",
        f"explain {order_id}",
        "audit --fix --wait 0",
        "backfill --since 2019-01-01 --until 2100-01-01",
        "embedded-reads --orders 5",
        "doctor",
        "webhook list",
        "webhook register --email alerts@example.com",
        "webhook remove",
        "webhook register",
    ):
        result = ops(*command.split())
        assert result.exception is None or isinstance(result.exception, SystemExit), command
    world.settle()


@pytest.mark.parametrize(
    ("settings", "store_embeds"),
    [({}, True), ({"EMBEDDED_READS": "true"}, True), ({}, False)],
    ids=["default", "embedded_reads", "a store that refuses the embedded form"],
)
def test_every_request_is_documented(new_world, monkeypatch, settings, store_embeds):
    world = new_world(**settings)
    if not store_embeds:
        refused = Fault(route="GET /orders*", kind="status", status=400, embedded=True, times=None)
        world.store.faults.add(refused)
    sent = record(world, monkeypatch)

    live(world)
    operate(world)

    expected = DEPARTURES if store_embeds else DEPARTURES | OF_FEES
    assert set().union(*(differences(*each) for each in sent)) == expected.keys()
    asked = {(method, f"/{urlsplit(url).path.split('/', 3)[3]}") for method, url, _ in sent}
    never = {
        f"{each.method} {each.path}"
        for each in OPERATIONS
        if not any(each.matches(*request) for request in asked)
    }
    assert never == (WITHOUT_EMBEDDED if store_embeds else set())


@pytest.mark.parametrize(
    ("request_", "difference"),
    [
        (("GET", "orders?min_id=1&is_deleted=false", None), "has no parameter is_deleted"),
        (("GET", "orders?min_date_modified=yesterday", None), "another form of min_date_modified"),
        (("GET", "orders/118/invoices", None), "is not documented"),
        (("PUT", "orders/118", '{"status_id": "9"}'), "int_type"),
        (("PUT", "orders/118", '{"status_id": 9, "staff_notes": ""}'), "extra_forbidden"),
        (("PUT", "orders/118", None), "a body is missing"),
    ],
    ids=str,
)
def test_a_request_that_is_not_documented_is_noticed(request_, difference):
    method, path, body = request_

    (found,) = differences(method, f"http://127.0.0.1/stores/sandbox/v2/{path}", body)

    assert difference in found
