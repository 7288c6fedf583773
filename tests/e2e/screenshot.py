"""`make screenshot`: writes docs/console.png, the console's first page of a sandbox."""

import logging
import os
from datetime import timedelta
from pathlib import Path

from sandbox.metrics import Metrics
from sandbox.stack import CREDENTIALS, Aws
from sandbox.store.faults import Fault
from sandbox.world import World
from tests.e2e.browser import chromium, visiting

PICTURE = Path(__file__).resolve().parents[2] / "docs" / "console.png"
SIZE = {"width": 1100, "height": 640}
ORDERS = 24


def main() -> None:
    """A day with orders, changes and one order that fails."""
    os.environ |= {**CREDENTIALS, "AWS_EC2_METADATA_DISABLED": "true"}
    with Aws() as aws, World(aws, "local") as world, chromium() as browser:
        metrics = Metrics(world.stack, world.clock)
        logger = logging.getLogger("chalicelib")
        logger.addHandler(metrics)
        logger.setLevel(logging.INFO)
        world.stack.add_destination("erp", url="http://127.0.0.1:9/")
        world.store.place_orders(ORDERS, over=timedelta(hours=6))
        failing = world.store.place_order()
        world.store.faults.add(Fault(f"GET /orders/{failing}*", kind="status", status=500))
        world.deliver_webhooks()
        world.poll()
        world.drain()
        metrics.publish()
        with visiting(browser, world) as visitor:
            visitor.page.set_viewport_size(SIZE)  # type: ignore[arg-type]  # a literal
            visitor.open("/flow/")
            visitor.page.screenshot(path=PICTURE)


if __name__ == "__main__":
    main()
