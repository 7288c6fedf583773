"""The simulated store that the service was not written for."""

import re
import shlex
import subprocess
import sys

import pytest
import requests
from click.testing import CliRunner

from ops.__main__ import main
from ops.rehearse.connection import TOKEN
from sandbox.store import Store
from sandbox.store.clock import SimulatedClock
from sandbox.store.foreign import FAILING, foreign_store, introduction, odd_orders
from sandbox.store.statuses import Status

LEFT = "X-Rate-Limit-Requests-Left"


def ask(store: Store, path: str) -> requests.Response:
    url = f"{store.url}/stores/{store.store_hash}/v2/{path}"
    return requests.get(url, headers={"X-Auth-Token": store.access_token}, timeout=5)


def test_the_same_seed_makes_the_same_store():
    one, same = (foreign_store(200, clock=SimulatedClock(1_750_000_000), seed=3) for _ in range(2))
    other = foreign_store(200, clock=SimulatedClock(1_750_000_000), seed=4)

    assert [one.order(n) for n in one.order_ids()] == [same.order(n) for n in same.order_ids()]
    assert one.order_ids() != other.order_ids()
    assert len(one.order_ids()) == 200


def test_its_newest_orders_are_of_all_kinds():
    store = foreign_store(1000, clock=SimulatedClock())
    orders = [store.order(n) for n in store.order_ids()]

    assert {order["status_id"] for order in orders} >= {1, 7, 10, 11, 12}
    assert len({order["channel_id"] for order in orders}) > 4
    assert sum(order["is_deleted"] for order in orders) > 1
    assert any("-0001" in order["date_modified"] for order in orders)
    assert odd_orders(store.clock.now()).keys() > FAILING


def test_a_status_that_was_renamed_keeps_its_id():
    with foreign_store(100, clock=SimulatedClock()) as store:
        rows = {row["id"]: row for row in ask(store, "order_statuses").json()}
        order = ask(store, "orders?status_id=11&limit=1").json()[0]

    assert rows[Status.AWAITING_FULFILLMENT]["custom_label"] == order["custom_status"] == "Neu"
    assert rows[Status.AWAITING_FULFILLMENT]["system_label"] == order["status"]
    assert order["status_id"] == Status.AWAITING_FULFILLMENT


def test_other_apps_use_their_part_of_every_window():
    clock = SimulatedClock()
    with foreign_store(100, clock=clock, quota=150, used_by_others=45) as store:
        left = [ask(store, "orders/count").headers[LEFT] for _ in range(2)]
        clock.advance(30)
        left.append(ask(store, "orders/count").headers[LEFT])

    assert left == ["104", "103", "104"]


def test_the_command_that_it_prints_rehearses_on_it(monkeypatch):
    with foreign_store(100, clock=SimulatedClock()) as store:
        text = introduction(store, 100)
        given = re.search(r'make rehearse STORE_HASH=(\S+) ARGS="(.*) --report', text)
        token = re.search(rf"export {TOKEN}=(\S+)", text)
        assert given and token
        monkeypatch.setenv(TOKEN, token[1])
        command = ["rehearse", "--store-hash", given[1], *shlex.split(given[2])]
        result = CliRunner().invoke(main, command, obj=store.clock)

    assert result.exit_code == 0, result.output


@pytest.mark.exhaustive
def test_it_runs_as_a_command():
    command = [sys.executable, "-m", "sandbox", "foreign-store", "--orders", "100", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603  (our own module)
        assert process.stdout is not None
        root = re.search(r"http://127.0.0.1:\d+/stores/foreign/v2", process.stdout.readline())
        assert root is not None
        headers = {"X-Auth-Token": "sandbox-access-token"}
        answer = requests.get(f"{root[0]}/orders/count", headers=headers, timeout=5)
        process.terminate()

    assert 0 < answer.json()["count"] < 100, "archived orders are not counted"
