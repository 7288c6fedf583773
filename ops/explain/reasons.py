"""The reasons of the rules in words for people."""

from chalicelib.domain import rules
from chalicelib.domain.models import Order
from chalicelib.domain.rules import Policy
from ops.explain.facts import moment, status_name


def why_not_in_scope(order: Order, policy: Policy) -> str | None:
    """Why an order is neither stored nor moved; None for one in scope."""
    if rules.why_not_in_scope(order, policy) is None:
        return None
    if rules.why_expired(order, policy):
        return (
            f"it was created at {moment(order.date_created)}, and is older than the retention of "
            f"{policy.retention_days} days (ORDERS_RETENTION_DAYS)"
        )
    if order.date_created < policy.replicate_since:
        since = moment(policy.replicate_since)
        return f"it was created at {moment(order.date_created)}, before REPLICATE_SINCE ({since})"
    if policy.channels and order.channel_id not in policy.channels:
        channels = ", ".join(map(str, policy.channels))
        return f"its channel {order.channel_id} is not one of CHANNEL_IDS ({channels})"
    return f"its status {status_name(order.status_id)} is one of IGNORED_STATUS_IDS"


def why_not_new(order: Order, policy: Policy) -> str | None:
    """Why an order that was never moved is not new; None for a new one."""
    if rules.why_not_moved(order, policy) is None:
        return None
    if reason := why_not_in_scope(order, policy):
        return reason
    if order.is_deleted:
        return "it is archived in the store"
    if order.status_id not in policy.new_statuses:
        new = ", ".join(status_name(status) for status in policy.new_statuses)
        return f"its status {status_name(order.status_id)} is not one of {new}"
    return "it is completed and not digital, like every shipped order"
