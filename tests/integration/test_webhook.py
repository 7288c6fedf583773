"""The webhook routes: which callbacks are authentic, and what they write."""

import json
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
import responses

from chalicelib.domain.callbacks import ORDER_UPDATED
from tests.factories import NOW, FakeClock, callback, order_callback
from tests.integration.conftest import SECRETS, Service, Stage, requests_of
from tests.integration.signatures import signed

TOKEN = {"X_Replication_Token": SECRETS.webhook_token}


def assert_nothing_written(stage: Stage) -> None:
    assert stage.bodies("orders") == []
    assert stage.bodies("changes") == []
    assert stage.items("webhooks") == []
    assert stage.mail() == []


@pytest.mark.parametrize("is_signed", [False, True])
def test_a_callback_is_queued_and_recorded(stage: Stage, service: Service, is_signed: bool) -> None:
    body = callback(252)

    answer = service.post(body, **TOKEN, **(signed(body) if is_signed else {}))

    assert (answer.status_code, answer.body) == (200, b"")
    (message,) = stage.receive()
    assert json.loads(message["Body"]) == {
        "order_id": 252,
        "source": "webhook",
        "queued_at": "2025-06-02T12:00:00Z",
    }
    assert stage.items("webhooks") == [
        {
            "order_id": 252,
            "received_at": NOW.isoformat(),
            "expires_at": int((NOW + timedelta(days=90)).timestamp()),
            "scope": "store/cart/converted",
            "hash": "b86db7c77d7ef8f9",
            "cart_id": "d30016e2-23c0-4a90",
            "created_at": 1561486893,
            "message_id": message["MessageId"],
        }
    ]


@pytest.mark.parametrize("path", ["/cart-converted", "/order-changed"])
def test_both_routes_receive_every_callback(stage: Stage, service: Service, path: str) -> None:
    assert service.post(callback(252), path, **TOKEN).status_code == 200
    assert service.post(order_callback(ORDER_UPDATED, 253), path, **TOKEN).status_code == 200

    assert len(stage.bodies("orders")) == len(stage.bodies("changes")) == 1
    assert service.post(callback(252), path).status_code == 401


def test_a_callback_causes_no_request_to_the_store(
    service: Service, web: responses.RequestsMock
) -> None:
    assert service.post(callback(), **TOKEN).status_code == 200
    assert len(web.calls) == 0


def test_a_repeated_callback_is_queued_again(stage: Stage, service: Service) -> None:
    """Its hash does not identify the order's state; the consumer is idempotent."""
    for _ in range(2):
        assert service.post(callback(), **TOKEN).status_code == 200
        service.clock.advance(60)

    assert len(stage.queued()) == 2
    assert len(stage.items("webhooks")) == 2


def test_the_name_of_the_token_header_is_case_insensitive(service: Service) -> None:
    assert service.post(callback(), x_replication_TOKEN="the-webhook-token").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X_Replication_Token": ""},
        {"X_Replication_Token": "the-webhook-toke"},
        {"X_Replication_Token": "the-webhook-token "},
        {"X_Replication_Token": "THE-WEBHOOK-TOKEN"},
        {"X_Replication_Token": "žluťoučký"},
        {"Authorization": "the-webhook-token"},
    ],
)
@pytest.mark.parametrize("body", [callback(), b"not JSON"])
def test_a_callback_without_the_token_is_not_authentic(
    stage: Stage, service: Service, headers: dict[str, str], body: bytes
) -> None:
    assert service.post(body, **headers).status_code == 401
    assert_nothing_written(stage)


def test_a_signature_does_not_replace_the_token(stage: Stage, service: Service) -> None:
    assert service.post(callback(), **signed(callback())).status_code == 401
    assert_nothing_written(stage)


Headers = dict[str, str]
FORGED: dict[str, Callable[[Headers], Headers]] = {
    "another body": lambda _: signed(callback(253)),
    "another secret": lambda _: signed(callback(), secret="another-secret"),
    "too old": lambda _: signed(callback(), age=timedelta(minutes=6)),
    "too new": lambda _: signed(callback(), age=timedelta(minutes=-6)),
    "another id": lambda valid: {**valid, "webhook-id": "msg_2"},
    **{
        f"signature {text!r}": partial(
            lambda text, valid: valid | {"webhook-signature": text}, text
        )
        for text in ("", "v1", "v1,###", "v1,žluťoučký", "v1,a,b")
    },
    "another version": lambda valid: {
        **valid,
        "webhook-signature": valid["webhook-signature"].replace("v1,", "v2,"),
    },
    **{
        f"timestamp {text[:9]!r}": partial(
            lambda text, valid: valid | {"webhook-timestamp": text}, text
        )
        for text in ("yesterday", "inf", "9" * 400)
    },
}
"""Signature headers that are not valid, each made from valid ones."""


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_a_callback_with_an_invalid_signature_is_not_authentic(
    stage: Stage, service: Service, forge: Callable[[Headers], Headers]
) -> None:
    headers = forge(signed(callback()))

    assert service.post(callback(), **TOKEN, **headers).status_code == 401
    assert_nothing_written(stage)


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_callback_with_only_some_signature_headers_is_not_authentic(
    stage: Stage, service: Service, name: str
) -> None:
    headers = signed(callback())
    rest = {other: value for other, value in headers.items() if other != name}

    assert service.post(callback(), **TOKEN, **rest).status_code == 401
    assert service.post(callback(), **TOKEN, **{name: headers[name]}).status_code == 401
    assert_nothing_written(stage)


def test_one_valid_signature_among_several_is_enough(service: Service) -> None:
    headers = signed(callback())
    headers["webhook-signature"] = f"v1,{'A' * 43}= {headers['webhook-signature']}"

    assert service.post(callback(), **TOKEN, **headers).status_code == 200


def test_a_signed_body_that_is_not_text_is_not_authentic(stage: Stage, service: Service) -> None:
    assert service.post(b"\xff\xfe", **TOKEN, **signed(b"text")).status_code == 401
    assert_nothing_written(stage)


@pytest.mark.parametrize("parameter", ["", "/test/missing"])
def test_without_a_client_secret_the_token_is_enough(
    service: Service, monkeypatch: pytest.MonkeyPatch, parameter: str
) -> None:
    monkeypatch.setenv("CLIENT_SECRET_PARAMETER", parameter)

    headers = signed(callback(), secret="another-secret")

    assert service.post(callback(), **TOKEN, **headers).status_code == 200


@pytest.mark.parametrize("given", ["", "the-webhook-token"])
def test_without_a_configured_token_nothing_is_authentic(
    stage: Stage, service: Service, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setenv("WEBHOOK_TOKEN_PARAMETER", "/test/missing")

    assert service.post(callback(), X_Replication_Token=given).status_code == 401
    assert_nothing_written(stage)


def test_a_rotated_token_is_read_again_after_a_minute(
    stage: Stage, service: Service, clock: FakeClock
) -> None:
    assert service.post(callback(), **TOKEN).status_code == 200
    stage.set_parameter("webhook_token", "rotated")

    clock.advance(59)
    assert service.post(callback(), X_Replication_Token="rotated").status_code == 401
    clock.advance(1)
    assert service.post(callback(), X_Replication_Token="rotated").status_code == 200
    assert service.post(callback(), **TOKEN).status_code == 401


def test_a_rotated_client_secret_is_read_again_after_a_minute(
    stage: Stage, service: Service, clock: FakeClock
) -> None:
    assert service.post(callback(), **TOKEN, **signed(callback())).status_code == 200
    stage.set_parameter("client_secret", "rotated")
    headers = signed(callback(), secret="rotated")

    clock.advance(59)
    assert service.post(callback(), **TOKEN, **headers).status_code == 401
    clock.advance(1)
    assert service.post(callback(), **TOKEN, **headers).status_code == 200


def test_repeated_wrong_tokens_cause_no_calls_to_ssm(service: Service) -> None:
    service.post(callback(), **TOKEN)
    calls = requests_of(service.wiring.ssm, "GetParameter")

    for _ in range(10):
        service.post(callback(), X_Replication_Token="guess")

    assert calls == []


@pytest.mark.parametrize(
    "producer", ["stores/other", "stores/abc123x", "abc123", "", "stores/ABC123"]
)
def test_a_callback_of_another_store_is_forbidden(
    stage: Stage, service: Service, producer: str
) -> None:
    assert service.post(callback(producer=producer), **TOKEN).status_code == 403
    assert_nothing_written(stage)


def test_a_callback_that_cannot_be_queued_is_answered_500_and_alerted(
    stage: Stage, service: Service
) -> None:
    stage.sqs.delete_queue(QueueUrl=stage.queue_url)

    answer = service.post(callback(252), **TOKEN)

    assert answer.status_code == 500
    assert stage.items("webhooks") == []
    (mail,) = stage.mail()
    assert mail["Subject"] == "order-replication test: cart_converted failed: AwsError"
    assert "SendMessageBatch orders queue -> " in mail["Message"]
    assert "d30016e2" not in mail["Message"]


def test_a_queued_callback_is_answered_200_even_when_it_cannot_be_recorded(
    stage: Stage, service: Service
) -> None:
    stage.dynamodb.delete_table(TableName=stage.name("webhooks"))

    assert service.post(callback(252), **TOKEN).status_code == 200
    assert [message["order_id"] for message in stage.queued()] == [252]
    assert stage.mail() == []


def test_an_invalid_setting_is_answered_500(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_IN_FLIGHT", "0")

    assert service.post(callback(), **TOKEN).status_code == 500
