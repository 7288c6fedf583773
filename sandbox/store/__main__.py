"""`python -m sandbox.store` runs the store alone, for testing other BigCommerce integrations."""

from datetime import timedelta
from typing import Any

import click

from sandbox.store.ending import Ending
from sandbox.store.store import Store


@click.command()
@click.option("--orders", default=200, show_default=True, help="Orders at the start.")
@click.option(
    "--days", default=30, show_default=True, help="Days before now over which they are spread."
)
@click.option(
    "--port", default=8100, show_default=True, help="Port on 127.0.0.1; 0 takes a free one."
)
@click.option(
    "--seed", default=1, show_default=True, help="The same seed generates the same orders."
)
@click.option("--quota", default=150, show_default=True, help="Requests per window.")
@click.option("--window-seconds", default=30.0, show_default=True, help="Length of a window.")
@click.option("--latency", default=0.0, show_default=True, help="Seconds that each response takes.")
@click.option(
    "--retry-scale",
    default=1.0,
    show_default=True,
    help="Factor on the delays of callback retries.",
)
@click.option("--store-hash", default="sandbox", show_default=True)
@click.option("--access-token", default="sandbox-access-token", show_default=True)
@click.option("--client-secret", default="sandbox-client-secret", show_default=True)
def main(orders: int, days: int, port: int, **settings: Any) -> None:
    """Run a simulated BigCommerce store until Ctrl-C."""
    store = Store(**settings)
    ending = Ending()
    store.place_orders(orders, via="storefront", over=timedelta(days=days))
    with store.start(port):
        store.start_delivering()
        _print_introduction(store, orders)
        ending.wait()
    click.echo("Stopped.")


def _print_introduction(store: Store, orders: int) -> None:
    root = f"{store.url}/stores/{store.store_hash}"
    click.echo(f"{orders} orders at {root}/v2 and {root}/v3, token {store.access_token}")
    click.echo(f"Control API and faults, with examples: curl {store.url}/")
    click.echo(f"  curl -H 'X-Auth-Token: {store.access_token}' '{root}/v2/orders?limit=2'")


if __name__ == "__main__":
    main(prog_name="python -m sandbox.store")
