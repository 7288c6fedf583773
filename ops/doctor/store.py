"""Checks the store: access token, quota, scope and webhooks."""

from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import urlsplit

from chalicelib.domain.models import JsonObject
from chalicelib.edges.bigcommerce import BigCommerce, Unauthorized
from chalicelib.edges.bigcommerce_hooks import Hook, Hooks
from ops.deployment import Deployment
from ops.doctor.finding import Finding, fault, note, ok
from ops.remedies import deploy_secret, run
from ops.store import administration, may_modify
from ops.webhook.registration import NotRegistrable, Registration
from ops.wording import count, duration

TIMEOUT = 60.0
"""Seconds for all requests to the store."""

SCARCE = 0.1
"""The share of the quota below which it is nearly used up."""


def token(stage: str, store: BigCommerce) -> Finding:
    """The store accepts the access token. Raises StoreError and OutOfTime."""
    try:
        counts = store.counts()
    except Unauthorized as error:
        fix = deploy_secret(stage, "bigcommerce_access_token")
        return fault("token", f"rejected by the store ({error})", fix)
    orders = count(sum(counts.values()), "order")
    return ok("token", f"accepted by the store, which has {orders}")


def quota(store: BigCommerce) -> Finding:
    """What is left of the current window. Never a fault: all apps of the store share the quota."""
    window = store.pacer.window
    if store.usage.throttled:
        return note("quota", "was used up, so requests had to wait; all apps of the store share it")
    if window is None or not window.quota:
        return note("quota", "not reported by the store")
    left = f"{window.left} of {window.quota} requests left for {window.seconds:.0f} s"
    if window.left < SCARCE * window.quota:
        return note("quota", f"{left}: nearly used up, so replication has to wait")
    return ok("quota", left)


def scope(stage: str, store: BigCommerce, moves: bool) -> Finding:
    """The access token may modify orders. Raises StoreError and OutOfTime."""
    if may_modify(store):
        return ok("scope", "Orders: modify")
    if not moves:
        return note("scope", "read-only, which is sufficient while MOVE_STATUS is false")
    fix = deploy_secret(stage, "bigcommerce_access_token")
    return fault("scope", "the access token is read-only: scope Orders: modify is missing", fix)


def webhooks(deployment: Deployment, store: BigCommerce) -> Iterator[Finding]:
    """Every webhook is registered and works. Raises StoreError, OutOfTime and AwsError."""
    stage = deployment.stage
    try:
        wanted = Registration.of(deployment)
    except NotRegistrable as error:
        yield fault("webhooks", error.problem, error.fix)
        return
    hooks = Hooks.of(store)
    yield from hook_findings(stage, wanted, hooks.all())
    account = administration(hooks)
    yield notified(stage, account.emails)
    yield from blocked(stage, wanted.destinations.values(), account.blocked)


def hook_findings(stage: str, wanted: Registration, hooks: Iterable[Hook]) -> Iterator[Finding]:
    """The findings for this stage's hooks, and for hooks left behind by earlier URLs."""
    hooks, register = list(hooks), run(stage, "webhook register")
    missing = wanted.missing(hooks)
    if missing:
        yield fault("webhooks", f"not registered: {', '.join(missing)}", register)
    here = wanted.here(hooks).values()
    broken = [hook for hook in here if wanted.problems(hook)]
    for hook in broken:
        for problem in wanted.problems(hook):
            yield fault(f"webhook {hook.id}", f"{hook.scope}: {problem}", register)
    if not missing and not broken:
        yield ok("webhooks", f"{len(here)} registered and active, with the current secret")
    for hook in filter(wanted.is_left_behind, hooks):
        yield note(
            f"webhook {hook.id}",
            f"not one of this stage: {hook.scope} to {hook.destination}",
            run(stage, f"webhook remove {hook.id}"),
        )


def notified(stage: str, emails: Sequence[str]) -> Finding:
    """Whether BigCommerce notifies anybody when it deactivates a hook."""
    if emails:
        return ok("webhook e-mails", f"{', '.join(emails)} notified of inactive webhooks")
    fix = run(stage, "webhook register --email ADDRESS")
    return note("webhook e-mails", "nobody is notified of inactive webhooks", fix)


def blocked(
    stage: str, destinations: Iterable[str], domains: Iterable[JsonObject]
) -> Iterator[Finding]:
    """BigCommerce pauses callbacks to a domain for minutes when too many have failed."""
    ours = {_domain(destination) for destination in destinations}
    for domain in domains:
        name = _domain(str(domain.get("destination")))
        if name in ours:
            left = domain.get("time_left")
            until = f" for {duration(left)}" if isinstance(left, int | float) else ""
            found = f"BigCommerce has paused callbacks to {name}{until}: too many failed"
            yield fault("webhook domain", found, run(stage, "webhook test"))


def _domain(destination: str) -> str:
    """The domain of a URL or domain; BigCommerce does not document which of them it returns."""
    return urlsplit(destination if "//" in destination else f"//{destination}").netloc
