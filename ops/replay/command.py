"""Queues orders to be read and stored again, without moving them."""

import click

from chalicelib.domain.messages import OrderMessage
from ops.cli import ORDER_ID, Operator, command, main
from ops.deployment import Deployment
from ops.remedies import run
from ops.wording import count


@command(main, "replay 118 119", changes=True)
@click.argument("order_ids", type=ORDER_ID, nargs=-1, required=True, metavar="ORDER_ID...")
def replay(operator: Operator, order_ids: tuple[int, ...]) -> None:
    """Read orders from the store and store them, whatever their age, status or channel.

    An order that is older than the retention of orders is not stored. No order is moved. An order
    that differs from its item is published as an event; events replay publishes the others. An
    order that should be moved is queued by retry.
    """
    order_ids = tuple(dict.fromkeys(order_ids))
    operator.authorize(f"replay {count(len(order_ids), 'order')}", order_ids)
    queue_orders(operator.deployment, order_ids)
    operator.print_json({"queued": list(order_ids)})
    explain = run(operator.stage, f"explain {order_ids[0]}")
    operator.print(
        f"{count(len(order_ids), 'order')} queued: {', '.join(map(str, order_ids))}.\n"
        f"To see the result in a minute: [bold]{explain}[/]"
    )


def queue_orders(deployment: Deployment, order_ids: tuple[int, ...]) -> None:
    """Queue the orders beside the changes, so that new orders do not wait. Raises AwsError."""
    now = deployment.clock.now()
    deployment.wiring.changes.send(
        OrderMessage(order_id=order_id, source="replay", queued_at=now) for order_id in order_ids
    )
