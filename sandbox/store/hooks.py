"""The webhooks API: validation and representation of registrations."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from sandbox.store.callbacks import Callbacks, Hook

SCOPE = re.compile(r"store(/[A-Za-z0-9]+)+(/\*)?")
WRITABLE = frozenset(("scope", "destination", "is_active", "headers", "events_history_enabled"))
SEARCHABLE = frozenset(("scope", "destination", "is_active", "page", "limit"))
HOOKS_PER_SCOPE = 10


class Refused(Exception):
    """A registration that BigCommerce rejects."""

    def __init__(self, status: int, title: str, **errors: str) -> None:
        super().__init__(title)
        self.status = status
        self.errors = errors


@dataclass(frozen=True)
class Result:
    data: Any
    meta: Mapping[str, Any] = field(default_factory=dict)


def as_dict(callbacks: Callbacks, hook: Hook) -> dict[str, Any]:
    return {
        "id": hook.id,
        "client_id": "sandbox-client-id",
        "store_hash": callbacks.store_hash,
        "created_at": hook.created_at,
        "updated_at": hook.updated_at,
        "scope": hook.scope,
        "destination": hook.destination,
        "is_active": hook.is_active,
        "headers": dict(hook.headers),
    }


def list_hooks(callbacks: Callbacks, _: int, query: dict[str, str], fields: Any) -> Result:
    if unknown := query.keys() - SEARCHABLE:
        raise Refused(422, "Unknown query", **dict.fromkeys(unknown, "not supported"))
    rows = [as_dict(callbacks, hook) for hook in callbacks.hooks.values()]
    found = [row for row in rows if _is_wanted(row, query)]
    limit, page = (number(query, name, given) for name, given in (("limit", 50), ("page", 1)))
    rows = found[(page - 1) * limit : page * limit]
    return Result(rows, {"pagination": pagination(len(found), len(rows), page, limit)})


def _is_wanted(row: dict[str, Any], query: dict[str, str]) -> bool:
    if "is_active" in query and row["is_active"] != (query["is_active"] in ("true", "1")):
        return False
    return all(row[name] == query[name] for name in ("scope", "destination") if name in query)


def number(query: dict[str, str], name: str, given: int) -> int:
    text = query.get(name, str(given))
    if not text.isdigit() or not 1 <= int(text) <= 250:
        raise Refused(422, "Invalid query", **{name: "must be a number from 1 to 250"})
    return int(text)


def pagination(total: int, count: int, page: int, limit: int) -> dict[str, Any]:
    """The field `pagination` of a v3 list."""
    pages = -(-total // limit)
    near = {"previous": page - 1, "current": page, "next": page + 1}
    links = {
        name: f"?page={n}&limit={limit}" for name, n in near.items() if n == page or 1 <= n <= pages
    }
    return {
        "total": total,
        "count": count,
        "per_page": limit,
        "current_page": page,
        "total_pages": pages,
        "links": links,
    }


def create_hook(callbacks: Callbacks, _: int, query: dict[str, str], fields: Any) -> Result:
    validate(fields, required=("scope", "destination"))
    same_scope = [hook for hook in callbacks.hooks.values() if hook.scope == fields["scope"]]
    if any(hook.destination == fields["destination"] for hook in same_scope):
        raise Refused(409, "A hook with this scope and destination exists")
    if len(same_scope) >= HOOKS_PER_SCOPE:
        raise Refused(422, "Too many hooks", scope="ten hooks per scope at most")
    hook = callbacks.register(
        scope=fields["scope"],
        destination=fields["destination"],
        headers=fields.get("headers") or {},
    )
    if fields.get("is_active") is False:
        hook = callbacks.change(hook.id, is_active=False)
    return Result(as_dict(callbacks, hook))


def get_hook(callbacks: Callbacks, hook_id: int, query: dict[str, str], fields: Any) -> Result:
    return Result(as_dict(callbacks, _existing(callbacks, hook_id)))


def change_hook(callbacks: Callbacks, hook_id: int, query: dict[str, str], fields: Any) -> Result:
    _existing(callbacks, hook_id)
    validate(fields)
    changes = {k: v for k, v in fields.items() if k != "events_history_enabled"}
    return Result(as_dict(callbacks, callbacks.change(hook_id, **changes)))


def delete_hook(callbacks: Callbacks, hook_id: int, query: dict[str, str], fields: Any) -> Result:
    hook = _existing(callbacks, hook_id)
    callbacks.remove(hook_id)
    return Result(as_dict(callbacks, hook))


def admin(callbacks: Callbacks, _: int, query: dict[str, str], fields: Any) -> Result:
    """Every hook with its status, the e-mail addresses to notify, and the blocked domains."""
    if unknown := query.keys() - {"is_active"}:
        raise Refused(422, "Unknown query", **dict.fromkeys(unknown, "not supported"))
    hooks = [{**as_dict(callbacks, h), "status": h.status} for h in callbacks.hooks.values()]
    shown = [hook for hook in hooks if _is_wanted(hook, query)]
    blocked = [
        {"destination": domain, "time_left": block.left, "reasons": [block.reason]}
        for domain, block in callbacks.blocks.current().items()
    ]
    data = {"emails": callbacks.emails, "hooks_list": shown, "blocked_domains": blocked}
    return Result(data, {"pagination": pagination(len(shown), len(shown), 1, 50)})


def change_admin(callbacks: Callbacks, _: int, query: dict[str, str], fields: Any) -> Result:
    """Replace the e-mail addresses that are notified of blocked domains and inactive hooks."""
    emails = fields.get("emails") if isinstance(fields, dict) else None
    if not isinstance(emails, list) or not all(
        isinstance(email, str) and "@" in email for email in emails
    ):
        raise Refused(422, "Invalid e-mail addresses", emails="a list of addresses is expected")
    callbacks.emails = emails
    return Result(None)


def _existing(callbacks: Callbacks, hook_id: int) -> Hook:
    if hook_id not in callbacks.hooks:
        raise Refused(404, "The requested resource was not found.")
    return callbacks.hooks[hook_id]


def validate(fields: Any, required: tuple[str, ...] = ()) -> None:
    """Raises Refused with 422 for fields that a registration must not have."""
    if not isinstance(fields, dict):
        raise Refused(422, "Invalid webhook", body="an object is expected")
    errors = dict.fromkeys(fields.keys() - WRITABLE, "not supported")
    errors |= dict.fromkeys(set(required) - fields.keys(), "required")
    for name in fields.keys() & WRITABLE:
        if not _is_valid(name, fields[name]):
            errors[name] = "invalid"
    if errors:
        raise Refused(422, "Invalid webhook", **errors)


def _is_valid(name: str, value: Any) -> bool:
    if name == "scope":
        return isinstance(value, str) and SCOPE.fullmatch(value) is not None
    if name == "destination":
        return isinstance(value, str) and is_deliverable(value)
    if name == "headers":
        return value is None or (
            isinstance(value, dict) and all(isinstance(v, str) for v in value.values())
        )
    return isinstance(value, bool)


def is_deliverable(destination: str) -> bool:
    """Whether it is HTTPS on port 443, or plain HTTP to this machine."""
    url = urlsplit(destination)
    try:
        port = url.port
    except ValueError:
        return False
    if url.scheme == "http" and url.hostname in ("127.0.0.1", "localhost"):
        return True
    return url.scheme == "https" and bool(url.hostname) and port in (None, 443)
