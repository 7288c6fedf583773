"""`rehearse`: what it forecasts happens, and nothing but GET requests leaves it."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ops.__main__ import main
from ops.rehearse.connection import TOKEN
from sandbox.pump import Batch
from sandbox.store import Store
from sandbox.store.clock import SimulatedClock
from sandbox.store.faults import Fault
from sandbox.store.statuses import Status
from sandbox.world import World
from tests.e2e.conftest import Ops

HASH = "theirs1"
SINCE_DAYS = 30


@pytest.fixture
def foreign(monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store that the code was not written for, whose token is in the environment."""
    clock = SimulatedClock()
    store = Store(clock=clock, store_hash=HASH, quota=450)
    monkeypatch.setenv(TOKEN, store.access_token)
    return store


@pytest.fixture
def rehearse(foreign: Store) -> Callable[..., Result]:
    """Run the command against the store, without a stage."""

    def run(*arguments: str) -> Result:
        with foreign:
            given = ["--store-hash", HASH, "--api-url", foreign.url, *arguments]
            return CliRunner().invoke(main, ["rehearse", *given], obj=foreign.clock)

    return run


@pytest.fixture
def forecast(rehearse: Callable[..., Result]) -> Callable[..., Any]:
    def run(*arguments: str) -> Any:
        result = rehearse(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return run


def place_odd_orders(store: Store) -> dict[str, int]:
    """Orders of all kinds; the ids of those that are none of the usual mix, by what is odd."""
    store.place_orders(120, over=timedelta(days=60))
    now = store.clock.now()
    old, recent = now - timedelta(days=SINCE_DAYS + 1), now - timedelta(days=2)
    placed = {
        "unpaid": store.place_order(status=Status.AWAITING_PAYMENT, created=recent),
        "collected": store.place_order(kind="pickup", created=recent),
        "partly collected": store.place_order(kind="partial_pickup", created=recent),
        "digital": store.place_order(kind="digital", created=recent),
        "certificate": store.place_order(kind="gift_certificate", created=recent),
        "completed, goods": store.place_order(status=Status.COMPLETED, created=recent),
        "completed, digital": store.place_order(
            status=Status.COMPLETED, kind="digital", created=now - timedelta(days=20)
        ),
        "channel 2": store.place_order(channel_id=2, created=recent),
        "channel 3": store.place_order(channel_id=3, created=recent),
        "old": store.place_order(created=old),
        "archived": store.place_order(created=recent),
        "unreadable": store.place_order(date_modified="never", created=recent),
        "unreadable, old": store.place_order(date_modified="never", created=old),
        "60 lines": store.place_order(lines=60, created=recent),
        "300 lines": store.place_order(lines=300, created=recent),
        "too large": store.place_order(staff_notes="x" * 500_000, created=recent),
        "without embedded lines": store.place_order(kind="digital", created=recent),
        "shipped": store.place_order(created=recent),
        "just now": store.place_order(),
    }
    store.archive(placed["archived"])
    store.ship(placed["shipped"])
    empty = {"kind": "embedded", "limit": 0, "warns": False, "times": None}
    route, order_id = "GET /orders*", placed["without embedded lines"]
    store.faults.add(Fault(route=route, order_id=order_id, **empty))
    return placed


def run_the_service(world: World) -> int:
    """The first poll, and everything that follows from it; the requests that the store counts."""

    def after(_: Batch) -> None:
        world.clock.sleep(1)
        world.deliver_webhooks()

    before = sum(world.store.requests.values())
    error = world.poll()
    assert error is None
    world.pump.settle(after=after)
    return sum(world.store.requests.values()) - before


def ids_in(reasons: dict[str, Any]) -> set[int]:
    found = {order_id for each in reasons.values() for order_id in each["ids"]}
    assert len(found) == sum(each["count"] for each in reasons.values())
    return found


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"MOVE_UNPAID": "false", "CHANNEL_IDS": "1,2"},
        {"EMBEDDED_READS": "true", "PICKUP_STATUS_ID": "9"},
    ],
    ids=["defaults", "unpaid stay, two channels", "embedded"],
)
def test_what_is_forecast_happens(foreign, forecast, new_world, settings):
    odd = place_odd_orders(foreign)
    since = (foreign.clock.now() - timedelta(days=SINCE_DAYS)).isoformat()
    given = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]

    told = forecast("--replicate-since", since, *given)
    world = new_world(
        store=foreign,
        clock=foreign.clock,
        BIGCOMMERCE_STORE_HASH=HASH,
        REPLICATE_SINCE=since,
        **settings,
    )
    requests = run_the_service(world)

    moves = {(each["order_id"], each["from"], each["to"]) for each in told["moves"]}
    assert moves == {
        (each.order_id, each.before, each.after)
        for each in foreign.status_changes
        if each.by == "api"
    }
    failing = {odd["unreadable"], odd["too large"]}
    not_moved = ids_in(told["stored_and_not_moved"])
    stored = {item["id"] for item in world.items("orders")}
    assert {each[0] for each in moves} | not_moved - failing == stored
    assert failing <= not_moved
    left = set(foreign.order_ids()) - stored - failing - {odd["archived"]}
    assert ids_in(told["left_alone"]) == left
    print("NUM", told["first_sweep"], requests, world.store.requests)
    assert told["first_sweep"]["total"] == pytest.approx(requests, rel=0.1)
