"""Replicating one order against the table and the client: what is written at each step."""

import json
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import responses

from chalicelib.domain.models import Order
from chalicelib.edges.bigcommerce import BigCommerce
from chalicelib.edges.dynamodb import OrdersTable
from chalicelib.edges.dynamodb_jobs import JobsTable
from chalicelib.reading import Reader
from chalicelib.replication import MovesPaused, Replicator
from chalicelib.switches import Switches
from tests.factories import (
    NOW,
    STORE_HASH,
    V2,
    FakeClock,
    address,
    at,
    line,
    order_fields,
    policy,
    store_date,
    task,
)
from tests.integration.conftest import Stage


@pytest.fixture
def orders(stage: Stage, clock: FakeClock) -> OrdersTable:
    return OrdersTable(stage.dynamodb, stage.name("orders"), clock)


@pytest.fixture
def fetchers() -> Iterator[Executor]:
    with ThreadPoolExecutor(3) as pool:
        yield pool


@pytest.fixture
def jobs(stage: Stage, clock: FakeClock) -> JobsTable:
    return JobsTable(stage.dynamodb, stage.name("jobs"), STORE_HASH, timedelta(days=90), clock)


@pytest.fixture
def replicate(
    store: BigCommerce, orders: OrdersTable, jobs: JobsTable, clock: FakeClock, fetchers: Executor
) -> Any:
    """Replicate an order that is read now, under a policy with these overrides."""

    def run(fields: Any, **overrides: Any) -> None:
        order = Order.parse(fields, read_at=clock.now(), requested_at=clock.now())
        switches, rules = Switches(jobs, clock), policy(**overrides)
        reader = Reader(store, switches, fetchers, rules.embedded_reads)
        replicator = Replicator(store, orders, rules, switches, clock, reader)
        replicator.replicate(order, orders.records([order.id]).get(order.id), task())

    return run


@pytest.fixture
def lines() -> list[Any]:
    return [line(weight="0.1")]


@pytest.fixture(autouse=True)
def parts(web: responses.RequestsMock, lines: list[Any]) -> None:
    """The lists of order 118: its lines are those of a test, which may add to them."""
    web.get(f"{V2}/orders/118/products", json=lines)
    web.get(f"{V2}/orders/118/shipping_addresses", json=[address()])
    for name in ("coupons", "fees", "consignments"):
        web.get(f"{V2}/orders/118/{name}", status=204)


MOVED: dict[str, Any] = {
    "status_id": 9,
    "status": "Awaiting Shipment",
    "custom_status": "Jane's parcel",
    "date_modified": store_date(at(1)),
}


def test_a_moved_order_equals_the_store_at_once(
    web: responses.RequestsMock, orders: OrdersTable, replicate: Any
) -> None:
    web.put(f"{V2}/orders/118", json=order_fields(**MOVED))

    replicate(order_fields())

    stored = orders.read(118)
    assert stored is not None
    assert {name: stored[0][name] for name in MOVED} == MOVED
    assert stored[1].version == int(at(1).timestamp())
    assert stored[1].read_at == NOW


def test_an_order_is_not_moved_when_moves_are_paused_while_it_is_read(
    web: responses.RequestsMock,
    orders: OrdersTable,
    jobs: JobsTable,
    replicate: Any,
    clock: FakeClock,
) -> None:
    """Its lines arrive after 21 seconds, and meanwhile an operator pauses moves."""

    def late(_: object) -> tuple[int, dict[str, str], str]:
        clock.advance(21)
        item = {"store_hash": {"S": STORE_HASH}, "started_at": {"S": "pause"}}
        jobs.client.put_item(TableName=jobs.name, Item=item)
        return 200, {"Content-Type": "application/json"}, json.dumps([line(weight="0.1")])

    web.remove("GET", f"{V2}/orders/118/products")
    web.add_callback("GET", f"{V2}/orders/118/products", callback=late)

    with pytest.raises(MovesPaused):
        replicate(order_fields())

    stored = orders.read(118)
    assert stored is not None
    assert (stored[1].pending_move, stored[1].is_moved) == (None, False)


@pytest.mark.parametrize("name", ["custom_status", "status"])
def test_a_move_does_not_write_a_redacted_field(
    web: responses.RequestsMock, orders: OrdersTable, replicate: Any, name: str
) -> None:
    web.put(f"{V2}/orders/118", json=order_fields(**MOVED))

    replicate(order_fields(), redacted_fields=(name,))

    stored = orders.read(118)
    assert stored is not None
    assert name not in stored[0]
    assert stored[0]["status_id"] == 9


@pytest.mark.parametrize("lines", [[line(id=n, weight=0.1, note="x" * 2000) for n in range(240)]])
def test_a_large_order_can_be_read_after_it_was_confirmed(
    web: responses.RequestsMock,
    orders: OrdersTable,
    replicate: Any,
    clock: FakeClock,
    lines: list[Any],
) -> None:
    for _ in range(2):
        replicate(order_fields(status_id=12))
        clock.advance(60)

    stored = orders.read(118)
    assert stored is not None
    fields, record = stored
    assert record.encoding == {"products": "gzip+json"}
    assert fields["products"][239]["weight"] == Decimal("0.1")
    assert record.read_at == NOW.replace(minute=1)
