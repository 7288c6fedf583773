"""Checks what happens to the orders: failing ones, and which ones are moved."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from chalicelib.domain.failing import FailingOrder
from chalicelib.domain.models import JsonObject, OrderStatus
from chalicelib.domain.rules import Policy
from chalicelib.edges.dynamodb_jobs import EMBEDDED_OFF
from ops.deployment import Deployment
from ops.doctor.finding import Finding, fault, note, ok
from ops.fields.changes import summary
from ops.pause.pause import Pause
from ops.remedies import run
from ops.tables import JobsItem
from ops.wording import ago, count

FAILING_FOR = timedelta(hours=1)
"""After this time a failing order is a fault; most errors of the store end before."""


def failing(deployment: Deployment) -> Iterator[Finding]:
    """No order has been failing for more than an hour."""
    orders = list(deployment.wiring.jobs.all_failing())
    yield failing_finding(deployment.stage, orders, deployment.clock.now())


def failing_finding(stage: str, orders: Sequence[FailingOrder], now: datetime) -> Finding:
    if not orders:
        return ok("failing orders", "none")
    oldest = min(orders, key=lambda order: order.since)
    found = (
        f"{count(len(orders), 'order')}; the oldest, {oldest.order_id}, began to fail "
        f"{ago(oldest.since, now)} ({oldest.error_class}: {oldest.error})"
    )
    fix = run(stage, f"explain {oldest.order_id}")
    if now - oldest.since > FAILING_FOR:
        return fault("failing orders", found, fix)
    return note("failing orders", found, fix)


def moves(deployment: Deployment) -> Iterator[Finding]:
    """Whether new orders are moved, and what that means for unpaid ones. Never a fault."""
    policy = deployment.settings.policy()
    paused, now = Pause.read(deployment), deployment.clock.now()
    yield move_finding(deployment.stage, policy, paused, now)
    yield from unpaid(policy)


def move_finding(stage: str, policy: Policy, paused: Pause | None, now: datetime) -> Finding:
    if paused:
        return note("moves", paused.described(now), run(stage, "resume"))
    if not policy.move_status:
        return ok("moves", "none: MOVE_STATUS is false, and the store is only read")
    return ok("moves", "new orders are moved once")


def embedded_reads(deployment: Deployment) -> Iterator[Finding]:
    """Whether the stage still uses embedded lists; it is left out when the setting is off."""
    if not deployment.settings.embedded_reads:
        return
    yield embedded_finding(deployment.stage, JobsItem(deployment, EMBEDDED_OFF).read())


def embedded_finding(stage: str, off: JsonObject | None) -> Finding:
    """`off` is the item that stops the stage from using embedded lists."""
    if off is None:
        return ok("embedded reads", "one order in a hundred is read both ways; none has differed")
    found = f"not used: order {off['order_id']} differed in {', '.join(off['fields'])}"
    return fault("embedded reads", found, run(stage, "embedded-reads"))


def order_fields(deployment: Deployment) -> Iterator[Finding]:
    """Whether the fields of orders have changed; left out before the first comparison."""
    known = deployment.wiring.jobs.order_fields()
    if known is None:
        return
    if known.changes:
        yield note("order fields", summary(known.changes), run(deployment.stage, "fields"))
    else:
        yield ok("order fields", "as in earlier orders")


def unpaid(policy: Policy) -> Iterator[Finding]:
    """What a move of an unpaid order means in BigCommerce."""
    if not policy.move_status or OrderStatus.AWAITING_PAYMENT not in policy.new_statuses:
        return
    if policy.move_unpaid:
        yield ok(
            "unpaid orders",
            "orders in Awaiting Payment are moved, and then count as paid in BigCommerce "
            "(MOVE_UNPAID is true)",
        )
    else:
        yield ok("unpaid orders", "moved when they are paid (MOVE_UNPAID is false)")
