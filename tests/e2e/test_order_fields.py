"""The fields of orders: what a sweep reports about them, and that no order depends on it."""

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.order_fields import ENOUGH_ORDERS
from sandbox.world import World
from tests.e2e.conftest import Ops
from tests.e2e.journeys import DAY, confirm, replicated
from tests.factories import events

PLAIN: dict[str, Any] = {"via": "api", "lines": 1, "coupons": 0, "fees": 0}
"""An order without the fields that only some orders have."""


@pytest.fixture
def known(world: World) -> World:
    """A stage whose sweep has kept the fields of two orders, which have a field `points`."""
    change(world, 2, points="5")
    return world


def change(world: World, number: int = 1, **fields: Any) -> list[int]:
    """Place orders with these fields, replicate them, and sweep a day later."""
    ids = [world.store.place_order(**PLAIN, **fields) for _ in range(number)]
    world.poll()
    world.settle()
    confirm(world)
    return ids


def reported(caplog: pytest.LogCaptureFixture) -> list[dict[str, list[str]]]:
    """The names in each report, by what has changed."""
    return [
        {kind: found for kind in ("new", "gone", "retyped") if (found := vars(each)[kind])}
        for each in caplog.records
        if vars(each).get("event") == "order_fields_changed"
    ]


def changes(world: World) -> list[tuple[str, str]]:
    item = world.order_fields()
    assert item is not None
    return [(each["kind"], each["path"]) for each in item["changes"]]


def test_the_first_comparison_keeps_the_fields_and_reports_nothing(known: World, caplog):
    item = known.order_fields()

    assert item is not None
    assert item["orders"] == 2
    assert item["fields"]["products[].base_price"] == {"types": ["string"], "usual": False}
    assert not {path for path in item["fields"] if path.startswith("replication")}
    assert "created_day" not in item["fields"]
    assert (reported(caplog), item["changes"]) == ([], [])


def test_a_stage_without_orders_keeps_nothing(world: World):
    world.poll()
    confirm(world)

    assert world.order_fields() is None


def test_a_new_field_is_reported_once_and_stops_no_order(known: World, caplog):
    (order_id,) = change(known, points="5", tier={"name": "gold"})

    assert replicated(known, order_id)
    assert reported(caplog) == [{"new": ["tier"]}]
    confirm(known)
    assert len(reported(caplog)) == 1
    assert changes(known) == [("new", "tier")]


def test_a_field_of_another_type_is_reported(known: World, caplog):
    change(known, points=5)

    assert reported(caplog) == [{"retyped": ["points"]}]


def test_a_usual_field_that_all_newest_orders_are_without_is_reported(world: World, caplog):
    change(world, ENOUGH_ORDERS, points="5")
    world.advance(8 * DAY)
    change(world, ENOUGH_ORDERS - 1)
    assert reported(caplog) == []

    change(world)

    assert reported(caplog) == [{"gone": ["points"]}]


def test_the_change_is_counted_by_the_metric(known: World, metrics, ops: Ops):
    change(known, points=5, tier="gold", rank=5)
    metrics.publish()

    (found,) = known.stack.cloudwatch.get_metric_statistics(
        Namespace=f"order-replication/{known.stack.stage}",
        MetricName="OrderFieldsChanged",
        StartTime=known.clock.now() - timedelta(hours=1),
        EndTime=known.clock.now() + timedelta(hours=1),
        Period=86400,
        Statistics=["Sum"],
    )["Datapoints"]

    assert found["Sum"] == 3


def test_a_forgotten_order_has_no_fields(known: World, ops: Ops, caplog):
    (order_id,) = change(known, points="5")
    ops("forget", "--order", str(order_id))

    confirm(known)

    assert reported(caplog) == []
    item = known.order_fields()
    assert item is not None
    assert item["orders"] == 2


def test_an_item_of_another_program_is_left_out(known: World, caplog):
    day = known.clock.now().date().isoformat()
    known.stack.dynamodb.put_item(
        TableName=known.stack.name("orders"),
        Item={"id": {"N": "7"}, "created_day": {"S": day}, "note": {"S": "not ours"}},
    )

    confirm(known)

    assert reported(caplog) == []


def test_an_unreadable_set_of_fields_is_left_as_it_is(known: World, caplog):
    key = {"store_hash": {"S": "sandbox"}, "started_at": {"S": "order_fields"}}
    item = {**key, "fields": {"S": "not ours"}}
    known.stack.dynamodb.put_item(TableName=known.stack.name("jobs"), Item=item)

    (order_id,) = change(known, tier="gold")

    assert replicated(known, order_id)
    assert events(caplog).count("order_fields_not_compared") == 1
    assert known.items("jobs")[-1]["outcome"] == "succeeded"
