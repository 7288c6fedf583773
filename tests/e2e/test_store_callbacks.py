"""The simulated store registers webhooks and delivers callbacks as BigCommerce documents it."""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests
from standardwebhooks import Webhook, WebhookVerificationError

from sandbox.store import Store
from sandbox.store.callbacks import RETRIES_AFTER
from sandbox.store.clock import SimulatedClock
from sandbox.store.hooks import Refused
from sandbox.store.statuses import Status

START = 1_750_000_000
HTTPS = "https://example.com/cart-converted"
Ask = Callable[..., requests.Response]


@dataclass
class Receiver:
    """An endpoint that answers with the next of `statuses`, and then always the last."""

    url: str
    statuses: list[int] = field(default_factory=lambda: [200])
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    called: threading.Event = field(default_factory=threading.Event)

    def take(self, headers: dict[str, str], body: bytes) -> int:
        self.received.append((headers, body))
        self.called.set()
        return self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(body) for _, body in self.received]

    @property
    def scopes(self) -> list[str]:
        return [body["scope"] for body in self.bodies]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(receiver.take(dict(self.headers), body))
            self.send_header("Location", receiver.url)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.url = f"http://127.0.0.1:{server.server_port}/cart-converted"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield receiver
        server.shutdown()
        thread.join()


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(START)


@pytest.fixture
def store(clock: SimulatedClock) -> Iterator[Store]:
    with Store(clock=clock) as store:
        yield store


@pytest.fixture
def ask(store: Store) -> Iterator[Ask]:
    with requests.Session() as session:

        def ask(path: str, method: str = "GET", **options: Any) -> requests.Response:
            url = f"{store.url}/stores/{store.store_hash}{path}"
            headers = {"X-Auth-Token": store.access_token}
            return session.request(method, url, headers=headers, timeout=5, **options)

        yield ask


def test_a_storefront_order_converts_a_cart(store: Store, receiver: Receiver) -> None:
    store.register_hook(destination=receiver.url)
    order_id = store.place_order()

    [attempt] = store.deliver_webhooks()

    [body] = receiver.bodies
    assert (attempt.order_id, attempt.status, attempt.attempt) == (order_id, 200, 1)
    assert list(body) == ["scope", "store_id", "data", "hash", "created_at", "producer"]
    assert body["scope"] == "store/cart/converted"
    assert body["data"] == {
        "type": "cart",
        "id": store.order(order_id)["cart_id"],
        "orderId": order_id,
    }
    assert (body["created_at"], body["producer"]) == (START, "stores/sandbox")
    assert isinstance(body["store_id"], str)
    assert len(body["hash"]) == 40


def test_an_order_made_by_an_app_converts_no_cart(store: Store, receiver: Receiver) -> None:
    store.register_hook(destination=receiver.url)
    store.register_hook(scope="store/order/created", destination=receiver.url)
    order_id = store.place_order(via="api", status=Status.INCOMPLETE)

    store.deliver_webhooks()

    assert receiver.scopes == ["store/order/created"]
    assert receiver.bodies[0]["data"] == {"type": "order", "id": order_id}


def test_a_put_causes_callbacks_also_to_the_app_that_made_it(
    store: Store, receiver: Receiver, ask: Ask
) -> None:
    store.register_hook(scope="store/order/*", destination=receiver.url)
    order_id = store.place_order()
    for _ in range(2):
        ask(f"/v2/orders/{order_id}", "PUT", json={"status_id": 9})

    store.deliver_webhooks()

    assert receiver.scopes == [
        "store/order/created",
        "store/order/updated",
        "store/order/statusUpdated",
        "store/order/updated",
    ]
    assert receiver.bodies[2]["data"] == {
        "type": "order",
        "id": order_id,
        "status": {"previous_status_id": 11, "new_status_id": 9},
    }


def test_a_callback_carries_the_headers_of_its_hook(store: Store, receiver: Receiver) -> None:
    store.register_hook(destination=receiver.url, headers={"X-Replication-Token": "s3cret"})
    store.place_order()

    store.deliver_webhooks()

    [(headers, _)] = receiver.received
    assert headers["X-Replication-Token"] == "s3cret"
    assert headers["Content-Type"] == "application/json"


def test_a_callback_is_signed_by_standard_webhooks(store: Store, receiver: Receiver) -> None:
    store.register_hook(destination=receiver.url)
    store.place_order()
    store.deliver_webhooks()

    [(headers, body)] = receiver.received
    secret = base64.b64encode(b"sandbox-client-secret").decode()
    assert headers["webhook-timestamp"] == str(json.loads(body)["created_at"])
    headers = store.sign(body, timestamp=int(time.time()))
    Webhook(secret).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body + b" ", headers)


def test_a_body_can_be_signed_with_another_secret_or_time(store: Store) -> None:
    body = store.callback_body(store.place_order())
    secret = base64.b64encode(b"sandbox-client-secret").decode()
    now = int(time.time())

    Webhook(secret).verify(body, store.sign(body, timestamp=now))
    another = store.sign(body, secret="another-secret", timestamp=now)
    for forged in (another, store.sign(body, timestamp=START)):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body, forged)
    assert store.sign(body, webhook_id="msg_1")["webhook-id"] == "msg_1"


def test_a_store_may_send_unsigned_callbacks(clock: SimulatedClock, receiver: Receiver) -> None:
    store = Store(clock=clock, sign_callbacks=False)
    store.register_hook(destination=receiver.url)
    store.place_order()

    store.deliver_webhooks()

    [(headers, _)] = receiver.received
    assert not [name for name in headers if name.lower().startswith("webhook-")]


def test_a_failed_callback_is_retried_until_it_succeeds(
    store: Store, receiver: Receiver, clock: SimulatedClock
) -> None:
    receiver.statuses = [500, 302, 404, 204]
    store.register_hook(destination=receiver.url)
    store.place_order()
    seen = []

    while (due := store.next_callback_at) is not None:
        clock.advance(due - clock.time())
        [attempt] = store.deliver_webhooks()
        seen.append((round(due - START), attempt.attempt, attempt.status))

    assert seen == [(0, 1, 500), (60, 2, 302), (240, 3, 404), (540, 4, 204)]
    assert len({headers["webhook-id"] for headers, _ in receiver.received}) == 1
    assert len({body for _, body in receiver.received}) == 1


def test_a_callback_is_not_sent_before_it_is_due(
    store: Store, receiver: Receiver, clock: SimulatedClock
) -> None:
    receiver.statuses = [503]
    store.register_hook(destination=receiver.url)
    store.place_order()
    store.deliver_webhooks()
    clock.advance(59)

    assert store.deliver_webhooks() == []
    assert [callback.attempt for callback in store.pending_callbacks] == [2]


def test_the_delays_of_retries_can_be_scaled(clock: SimulatedClock, receiver: Receiver) -> None:
    receiver.statuses = [503]
    store = Store(clock=clock, retry_scale=0.01)
    store.register_hook(destination=receiver.url)
    store.place_order()

    store.deliver_webhooks()

    assert store.next_callback_at is not None
    assert round(store.next_callback_at - START, 3) == 0.6


def test_an_unreachable_destination_has_no_status(store: Store) -> None:
    store.register_hook(destination=f"http://localhost:{closed_port()}/")
    store.place_order()

    [attempt] = store.deliver_webhooks()

    assert attempt.status is None


def closed_port() -> int:
    """A port that was free a moment ago."""
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        return int(server.server_port)


def test_after_the_last_attempt_the_hook_is_deactivated_and_nothing_is_replayed(
    store: Store, receiver: Receiver, clock: SimulatedClock, ask: Ask
) -> None:
    receiver.statuses = [500]
    hook_id = store.register_hook(destination=receiver.url)
    store.place_order()
    while (due := store.next_callback_at) is not None:
        clock.advance(due - clock.time())
        store.deliver_webhooks()
    missed = store.place_order()

    [row] = ask("/v3/hooks/admin").json()["data"]["hooks_list"]
    assert len(receiver.received) == len(RETRIES_AFTER) + 1
    assert (row["id"], row["is_active"], row["status"]) == (hook_id, False, "deactivated")

    ask(f"/v3/hooks/{hook_id}", "PUT", json={"is_active": True})
    receiver.statuses = [200]
    heard = store.place_order()
    assert [attempt.order_id for attempt in store.deliver_webhooks()] == [heard]
    assert missed != heard


def test_a_domain_that_fails_too_often_is_blocked_for_three_minutes(
    store: Store, receiver: Receiver, clock: SimulatedClock, ask: Ask
) -> None:
    receiver.statuses = [200] * 89 + [500]
    store.register_hook(destination=receiver.url)
    store.place_orders(101, via="storefront")

    assert len(store.deliver_webhooks()) == 100
    [blocked] = ask("/v3/hooks/admin").json()["data"]["blocked_domains"]
    assert blocked["time_left"] == 180
    [reason] = blocked["reasons"]
    assert (reason["count"], reason["timestamp"]) == (11, START)
    clock.advance(179)
    assert store.deliver_webhooks() == []
    clock.advance(1)
    assert len(store.deliver_webhooks()) == 12


def test_a_domain_that_succeeds_nine_times_in_ten_is_not_blocked(
    store: Store, receiver: Receiver
) -> None:
    receiver.statuses = [500] * 10 + [200]
    store.register_hook(destination=receiver.url)
    store.place_orders(101, via="storefront")

    assert len(store.deliver_webhooks()) == 101


def test_v3_wraps_and_v2_answers_bare(ask: Ask) -> None:
    fields = {"scope": "store/cart/converted", "destination": HTTPS, "headers": {"X-A": "b"}}
    made = ask("/v3/hooks", "POST", json=fields)
    hook = made.json()["data"]

    assert made.status_code == 200
    assert hook.items() >= {**fields, "is_active": True, "store_hash": "sandbox"}.items()
    assert ask(f"/v3/hooks/{hook['id']}").json() == {"data": hook, "meta": {}}
    assert ask(f"/v2/hooks/{hook['id']}").json() == hook
    assert ask("/v2/hooks").json() == [hook]
    assert ask("/v3/hooks").json()["meta"]["pagination"] == {
        "total": 1,
        "count": 1,
        "per_page": 50,
        "current_page": 1,
        "total_pages": 1,
        "links": {"current": "?page=1&limit=50"},
    }


def test_hooks_can_be_filtered_changed_and_deleted(store: Store, ask: Ask) -> None:
    one = store.register_hook(destination=HTTPS)
    two = store.register_hook(destination=HTTPS, scope="store/order/*")
    ask(f"/v3/hooks/{two}", "PUT", json={"is_active": False})

    def found(**query: str) -> list[int]:
        return [hook["id"] for hook in ask("/v3/hooks", params=query).json()["data"]]

    assert found(scope="store/order/*", destination=HTTPS) == [two]
    assert (found(is_active="true"), found(is_active="false")) == ([one], [two])
    assert ask(f"/v3/hooks/{one}", "DELETE").status_code == 200
    assert ask(f"/v3/hooks/{one}").status_code == 404
    assert found() == [two]


def test_the_addresses_to_notify_can_be_replaced(store: Store, ask: Ask) -> None:
    store.register_hook(destination=HTTPS)

    assert ask("/v3/hooks/admin", "PUT", json={"emails": ["ops@example.com"]}).status_code == 204
    assert ask("/v3/hooks/admin", "PUT", json={"emails": "ops"}).status_code == 422
    answer = ask("/v3/hooks/admin", params={"is_active": "true"}).json()
    assert answer["data"]["emails"] == ["ops@example.com"]
    assert answer["meta"]["pagination"]["total"] == 1
    idle = ask("/v3/hooks/admin", params={"is_active": "false"}).json()
    assert idle["data"]["hooks_list"] == []


def test_without_hooks_v2_is_204_and_v3_an_empty_list(ask: Ask) -> None:
    assert ask("/v2/hooks").status_code == 204
    assert ask("/v3/hooks").json()["data"] == []


@pytest.mark.parametrize(
    "change",
    [
        {"destination": "http://example.com/"},
        {"destination": "https://example.com:8443/"},
        {"destination": "https://example.com:x/"},
        {"destination": None},
        {"scope": "cart"},
        {"headers": {"X-A": 1}},
        {"is_active": "yes"},
        {"colour": "red"},
    ],
)
def test_a_registration_that_breaks_the_rules_is_422(ask: Ask, change: dict[str, Any]) -> None:
    fields = {"scope": "store/cart/converted", "destination": HTTPS, **change}

    answer = ask("/v3/hooks", "POST", json=fields)

    assert answer.status_code == 422
    assert answer.json()["errors"].keys() == change.keys()
    assert ask("/v3/hooks").json()["data"] == []


def test_one_hook_per_scope_and_destination_and_ten_per_scope(store: Store) -> None:
    for number in range(10):
        store.register_hook(destination=f"{HTTPS}/{number}")

    for destination in (f"{HTTPS}/1", f"{HTTPS}/10"):
        with pytest.raises(Refused):
            store.register_hook(destination=destination)


def test_a_callback_body_can_be_had_without_sending_it(store: Store) -> None:
    order_id = store.place_order()
    store.set_status(order_id, Status.SHIPPED)

    body = json.loads(store.callback_body(order_id, "store/order/statusUpdated"))

    assert body["data"]["status"] == {"previous_status_id": 11, "new_status_id": 2}
    assert json.loads(store.callback_body(order_id))["data"]["orderId"] == order_id


def test_a_store_can_deliver_in_the_background(receiver: Receiver) -> None:
    with Store() as store:
        store.register_hook(destination=receiver.url)
        store.start_delivering()
        store.place_order()

        assert receiver.called.wait(10)
