"""Whether the store lets the stage in, how much it may ask, and whether it calls back."""

from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from chalicelib.domain.models import CART_CONVERTED, JsonObject
from chalicelib.edges.bigcommerce import BigCommerce, Unauthorized
from chalicelib.edges.bigcommerce_hooks import Hook, Hooks
from ops.deployment import Deployment
from ops.doctor.finding import Finding, fault, note, ok
from ops.remedies import deploy_secret, run
from ops.store import blocked_domains, may_modify
from ops.webhook.registration import NotRegistrable, Registration
from ops.wording import span

PATIENCE = 60.0
"""Seconds after which the store has had its time to answer."""

SCARCE = 0.1
"""The share of the quota under which the store is nearly used up."""


def token(stage: str, store: BigCommerce) -> Finding:
    """The store takes the access token. Raises StoreError and OutOfTime."""
    try:
        counts = store.counts()
    except Unauthorized as error:
        mend = deploy_secret(stage, "bigcommerce_access_token")
        return fault("token", f"the store refuses it ({error})", mend)
    return ok("token", f"the store takes it, and has {sum(counts.values())} orders")


def quota(store: BigCommerce) -> Finding:
    """What is left of the window that runs; no fault, since every app on the store shares it."""
    window = store.pacer.window
    if store.usage.throttled:
        return note("quota", "the store had nothing left and was waited for; its apps share it")
    if window is None or not window.quota:
        return note("quota", "the store does not tell")
    left = f"{window.left} of {window.quota} requests left for {window.seconds:.0f} s"
    if window.left < SCARCE * window.quota:
        return note("quota", f"{left}: with the store's other apps, replication has to wait")
    return ok("quota", left)


def scope(stage: str, store: BigCommerce, moves: bool) -> Finding:
    """The token may write. Raises StoreError and OutOfTime."""
    if may_modify(store):
        return ok("scope", "Orders: modify")
    if not moves:
        return note("scope", "read-only, which will do while MOVE_STATUS is false")
    mend = deploy_secret(stage, "bigcommerce_access_token")
    return fault("scope", "the token may only read: it lacks the scope Orders: modify", mend)


def webhook(deployment: Deployment, store: BigCommerce) -> Iterator[Finding]:
    """The hook is registered and well. Raises StoreError, OutOfTime and AwsError."""
    stage = deployment.stage
    try:
        wanted = Registration.of(deployment)
    except NotRegistrable as error:
        yield fault("webhook", error.lacks, error.mend)
        return
    hooks = Hooks.of(store)
    yield from hook_findings(stage, wanted, hooks.of_scope(CART_CONVERTED))
    yield from blocked(stage, wanted.destination, blocked_domains(hooks))


def hook_findings(stage: str, wanted: Registration, hooks: Iterable[Hook]) -> Iterator[Finding]:
    """What is wrong with the hook that leads here, and which others are ours."""
    hooks, register = list(hooks), run(stage, "webhook register")
    here = [hook for hook in hooks if wanted.is_here(hook)]
    if not here:
        yield fault("webhook", f"no hook leads to {wanted.destination}", register)
    for hook in here:
        complaints = wanted.complaints(hook)
        for complaint in complaints:
            yield fault(f"webhook {hook.id}", complaint, register)
        if not complaints:
            yield ok(f"webhook {hook.id}", f"active, with our header, to {hook.destination}")
    for hook in filter(wanted.is_left_behind, hooks):
        yield note(
            f"webhook {hook.id}",
            f"carries our header to another URL: {hook.destination}",
            run(stage, f"webhook remove {hook.id}"),
        )


def blocked(stage: str, destination: str, domains: Iterable[JsonObject]) -> Iterator[Finding]:
    """BigCommerce sends nothing to a domain for minutes, when too many callbacks have failed."""
    ours = _domain(destination)
    for domain in domains:
        if _domain(str(domain.get("destination"))) == ours:
            left = domain.get("time_left")
            until = f" for {span(left)} more" if isinstance(left, int | float) else ""
            found = f"BigCommerce sends nothing to {ours}{until}: too many callbacks failed"
            yield fault("webhook domain", found, run(stage, "webhook test"))


def _domain(destination: str) -> str:
    """Of a URL, or of a domain alone: BigCommerce documents neither."""
    return urlsplit(destination if "//" in destination else f"//{destination}").netloc
