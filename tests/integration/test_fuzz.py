"""Arbitrary input to the entry points: an intended answer, or a named error."""

import json
import logging
from typing import Any

import pytest
import responses
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.domain.models import Delivery, Order, OrderMessage, UnreadableOrder
from tests.factories import callback, events, order_fields, sqs_record
from tests.integration.conftest import SECRETS, Service, Stage

TOKEN = {"X_Replication_Token": SECRETS.webhook_token}
ANSWERS = {200, 400, 401, 403}

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
@given(body=bodies, extra=headers)
def test_any_request_with_the_token_gets_an_intended_answer(
    stage: Stage, service: Service, caplog: pytest.LogCaptureFixture, body: bytes, extra: Any
) -> None:
    caplog.clear()

    answer = service.post(body, **TOKEN, **extra)

    assert answer.status_code in ANSWERS
    assert answer.body == b""
    assert "function_failed" not in events(caplog)
    queued = stage.queued()
    assert len(queued) == (answer.status_code == 200)
    for message in queued:
        OrderMessage.model_validate_json(json.dumps(message))


@shared_fixtures
@given(body=bodies, token=header_values, extra=headers)
def test_any_request_without_the_token_is_not_authentic(
    stage: Stage, service: Service, body: bytes, token: str, extra: Any
) -> None:
    assert service.post(body, X_Replication_Token=token, **extra).status_code == 401
    assert stage.queued() == []


@shared_fixtures
@given(
    body=st.text(max_size=80)
    | anything.map(json.dumps)
    | damaged(
        OrderMessage(order_id=118, source="poll", queued_at="2026-11-23T00:00:00+00:00")
        .model_dump_json()
        .encode()
    ).map(bytes.decode)
)
def test_any_message_body_is_an_order_message_or_invalid(body: str) -> None:
    (delivery,) = Delivery.from_event({"Records": [sqs_record(body)]})

    if delivery.message is not None:
        assert 1 <= delivery.message.order_id < 2**63


@shared_fixtures
@given(fields=damaged(json.dumps(order_fields(118), default=str).encode()).map(json.loads))
def test_any_order_is_readable_or_an_error_names_it(fields: Any) -> None:
    try:
        order = Order.parse(fields)
    except UnreadableOrder as error:
        assert "order" in str(error)
    else:
        assert isinstance(order.version, int)
        assert order.is_digital in (True, False)
        assert order.fields == fields


@shared_fixtures
@given(junk=st.lists(st.text(max_size=40) | anything.map(json.dumps), min_size=1, max_size=3))
def test_a_batch_of_invalid_messages_returns_to_the_queue_without_a_request(
    service: Service,
    web: responses.RequestsMock,
    caplog: pytest.LogCaptureFixture,
    junk: list[str],
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

    assert service.consume(messages) == [message["MessageId"] for message in messages]
    assert len(web.calls) == 0
