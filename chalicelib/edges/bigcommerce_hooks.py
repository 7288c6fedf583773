"""BigCommerce's webhooks API (v3): the registrations that make the store call us.

An account sees its own registrations only. A hook that BigCommerce has switched off, after two
days of failures or ninety of silence, stays off until somebody switches it on again
(https://developer.bigcommerce.com/docs/integrations/webhooks).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, Self

from chalicelib.edges.bigcommerce import PAGE_SIZE, BigCommerce, UnexpectedResponse


@dataclass(frozen=True)
class Hook:
    """One registration; `headers` are sent with every callback and hold our secret."""

    id: int
    scope: str
    destination: str
    is_active: bool
    headers: Mapping[str, str] = field(repr=False, default_factory=dict)

    @classmethod
    def read(cls, sent: Any) -> Self:
        """The hook in an object the store sent."""
        if not isinstance(sent, dict) or not isinstance(sent.get("id"), int):
            raise UnexpectedResponse("not a hook")
        return cls(
            id=sent["id"],
            scope=str(sent.get("scope")),
            destination=str(sent.get("destination")),
            is_active=sent.get("is_active") is True,
            headers=sent.get("headers") or {},
        )


@dataclass(frozen=True)
class Hooks:
    """The hooks of our API account. Every method raises StoreError and OutOfTime."""

    store: BigCommerce

    @classmethod
    def of(cls, store: BigCommerce) -> Self:
        """The hooks of a store, with its connections, pace and usage."""
        return cls(replace(store, base_url=store.base_url.removesuffix("/v2") + "/v3"))

    def of_scope(self, scope: str) -> list[Hook]:
        """Every hook of a scope, active or not, all pages."""
        hooks: list[Hook] = []
        for page in count(1):
            params = {"scope": scope, "page": page, "limit": PAGE_SIZE}
            found = self.store.request("GET", "hooks", _hooks, params)
            hooks += found
            if len(found) < PAGE_SIZE:
                break
        return hooks

    def change(self, hook_id: int, **fields: Any) -> Hook:
        """Change a hook; `is_active=True` switches it on again, and replays nothing."""
        return self.store.request("PUT", f"hooks/{hook_id}", read_hook, body=fields)


def read_data(content: Any) -> Any:
    """The envelope's `data`, which every answer of v3 has."""
    if not isinstance(content, dict) or "data" not in content:
        raise UnexpectedResponse("no data")
    return content["data"]


def read_hook(content: Any) -> Hook:
    """The hook that a request created or changed."""
    return Hook.read(read_data(content))


def _hooks(content: Any) -> list[Hook]:
    # 204 means that there are none, as in the rest of the API.
    data = [] if content == [] else read_data(content)
    if not isinstance(data, list):
        raise UnexpectedResponse("not a list of hooks")
    return [Hook.read(member) for member in data]
