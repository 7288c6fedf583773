"""The simulated store answers orders v2 as BigCommerce documents it."""

import json
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests

from sandbox.store import Store
from sandbox.store.clock import SimulatedClock
from sandbox.store.dates import parse_date
from sandbox.store.statuses import Status

START = 1_750_000_000
Ask = Callable[..., requests.Response]


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(START)


@pytest.fixture
def store(clock: SimulatedClock) -> Iterator[Store]:
    with Store(clock=clock, quota=10_000) as store:
        yield store


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


@pytest.fixture
def ask(store: Store, session: requests.Session) -> Ask:
    return asker(store, session)


def asker(store: Store, session: requests.Session) -> Ask:
    """Ask the store's v2 API: `ask("/orders", limit=2)`, `ask("/orders/1", "PUT", json={...})`."""

    def ask(path: str, method: str = "GET", json: Any = None, **query: Any) -> requests.Response:
        headers = {"X-Auth-Token": store.access_token, "Accept": "application/json"}
        url = f"{store.url}/stores/{store.store_hash}/v2{path}"
        return session.request(method, url, params=query, json=json, headers=headers, timeout=5)

    return ask


def ids(response: requests.Response) -> list[int]:
    return [order["id"] for order in response.json()]


def test_a_list_is_a_bare_array(store: Store, ask: Ask) -> None:
    order_id = store.place_order()

    assert ids(ask("/orders")) == [order_id]


def test_slashes_are_escaped_and_text_is_ascii(store: Store, ask: Ask) -> None:
    order_id = store.place_order(staff_notes="Zoë a/b")

    text = ask(f"/orders/{order_id}").text

    assert f'"resource":"\\/orders\\/{order_id}\\/products"' in text
    assert '"staff_notes":"Zo\\u00eb a\\/b"' in text


def test_an_empty_collection_is_204_without_a_body(store: Store, ask: Ask) -> None:
    order_id = store.place_order(kind="digital", coupons=0)

    for path in ("/orders?status_id=5", "/orders?page=2"):
        assert (ask(path).status_code, ask(path).content) == (204, b"")
    for name in ("coupons", "shipping_addresses"):
        assert ask(f"/orders/{order_id}/{name}").status_code == 204
    assert ask(f"/orders/{order_id}/products", page=2).status_code == 204


@pytest.mark.parametrize("path", ["/orders", "/orders/count", "/orders/100", "/orders/100/coupons"])
def test_an_unknown_query_key_is_400(store: Store, ask: Ask, path: str) -> None:
    store.place_order()

    answer = ask(path, is_deleted="false")

    message = "The field 'is_deleted' is not supported by this resource."
    assert (answer.status_code, answer.json()) == (400, [{"status": 400, "message": message}])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status_id", "7,11"),
        ("status_id", ""),
        ("min_id", "x"),
        ("page", "0"),
        ("limit", "-1"),
        ("sort", "id:up"),
        ("sort", "total"),
        ("min_date_created", "yesterday"),
        ("include", "everything"),
        ("min_total", "much"),
    ],
)
def test_a_value_that_cannot_be_read_is_400(ask: Ask, name: str, value: str) -> None:
    answer = ask("/orders", **{name: value})

    assert answer.status_code == 400
    assert answer.json()[0]["message"] == f"The field '{name}' is invalid."


def test_lists_have_50_orders_by_default_and_250_at_most(store: Store, ask: Ask) -> None:
    store.place_orders(251)

    assert len(ids(ask("/orders"))) == 50
    assert len(ids(ask("/orders", limit=250))) == 250
    assert len(ids(ask("/orders", limit=1000))) == 250


def test_an_order_is_cut_at_50_lines_unless_one_pages(store: Store, ask: Ask) -> None:
    order_id = store.place_order(lines=600)
    path = f"/orders/{order_id}/products"

    pages = [ask(path, limit=250, page=page).json() for page in (1, 2, 3)]

    assert len(ask(path).json()) == 50
    assert [len(page) for page in pages] == [250, 250, 100]
    assert [line for page in pages for line in page] == store.whole(order_id)["products"]


@pytest.mark.parametrize("zone", ["+0000", "+0200"])
def test_rfc_2822_bounds_are_inclusive(store: Store, ask: Ask, zone: str) -> None:
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    order_id = store.place_order(created=noon)
    hour = 12 + int(zone[2])
    moments = [f"Sun, 01 Mar 2026 {hour - 1}:59:59 {zone}", f"Sun, 01 Mar 2026 {hour}:00:00 {zone}"]

    for bound in moments:
        assert ids(ask("/orders", min_date_created=bound)) == [order_id]
    assert ids(ask("/orders", max_date_created=moments[1])) == [order_id]
    assert ask("/orders", max_date_created=moments[0]).status_code == 204


def test_iso_8601_bounds_are_inclusive_at_one_second(store: Store, ask: Ask) -> None:
    order_id = store.place_order(created=datetime(2026, 3, 1, 12, tzinfo=UTC))

    for bound in ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00.900+00:00", "2026-03-01"):
        assert ids(ask("/orders", min_date_modified=bound)) == [order_id]
    assert ask("/orders", min_date_modified="2026-03-01T12:00:01Z").status_code == 204
    assert ask("/orders", max_date_modified="2026-03-01T11:59:59Z").status_code == 204


def test_a_plus_that_is_not_escaped_is_400(ask: Ask) -> None:
    assert ask("/orders?min_date_created=2026-03-01T12:00:00+00:00").status_code == 400
    assert ask("/orders?min_date_created=2026-03-01T12:00:00%2B00:00").status_code == 204
    assert ask("/orders?min_date_created=Sun, 01 Mar 2026 12:00:00 +0000").status_code == 400


def test_a_keyset_meets_every_order_once_while_orders_leave_the_status(
    store: Store, ask: Ask
) -> None:
    placed = store.place_orders(25, statuses=[Status.AWAITING_FULFILLMENT])
    seen: list[int] = []

    while True:
        least = seen[-1] + 1 if seen else 0
        page = ask("/orders", status_id=11, sort="id:asc", min_id=least, limit=10)
        if page.status_code == 204:
            break
        for order_id in ids(page):
            store.set_status(order_id, Status.AWAITING_SHIPMENT)
            seen.append(order_id)

    assert seen == placed


def test_pages_skip_orders_while_orders_leave_the_status(store: Store, ask: Ask) -> None:
    placed = store.place_orders(20, statuses=[Status.AWAITING_FULFILLMENT])

    for order_id in ids(ask("/orders", status_id=11, limit=10)):
        store.set_status(order_id, Status.AWAITING_SHIPMENT)

    assert ask("/orders", status_id=11, limit=10, page=2).status_code == 204
    assert ids(ask("/orders", status_id=11)) == placed[10:]


def test_id_bounds_are_inclusive_and_ids_may_be_sparse(store: Store, ask: Ask) -> None:
    first = store.place_order()
    store.skip_ids(400)
    second = store.place_order()

    assert second == first + 401
    assert ids(ask("/orders", min_id=first, max_id=second)) == [first, second]
    assert ids(ask("/orders", min_id=first + 1)) == [second]
    assert ids(ask("/orders", max_id=second - 1)) == [first]


def test_lists_sort_by_every_documented_field(store: Store, ask: Ask) -> None:
    placed = store.place_orders(30, over=timedelta(days=3))
    store.set_status(placed[0], Status.DISPUTED)

    for name in ("id", "customer_id", "date_created", "date_modified", "status_id", "channel_id"):
        up = ask("/orders", sort=f"{name}:asc").json()
        values = [parse_date(o[name]) if "date" in name else o[name] for o in up]
        assert values == sorted(values)
        assert ids(ask("/orders", sort=f"{name}:desc")) == [order["id"] for order in up[::-1]]
    assert ask("/orders", sort="external_id").status_code == 200


def test_filters_by_field_find_the_order(store: Store, ask: Ask) -> None:
    store.place_order(customer_id=4, payment_method="Cheque", total_inc_tax="9.0000", channel_id=2)
    wanted = store.place_order(
        customer_id=5,
        payment_method="Barter",
        total_inc_tax="10.0000",
        cart_id="c-1",
        external_order_id="e-1",
        billing_address={"email": "a@example.com"},
    )

    for query in (
        {"customer_id": 5},
        {"payment_method": "Barter"},
        {"min_total": "10"},
        {"cart_id": "c-1"},
        {"external_order_id": "e-1"},
        {"email": "a@example.com"},
        {"channel_id": 1},
    ):
        assert ids(ask("/orders", **query)) == [wanted]
    assert wanted not in ids(ask("/orders", max_total="9.99"))


def test_an_order_has_stubs_for_its_sub_resources(store: Store, ask: Ask) -> None:
    order_id = store.place_order()

    order = ask(f"/orders/{order_id}").json()

    for name in ("products", "shipping_addresses", "coupons", "consignments", "fees"):
        resource = f"/orders/{order_id}/{name}"
        url = f"https://api.bigcommerce.com/stores/sandbox/v2{resource}"
        assert order[name] == {"url": url, "resource": resource}


def test_an_unknown_order_is_404_in_an_array(ask: Ask) -> None:
    for path in ("/orders/7", "/orders/7/products"):
        answer = ask(path)
        message = "The requested resource was not found."
        assert (answer.status_code, answer.json()) == (404, [{"status": 404, "message": message}])


def test_an_archived_order_is_404_and_left_out_of_lists(store: Store, ask: Ask) -> None:
    order_id = store.place_order()

    store.archive(order_id)

    assert ask(f"/orders/{order_id}").status_code == 404
    assert ask("/orders").status_code == 204
    assert ask("/orders/count").json()["count"] == 0
    assert ask(f"/orders/{order_id}", "PUT", json={"status_id": 9}).status_code == 404


def test_an_archived_order_may_be_answered_as_deleted(session: requests.Session) -> None:
    with Store(archived_answers="200") as store:
        order_id = store.place_order()
        store.archive(order_id)
        order = asker(store, session)(f"/orders/{order_id}")

        moved = asker(store, session)(f"/orders/{order_id}", "PUT", json={"status_id": 9})

        assert (order.status_code, order.json()["is_deleted"]) == (200, True)
        assert moved.status_code == 404


def test_the_count_names_all_fifteen_statuses(store: Store, ask: Ask) -> None:
    store.place_order(status=Status.INCOMPLETE)
    store.place_order(status=Status.AWAITING_PAYMENT)

    answer = ask("/orders/count").json()

    assert {row["id"] for row in answer["statuses"]} == set(Status)
    assert {row["id"] for row in answer["statuses"] if row["count"]} == {0, 7}
    assert answer["count"] == 2
    assert [row["sort_order"] for row in answer["statuses"]] == list(range(15))


def test_the_time_is_the_stores(ask: Ask, clock: SimulatedClock) -> None:
    clock.advance(10)

    assert ask("/time").json() == {"time": START + 10}


def test_a_put_answers_the_whole_order_in_its_new_version(
    store: Store, ask: Ask, clock: SimulatedClock
) -> None:
    order_id = store.place_order()
    before = store.order(order_id)
    clock.advance(1)

    answer = ask(f"/orders/{order_id}", "PUT", json={"status_id": 9})

    after = answer.json()
    assert answer.status_code == 200
    assert after == {
        **ask(f"/orders/{order_id}").json(),
        "status_id": 9,
        "status": "Awaiting Shipment",
        "custom_status": "Awaiting Shipment",
    }
    assert parse_date(after["date_modified"]) == parse_date(before["date_modified"]) + 1
    changed = {name for name in after if after[name] != before[name] and name != "loyalty"}
    assert changed == {"status_id", "status", "custom_status", "date_modified"}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"status_id": 9, "id": 1}, "The field 'id' cannot be written to. "),
        ({"status_id": 9, "date_modified": ""}, "The field 'date_modified' cannot be written to. "),
        (
            {"date_created": ""},
            "The field 'date_created' can be written to, but not in a simulated",
        ),
        ({"status_id": 9, "custom_status": "x"}, "The field 'custom_status' is not supported"),
        ({"colour": "red"}, "The field 'colour' is not supported by this resource."),
        ({}, "The required field 'status_id' was not supplied."),
        ([], "The required field 'status_id' was not supplied."),
        ({"status_id": 15}, "The field 'status_id' is invalid."),
        ({"status_id": "9"}, "The field 'status_id' is invalid."),
        ({"status_id": True}, "The field 'status_id' is invalid."),
    ],
)
def test_a_put_of_what_cannot_be_written_is_400(
    store: Store, ask: Ask, fields: Any, message: str
) -> None:
    order_id = store.place_order()
    before = store.whole(order_id)

    answer = ask(f"/orders/{order_id}", "PUT", json=fields)

    assert answer.status_code == 400
    assert answer.json()[0]["message"].startswith(message)
    assert store.whole(order_id) == before


def test_status_changes_are_recorded_with_the_previous_status(store: Store, ask: Ask) -> None:
    order_id = store.place_order()

    ask(f"/orders/{order_id}", "PUT", json={"status_id": 9})
    ask(f"/orders/{order_id}", "PUT", json={"status_id": 9})
    store.set_status(order_id, Status.SHIPPED)

    seen = [(change.before, change.after, change.by) for change in store.status_changes]
    assert seen == [(11, 9, "api"), (9, 2, "merchant")]
    assert [change.after for change in store.repeated_puts] == [9]
    assert parse_date(store.order(order_id)["date_shipped"])


def test_edits_in_one_second_have_the_same_date_modified(
    store: Store, clock: SimulatedClock
) -> None:
    order_id = store.place_order()
    seen = []

    for seconds in (0.0, 0.5, 0.6, 5.0):
        clock.advance(seconds)
        store.edit(order_id, staff_notes=f"after {seconds}")
        seen.append(parse_date(store.order(order_id)["date_modified"]) - START)

    assert seen == [0, 0, 1, 6]
    assert store.book.version(order_id).number == 4


def test_another_store_is_404_in_html(store: Store, session: requests.Session) -> None:
    answer = session.get(f"{store.url}/stores/other/v2/orders", timeout=5)

    assert answer.status_code == 404
    assert answer.headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("headers", [{}, {"X-Auth-Token": "wrong"}, {"X-Auth-Token": "é"}])
def test_a_wrong_token_is_401_from_the_gateway(
    store: Store, session: requests.Session, headers: dict[str, str]
) -> None:
    answer = session.get(f"{store.url}/stores/sandbox/v2/orders", headers=headers, timeout=5)

    assert answer.status_code == 401
    assert answer.json().keys() == {"status", "title", "type", "errors"}


def test_a_revoked_token_is_401_until_it_is_restored(store: Store, ask: Ask) -> None:
    store.revoke_token()
    assert ask("/time").status_code == 401

    store.restore_token()
    assert ask("/time").status_code == 200


def test_requests_and_answers_are_counted(store: Store, ask: Ask) -> None:
    order_id = store.place_order()

    for path in ("/orders", "/orders/count", f"/orders/{order_id}", "/orders/7", "/unheard-of"):
        ask(path)
    ask(f"/orders/{order_id}/products")
    ask(f"/orders/{order_id}", "PUT", json={"status_id": 9})

    assert store.requests == Counter(
        {
            "GET /orders": 1,
            "GET /orders/count": 1,
            "GET /orders/{id}": 2,
            "GET other": 1,
            "GET /orders/{id}/products": 1,
            "PUT /orders/{id}": 1,
        }
    )
    assert store.answers == Counter({200: 5, 404: 2})


def test_the_same_seed_makes_the_same_orders() -> None:
    one, same, other = (Store(clock=SimulatedClock(START), seed=seed) for seed in (1, 1, 2))
    placed = [store.place_orders(40) for store in (one, same, other)]

    wholes = [
        [store.whole(n) for n in numbers]
        for store, numbers in zip((one, same, other), placed, strict=True)
    ]

    assert wholes[0] == wholes[1]
    assert wholes[0] != wholes[2]


def test_generated_orders_are_of_every_status_and_kind(store: Store) -> None:
    orders = [store.whole(order_id) for order_id in store.place_orders(400, via="storefront")]

    types = {frozenset(line["type"] for line in order["products"]) for order in orders}
    assert {order["status_id"] for order in orders} == set(Status)
    assert types == {
        frozenset({"physical"}),
        frozenset({"digital"}),
        frozenset({"physical", "digital"}),
        frozenset({"giftcertificate"}),
    }
    assert {0, 1, 2} <= {len(order["shipping_addresses"]) for order in orders}
    assert any(order["coupons"] for order in orders)
    assert any(order["customer_id"] == 0 for order in orders)
    assert any(line["order_pickup_method_id"] for order in orders for line in order["products"])
    assert {None, ""} <= {order["customer_message"] for order in orders}
    assert any(len(order["products"]) > 50 for order in orders)


def test_totals_add_up(store: Store) -> None:
    for order_id in store.place_orders(60):
        order = store.whole(order_id)
        lines = sum(Decimal(line["total_inc_tax"]) for line in order["products"])
        shipping = sum(Decimal(a["cost_inc_tax"]) for a in order["shipping_addresses"])

        assert Decimal(order["subtotal_inc_tax"]) == lines
        fees = sum(Decimal(fee["cost_inc_tax"]) for fee in store.parts(order_id)["fees"])
        assert Decimal(order["shipping_cost_inc_tax"]) == shipping
        assert Decimal(order["total_inc_tax"]) == (
            Decimal(order["subtotal_inc_tax"])
            + Decimal(order["shipping_cost_inc_tax"])
            + fees
            - Decimal(order["coupon_discount"])
        )
        assert Decimal(order["coupon_discount"]) == sum(
            Decimal(coupon["discount"]) for coupon in order["coupons"]
        )
        assert order["shipping_address_count"] == len(order["shipping_addresses"])
        assert order["items_total"] == sum(line["quantity"] for line in order["products"])
        assert sum(to["items_total"] for to in order["shipping_addresses"]) == sum(
            line["quantity"] for line in order["products"] if line["order_address_id"]
        )


def test_lines_belong_to_the_addresses_of_their_order(store: Store) -> None:
    order = store.whole(store.place_order(kind="mixed", lines=6, addresses=3))

    addresses = {address["id"] for address in order["shipping_addresses"]}
    sent = {line["order_address_id"] for line in order["products"] if line["type"] == "physical"}
    assert len(addresses) == 3
    assert sent <= addresses
    assert {n["order_address_id"] for n in order["products"] if n["type"] == "digital"} == {0}


def test_a_digital_order_ships_nowhere(store: Store) -> None:
    order = store.whole(store.place_order(kind="digital"))

    assert order["order_is_digital"] is True
    assert (order["shipping_address_count"], order["shipping_addresses"]) == (0, [])


def test_fields_are_shown_with_the_digits_they_were_given(store: Store, ask: Ask) -> None:
    exact = Decimal("0.1234567890123456789012345")
    order_id = store.place_order(
        rate=exact, zero=Decimal("1.10"), big=10**30, staff_notes="\u2028\U0001f600", nothing=None
    )

    text = ask(f"/orders/{order_id}").text

    assert '"rate":0.1234567890123456789012345' in text
    assert '"zero":1.10,"big":1000000000000000000000000000000' in text
    assert store.order(order_id) == json.loads(text, parse_float=Decimal)
    assert store.order(order_id)["rate"] == exact


def test_a_list_given_as_a_sub_resource_is_that_sub_resource(store: Store, ask: Ask) -> None:
    order_id = store.place_order(products=[{"id": 1, "type": "digital"}], shipping_addresses=[])

    assert ask(f"/orders/{order_id}/products").json() == [{"id": 1, "type": "digital"}]
    assert ask(f"/orders/{order_id}/shipping_addresses").status_code == 204
    assert ask(f"/orders/{order_id}").json()["products"].keys() == {"url", "resource"}
    assert store.order(order_id)["shipping_address_count"] == 0


def test_an_order_can_be_placed_and_moved_over_http(
    store: Store, session: requests.Session
) -> None:
    root = f"{store.url}/sandbox"
    made = session.post(f"{root}/orders", json={"kind": "digital", "lines": 2}, timeout=5)
    one = f"{root}/orders/{made.json()['id']}"
    session.put(one, json={"status": 10, "fields": {"staff_notes": "by hand"}}, timeout=5)

    order = session.get(one, timeout=5).json()

    assert made.status_code == 201
    assert (order["status_id"], order["staff_notes"]) == (10, "by hand")
    assert len(order["products"]) == 2
    assert session.get(f"{root}/status-changes", timeout=5).json()[0]["after"] == 10
    assert session.delete(one, timeout=5).status_code == 204
    assert session.get(one, timeout=5).json()["is_deleted"] is True
    assert session.get(f"{root}/requests", timeout=5).json()["requests"] == {}


@pytest.mark.parametrize(
    "fields", [{"status": 99}, {"kind": "liquid"}, {"lines": -1}, {"lines": "many"}, []]
)
def test_an_order_that_cannot_be_placed_is_400(
    store: Store, session: requests.Session, fields: Any
) -> None:
    answer = session.post(f"{store.url}/sandbox/orders", json=fields, timeout=5)

    assert answer.status_code == 400
    assert store.order_ids() == []


def test_the_store_runs_alone_and_stops_on_sigterm() -> None:
    command = [sys.executable, "-u", "-m", "sandbox.store", "--port", "0", "--orders", "20"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603  (our own module)
        assert process.stdout is not None
        greeting = process.stdout.readline()
        root = re.search(r"http://127.0.0.1:\d+/stores/sandbox/v2", greeting)
        assert root is not None
        headers = {"X-Auth-Token": "sandbox-access-token"}
        orders = requests.get(f"{root[0]}/orders?limit=250", headers=headers, timeout=5)
        process.send_signal(signal.SIGTERM)

        assert process.wait(10) == 0
    assert len(orders.json()) == 20


SIGNALLED_AGAIN = """
import signal, sys
from sandbox.store.ending import Ending

ending, left = Ending(), list(range(20))

def again(*_):
    if left and left.pop():
        signal.raise_signal(signal.SIGTERM)

sys.setprofile(again)
signal.raise_signal(signal.SIGTERM)
sys.setprofile(None)
ending.wait()
"""
"""A signal that arrives at each step of the handler of the one before."""


def test_signals_that_arrive_while_one_is_handled_end_a_server_as_well() -> None:
    command = [sys.executable, "-c", SIGNALLED_AGAIN]

    assert subprocess.run(command, timeout=30).returncode == 0  # noqa: S603  (our own module)
