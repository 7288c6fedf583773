"""`webhook register | list | remove | test`: the hook by which the store calls a stage."""

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
    """The one that the world has registered, as it was."""
    return next(iter(store.callbacks.hooks.values()))


@pytest.fixture
def prod(world: World, aws: Aws) -> Iterator[str]:
    """The world's stage under the name of prod; a stage is found by the name of its poll."""
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


def test_a_hook_that_is_well_is_left_alone(ops, store, hook):
    told = ops("webhook", "register")

    assert (told.exit_code, "nothing was changed" in told.output) == (0, True)
    assert store.callbacks.hooks == {hook.id: hook}
    assert store.requests["PUT /hooks/{id}"] == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"is_active": False},
        {"headers": {}},
        {"headers": {TOKEN: "of an older stage"}},
        {"headers": {TOKEN.lower(): "of an older stage"}},
    ],
)
def test_a_hook_that_is_not_well_is_mended(ops, world, store, hook, changes):
    store.callbacks.change(hook.id, **changes)

    assert ops.json("webhook", "register")["did"] == "mended"

    mended = only_hook(store)
    assert mended.is_active
    assert mended.headers == {TOKEN: world.stack.secrets.webhook_token}
    assert ops.json("webhook", "register")["did"] == "nothing"


def test_headers_that_somebody_added_stay(ops, store, hook):
    store.callbacks.change(hook.id, headers={"X-Gateway": "eu", TOKEN: "wrong"})

    ops("webhook", "register")

    assert only_hook(store).headers["X-Gateway"] == "eu"


def test_a_hook_that_another_has_just_made_is_brought_into_shape(ops, world, store, hook):
    store.callbacks.change(hook.id, headers={})
    store.faults.add(Fault(route="GET /hooks", kind="body", body=b'{"data": []}'))

    assert ops.json("webhook", "register")["hook"]["id"] == hook.id

    assert only_hook(store).headers == {TOKEN: world.stack.secrets.webhook_token}


def test_a_hook_that_the_store_does_not_take_is_a_sentence(ops, store):
    remove_all(store)
    store.faults.add(Fault(route="POST /hooks", kind="status", status=422))

    told = ops("webhook", "register")

    assert told.exit_code == 1
    assert "the store refuses the hook (POST hooks -> 422)" in told.output


def test_hooks_left_behind_by_an_older_url_are_named(ops, store):
    left = store.register_hook(destination=ELSEWHERE, headers={TOKEN: "old"})
    store.register_hook(destination="https://example.com/somebody-elses")

    assert ops.json("webhook", "register")["elsewhere"] == [left]
    assert f"webhook remove {left}" in ops("webhook", "register").output


def test_nothing_is_registered_for_a_stage_that_does_not_know_its_url(ops, world):
    world.configure(WEBHOOK_URL="")

    told = ops("webhook", "register")

    assert told.exit_code == 1
    assert "WEBHOOK_URL is empty" in told.output


def test_nothing_is_registered_without_a_token(ops, world, store):
    remove_all(store)
    parameter = named(world, "webhook-token")
    world.stack.ssm.put_parameter(
        Name=parameter, Value="unset", Type="SecureString", Overwrite=True
    )

    told = ops("webhook", "register")

    assert told.exit_code == 1
    assert "the webhook token is not set" in told.output
    assert store.callbacks.hooks == {}


def test_the_list_tells_whose_each_hook_is(ops, store, hook):
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
        },
        {
            "id": other,
            "active": False,
            "destination": ELSEWHERE,
            "ours": False,
            "header": False,
        },
    ]
    assert ELSEWHERE in ops("webhook", "list").output


def test_an_empty_list_says_what_to_do(ops, store):
    remove_all(store)

    assert "webhook register" in ops("webhook", "list").output
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

    told = ops("webhook", "remove", str(other))

    assert told.exit_code == 1
    assert f"there is no hook {other}" in told.output
    assert list(store.callbacks.hooks) == [hook.id, other]


@pytest.mark.parametrize("command", ["register", "remove"])
def test_in_prod_a_change_is_asked_for_first(ops, store, hook, prod, command):
    store.callbacks.change(hook.id, is_active=False)
    before = only_hook(store)

    assert ops("webhook", command, stage=prod, answer="n\n").exit_code == 1
    assert store.callbacks.hooks == {hook.id: before}
    assert ops("webhook", command, "--yes", stage=prod).exit_code == 0
    assert store.callbacks.hooks != {hook.id: before}


def test_in_prod_a_hook_that_is_well_is_no_question(ops, prod):
    assert ops("webhook", "register", stage=prod).exit_code == 0


def test_the_newest_order_and_a_forged_callback_try_the_webhook_out(ops, world, store):
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


def test_an_order_that_is_not_new_comes_to_no_harm(ops, world, store):
    shipped = store.place_order(status=Status.SHIPPED, via="api")
    store.place_order(via="api")

    told = ops("webhook", "test", "--order", str(shipped))
    world.drain()

    assert told.exit_code == 0
    assert f"order {shipped}" in told.output
    assert world.item(shipped) is None
    assert world.messages() == []


def test_a_callback_is_not_signed_without_a_client_secret(ops, world, store):
    store.place_order(via="api")
    world.configure(CLIENT_SECRET_PARAMETER="")

    told = ops("webhook", "test")

    assert told.exit_code == 0
    assert "not signed" in told.output


def test_a_webhook_that_refuses_our_own_callback_is_a_fault(ops, world, store):
    store.place_order(via="api")
    parameter = named(world, "bigcommerce-client-secret")
    ops("webhook", "test")
    world.stack.ssm.put_parameter(
        Name=parameter, Value="a newer one", Type="SecureString", Overwrite=True
    )

    # The function has read the older secret less than a minute ago.
    told = ops("webhook", "test")

    assert told.exit_code == 1
    assert "answered 401, not 200" in told.output


def test_nobody_at_the_url_is_a_sentence(ops, world, store):
    store.place_order(via="api")
    world.configure(WEBHOOK_URL="http://127.0.0.1:1/cart-converted")

    told = ops("webhook", "test")

    assert told.exit_code == 1
    assert "nobody answers at http://127.0.0.1:1/cart-converted" in told.output


def test_a_store_without_orders_is_a_sentence(ops):
    told = ops("webhook", "test")

    assert told.exit_code == 1
    assert "the store has no order yet" in told.output


@pytest.mark.parametrize("command", ["register", "list", "test", "remove"])
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_no_secret_is_ever_printed(ops, world, store, command, options):
    store.place_order(via="api")
    store.register_hook(destination=ELSEWHERE, headers={TOKEN: "an-older-secret"})

    told = ops("webhook", command, *options)

    assert told.exit_code == 0
    for secret in (*vars(world.stack.secrets).values(), "an-older-secret"):
        assert secret not in told.output
