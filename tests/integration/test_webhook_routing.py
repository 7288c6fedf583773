"""The webhook routes: the queue of each callback, and those that cannot be used."""

import json
from typing import Any

import pytest

from chalicelib.domain.callbacks import (
    ORDER_ARCHIVED,
    ORDER_CREATED,
    ORDER_UPDATED,
    REFUND_CREATED,
    STATUS_UPDATED,
)
from chalicelib.webhook import LARGEST_CALLBACK
from tests.factories import (
    UNREADABLE_CALLBACKS,
    UNUSABLE_CALLBACKS,
    FakeClock,
    callback,
    order_callback,
    shipment_callback,
)
from tests.integration.conftest import Service, Stage
from tests.integration.signatures import SECRETS, signed

TOKEN = {"X_Replication_Token": SECRETS.webhook_token}


def status_callback(status: Any) -> bytes:
    return order_callback(STATUS_UPDATED, 252, status={"new_status_id": status})


NEW: dict[str, bytes] = {
    "cart converted": callback(252),
    "order created": order_callback(ORDER_CREATED, 252),
    "id as text": order_callback(ORDER_CREATED, "252"),
    "awaiting fulfillment": status_callback(11),
    "awaiting payment": status_callback(7),
    "completed": status_callback(10),
    "status as text": status_callback("11"),
    "an unknown status": status_callback("new"),
    "no status": order_callback(STATUS_UPDATED, 252),
}

CHANGED: dict[str, tuple[bytes, str | None]] = {
    "shipped": (status_callback(2), None),
    "our own move": (status_callback(9), None),
    "updated": (order_callback(ORDER_UPDATED, 252), None),
    "archived": (order_callback(ORDER_ARCHIVED, 252), "is_deleted"),
    "refunded": (order_callback(REFUND_CREATED, 252, refund={"refund_id": 3}), "refunds"),
    "shipment created": (shipment_callback("store/shipment/created", 252), "shipments"),
    "shipment deleted": (shipment_callback("store/shipment/deleted", "252"), "shipments"),
}


@pytest.mark.parametrize("body", NEW.values(), ids=NEW)
def test_a_callback_about_an_order_that_may_be_new_is_queued_at_once(
    stage: Stage, service: Service, body: bytes
) -> None:
    assert service.post(body, "/order-changed", **TOKEN).status_code == 200

    assert [message["order_id"] for message in stage.queued()] == [252]
    assert stage.bodies("changes") == []


@pytest.mark.parametrize(("body", "part"), CHANGED.values(), ids=CHANGED)
def test_a_callback_about_a_change_is_queued_apart_with_a_delay(
    stage: Stage, service: Service, clock: FakeClock, body: bytes, part: str | None
) -> None:
    """A burst of callbacks about one order is then one read."""
    assert service.post(body, "/order-changed", **TOKEN).status_code == 200

    assert stage.bodies("orders") == []
    clock.advance(9.9)
    assert stage.queued(stage.changes_queue_url) == []
    clock.advance(0.1)
    (message,) = stage.queued(stage.changes_queue_url)
    assert (message["order_id"], message["source"]) == (252, "webhook")
    assert message.get("part") == part


def test_the_new_statuses_are_configurable(
    stage: Stage, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEW_STATUS_IDS", "12")

    service.post(status_callback(12), "/order-changed", **TOKEN)
    service.post(status_callback(11), "/order-changed", **TOKEN)

    assert (len(stage.bodies("orders")), len(stage.bodies("changes"))) == (1, 1)


def test_a_change_is_recorded_with_its_scope(stage: Stage, service: Service) -> None:
    service.post(shipment_callback(order_id=252), "/order-changed", **TOKEN)

    (item,) = stage.items("webhooks")
    assert (item["order_id"], item["scope"]) == (252, "store/shipment/created")
    assert "cart_id" not in item


TOO_LARGE = callback(padding="x" * LARGEST_CALLBACK)
UNUSABLE = {**UNREADABLE_CALLBACKS, **UNUSABLE_CALLBACKS, "too large": TOO_LARGE}


@pytest.mark.parametrize("path", ["/cart-converted", "/order-changed"])
@pytest.mark.parametrize("body", UNUSABLE.values(), ids=UNUSABLE)
def test_an_authentic_callback_that_cannot_be_used_is_answered_200(
    stage: Stage,
    service: Service,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    body: bytes,
    path: str,
) -> None:
    """BigCommerce deactivates a hook whose callbacks are refused."""
    monkeypatch.setenv("REQUIRE_SIGNATURE", "false")
    assert service.post_unsigned(body, path, **TOKEN).status_code == 200

    assert stage.bodies("orders") == []
    assert stage.bodies("changes") == []
    assert stage.items("webhooks") == []
    assert [r for r in caplog.records if getattr(r, "event", "") == "callback_unusable"]


@pytest.mark.parametrize("case", ["empty", "not JSON", "order zero", "too large"])
def test_a_callback_that_cannot_be_used_is_refused_if_it_is_not_authentic(
    service: Service, case: str
) -> None:
    body = UNUSABLE[case]

    assert service.post(body).status_code == 401
    assert service.post(body, **TOKEN, **signed(body, secret="another")).status_code == 401
    assert service.post(body, **TOKEN, **signed(body)).status_code == 200


def test_a_callback_of_the_largest_size_is_queued(stage: Stage, service: Service) -> None:
    room = LARGEST_CALLBACK - len(callback(padding=""))

    assert service.post(callback(padding="x" * room), **TOKEN).status_code == 200
    assert len(stage.bodies("orders")) == 1


def test_a_callback_that_cannot_be_used_is_logged_without_its_content(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "chalicelib")

    service.post(callback("jane.doe@example.com"), **TOKEN)
    service.post(json.dumps({"scope": ["jane.doe@example.com"]}).encode(), **TOKEN)

    answered = [r for r in caplog.records if getattr(r, "event", "") == "webhook_answered"]
    assert [vars(record)["status"] for record in answered] == [200, 200]
    assert "jane" not in str([vars(record) for record in caplog.records])


def test_a_change_that_cannot_be_queued_is_answered_500_and_alerted(
    stage: Stage, service: Service
) -> None:
    """BigCommerce then sends it again."""
    stage.sqs.delete_queue(QueueUrl=stage.changes_queue_url)

    answer = service.post(order_callback(ORDER_UPDATED), "/order-changed", **TOKEN)

    assert answer.status_code == 500
    (mail,) = stage.mail()
    assert mail["Subject"] == "order-replication test: order_changed failed: AwsError"
