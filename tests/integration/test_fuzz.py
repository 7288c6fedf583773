"""Arbitrary input to the entry points: an intended answer, or a named error."""

import json
import logging
from typing import Any

import pytest
import responses
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.domain.callbacks import CHANGE_SCOPES
from chalicelib.domain.messages import Delivery, OrderMessage, Task
from chalicelib.domain.models import Order, UnreadableOrder
from tests.factories import (
    STORE_HASH,
    callback,
    events,
    message,
    order_callback,
    order_fields,
    shipment_callback,
    sqs_record,
)
from tests.integration.conftest import Service, Stage
from tests.integration.signatures import SECRETS

TOKEN = {"X_Replication_Token": SECRETS.webhook_token}
PATHS = st.sampled_from(["/cart-converted", "/order-changed"])

shared_fixtures = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """Valid JSON with fields replaced, removed and added, at any depth."""
    content: dict[str, Any] = json.loads(whole)
    for _ in range(draw(st.integers(1, 3))):
        part = content
        while inner := [v for v in part.values() if isinstance(v, dict) and v]:
            if draw(st.booleans()):
                break
            part = draw(st.sampled_from(inner))
        name = draw(st.sampled_from(sorted(part)) | st.text(max_size=8)) if part else "x"
        if draw(st.booleans()):
            part.pop(name, None)
        else:
            part[name] = draw(anything)
    return json.dumps(content).encode()


bodies = (
    st.binary(max_size=200)
    | anything.map(lambda value: json.dumps(value).encode())
    | damaged(callback(252))
    | st.sampled_from(CHANGE_SCOPES).flatmap(lambda scope: damaged(order_callback(scope)))
    | damaged(shipment_callback())
    | st.text(max_size=50).map(
        lambda text: callback(252)[: len(text)] + text.encode("utf-8", "ignore")
    )
)
header_values = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)
headers = st.fixed_dictionaries(
    {},
    optional={
        "webhook_id": header_values,
        "webhook_timestamp": header_values | st.integers().map(str),
        "webhook_signature": header_values | header_values.map("v1,{}".format),
    },
)


@shared_fixtures
@given(body=bodies, path=PATHS)
def test_any_authentic_callback_of_the_store_is_answered_200(
    stage: Stage,
    service: Service,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    body: bytes,
    path: str,
) -> None:
    monkeypatch.setenv("REQUIRE_SIGNATURE", "false")
    caplog.clear()

    answer = service.post_unsigned(body, path, **TOKEN)

    # A body that is not of this store names another one.
    assert answer.status_code == 200 or (answer.status_code == 403 and not is_ours(body))
    assert answer.body == b""
    assert "function_failed" not in events(caplog)
    queued = [*stage.queued(), *delayed(stage)]
    is_usable = answer.status_code == 200 and "callback_unusable" not in events(caplog)
    assert len(queued) == is_usable
    for sent in queued:
        OrderMessage.model_validate_json(json.dumps(sent))


def is_ours(body: bytes) -> bool:
    return bool(json.loads(body).get("producer") == f"stores/{STORE_HASH}")


def delayed(stage: Stage) -> list[Any]:
    """The messages of the changes queue, which are not yet visible; the queue is then empty."""
    sent = [json.loads(body) for body in stage.bodies("changes")]
    if sent:
        stage.empty()
    return sent


@shared_fixtures
@given(body=bodies, path=PATHS, token=header_values, extra=headers)
def test_any_request_without_the_token_is_not_authentic(
    stage: Stage, service: Service, body: bytes, path: str, token: str, extra: Any
) -> None:
    answer = service.post_unsigned(body, path, X_Replication_Token=token, **extra)

    assert answer.status_code == 401
    assert stage.bodies("orders") == []
    assert stage.bodies("changes") == []


@shared_fixtures
@given(body=bodies, extra=headers.filter(bool))
def test_any_request_with_an_invalid_signature_is_not_authentic(
    stage: Stage, service: Service, body: bytes, extra: Any
) -> None:
    assert service.post_unsigned(body, **TOKEN, **extra).status_code == 401
    assert stage.bodies("orders") == []


@shared_fixtures
@given(
    body=st.text(max_size=80)
    | anything.map(json.dumps)
    | damaged(message(part="refunds").to_json().encode()).map(bytes.decode)
)
def test_any_message_body_is_an_order_message_or_invalid(body: str) -> None:
    (delivery,) = Delivery.from_event({"Records": [sqs_record(body)]})

    if delivery.message is None:
        assert Task.of([delivery]) == []
    else:
        (task,) = Task.of([delivery])
        assert 1 <= task.order_id < 2**63
        assert task.queued_at.tzinfo is not None


@shared_fixtures
@given(fields=damaged(json.dumps(order_fields(118), default=str).encode()).map(json.loads))
def test_any_order_is_readable_or_an_error_names_it(fields: Any) -> None:
    try:
        order = Order.parse(fields)
    except UnreadableOrder as error:
        assert "order" in str(error)
    else:
        assert isinstance(order.version, int)
        assert {order.is_digital, order.is_collected, order.may_be_digital} <= {True, False}
        assert order.fields == fields


@shared_fixtures
@given(
    junk=st.lists(st.text(max_size=40) | anything.map(json.dumps), min_size=1, max_size=3),
    function=st.sampled_from(["replicate_orders", "follow_orders"]),
)
def test_a_batch_of_invalid_messages_returns_to_the_queue_without_a_request(
    service: Service,
    web: responses.RequestsMock,
    caplog: pytest.LogCaptureFixture,
    junk: list[str],
    function: str,
) -> None:
    caplog.set_level(logging.CRITICAL)
    messages = [
        {
            "MessageId": f"m{number}",
            "ReceiptHandle": f"r{number}",
            "Body": body,
        }
        for number, body in enumerate(junk)
    ]

    assert service.consume(messages, function) == [message["MessageId"] for message in messages]
    assert len(web.calls) == 0
