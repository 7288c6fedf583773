"""The simulated store limits requests as BigCommerce does, and fails as configured."""

import re
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from sandbox.store import Store
from sandbox.store.clock import SimulatedClock
from sandbox.store.control import ROUTES
from sandbox.store.faults import KINDS, Fault
from sandbox.store.statuses import Status

START = 1_750_000_000
HEADERS = {
    "X-Rate-Limit-Time-Window-Ms",
    "X-Rate-Limit-Time-Reset-Ms",
    "X-Rate-Limit-Requests-Quota",
    "X-Rate-Limit-Requests-Left",
}
EMBEDDED = "include=consignments.line_items&consignment_structure=object"
Ask = Callable[..., requests.Response]


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(START)


@pytest.fixture
def store(clock: SimulatedClock) -> Iterator[Store]:
    with Store(clock=clock, quota=5) as store:
        yield store


@pytest.fixture
def ask(store: Store) -> Iterator[Ask]:
    with requests.Session() as session:

        def ask(path: str, method: str = "GET", **options: Any) -> requests.Response:
            url = f"{store.url}/stores/{store.store_hash}/v2{path}"
            headers = {"X-Auth-Token": store.access_token}
            return session.request(method, url, headers=headers, **{"timeout": 5, **options})

        yield ask


def statuses(ask: Ask, path: str, calls: int) -> list[int]:
    return [ask(path).status_code for _ in range(calls)]


def test_every_answer_has_the_headers_of_the_window(
    store: Store, ask: Ask, clock: SimulatedClock
) -> None:
    clock.advance(10)
    answers = [ask("/time"), ask("/orders"), ask("/orders/7"), ask("/orders?x=1")]

    for used, answer in enumerate(answers, start=1):
        assert {name: answer.headers[name] for name in HEADERS} == {
            "X-Rate-Limit-Time-Window-Ms": "30000",
            "X-Rate-Limit-Time-Reset-Ms": "20000",
            "X-Rate-Limit-Requests-Quota": "5",
            "X-Rate-Limit-Requests-Left": str(5 - used),
        }


def test_beyond_the_quota_is_429_until_the_window_is_over(
    store: Store, ask: Ask, clock: SimulatedClock
) -> None:
    assert statuses(ask, "/time", 7) == [200] * 5 + [429] * 2
    refused = ask("/time")
    assert refused.headers["X-Rate-Limit-Requests-Left"] == "0"

    clock.advance(int(refused.headers["X-Rate-Limit-Time-Reset-Ms"]) / 1000 - 0.001)
    assert ask("/time").status_code == 429
    clock.advance(0.001)
    assert ask("/time").status_code == 200


def test_past_windows_are_recorded(store: Store, ask: Ask, clock: SimulatedClock) -> None:
    statuses(ask, "/time", 7)
    clock.advance(95)
    ask("/time")
    clock.advance(30)

    seen = [(round(w.started_at - START), w.used, w.quota, w.throttled) for w in store.windows]
    assert seen == [(0, 5, 5, 2), (90, 1, 5, 0)]


def test_other_apps_use_the_same_quota(store: Store, ask: Ask) -> None:
    store.use_quota(3)

    assert statuses(ask, "/time", 3) == [200, 200, 429]


def test_a_wrong_token_costs_no_quota(store: Store, ask: Ask) -> None:
    store.revoke_token()
    refused = [ask("/time") for _ in range(6)]
    store.restore_token()

    assert {answer.status_code for answer in refused} == {401}
    assert set(refused[0].headers) >= HEADERS
    assert statuses(ask, "/time", 6) == [200] * 5 + [429]


def test_a_429_may_come_with_headers_although_requests_are_left(store: Store, ask: Ask) -> None:
    store.faults.add(Fault("GET /orders", "status", status=429, retry_after=7))

    refused = ask("/orders")

    assert refused.status_code == 429
    assert refused.headers["X-Rate-Limit-Requests-Left"] == "0"
    assert refused.headers["X-Rate-Limit-Time-Reset-Ms"] == "30000"
    assert refused.headers["X-Retry-After"] == "7"


def test_a_429_may_come_without_headers(store: Store, ask: Ask) -> None:
    store.faults.add(Fault("GET /orders", "status", status=429, headers=False))

    refused = ask("/orders")

    assert refused.status_code == 429
    assert not HEADERS & set(refused.headers)


def test_a_fault_applies_to_its_route_once_and_is_counted(store: Store, ask: Ask) -> None:
    first, second = store.place_order(), store.place_order()
    store.faults.add(Fault(f"GET /orders/{first}/products", "status", status=503))

    assert ask(f"/orders/{second}/products").status_code == 200
    assert statuses(ask, f"/orders/{first}/products", 2) == [503, 200]
    assert store.answers == {200: 2, 503: 1}


def test_a_fault_skips_the_first_calls_and_then_applies_so_often(store: Store, ask: Ask) -> None:
    store.faults.add(Fault("GET /time", "status", skip=1, times=2))

    assert statuses(ask, "/time", 5) == [200, 500, 500, 200, 200]


def test_a_fault_applies_to_every_nth_call(store: Store, ask: Ask) -> None:
    store.faults.add(Fault("*", "status", status=502, every=2, times=None))

    assert statuses(ask, "/time", 5) == [200, 502, 200, 502, 200]


def test_an_outage_lasts_until_its_end(store: Store, ask: Ask, clock: SimulatedClock) -> None:
    store.faults.add(Fault("*", "status", status=503, times=None, until=START + 60))

    assert [ask("/time").status_code, ask("/orders").status_code] == [503, 503]
    clock.advance(60)
    assert ask("/time").status_code == 200


def test_faults_apply_in_the_order_they_were_added(store: Store, ask: Ask) -> None:
    store.faults.add(Fault("*", "status", status=500), Fault("*", "status", status=504))

    assert statuses(ask, "/time", 3) == [500, 504, 200]


def test_cleared_faults_no_longer_apply(store: Store, ask: Ask) -> None:
    store.faults.add(Fault("*", "status", times=None))
    store.faults.clear()

    assert ask("/time").status_code == 200


@pytest.mark.parametrize("path", ["/orders", "/orders?status_id=5", "/time"])
def test_a_body_may_be_cut_short(store: Store, ask: Ask, path: str) -> None:
    store.place_order()
    store.faults.add(Fault("GET /*", "cut"))

    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        ask(path)
    assert ask(path).ok


def test_a_body_may_be_anything(store: Store, ask: Ask) -> None:
    store.faults.add(Fault("*", "body", body=b'{"a":'), Fault("*", "html", status=200))

    assert ask("/orders").content == b'{"a":'
    assert ask("/orders").text.startswith("<!DOCTYPE html>")


def test_a_connection_lost_before_the_work_changes_nothing(store: Store, ask: Ask) -> None:
    order_id = store.place_order()
    store.faults.add(Fault("PUT *", "drop_before"))

    with pytest.raises(requests.ConnectionError):
        ask(f"/orders/{order_id}", "PUT", json={"status_id": 9})
    assert store.status_changes == []


def test_a_connection_lost_after_the_work_leaves_it_done(store: Store, ask: Ask) -> None:
    order_id = store.place_order()
    store.faults.add(Fault("PUT *", "drop_after"))

    with pytest.raises(requests.ConnectionError):
        ask(f"/orders/{order_id}", "PUT", json={"status_id": 9})
    assert [change.after for change in store.status_changes] == [Status.AWAITING_SHIPMENT]


def test_a_slow_answer_takes_its_time_on_the_stores_clock(
    store: Store, ask: Ask, clock: SimulatedClock
) -> None:
    store.faults.add(Fault("GET /time", "slow", seconds=12))

    assert ask("/time").json() == {"time": START + 12}


def test_a_hanging_call_outlasts_the_clients_timeout(store: Store, ask: Ask) -> None:
    store.faults.add(Fault("GET /time", "hang"))

    with pytest.raises(requests.ReadTimeout):
        ask("/time", timeout=0.05)


def test_a_hanging_call_ends_when_the_client_leaves(store: Store, ask: Ask) -> None:
    store.faults.add(Fault("GET /time", "hang"))
    address = ("127.0.0.1", int(store.url.rsplit(":", 1)[1]))

    with socket.create_connection(address, timeout=10) as connection:
        path = f"/stores/{store.store_hash}/v2/time"
        request = (
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nX-Auth-Token: {store.access_token}\r\n\r\n"
        )
        connection.sendall(request.encode())
        connection.shutdown(socket.SHUT_WR)

        assert connection.recv(1) == b""
    assert ask("/time").status_code == 200


def test_a_hanging_call_ends_when_the_store_stops(clock: SimulatedClock) -> None:
    failures: list[Exception] = []
    with Store(clock=clock) as store:
        store.faults.add(Fault("*", "hang"))
        url = f"{store.url}/stores/sandbox/v2/time"

        def call() -> None:
            try:
                headers = {"X-Auth-Token": store.access_token}
                requests.get(url, headers=headers, timeout=30)
            except requests.ConnectionError as exc:
                failures.append(exc)

        caller = threading.Thread(target=call)
        caller.start()
        while not store.requests:
            pass
    caller.join(10)

    assert len(failures) == 1


def test_a_stale_read_shows_the_version_before(store: Store, ask: Ask) -> None:
    order_id = store.place_order()
    store.set_status(order_id, Status.SHIPPED)
    store.faults.add(Fault("GET /orders*", "stale", times=2))

    assert ask(f"/orders/{order_id}").json()["status_id"] == Status.AWAITING_FULFILLMENT
    assert [order["id"] for order in ask("/orders?status_id=11").json()] == [order_id]
    assert ask("/orders?status_id=11").status_code == 204


def test_an_order_may_be_missing_for_a_while(store: Store, ask: Ask) -> None:
    order_id = store.place_order()
    store.faults.add(Fault(f"GET /orders/{order_id}", "missing", times=2))

    assert statuses(ask, f"/orders/{order_id}", 3) == [404, 404, 200]


def test_faults_can_be_set_and_cleared_over_http(store: Store, ask: Ask) -> None:
    root = f"{store.url}/sandbox/faults"
    fault = {"route": "GET /time", "kind": "body", "body": "é", "times": None}

    assert requests.post(root, json=fault, timeout=5).json() == {"faults": 1}
    assert ask("/time").content == "é".encode()
    assert requests.delete(root, timeout=5).status_code == 204
    assert ask("/time").json() == {"time": START}
    assert requests.post(root, json={"route": "*", "kind": "odd"}, timeout=5).status_code == 400


@pytest.mark.parametrize("path", ["/", "/sandbox/"])
def test_the_index_lists_every_control_route_and_kind_of_fault(store: Store, path: str) -> None:
    index = requests.get(f"{store.url}{path}", timeout=5)

    assert index.headers["Content-Type"].startswith("text/plain")
    for route in ROUTES:
        assert (
            f"curl -X {route.method} {store.url}{route.path.replace('{id}', '100')}" in index.text
        )
    for kind in KINDS:
        assert f'"kind": "{kind}"' in index.text


def test_every_example_of_the_index_is_accepted(store: Store, ask: Ask) -> None:
    store.place_order()
    text = requests.get(store.url, timeout=5).text
    examples = re.findall(r"curl -X (\w+) (\S+)(?: -d '(.*)')?", text)

    answers = [
        requests.request(method, url, data=data, timeout=5) for method, url, data in examples
    ]

    assert len(examples) == len(ROUTES) + len(KINDS)
    assert all(answer.ok for answer in answers)


def test_a_connection_stays_open_and_each_answer_comes_in_one_send(store: Store) -> None:
    """Two sends would cost 40 ms with delayed acknowledgements."""
    address = ("127.0.0.1", int(store.url.rsplit(":", 1)[1]))
    with socket.create_connection(address, timeout=10) as connection:
        for _ in range(2):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            head, _, rest = connection.recv(65536).partition(b"\r\n\r\n")

            length = re.search(rb"Content-Length: (\d+)", head)
            assert length is not None
            assert len(rest) == int(length[1])


def test_people_act_between_the_reading_of_an_order_and_its_answer(
    store: Store, ask: Ask, clock: SimulatedClock
) -> None:
    order_id = store.place_order()

    def edit() -> None:
        store.edit(order_id, staff_notes="meanwhile")

    store.faults.add(Fault("GET /orders/*", "late", seconds=5, act=edit))

    assert ask(f"/orders/{order_id}").json()["staff_notes"] != "meanwhile"
    assert round(clock.time() - START) == 5
    assert ask(f"/orders/{order_id}").json()["staff_notes"] == "meanwhile"


def test_people_act_between_a_read_and_the_put_after_it(store: Store, ask: Ask) -> None:
    order_id = store.place_order()

    def ship() -> None:
        store.set_status(order_id, Status.SHIPPED)

    store.faults.add(Fault("PUT /orders/*", "before", act=ship))

    ask(f"/orders/{order_id}", "PUT", json={"status_id": 9})

    seen = [(change.before, change.after) for change in store.status_changes]
    assert seen == [(11, 2), (2, 9)]


@pytest.mark.parametrize("kind", ["slow", "late", "hang"])
def test_a_client_with_a_timeout_gives_up_by_the_stores_clock(
    clock: SimulatedClock, kind: str
) -> None:
    with Store(clock=clock, client_timeout=30) as store:
        store.faults.add(Fault("GET /time", kind, seconds=90))
        url = f"{store.url}/stores/sandbox/v2/time"

        with pytest.raises(requests.ConnectionError):
            requests.get(url, headers={"X-Auth-Token": store.access_token}, timeout=5)

    assert round(clock.time() - START) == 30


def test_a_dripping_answer_outlasts_every_timeout(clock: SimulatedClock) -> None:
    with Store(clock=clock, client_timeout=30) as store:
        store.faults.add(Fault("GET /time", "drip", seconds=90))
        url = f"{store.url}/stores/sandbox/v2/time"

        answer = requests.get(url, headers={"X-Auth-Token": store.access_token}, timeout=5)

    assert answer.json() == {"time": START}
    assert round(clock.time() - START) == 90


def test_a_put_takes_effect_although_its_client_has_given_up(clock: SimulatedClock) -> None:
    with Store(clock=clock, client_timeout=30) as store:
        order_id = store.place_order()
        store.faults.add(Fault("PUT /orders/*", "slow", seconds=90))
        url = f"{store.url}/stores/sandbox/v2/orders/{order_id}"
        headers = {"X-Auth-Token": store.access_token}

        with pytest.raises(requests.ConnectionError):
            requests.put(url, json={"status_id": 9}, headers=headers, timeout=5)
        assert store.order(order_id)["status_id"] == Status.AWAITING_FULFILLMENT
        clock.advance(100)
        store.set_status(order_id, Status.SHIPPED)

    seen = [(change.after, round(change.at - START)) for change in store.status_changes]
    assert seen == [(9, 90), (2, 130)]


def test_a_list_may_lack_its_last_members_for_a_while(store: Store, ask: Ask) -> None:
    order_id = store.place_order(lines=3)
    path = f"/orders/{order_id}"
    embedded = f"{path}?{EMBEDDED}"
    lines = ask(f"{path}/products").json()
    store.faults.add(Fault(f"GET {path}*", "short", missing=2, times=None, until=START + 60))

    assert ask(f"{path}/products").json() == lines[:1]
    assert ask(embedded).json()["consignments"]["shipping"][0]["line_items"] == lines[:1]
    assert ask(f"{path}/shipping_addresses").status_code == 204


def test_a_list_that_is_shorter_than_what_is_missing_is_empty(store: Store, ask: Ask) -> None:
    order_id = store.place_order(lines=3)
    store.faults.add(Fault("GET /orders/*", "short", missing=4, times=None))

    assert ask(f"/orders/{order_id}/products").status_code == 204
    [shipping] = ask(f"/orders/{order_id}?{EMBEDDED}").json()["consignments"]["shipping"]
    assert shipping["line_items"] == []


def test_a_list_may_be_short_in_the_embedded_form_alone(store: Store, ask: Ask) -> None:
    order_id = store.place_order(lines=3)
    store.faults.add(Fault("GET /orders*", "short", embedded=True, times=None))

    [shipping] = ask(f"/orders/{order_id}?{EMBEDDED}").json()["consignments"]["shipping"]

    assert (len(shipping["line_items"]), "__warning__" in shipping) == (2, False)
    assert len(ask(f"/orders/{order_id}/products").json()) == 3


@pytest.mark.parametrize("query", [EMBEDDED, "include=fees"])
def test_the_embedded_form_alone_may_be_refused(store: Store, ask: Ask, query: str) -> None:
    order_id = store.place_order()
    fault = {"route": "GET /orders*", "kind": "status", "status": 400, "embedded": True}
    requests.post(f"{store.url}/sandbox/faults", json=fault, timeout=5)

    plain = [ask(path).status_code for path in ("/orders", f"/orders/{order_id}")]
    refused = ask(f"/orders/{order_id}?{query}").status_code

    assert (plain, refused) == ([200, 200], 400)
    assert ask(f"/orders?{query}").status_code == 200


def test_reads_of_the_embedded_form_alone_may_be_too_slow(clock: SimulatedClock) -> None:
    with Store(clock=clock, client_timeout=30) as store, requests.Session() as session:
        order_id = store.place_order()
        store.faults.add(Fault("GET /orders*", "slow", seconds=90, embedded=True, times=None))
        session.headers["X-Auth-Token"] = store.access_token
        url = f"{store.url}/stores/sandbox/v2/orders/{order_id}"

        with pytest.raises(requests.ConnectionError):
            session.get(f"{url}?{EMBEDDED}", timeout=5)
        assert round(clock.time() - START) == 30
        assert session.get(url, timeout=5).status_code == 200
    assert round(clock.time() - START) == 30


@pytest.mark.parametrize(
    ("options", "shown", "is_marked"),
    [
        ({"limit": 0}, 0, True),
        ({"limit": 0, "warns": False}, 0, False),
        ({"limit": 2}, 2, True),
        ({"limit": 2, "warns": False}, 2, False),
    ],
)
def test_embedded_lines_may_be_missing(
    store: Store, ask: Ask, options: dict[str, Any], shown: int, is_marked: bool
) -> None:
    hit, spared = store.place_order(lines=3), store.place_order(lines=3)
    fault = Fault("GET /orders", "embedded", order_id=hit, **options)
    store.faults.add(fault)

    one, two = ask(f"/orders?{EMBEDDED}").json()

    [cut], [full] = one["consignments"]["shipping"], two["consignments"]["shipping"]
    assert (len(cut["line_items"]), "__warning__" in cut) == (shown, is_marked)
    assert (two["id"], len(full["line_items"])) == (spared, 3)


@pytest.mark.parametrize("lines", [51, 300])
@pytest.mark.parametrize("warns", [True, False])
def test_an_embedded_form_may_be_cut_at_50_lines_without_a_warning(
    store: Store, ask: Ask, lines: int, warns: bool
) -> None:
    order_id = store.place_order(lines=lines)
    store.faults.add(Fault("GET /orders/*", "embedded", warns=warns))

    [shipping] = ask(f"/orders/{order_id}?{EMBEDDED}").json()["consignments"]["shipping"]

    assert (len(shipping["line_items"]), "__warning__" in shipping) == (50, warns)


def test_embedded_lines_may_be_without_a_field(store: Store, ask: Ask) -> None:
    order_id = store.place_order(lines=2)
    whole = ask(f"/orders/{order_id}/products").json()
    store.faults.add(Fault("GET /orders/*", "embedded", without="weight", times=2))

    [shipping] = ask(f"/orders/{order_id}?{EMBEDDED}").json()["consignments"]["shipping"]

    expected = [{k: v for k, v in line.items() if k != "weight"} for line in whole]
    assert shipping["line_items"] == expected
    assert ask(f"/orders/{order_id}/products").json() == whole


def test_embedded_lines_may_be_stubs(store: Store, ask: Ask) -> None:
    order_id = store.place_order(lines=1)
    store.faults.add(Fault("GET /orders/*", "embedded", stubs=True))

    path = f"/orders/{order_id}?{EMBEDDED}"

    [shipping] = ask(path).json()["consignments"]["shipping"]
    assert shipping["line_items"][0].keys() == {"url", "resource"}


def test_an_order_may_spoil_every_answer_that_contains_it(clock: SimulatedClock) -> None:
    with Store(clock=clock) as store, requests.Session() as session:
        first, bad, last = (store.place_order() for _ in range(3))
        store.faults.add(Fault("GET *", "unservable", order_id=bad, times=None))
        session.headers["X-Auth-Token"] = store.access_token

        def status(path: str) -> int:
            return session.get(f"{store.url}/stores/sandbox/v2{path}", timeout=5).status_code

        assert status("/orders") == 500
        assert [status(f"/orders/{n}") for n in (first, bad, last)] == [200, 500, 200]
        assert status(f"/orders/{bad}/products") == 500
        assert [status(f"/orders?max_id={first}"), status(f"/orders?min_id={last}")] == [200, 200]


def test_a_fault_of_content_applies_beside_another(store: Store, ask: Ask) -> None:
    order_id = store.place_order(lines=2)
    store.faults.add(Fault("*", "short", times=None), Fault("*", "status", status=503))

    path = f"/orders/{order_id}/products"

    assert ask(path).status_code == 503
    assert len(ask(path).json()) == 1


def test_a_token_without_its_scope_is_403_until_it_is_rotated(store: Store, ask: Ask) -> None:
    store.revoke_token(status=403)
    refused = ask("/time")

    assert (refused.status_code, refused.json()["status"]) == (403, 403)
    store.access_token = "rotated"
    assert ask("/time").status_code == 200


def test_a_put_may_break_the_rules_on_stock(store: Store, ask: Ask) -> None:
    order_id = store.place_order()
    store.faults.add(Fault("PUT *", "status", status=409))

    refused = ask(f"/orders/{order_id}", "PUT", json={"status_id": 9})

    assert (refused.status_code, refused.json()[0]["status"]) == (409, 409)
    assert store.status_changes == []
