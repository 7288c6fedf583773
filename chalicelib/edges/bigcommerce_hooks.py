"""BigCommerce's webhooks API (v3): the registrations by which the store calls this service.

An API account sees only its own hooks. BigCommerce deactivates a hook after two days of failed
deliveries or ninety days without events, and never reactivates it
(https://developer.bigcommerce.com/docs/integrations/webhooks).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Self

from chalicelib.edges.bigcommerce import PAGE_SIZE, BigCommerce, UnexpectedResponse, read_data


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
        return cls(store.v3)

    def all(self) -> list[Hook]:
        """Every hook of the account, active or not."""
        hooks: list[Hook] = []
        for page in count(1):
            params = {"page": page, "limit": PAGE_SIZE}
            found = self.store.request("GET", "hooks", _hooks, params)
            hooks += found
            if len(found) < PAGE_SIZE:
                break
        return hooks

    def change(self, hook_id: int, **fields: Any) -> Hook:
        """Change a hook. `is_active=True` reactivates it; missed callbacks are not sent again."""
        return self.store.request("PUT", f"hooks/{hook_id}", read_hook, body=fields)


def read_hook(content: Any) -> Hook:
    """The hook in a v3 response."""
    return Hook.read(read_data(content))


def _hooks(content: Any) -> list[Hook]:
    # 204 means that there are none.
    data = [] if content == [] else read_data(content)
    if not isinstance(data, list):
        raise UnexpectedResponse("not a list of hooks")
    return [Hook.read(member) for member in data]
