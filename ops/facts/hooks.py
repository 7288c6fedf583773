"""Facts about webhooks, as far as they can be read."""

from collections.abc import Iterator
from http import HTTPStatus

from chalicelib.domain.models import JsonObject
from ops.facts.evidence import Evidence
from ops.facts.fact import Case, Topic
from ops.facts.kinds import is_integer
from ops.facts.source import Answer

HOOKS = Topic("Webhooks")

STATES = ("active", "inactive", "deactivated")


def _hooks(store: Evidence) -> Answer:
    return store.get("v3/hooks", {"page": 1, "limit": 250})


def _account(store: Evidence) -> JsonObject:
    data = store.get("v3/hooks/admin").object.get("data")
    return data if isinstance(data, dict) else {}


@HOOKS.fact(
    "hooks-are-data",
    "The list of webhooks is the `data` of an object, and takes `limit=250`.",
    "checking that the webhooks are registered and active",
    unit="answer",
)
def hooks_are_data(store: Evidence) -> Iterator[Case]:
    answer = _hooks(store)
    yield answer.status == HTTPStatus.NO_CONTENT or isinstance(answer.object.get("data"), list)


@HOOKS.fact(
    "hooks-are-paged",
    "The list of webhooks states how many there are.",
    "the simulator; the service reads pages until one is short",
    unit="answer",
    relied_on=False,
)
def hooks_are_paged(store: Evidence) -> Iterator[Case]:
    if "data" in _hooks(store).object:
        meta = _hooks(store).object.get("meta") or {}
        yield is_integer((meta.get("pagination") or {}).get("total"))


@HOOKS.fact(
    "hook-has-its-fields",
    "A webhook has an integer id, a scope, a destination, and `is_active` as true or false.",
    "recognizing the service's own webhooks",
    unit="webhook",
)
def hook_fields(store: Evidence) -> Iterator[Case]:
    kinds = {"id": int, "scope": str, "destination": str, "is_active": bool}
    for hook in _hooks(store).members:
        yield [name for name, kind in kinds.items() if type(hook.get(name)) is not kind]


@HOOKS.fact(
    "hook-shows-its-headers",
    "A webhook shows the headers that it was registered with.",
    "checking that webhooks have the current token",
    unit="webhook",
)
def hook_headers(store: Evidence) -> Iterator[Case]:
    for hook in _hooks(store).members:
        yield hook.get("headers") is None or isinstance(hook["headers"], dict)


@HOOKS.fact(
    "hook-alone-is-data",
    "One webhook is the `data` of an object.",
    "reactivating a webhook",
    unit="webhook",
)
def hook_alone(store: Evidence) -> Iterator[Case]:
    for hook in _hooks(store).members[:1]:
        data = store.get(f"v3/hooks/{hook.get('id', 0)}").object.get("data")
        yield isinstance(data, dict) and data.get("id") == hook.get("id")


@HOOKS.fact(
    "account-shows-its-alerts",
    "The account's webhooks have lists of the addresses that are notified and of blocked domains.",
    "reporting blocked domains in `doctor`",
    unit="answer",
)
def account_alerts(store: Evidence) -> Iterator[Case]:
    account = _account(store)
    yield [name for name in ("emails", "blocked_domains") if not _is_list(account.get(name))]


@HOOKS.fact(
    "hook-has-a-state",
    "Every webhook of the account is active, inactive or deactivated.",
    "the simulator; the service reads `is_active`",
    unit="webhook",
    relied_on=False,
)
def hook_state(store: Evidence) -> Iterator[Case]:
    listed = _account(store).get("hooks_list")
    for hook in listed if isinstance(listed, list) else ():
        yield hook.get("status") in STATES


def _is_list(value: object) -> bool:
    return value is None or isinstance(value, list)
