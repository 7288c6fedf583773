"""`make screenshot`: writes docs/console.png, the console's first page of a sandbox."""

import logging
import os
from datetime import timedelta
from pathlib import Path

from sandbox.bus import Answer
from sandbox.metrics import Metrics
from sandbox.stack import CREDENTIALS, Aws
from sandbox.world import World
from tests.e2e.browser import chromium, visiting

PICTURE = Path(__file__).resolve().parents[2] / "docs" / "console.png"
WIDTH, HEIGHT = 1100, 650
ORDERS = 24


def main() -> None:
    """A stage that has replicated the orders of some hours."""
    os.environ |= {**CREDENTIALS, "AWS_EC2_METADATA_DISABLED": "true"}
    with Aws() as aws, World(aws, "local") as world, chromium() as browser:
        metrics = Metrics(world.stack, world.clock)
        world.bus.receivers["http://127.0.0.1:9/"] = lambda event: Answer(200)
        logger = logging.getLogger("chalicelib")
        logger.addHandler(metrics)
        logger.setLevel(logging.INFO)
        world.stack.add_destination("erp", url="http://127.0.0.1:9/")
        world.store.place_orders(ORDERS, over=timedelta(hours=6))
        world.deliver_webhooks()
        world.poll()
        world.settle()
        world.publish()
        metrics.publish()
        with visiting(browser, world) as visitor:
            visitor.page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
            visitor.open("/flow/")
            visitor.page.screenshot(path=PICTURE)


if __name__ == "__main__":
    main()
