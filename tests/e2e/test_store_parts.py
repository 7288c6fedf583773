"""The simulated store embeds an order's parts, and lists each of them, as BigCommerce documents."""

from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import requests

from sandbox.store import Store
from sandbox.store.clock import SimulatedClock
from sandbox.store.statuses import Status

START = 1_750_000_000
OBJECT = {"consignment_structure": "object"}
FULL = {"include": "consignments.line_items,fees", **OBJECT}
Ask = Callable[..., requests.Response]
AskFor = Callable[..., Any]


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(START)


@pytest.fixture
def store(clock: SimulatedClock) -> Iterator[Store]:
    with Store(clock=clock, quota=10_000) as store:
        yield store


@pytest.fixture
def ask(store: Store) -> Iterator[Ask]:
    """Ask the store: `ask("/v2/orders", limit=2)`, `ask("/v2/orders", "POST", json={...})`."""
    with requests.Session() as session:

        def ask(path: str, method: str = "GET", json: Any = None, **query: Any) -> Any:
            url = f"{store.url}/stores/{store.store_hash}{path}"
            headers = {"X-Auth-Token": store.access_token}
            return session.request(method, url, params=query, json=json, headers=headers, timeout=5)

        yield ask


@pytest.fixture
def consignments(ask: Ask) -> AskFor:
    """The consignments embedded in an order."""
    return lambda n, **query: ask(f"/v2/orders/{n}", **(query or FULL)).json()["consignments"]


def test_downloads_and_gift_certificates_go_to_the_buyer(
    store: Store, consignments: AskFor
) -> None:
    digital = store.place_order(kind="digital", billing_address={"email": "a@example.com"})
    gift = store.place_order(kind="gift_certificate", billing_address={"email": "b@example.com"})

    [download] = consignments(digital)["downloads"]
    [certificate] = consignments(gift)["email"]["gift_certificates"]

    assert download["recipient_email"] == "a@example.com"
    assert certificate["recipient_email"] == "b@example.com"
    assert {line["type"] for line in certificate["line_items"]} == {"giftcertificate"}


def test_a_pickup_order_names_its_place_in_consignments_alone(
    store: Store, ask: Ask, consignments: AskFor
) -> None:
    order_id = store.place_order(kind="pickup", lines=2)

    [pickup] = consignments(order_id)["pickups"]

    lines = ask(f"/v2/orders/{order_id}/products").json()
    assert pickup["line_items"] == lines
    assert {line["order_pickup_method_id"] for line in lines} == {pickup["id"]}
    assert {line["type"] for line in lines} == {"physical"}
    assert pickup["location"]["city"]
    assert ask(f"/v2/orders/{order_id}/shipping_addresses").status_code == 204
    assert consignments(order_id)["shipping"] == []


def test_an_order_may_be_collected_in_part(store: Store, consignments: AskFor) -> None:
    order_id = store.place_order(kind="partial_pickup", lines=2)

    given = consignments(order_id)

    assert [len(group["line_items"]) for group in (*given["pickups"], *given["shipping"])] == [1, 1]
    assert store.order(order_id)["shipping_address_count"] == 1


def test_without_line_items_consignments_have_stubs(
    store: Store, ask: Ask, consignments: AskFor
) -> None:
    order_id = store.place_order(lines=1)
    [line] = store.parts(order_id)["products"]

    given = consignments(order_id, include="consignments", **OBJECT)

    resource = f"/orders/{order_id}/products/{line['id']}"
    url = f"https://api.bigcommerce.com/stores/sandbox/v2{resource}"
    assert given["shipping"][0]["line_items"] == [{"url": url, "resource": resource}]
    assert ask(f"/v2{resource}").json() == line


def test_without_the_structure_consignments_are_the_legacy_array(
    store: Store, consignments: AskFor
) -> None:
    order_id = store.place_order()

    assert consignments(order_id, include="consignments.line_items") == [consignments(order_id)]


def test_the_route_of_consignments_shows_lines_when_asked(
    store: Store, ask: Ask, consignments: AskFor
) -> None:
    order_id = store.place_order()
    path = f"/v2/orders/{order_id}/consignments"

    assert ask(path, include="consignments.line_items").json() == consignments(order_id)
    stubs = consignments(order_id, include="consignments", **OBJECT)
    assert ask(path).json() == stubs


def test_fees_are_a_stub_until_they_are_included(store: Store, ask: Ask) -> None:
    order_id = store.place_order(fees=2)
    fees = ask(f"/v2/orders/{order_id}/fees").json()

    assert ask(f"/v2/orders/{order_id}").json()["fees"]["resource"] == f"/orders/{order_id}/fees"
    assert ask(f"/v2/orders/{order_id}", include="fees").json()["fees"] == fees
    assert ask("/v2/orders", **FULL).json()[0]["fees"] == fees
    assert len(fees) == 2


def test_fees_may_be_answered_in_an_object(clock: SimulatedClock) -> None:
    with Store(clock=clock, wraps_fees=True) as store:
        order_id = store.place_order(fees=1)
        url = f"{store.url}/stores/sandbox/v2/orders/{order_id}/fees"

        answer = requests.get(url, headers={"X-Auth-Token": store.access_token}, timeout=5)

    assert answer.json() == {"fees": store.parts(order_id)["fees"]}


def test_taxes_add_up_with_and_without_details(store: Store, ask: Ask) -> None:
    order_id = store.place_order(lines=4, addresses=2)
    path = f"/v2/orders/{order_id}/taxes"

    short, long = ask(path).json(), ask(path, details="true").json()

    owed = store.order(order_id)["total_tax"]
    for rows in (short, long):
        assert f"{sum(float(row['line_amount']) for row in rows):.4f}" == owed
    assert len(short) == 2
    assert {row["line_item_type"] for row in long} == {"item", "shipping"}


def test_shipments_and_messages_are_listed_and_empty_at_first(store: Store, ask: Ask) -> None:
    order_id = store.place_order()
    path = f"/v2/orders/{order_id}"
    assert [ask(f"{path}/{name}").status_code for name in ("shipments", "messages")] == [204, 204]

    [shipment] = store.ship(order_id, tracking_number="T-1")
    message = store.add_message(order_id, "hello")

    assert ask(f"{path}/shipments").json() == store.parts(order_id)["shipments"]
    assert ask(f"{path}/shipments/{shipment}").json()["tracking_number"] == "T-1"
    assert ask(f"{path}/shipments/count").json() == {"count": 1}
    assert ask(f"{path}/messages", min_id=message).json()[0]["message"] == "hello"
    assert ask(f"{path}/messages", min_id=message + 1).status_code == 204
    assert ask(f"{path}/messages", is_flagged="true").status_code == 204


def test_refunds_of_many_orders_are_one_request(store: Store, ask: Ask) -> None:
    one, two, three = (store.place_order() for _ in range(3))
    for order_id in (two, one, two, three):
        store.refund(order_id, "1.00")
    path = "/v3/orders/payment_actions/refunds"

    page = ask(path, **{"order_id:in": f"{one},{two}"}, limit=2).json()

    assert [(refund["id"], refund["order_id"]) for refund in page["data"]] == [(1, two), (2, one)]
    assert page["meta"]["pagination"] == {
        "total": 3,
        "count": 2,
        "per_page": 2,
        "current_page": 1,
        "total_pages": 2,
        "links": {"current": "?page=1&limit=2", "next": "?page=2&limit=2"},
    }
    assert [refund["id"] for refund in ask(path, **{"id:in": 4}).json()["data"]] == [4]
    assert ask(path, **{"order_id:in": 7}).json()["data"] == []
    assert len(ask(f"/v3/orders/{two}/payment_actions/refunds").json()["data"]) == 2
    assert ask(path, **{"order_id:in": "x"}).status_code == 422
    assert ask(path, colour="red").status_code == 422


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v3/orders/100/transactions", 403),
        ("/v3/orders/7/payment_actions/refunds", 404),
        ("/v3/catalog", 404),
    ],
)
def test_v3_reports_errors_as_objects(store: Store, ask: Ask, path: str, status: int) -> None:
    store.place_order()

    answer = ask(path)

    assert answer.status_code == answer.json()["status"] == status
    assert answer.json().keys() == {"status", "title", "type", "errors"}


def test_the_statuses_are_listed(ask: Ask) -> None:
    rows = ask("/v2/order_statuses").json()

    assert {row["id"] for row in rows} == set(Status)
    assert ask("/v2/order_statuses/9").json() == next(row for row in rows if row["id"] == 9)
    assert ask("/v2/order_statuses/15").status_code == 404


def test_an_app_creates_a_pending_order(store: Store, ask: Ask) -> None:
    fields = {
        "billing_address": {"zip": "78751", "email": "a@example.com"},
        "products": [{"name": "Mug", "quantity": 2, "price_ex_tax": 10, "price_inc_tax": 10.8}],
    }

    order = ask("/v2/orders", "POST", json=fields).json()

    [line] = store.parts(order["id"])["products"]
    assert (order["status_id"], order["cart_id"]) == (Status.PENDING, None)
    assert (order["subtotal_ex_tax"], order["items_total"]) == ("20.0000", 2)
    assert (line["name"], line["total_inc_tax"]) == ("Mug", "21.6000")
    assert order["billing_address"] == fields["billing_address"]
    assert store.status_changes == []
    for missing in fields:
        incomplete = {name: value for name, value in fields.items() if name != missing}
        assert ask("/v2/orders", "POST", json=incomplete).status_code == 400


def test_a_deleted_order_is_archived(store: Store, ask: Ask) -> None:
    order_id, other = store.place_order(), store.place_order()

    assert ask(f"/v2/orders/{order_id}", "DELETE").status_code == 204
    assert ask(f"/v2/orders/{order_id}", "DELETE").status_code == 404
    assert ask(f"/v2/orders/{order_id}").status_code == 404
    assert store.order(order_id)["is_deleted"] is True
    ask(f"/v2/orders/{other}", "PUT", json={"is_deleted": True})
    assert ask("/v2/orders").status_code == 204


def test_apps_write_fields_and_parts_of_the_billing_address(store: Store, ask: Ask) -> None:
    order_id = store.place_order()
    before = store.order(order_id)

    change = {"staff_notes": "by an app", "billing_address": {"city": "Lyon"}}
    answer = ask(f"/v2/orders/{order_id}", "PUT", json=change).json()

    assert answer["staff_notes"] == "by an app"
    assert answer["billing_address"] == {**before["billing_address"], "city": "Lyon"}
    assert answer["status_id"] == before["status_id"]


def test_lists_have_every_status_and_channel_and_no_archived_order(store: Store, ask: Ask) -> None:
    placed = [store.place_order(status=status, channel_id=1 + status % 2) for status in Status]
    gone = store.place_order()
    store.archive(gone)

    assert [order["id"] for order in ask("/v2/orders").json()] == placed
    assert [order["id"] for order in ask("/v2/orders", channel_id=2).json()] == placed[1::2]


def test_the_date_of_an_answer_is_the_stores(store: Store, ask: Ask, clock: SimulatedClock) -> None:
    def date(path: str) -> float:
        return parsedate_to_datetime(ask(path).headers["Date"]).timestamp() - START

    clock.advance(60)

    assert [date("/v2/time"), date("/v2/orders/7"), date("/v3/hooks")] == [60, 60, 60]
    store.date_skew = -5
    assert date("/v2/time") == 55
