"""The webhook routes: which callbacks are authentic, and what they write."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import responses
from botocore.stub import Stubber

from chalicelib.domain.callbacks import ORDER_UPDATED
from tests.factories import NOW, FakeClock, callback, events, order_callback
from tests.integration.conftest import Service, Stage, requests_of
from tests.integration.signatures import SECRETS, signed

TOKEN = {"X_Replication_Token": SECRETS.webhook_token}


def assert_nothing_written(stage: Stage) -> None:
    assert stage.bodies("orders") == []
    assert stage.bodies("changes") == []
    assert stage.items("webhooks") == []
    assert stage.mail() == []


def test_a_callback_is_queued_and_recorded(stage: Stage, service: Service) -> None:
    body = callback(252)

    answer = service.post(body, **TOKEN, **signed(body))

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
            "webhook_id": "msg_1",
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
    "too old": lambda _: signed(callback(), age=timedelta(hours=50)),
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
        for text in ("yesterday", "inf", "9" * 400, "", "-1", "1_0", "٣")
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


@pytest.mark.parametrize("headers", [{}, signed(callback(), secret="another-secret")])
def test_without_a_client_secret_the_token_is_enough(
    stage: Stage, service: Service, headers: Headers
) -> None:
    stage.set_parameter("client_secret", "unset")

    answer = service.post_unsigned(callback(), **TOKEN, **headers)

    assert answer.status_code == 200


def test_without_a_parameter_for_the_client_secret_the_token_is_enough(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLIENT_SECRET_PARAMETER", "")

    assert service.post_unsigned(callback(), **TOKEN).status_code == 200


def gateway_event(body: str, headers: dict[str, str]) -> dict[str, Any]:
    """The event of API Gateway for a request to the webhook."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    named["Content-Type"] = "application/json"
    return {
        "resource": "/cart-converted",
        "headers": named,
        "multiValueHeaders": {name: [value] for name, value in named.items()},
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "httpMethod": "POST",
            "resourcePath": "/cart-converted",
            "identity": {"sourceIp": "192.0.2.1"},
        },
        "body": body,
        "isBase64Encoded": False,
    }


def test_a_client_secret_that_was_taken_back_is_no_longer_required(
    stage: Stage, service: Service, clock: FakeClock
) -> None:
    assert service.post(callback(), **TOKEN, **signed(callback())).status_code == 200
    stage.set_parameter("client_secret", "unset")
    clock.advance(60)

    headers = signed(callback(), secret="another-secret")
    assert service.post(callback(), **TOKEN, **headers).status_code == 200
    assert service.post_unsigned(callback(), **TOKEN).status_code == 200
    assert stage.mail() == []


@pytest.mark.parametrize("status", ["true", "false"])
def test_a_missing_signature_is_refused_if_signatures_are_required(
    stage: Stage, service: Service, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    monkeypatch.setenv("REQUIRE_SIGNATURE", status)

    expected = 401 if status == "true" else 200
    assert service.post_unsigned(callback(), **TOKEN).status_code == expected
    assert service.post(callback(), **TOKEN, **signed(callback(253))).status_code == 401
    assert service.post(callback(), **TOKEN, **signed(callback())).status_code == 200


@pytest.mark.parametrize(("age", "is_late"), [(5, False), (6, True), (48 * 60, True)])
def test_a_callback_is_accepted_for_as_long_as_bigcommerce_repeats_it(
    stage: Stage, service: Service, caplog: pytest.LogCaptureFixture, age: int, is_late: bool
) -> None:
    caplog.set_level("INFO")
    headers = signed(callback(), age=timedelta(minutes=age))

    assert service.post(callback(), **TOKEN, **headers).status_code == 200
    assert ("callback_late" in events(caplog)) == is_late
    assert len(stage.queued()) == 1


def test_the_previous_token_is_accepted_while_it_is_set(
    stage: Stage, service: Service, clock: FakeClock
) -> None:
    stage.set_parameter("webhook_token_previous", "the-old-token")
    old = {"X_Replication_Token": "the-old-token"}
    headers = signed(callback())
    assert service.post(callback(), **TOKEN, **headers).status_code == 200
    assert service.post(callback(), **old, **headers).status_code == 200

    stage.set_parameter("webhook_token_previous", "unset")
    clock.advance(300)

    assert service.post(callback(), **old, **headers).status_code == 401
    assert service.post(callback(), **TOKEN, **headers).status_code == 200


def test_a_leaked_token_is_refused_five_minutes_after_its_replacement(
    stage: Stage, service: Service, clock: FakeClock
) -> None:
    """Even if the container has never seen the new token."""
    headers = signed(callback())
    assert service.post(callback(), **TOKEN, **headers).status_code == 200
    stage.set_parameter("webhook_token", "rotated")
    for _ in range(5):
        clock.advance(60)
        leaked = service.post(callback(), **TOKEN, **headers).status_code

    assert leaked == 401


@pytest.mark.parametrize("given", ["", "the-webhook-token"])
def test_without_a_configured_token_nothing_is_accepted(
    stage: Stage, service: Service, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setenv("WEBHOOK_TOKEN_PARAMETER", "/test/missing")

    answer = service.post(callback(), X_Replication_Token=given).status_code

    assert answer == (503 if given else 401)
    assert_nothing_written(stage)


class TestWhileSsmCannotBeReached:
    """Nobody without a valid token causes an error, an e-mail, or more than a call a minute."""

    @pytest.fixture
    def calls(self, service: Service) -> list[Headers]:
        return requests_of(service.wiring.ssm, "GetParameter")

    @pytest.fixture
    def outage(self, service: Service) -> Iterator[None]:
        client = service.wiring.ssm
        with Stubber(client) as ssm:
            for _ in range(50):
                ssm.add_client_error("get_parameter", "ThrottlingException")
            yield

    @pytest.mark.usefixtures("outage")
    def test_a_cold_container_answers_503_without_an_email(
        self, stage: Stage, service: Service, calls: list[Headers]
    ) -> None:
        for _ in range(10):
            assert service.post(callback(), X_Replication_Token="guess").status_code == 503
            assert service.post(callback()).status_code == 401

        assert len(calls) == 1
        assert_nothing_written(stage)

    def test_a_warm_container_accepts_and_refuses_as_before(
        self, stage: Stage, service: Service, clock: FakeClock
    ) -> None:
        headers = signed(callback())
        assert service.post(callback(), **TOKEN, **headers).status_code == 200
        assert service.post(callback(), X_Replication_Token="guess").status_code == 401
        clock.advance(300)
        calls = requests_of(service.wiring.ssm, "GetParameter")
        with Stubber(service.wiring.ssm) as ssm:
            for _ in range(50):
                ssm.add_client_error("get_parameter", "ThrottlingException")
            for _ in range(10):
                assert service.post(callback(), X_Replication_Token="guess").status_code == 401
                assert service.post(callback(), **TOKEN, **headers).status_code == 200

        assert len(calls) == 3, "the token, the previous one and the client secret, once each"
        assert stage.mail() == []


@pytest.mark.parametrize("body", ["é", "YQ"])
def test_a_body_that_cannot_be_decoded_is_refused_and_not_an_error(
    stage: Stage, service: Service, body: str
) -> None:
    """Base64 that API Gateway would not send; whoever lacks the token does not have it decoded."""
    event = gateway_event(body, TOKEN | signed(b"a")) | {"isBase64Encoded": True}
    assert service.module.app(event, None)["statusCode"] == 400

    event["headers"] = {"Content-Type": "application/json"}
    assert service.module.app(event, None)["statusCode"] == 401
    assert_nothing_written(stage)


def test_the_address_of_a_refused_sender_is_logged(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    service.module.app(gateway_event("{}", {}), None)

    (refused,) = [each for each in caplog.records if vars(each).get("event") == "webhook_answered"]
    assert vars(refused)["source"] == "192.0.2.1"


def test_a_text_that_is_too_long_is_not_recorded(stage: Stage, service: Service) -> None:
    body = callback(252, hash="x" * 129, data={"id": "x" * 129, "orderId": 252})
    headers = signed(body) | {"webhook-id": "msg_1"}

    assert service.post(body, **TOKEN, **headers).status_code == 200
    (item,) = stage.items("webhooks")
    assert "hash" not in item
    assert "cart_id" not in item


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
    for given in ("the-webhook-token", "guess"):
        service.post(callback(), X_Replication_Token=given)
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
