"""Applies the retention of orders to the items that were stored before it was changed."""

import click

from ops.cli import Operator, command, main
from ops.expire.expire import Plan, apply, plan
from ops.wording import count


@command(main, "expire --dry-run", changes=True)
@click.option("--dry-run", is_flag=True, help="Show the number of items, and change nothing.")
def expire(operator: Operator, dry_run: bool) -> None:
    """Set when DynamoDB deletes each item, after ORDERS_RETENTION_DAYS was changed.

    A put sets this time, and an order that does not change is not put again: items that were stored
    before a change keep the time of the old retention, or have none. Reads the whole Orders table,
    and writes only the attribute expires_at, of the items in which it is wrong. Without a retention
    it is removed. DynamoDB deletes items whose time is over, usually within two days. Tombstones of
    forgotten orders stay. After Ctrl-C or an error, run the same command again.
    """
    deployment = operator.deployment
    found = plan(deployment)
    days = deployment.settings.orders_retention_days
    operator.print(summary(found, days))
    changed = 0
    if found.changes and not dry_run:
        change = f"set the time of {count(len(found.changes), 'item')}"
        if found.expired:
            change += f", of which DynamoDB then deletes {found.expired} permanently"
        operator.authorize(change, always=bool(found.expired))
        changed = apply(deployment, found)
        operator.print(f"{count(changed, 'item')} changed.")
    operator.print_json(
        {
            "dry_run": dry_run,
            "orders_retention_days": days,
            "to_change": len(found.changes),
            "expired": found.expired,
            "unchanged": found.unchanged,
            "changed": changed,
        }
    )


def summary(found: Plan, days: int) -> str:
    kept = f"for {count(days, 'day')} from their creation" if days else "for ever"
    return (
        f"Orders are kept {kept}. {count(len(found.changes), 'item')} with another time, of which "
        f"{found.expired} expired already; {count(found.unchanged, 'item')} with the right one."
    )
