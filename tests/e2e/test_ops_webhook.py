"""`webhook register | list | remove | test`: the webhooks through which a store calls a stage."""

from typing import Any

import pytest

from sandbox.store import Store
from sandbox.store.callbacks import Hook
from sandbox.store.faults import Fault
from sandbox.store.statuses import Status
from sandbox.world import World
from tests.e2e.conftest import Ops
from tests.e2e.journeys import come_to_rest, replicated

TOKEN = "X-Replication-Token"
CART = "store/cart/converted"
SCOPES = {
    CART: "cart-converted",
    "store/order/created": "order-changed",
    "store/order/statusUpdated": "order-changed",
    "store/order/updated": "order-changed",
    "store/order/archived": "order-changed",
    "store/order/refund/created": "order-changed",
    "store/shipment/*": "order-changed",
}
ELSEWHERE = "https://gone.execute-api.us-east-1.amazonaws.com/prod/cart-converted"


@pytest.fixture
def hook(store: Store) -> Hook:
    """The hook of the carts that the world has registered, before any change."""
    return cart_hook(store)


@pytest.fixture
def asking(world: World) -> Ops:
    """Commands that ask before a change."""
    return Ops(world, asks=True)


def remove_all(store: Store) -> None:
    for hook_id in list(store.callbacks.hooks):
        store.callbacks.remove(hook_id)


def cart_hook(store: Store) -> Hook:
    """The first hook of the carts."""
    return next(hook for hook in store.callbacks.hooks.values() if hook.scope == CART)


def done_to(report: dict[str, Any], scope: str = CART) -> str:
    """What `register` did to the hook of a scope."""
    (did,) = (hook["did"] for hook in report["hooks"] if hook["scope"] == scope)
    return str(did)


def named(world: World, resource: str) -> str:
    return f"/order-replication/{world.stack.stage}/{resource}"


def test_a_hook_is_registered_for_every_scope_that_is_needed(ops, world, store):
    remove_all(store)

    report = ops.json("webhook", "register")

    made = {hook.scope: hook for hook in store.callbacks.hooks.values()}
    assert {hook["did"] for hook in report["hooks"]} == {"registered"}
    assert {scope: hook.destination for scope, hook in made.items()} == {
        scope: f"{world.api_url}/{route}" for scope, route in SCOPES.items()
    }
    assert all(hook.headers == {TOKEN: world.stack.secrets.webhook_token} for hook in made.values())
    assert [hook["id"] for hook in report["hooks"]] == [made[scope].id for scope in SCOPES]


def test_registered_hooks_bring_orders_and_their_changes(ops, world, store):
    remove_all(store)
    ops("webhook", "register")

    order_id = store.place_order()
    come_to_rest(world)
    store.edit(order_id, staff_notes="call first")
    come_to_rest(world)

    assert replicated(world, order_id)
    assert world.order(order_id)["staff_notes"] == "call first"


def test_only_what_is_missing_is_registered(ops, store, hook):
    before = dict(store.callbacks.hooks)
    missing = [h.id for h in before.values() if h.scope in ("store/shipment/*", CART)]
    for hook_id in missing:
        store.callbacks.remove(hook_id)

    report = ops.json("webhook", "register")

    assert {h["scope"] for h in report["hooks"] if h["did"] == "registered"} == {
        CART,
        "store/shipment/*",
    }
    kept = before.keys() - set(missing)
    assert {n: store.callbacks.hooks[n] for n in kept} == {n: before[n] for n in kept}
    assert len(store.callbacks.hooks) == len(SCOPES)


def test_working_hooks_are_not_changed(ops, store, hook):
    before = dict(store.callbacks.hooks)

    assert {h["did"] for h in ops.json("webhook", "register")["hooks"]} == {"nothing"}
    assert store.callbacks.hooks == before
    assert store.requests["PUT /hooks/{id}"] == 0


class TestNotification:
    """The addresses to which BigCommerce writes about inactive hooks."""

    def test_the_address_of_the_alarms_is_set_where_none_is(self, ops, world, store):
        world.stack.sns.subscribe(
            TopicArn=world.stack.errors_topic_arn, Protocol="email", Endpoint="ops@example.com"
        )

        report = ops.json("webhook", "register")

        assert report["emails"] == {"set": [], "added": "ops@example.com"}
        assert store.callbacks.emails == ["ops@example.com"]
        assert ops.json("webhook", "register")["emails"]["added"] is None

    def test_a_given_address_is_added_once(self, ops, store):
        store.callbacks.emails = ["first@example.com"]

        for _ in range(2):
            ops("webhook", "register", "--email", "second@example.com")

        assert store.callbacks.emails == ["first@example.com", "second@example.com"]
        assert store.requests["PUT /hooks/admin"] == 1

    def test_without_an_address_nobody_is_notified_and_the_option_is_named(self, ops, store):
        result = ops("webhook", "register")

        assert result.exit_code == 0
        assert "--email" in result.output
        assert store.callbacks.emails == []


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

    assert done_to(ops.json("webhook", "register")) == "updated"

    updated = cart_hook(store)
    assert updated.is_active
    assert updated.headers == {TOKEN: world.stack.secrets.webhook_token}
    assert done_to(ops.json("webhook", "register")) == "nothing"


def test_other_headers_of_a_hook_are_kept(ops, store, hook):
    store.callbacks.change(hook.id, headers={"X-Gateway": "eu", TOKEN: "wrong"})

    ops("webhook", "register")

    assert cart_hook(store).headers["X-Gateway"] == "eu"


def test_a_hook_that_was_registered_in_the_meantime_is_updated(ops, world, store, hook):
    store.callbacks.change(hook.id, headers={})
    store.faults.add(Fault(route="GET /hooks", kind="body", body=b'{"data": []}'))

    found = ops.json("webhook", "register")["hooks"]

    assert [h["id"] for h in found if h["scope"] == CART] == [hook.id]
    assert cart_hook(store).headers == {TOKEN: world.stack.secrets.webhook_token}


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


@pytest.mark.parametrize("url", ["WEBHOOK_URL", "ORDER_CHANGED_URL"])
def test_nothing_is_registered_for_a_stage_without_its_urls(ops, world, store, url):
    remove_all(store)
    world.configure(**{url: ""})

    result = ops("webhook", "register")

    assert result.exit_code == 1
    assert url in result.stderr
    assert store.callbacks.hooks == {}


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


def test_the_list_has_every_hook_of_our_scopes(ops, store, hook):
    other = store.register_hook(destination=ELSEWHERE)
    store.callbacks.change(other, is_active=False)
    store.register_hook(scope="store/product/created", destination=ELSEWHERE)

    listed = {h["id"]: h for h in ops.json("webhook", "list")["hooks"]}

    assert len(listed) == len(SCOPES) + 1
    assert listed[hook.id] == {
        "id": hook.id,
        "scope": CART,
        "active": True,
        "destination": hook.destination,
        "ours": True,
        "header": True,
        "secret": "current",
    }
    assert listed[other] == {
        "id": other,
        "scope": CART,
        "active": False,
        "destination": ELSEWHERE,
        "ours": False,
        "header": False,
        "secret": "missing",
    }


def test_a_destination_is_shown_as_it_is_and_not_as_markup(ops, store, hook):
    """Another app of the API account may have registered it."""
    store.register_hook(scope=CART, destination="https://example.com/[red]/[/]")

    assert "https://example.com/[red]/[/]" in ops("webhook", "list").output


def test_the_list_names_the_scopes_that_are_missing(ops, store, hook):
    store.callbacks.remove(hook.id)

    assert ops.json("webhook", "list")["missing"] == [CART]
    assert "webhook register" in ops("webhook", "list").output


@pytest.mark.parametrize(
    ("headers", "secret"), [({TOKEN: "an outdated secret"}, "outdated"), ({}, "missing")]
)
def test_the_list_and_the_test_report_a_hook_without_the_current_secret(
    ops, store, hook, headers, secret
):
    store.place_order(via="api")
    store.callbacks.change(hook.id, headers=headers)

    listed = {h["id"]: h for h in ops.json("webhook", "list")["hooks"]}
    trial = ops.json("webhook", "test", code=1)

    assert listed[hook.id]["secret"] == secret
    for route in trial["routes"]:
        assert (route["genuine"]["status"], route["forged"]["status"]) == (200, 401)
    assert list(trial["hook_problems"]) == [CART]
    assert not trial["passed"]


@pytest.mark.parametrize("is_registered", [True, False])
def test_the_test_fails_for_a_hook_that_is_inactive_or_missing(ops, store, hook, is_registered):
    store.place_order(via="api")
    if is_registered:
        store.callbacks.change(hook.id, is_active=False)
    else:
        store.callbacks.remove(hook.id)

    trial = ops.json("webhook", "test", code=1)

    assert list(trial["hook_problems"]) == [CART]


def test_the_list_works_without_a_token(ops, world, hook):
    world.stack.ssm.delete_parameter(Name=named(world, "webhook-token"))

    listed = {h["id"]: h for h in ops.json("webhook", "list")["hooks"]}

    assert (listed[hook.id]["header"], listed[hook.id]["secret"]) == (True, None)
    assert listed[hook.id]["ours"]


def test_a_list_without_hooks_is_empty(ops, store):
    remove_all(store)

    assert ops.json("webhook", "list") == {"hooks": [], "missing": list(SCOPES)}


@pytest.mark.parametrize("has_token", [True, False])
def test_our_hooks_are_removed_and_no_other(ops, world, store, has_token):
    if not has_token:
        world.stack.ssm.delete_parameter(Name=named(world, "webhook-token"))
    ours = list(store.callbacks.hooks)
    other = store.register_hook(destination=ELSEWHERE)

    assert ops.json("webhook", "remove") == {"removed": ours}

    assert list(store.callbacks.hooks) == [other]
    assert ops.json("webhook", "remove") == {"removed": []}


def test_a_hook_is_removed_by_its_id(ops, store, hook):
    ours = list(store.callbacks.hooks)
    other = store.register_hook(destination=ELSEWHERE)

    assert ops("webhook", "remove", str(other)).exit_code == 0

    assert list(store.callbacks.hooks) == ours


def test_a_hook_of_another_scope_is_not_removed(ops, store, hook):
    other = store.register_hook(scope="store/product/created", destination=ELSEWHERE)
    before = list(store.callbacks.hooks)

    result = ops("webhook", "remove", str(other))

    assert result.exit_code == 1
    assert list(store.callbacks.hooks) == before


@pytest.mark.parametrize("command", ["register", "remove"])
def test_a_change_needs_confirmation(asking, store, hook, command):
    store.callbacks.change(hook.id, is_active=False)
    before = dict(store.callbacks.hooks)

    assert asking("webhook", command, answer="n\n").exit_code == 1
    assert store.callbacks.hooks == before
    assert asking("webhook", command, "--yes").exit_code == 0
    assert store.callbacks.hooks != before


def test_a_working_hook_needs_no_confirmation(asking):
    assert asking("webhook", "register").exit_code == 0


def test_the_test_sends_the_newest_order_and_a_forged_callback(ops, world, store):
    store.place_order(via="api")
    newest = store.place_order(via="api")

    seen = ops.json("webhook", "test")

    assert seen["order_id"] == newest
    assert seen["signed"]
    for route in seen["routes"]:
        kinds = ("genuine", "late", "unsigned", "forged")
        assert [route[kind]["status"] for kind in kinds] == [200, 200, 401, 401]
        assert route["genuine"]["milliseconds"] >= 0
    assert [route["url"] for route in seen["routes"]] == [
        f"{world.api_url}/{route}" for route in ("cart-converted", "order-changed")
    ]
    assert (len(world.messages("orders")), len(world.messages("changes"))) == (2, 2)
    assert all(record["hash"].startswith("test-") for record in world.items("webhooks"))


def test_a_test_with_an_order_that_is_not_in_scope_changes_nothing(ops, world, store):
    unfinished = store.place_order(status=Status.INCOMPLETE, via="api")
    store.place_order(via="api")

    trial = ops.json("webhook", "test", "--order", str(unfinished))
    world.settle()

    assert trial["order_id"] == unfinished
    assert world.item(unfinished) is None
    assert world.messages() == []


def test_a_callback_is_not_signed_without_a_client_secret(ops, world, store):
    store.place_order(via="api")
    world.configure(CLIENT_SECRET_PARAMETER="")

    trial = ops.json("webhook", "test")

    assert not trial["signed"]
    assert "unsigned" not in trial["routes"][0]


def test_a_missing_signature_is_accepted_where_none_is_required(ops, world, store):
    store.place_order(via="api")
    world.configure(REQUIRE_SIGNATURE="false")

    trial = ops.json("webhook", "test")

    assert [route["unsigned"]["status"] for route in trial["routes"]] == [200, 200]


def test_a_webhook_that_rejects_a_valid_callback_fails_the_test(ops, world, store):
    store.place_order(via="api")
    parameter = named(world, "bigcommerce-client-secret")
    ops("webhook", "test")
    world.stack.ssm.put_parameter(
        Name=parameter, Value="a newer one", Type="SecureString", Overwrite=True
    )

    # The function has read the older secret less than a minute ago.
    trial = ops.json("webhook", "test", code=1)

    for route in trial["routes"]:
        assert (route["genuine"]["status"], route["genuine"]["expected"]) == (401, 200)


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
