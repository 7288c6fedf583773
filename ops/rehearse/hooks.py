"""What a token can see of the store's webhooks, without their headers, which hold secrets."""

from collections import Counter
from typing import Any
from urllib.parse import urlsplit

from chalicelib.edges.bigcommerce import BigCommerce, StoreError
from chalicelib.edges.bigcommerce_hooks import Hooks
from ops.store import administration


def visible_hooks(store: BigCommerce) -> dict[str, Any]:
    """The hooks of the token's own API account, and the domains to which callbacks are paused.

    `error` is the store's answer where they cannot be read; of a URL only the domain is returned,
    because its path may be a secret. Raises OutOfTime.
    """
    hooks = Hooks.of(store)
    try:
        found, account = hooks.all(), administration(hooks)
    except StoreError as error:
        return {"error": str(error)}
    return {
        "active": sum(hook.is_active for hook in found),
        "inactive": sum(not hook.is_active for hook in found),
        "scopes": dict(sorted(Counter(hook.scope for hook in found).items())),
        "domains": sorted({domain(hook.destination) for hook in found}),
        "blocked_domains": sorted(
            {domain(str(each.get("destination", ""))) for each in account.blocked}
        ),
        "notified_addresses": len(account.emails),
    }


def domain(destination: str) -> str:
    """The domain of a URL, or of a text that is one already."""
    return urlsplit(destination if "//" in destination else f"//{destination}").hostname or ""
