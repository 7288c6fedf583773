"""The check of the webhooks: missing and inactive ones are reported, and the latter reactivated."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import responses

from chalicelib.domain.callbacks import CART_CONVERTED, CHANGE_SCOPES, ORDER_CREATED, ORDER_UPDATED
from chalicelib.edges.bigcommerce import BigCommerce
from chalicelib.edges.bigcommerce_hooks import Hooks
from chalicelib.edges.sns import Alerts
from chalicelib.hook_check import HookCheck, destinations
from tests.factories import V3, FakeClock, events
from tests.integration.conftest import Stage, alerts_of

CARTS = "https://example.com/test/cart-converted"
CHANGES = "https://example.com/test/order-changed"
WANTED = destinations(CARTS, CHANGES)


def hook(number: int, scope: str, **overrides: Any) -> dict[str, Any]:
    return {
        "id": number,
        "scope": scope,
        "destination": WANTED[scope],
        "is_active": True,
        "headers": {"X-Replication-Token": "the-webhook-token"},
        **overrides,
    }


ALL = [hook(number, scope) for number, scope in enumerate(WANTED, start=1)]

LAST = hook(118, list(WANTED)[-1], is_active=False)

Check = Callable[..., None]


@pytest.fixture
def alerts(stage: Stage, clock: FakeClock) -> Alerts:
    return alerts_of(stage, clock)


@pytest.fixture
def check(web: responses.RequestsMock, store: BigCommerce, alerts: Alerts) -> Check:
    """Check these hooks of the account."""

    def run(*hooks: dict[str, Any], wanted: dict[str, str] = WANTED) -> None:
        web.get(f"{V3}/hooks", json={"data": hooks})
        for one in hooks:
            web.put(f"{V3}/hooks/{one['id']}", json={"data": {**one, "is_active": True}})
        HookCheck(Hooks.of(store), alerts, wanted).check()

    return run


def changed(web: responses.RequestsMock) -> list[tuple[str, Any]]:
    """The hooks that were changed, and what was sent for each."""
    return [
        (str(call.request.url).rpartition("/")[2], json.loads(call.request.body or b""))
        for call in web.calls
        if call.request.method == "PUT"
    ]


def test_every_scope_has_the_url_of_its_route() -> None:
    assert {CART_CONVERTED: CARTS} | dict.fromkeys(CHANGE_SCOPES, CHANGES) == WANTED


def test_a_route_without_a_url_has_no_scope() -> None:
    assert destinations(CARTS, "") == {CART_CONVERTED: CARTS}
    assert destinations("", "") == {}


def test_active_hooks_of_every_scope_are_left_alone(
    web: responses.RequestsMock, stage: Stage, check: Check, caplog: pytest.LogCaptureFixture
) -> None:
    check(*ALL)

    assert changed(web) == []
    assert stage.mail() == []
    assert "hook_check_failed" not in events(caplog)


def test_without_urls_no_hook_is_read(web: responses.RequestsMock, check: Check) -> None:
    check(wanted={})

    assert len(web.calls) == 0


def test_an_inactive_hook_is_reactivated_and_reported(
    web: responses.RequestsMock, stage: Stage, check: Check
) -> None:
    check(*ALL[1:], hook(118, CART_CONVERTED, is_active=False))

    assert changed(web) == [("118", {"is_active": True})]
    (mail,) = stage.mail()
    assert "inactive" in mail["Subject"]
    assert "the-webhook-token" not in mail["Message"]


def test_several_inactive_hooks_are_all_reactivated(
    web: responses.RequestsMock, check: Check
) -> None:
    check(*(one | {"is_active": False} for one in ALL))

    assert [number for number, _ in changed(web)] == [str(one["id"]) for one in ALL]


@pytest.mark.parametrize(
    "hooks",
    [
        [one for one in ALL if one["scope"] != ORDER_UPDATED],
        [
            one | {"destination": "https://other.example.com"}
            if one["scope"] == ORDER_UPDATED
            else one
            for one in ALL
        ],
    ],
    ids=["none", "only of another service"],
)
def test_a_scope_without_a_hook_is_reported_with_the_command(
    web: responses.RequestsMock, stage: Stage, check: Check, hooks: list[dict[str, Any]]
) -> None:
    check(*hooks)

    (mail,) = stage.mail()
    assert "not registered" in mail["Subject"]
    assert f"scopes: {ORDER_UPDATED}\n" in mail["Message"]
    assert "--stage test webhook register" in mail["Message"]
    assert changed(web) == []


def test_a_hook_of_another_service_is_not_reactivated(
    web: responses.RequestsMock, check: Check
) -> None:
    check(*ALL, hook(118, ORDER_CREATED, destination="https://other.example.com", is_active=False))

    assert changed(web) == []


def test_the_check_of_a_store_that_fails_is_only_logged(
    web: responses.RequestsMock,
    store: BigCommerce,
    alerts: Alerts,
    caplog: pytest.LogCaptureFixture,
) -> None:
    web.get(f"{V3}/hooks", status=403, json={})

    HookCheck(Hooks.of(store), alerts, WANTED).check()

    assert "hook_check_failed" in events(caplog)


def test_an_alert_that_cannot_be_sent_does_not_prevent_a_reactivation(
    web: responses.RequestsMock, stage: Stage, check: Check, caplog: pytest.LogCaptureFixture
) -> None:
    """One scope is missing, and two hooks are inactive."""
    stage.sns.delete_topic(TopicArn=stage.errors_topic_arn)

    check(*ALL[2:], *(one | {"is_active": False} for one in ALL[:1]), LAST)

    assert [number for number, _ in changed(web)] == ["1", "118"]
    assert "alert_not_sent" in events(caplog)
