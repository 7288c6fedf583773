"""Queues orders to be read and stored again."""

import click

from chalicelib.domain.models import OrderMessage
from ops.cli import ORDER_ID, Operator, command, main
from ops.deployment import Deployment
from ops.remedies import run
from ops.wording import count


@command(main, "replay 118 119", changes=True)
@click.argument("order_ids", type=ORDER_ID, nargs=-1, required=True, metavar="ORDER_ID...")
def replay(operator: Operator, order_ids: tuple[int, ...]) -> None:
    """Read orders from the store and store them again, whatever their status.

    An order is moved only if it is new and has never been moved. Consumers of the table's stream
    receive it again.
    """
    operator.confirm(f"replay {count(len(order_ids), 'order')}")
    queue_orders(operator.deployment, order_ids)
    operator.print_json({"queued": list(order_ids)})
    explain = run(operator.stage, f"explain {order_ids[0]}")
    operator.print(
        f"{count(len(order_ids), 'order')} queued: {', '.join(map(str, order_ids))}.\n"
        f"To see the result in a minute: [bold]{explain}[/]"
    )


def queue_orders(deployment: Deployment, order_ids: tuple[int, ...]) -> None:
    """Raises AwsError."""
    queued_at = deployment.clock.now().isoformat()
    deployment.wiring.queue.send(
        OrderMessage(order_id=order_id, source="replay", queued_at=queued_at)
        for order_id in order_ids
    )
