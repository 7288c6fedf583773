"""`webhook register | list | remove | test`: the webhook through which the store calls a stage."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from sandbox.stack import Aws
from sandbox.store import Store
from sandbox.store.callbacks import Hook
from sandbox.store.faults import Fault
from sandbox.store.statuses import Status
from sandbox.world import World
from tests.e2e.journeys import replicated

TOKEN = "X-Replication-Token"
ELSEWHERE = "https://gone.execute-api.us-east-1.amazonaws.com/prod/cart-converted"


@pytest.fixture
def hook(store: Store) -> Hook:
    """The hook that the world has registered, before any change."""
    return next(iter(store.callbacks.hooks.values()))


@pytest.fixture
def prod(world: World, aws: Aws) -> Iterator[str]:
    """The world's stage under the name prod; a stage is found by the name of its poll function."""
    name = "order-replication-prod-poll-orders"
    aws.functions.add(replace(world.function("poll_orders"), name=name))
    yield "prod"
    aws.functions.remove(name)


def remove_all(store: Store) -> None:
    for hook_id in list(store.callbacks.hooks):
        store.callbacks.remove(hook_id)


def only_hook(store: Store) -> Hook:
    (found,) = store.callbacks.hooks.values()
    return found


def named(world: World, resource: str) -> str:
    return f"/order-replication/{world.stack.stage}/{resource}"


def test_a_registered_hook_brings_orders(ops, world, store):
    remove_all(store)

    done = ops.json("webhook", "register")

    made = only_hook(store)
    assert (done["did"], done["hook"]["id"]) == ("registered", made.id)
    assert made.destination == f"{world.api_url}/cart-converted"
    assert made.headers == {TOKEN: world.stack.secrets.webhook_token}
    order_id = store.place_order()
    assert world.deliver_webhooks() == [200]
    world.drain()
    assert replicated(world, order_id)


def test_a_working_hook_is_not_changed(ops, store, hook):
    assert ops.json("webhook", "register")["did"] == "nothing"
    assert store.callbacks.hooks == {hook.id: hook}
    assert store.requests["PUT /hooks/{id}"] == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"is_active": False},
        {"headers": {}},
        {"headers": {TOKEN: "an outdated secret"}},
        {"headers": {TOKEN.lower(): "an outdated secret"}},
    ],
)
def test_a_hook_with_a_problem_is_updated(ops, world, store, hook, changes):
    store.callbacks.change(hook.id, **changes)

    assert ops.json("webhook", "register")["did"] == "updated"

    updated = only_hook(store)
    assert updated.is_active
    assert updated.headers == {TOKEN: world.stack.secrets.webhook_token}
    assert ops.json("webhook", "register")["did"] == "nothing"


def test_other_headers_of_a_hook_are_kept(ops, store, hook):
    store.callbacks.change(hook.id, headers={"X-Gateway": "eu", TOKEN: "wrong"})

    ops("webhook", "register")

    assert only_hook(store).headers["X-Gateway"] == "eu"


def test_a_hook_that_was_registered_in_the_meantime_is_updated(ops, world, store, hook):
    store.callbacks.change(hook.id, headers={})
    store.faults.add(Fault(route="GET /hooks", kind="body", body=b'{"data": []}'))

    assert ops.json("webhook", "register")["hook"]["id"] == hook.id

    assert only_hook(store).headers == {TOKEN: world.stack.secrets.webhook_token}


def test_a_hook_that_the_store_rejects_is_an_error(ops, store):
    remove_all(store)
    store.faults.add(Fault(route="POST /hooks", kind="status", status=422))

    result = ops("webhook", "register")

    assert result.exit_code == 1
    assert "POST hooks -> 422" in result.stderr


def test_hooks_left_behind_by_an_older_url_are_named(ops, store):
    left = store.register_hook(destination=ELSEWHERE, headers={TOKEN: "old"})
    store.register_hook(destination="https://example.com/somebody-elses")

    assert ops.json("webhook", "register")["elsewhere"] == [left]


def test_nothing_is_registered_for_a_stage_without_its_url(ops, world):
    world.configure(WEBHOOK_URL="")

    result = ops("webhook", "register")

    assert result.exit_code == 1
    assert "WEBHOOK_URL" in result.stderr


def test_nothing_is_registered_without_a_token(ops, world, store):
    remove_all(store)
    parameter = named(world, "webhook-token")
    world.stack.ssm.put_parameter(
        Name=parameter, Value="unset", Type="SecureString", Overwrite=True
    )

    result = ops("webhook", "register")

    assert result.exit_code == 1
    assert "TF_VAR_webhook_token" in result.stderr
    assert store.callbacks.hooks == {}


def test_the_list_has_every_hook_of_our_scope(ops, store, hook):
    other = store.register_hook(destination=ELSEWHERE)
    store.callbacks.change(other, is_active=False)

    listed = ops.json("webhook", "list")

    assert listed == [
        {
            "id": hook.id,
            "active": True,
            "destination": hook.destination,
            "ours": True,
            "header": True,
            "secret": "current",
        },
        {
            "id": other,
            "active": False,
            "destination": ELSEWHERE,
            "ours": False,
            "header": False,
            "secret": "missing",
        },
    ]


@pytest.mark.parametrize(
    ("headers", "secret"), [({TOKEN: "an outdated secret"}, "outdated"), ({}, "missing")]
)
def test_the_list_and_the_test_report_a_hook_without_the_current_secret(
    ops, store, hook, headers, secret
):
    store.place_order(via="api")
    store.callbacks.change(hook.id, headers=headers)

    (listed,) = ops.json("webhook", "list")
    trial = ops.json("webhook", "test", code=1)

    assert (listed["id"], listed["secret"]) == (hook.id, secret)
    assert (trial["genuine"]["status"], trial["forged"]["status"]) == (200, 401)
    assert len(trial["hook_problems"]) == 1
    assert not trial["passed"]


@pytest.mark.parametrize("is_registered", [True, False])
def test_the_test_fails_for_a_hook_that_is_inactive_or_missing(ops, store, hook, is_registered):
    store.place_order(via="api")
    if is_registered:
        store.callbacks.change(hook.id, is_active=False)
    else:
        remove_all(store)

    trial = ops.json("webhook", "test", code=1)

    assert len(trial["hook_problems"]) == 1


def test_the_list_works_without_a_token(ops, world, hook):
    world.stack.ssm.delete_parameter(Name=named(world, "webhook-token"))

    (listed,) = ops.json("webhook", "list")

    assert (listed["header"], listed["secret"]) == (True, None)


def test_a_list_without_hooks_is_empty(ops, store):
    remove_all(store)

    assert ops.json("webhook", "list") == []


def test_our_hook_is_removed_and_no_other(ops, store, hook):
    other = store.register_hook(destination=ELSEWHERE)

    assert ops.json("webhook", "remove") == {"removed": hook.id}

    assert list(store.callbacks.hooks) == [other]
    assert ops.json("webhook", "remove") == {"removed": None}


def test_a_hook_is_removed_by_its_id(ops, store, hook):
    other = store.register_hook(destination=ELSEWHERE)

    assert ops("webhook", "remove", str(other)).exit_code == 0

    assert list(store.callbacks.hooks) == [hook.id]


def test_a_hook_of_another_scope_is_not_removed(ops, store, hook):
    other = store.register_hook(scope="store/order/updated", destination=ELSEWHERE)

    result = ops("webhook", "remove", str(other))

    assert result.exit_code == 1
    assert list(store.callbacks.hooks) == [hook.id, other]


@pytest.mark.parametrize("command", ["register", "remove"])
def test_in_prod_a_change_needs_confirmation(ops, store, hook, prod, command):
    store.callbacks.change(hook.id, is_active=False)
    before = only_hook(store)

    assert ops("webhook", command, stage=prod, answer="n\n").exit_code == 1
    assert store.callbacks.hooks == {hook.id: before}
    assert ops("webhook", command, "--yes", stage=prod).exit_code == 0
    assert store.callbacks.hooks != {hook.id: before}


def test_in_prod_a_working_hook_needs_no_confirmation(ops, prod):
    assert ops("webhook", "register", stage=prod).exit_code == 0


def test_the_test_sends_the_newest_order_and_a_forged_callback(ops, world, store):
    store.place_order(via="api")
    newest = store.place_order(via="api")

    seen = ops.json("webhook", "test")

    assert seen["order_id"] == newest
    assert seen["signed"]
    assert (seen["genuine"]["status"], seen["forged"]["status"]) == (200, 401)
    assert seen["genuine"]["milliseconds"] >= 0
    assert len(world.messages()) == 1
    (record,) = world.items("webhooks")
    assert record["hash"].startswith("test-")


def test_a_test_with_an_order_that_is_not_new_changes_nothing(ops, world, store):
    shipped = store.place_order(status=Status.SHIPPED, via="api")
    store.place_order(via="api")

    trial = ops.json("webhook", "test", "--order", str(shipped))
    world.drain()

    assert trial["order_id"] == shipped
    assert world.item(shipped) is None
    assert world.messages() == []


def test_a_callback_is_not_signed_without_a_client_secret(ops, world, store):
    store.place_order(via="api")
    world.configure(CLIENT_SECRET_PARAMETER="")

    trial = ops.json("webhook", "test")

    assert not trial["signed"]


def test_a_webhook_that_rejects_a_valid_callback_fails_the_test(ops, world, store):
    store.place_order(via="api")
    parameter = named(world, "bigcommerce-client-secret")
    ops("webhook", "test")
    world.stack.ssm.put_parameter(
        Name=parameter, Value="a newer one", Type="SecureString", Overwrite=True
    )

    # The function has read the older secret less than a minute ago.
    trial = ops.json("webhook", "test", code=1)

    assert (trial["genuine"]["status"], trial["genuine"]["expected"]) == (401, 200)


def test_an_unreachable_url_is_an_error(ops, world, store):
    store.place_order(via="api")
    world.configure(WEBHOOK_URL="http://127.0.0.1:1/cart-converted")

    result = ops("webhook", "test")

    assert result.exit_code == 1
    assert "http://127.0.0.1:1/cart-converted" in result.stderr


def test_a_store_without_orders_is_an_error(ops):
    failed = ops("webhook", "test")

    assert failed.exit_code == 1
    assert "--order" in failed.stderr


@pytest.mark.parametrize("command", ["register", "list", "test", "remove"])
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_no_secret_is_ever_printed(ops, world, store, command, options):
    store.place_order(via="api")
    store.register_hook(destination=ELSEWHERE, headers={TOKEN: "an-older-secret"})

    result = ops("webhook", command, *options)

    assert result.exit_code == 0
    for secret in (*vars(world.stack.secrets).values(), "an-older-secret"):
        assert secret not in result.output
