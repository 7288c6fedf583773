"""BigCommerce's webhooks API (v3): the registrations by which the store calls this service.

An API account sees only its own hooks. BigCommerce deactivates a hook after two days of failed
deliveries or ninety days without events, and never reactivates it
(https://developer.bigcommerce.com/docs/integrations/webhooks).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, Self

from chalicelib.edges.bigcommerce import PAGE_SIZE, BigCommerce, UnexpectedResponse


@dataclass(frozen=True)
class Hook:
    """One registration. `headers` are sent with every callback and contain the webhook token."""

    id: int
    scope: str
    destination: str
    is_active: bool
    headers: Mapping[str, str] = field(repr=False, default_factory=dict)

    @classmethod
    def read(cls, sent: Any) -> Self:
        """Parse a hook as the API sends it. Raises UnexpectedResponse."""
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
    """The hooks of this API account. Every method raises StoreError and OutOfTime."""

    store: BigCommerce

    @classmethod
    def of(cls, store: BigCommerce) -> Self:
        """The hooks of a store, sharing its connections, pacing and request count."""
        return cls(replace(store, base_url=store.base_url.removesuffix("/v2") + "/v3"))

    def of_scope(self, scope: str) -> list[Hook]:
        """All hooks of a scope, active or not."""
        hooks: list[Hook] = []
        for page in count(1):
            params = {"scope": scope, "page": page, "limit": PAGE_SIZE}
            found = self.store.request("GET", "hooks", _hooks, params)
            hooks += found
            if len(found) < PAGE_SIZE:
                break
        return hooks

    def change(self, hook_id: int, **fields: Any) -> Hook:
        """Change a hook. `is_active=True` reactivates it; missed callbacks are not sent again."""
        return self.store.request("PUT", f"hooks/{hook_id}", read_hook, body=fields)


def read_data(content: Any) -> Any:
    """The `data` of a v3 response."""
    if not isinstance(content, dict) or "data" not in content:
        raise UnexpectedResponse("no data")
    return content["data"]


def read_hook(content: Any) -> Hook:
    """The hook in a v3 response."""
    return Hook.read(read_data(content))


def _hooks(content: Any) -> list[Hook]:
    # 204 means that there are none.
    data = [] if content == [] else read_data(content)
    if not isinstance(data, list):
        raise UnexpectedResponse("not a list of hooks")
    return [Hook.read(member) for member in data]
